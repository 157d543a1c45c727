//! The stored past through the API and the client, with a controller and without.

use std::fs;
use std::sync::Arc;

use docktor::admin::view::PolicyView;
use docktor::api::policy::{Mode, PolicySpec};
use docktor::api::status::{Action, DecisionRecord};
use docktor::history::entry::{Decided, Kind, Sample, Series};
use docktor::history::{Entry, Retention, start};
use docktor::model::key::PolicyKey;
use docktor::telemetry::metrics::Metrics;
use docktor::units::Timestamp;

use super::api::ask;
use super::fixture::{Fixture, ago, docktorctl, redacted, web};

const POLICY: &str = "\
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: mine}
spec:
  target: {compose: {project: shop, service: web}}
  replicas: {min: 2, max: 10}
  track: [{metric: cpu.utilization, target: 50}]
";

/// Evaluations every 10 s of the last two hours, the older ones as means, and a decision a quarter of an hour.
fn write_history(fixture: &Fixture) {
    let keep = Retention::For("10m".parse().unwrap());
    let (recorder, _) = start(fixture.folder.path(), keep, &Arc::new(Metrics::new("test")));
    let begin = Timestamp::from_secs(ago(7_200).as_millis() / 1_000);
    for n in 0..720 {
        let at = Timestamp::from_secs(begin.as_millis() / 1_000 + n * 10);
        recorder.record(entry(at, 40.0 + (n % 60) as f64, (n % 90 == 89).then_some(n)));
        if n % 500 == 499 {
            recorder.flush();
        }
    }
    recorder.close();
}

fn entry(at: Timestamp, cpu: f64, decides: Option<i64>) -> Entry {
    let sample = |kind, name: &str, value| Sample { series: Series { kind, name: name.into() }, value };
    let samples =
        vec![sample(Kind::Replicas, "current", 2.0), sample(Kind::Observed, "cpu.utilization", cpu)];
    let decision = decides.map(|n| {
        let limited_by = (n > 400).then(|| "max 4".to_owned());
        let reason = format!("cpu.utilization {cpu} > 50");
        let record = DecisionRecord {
            time: at,
            action: Action::ScaleUp,
            from: 2,
            to: 4,
            reason,
            limited_by,
            trail: Vec::new(),
            limits: None,
            limits_before: None,
            approval: None,
        };
        Box::new(Decided { record, mode: Mode::Auto, acted: true })
    });
    Entry { policy: PolicyKey::new("web"), generation: 3, at, samples, decision }
}

fn fixture() -> Fixture {
    let fixture = Fixture::start();
    write_history(&fixture);
    fixture
}

/// The running policy `web`, with a spec that can be tried.
fn running() -> PolicyView {
    let text = POLICY.lines().skip(3).collect::<Vec<_>>().join("\n");
    let document: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let spec: PolicySpec = serde_json::from_value(document["spec"].clone()).unwrap();
    PolicyView { spec: Some(spec), effective: None, ..web() }
}

#[test]
fn the_api_gives_the_past_as_json_lines_and_says_from_when_on_it_is_whole() {
    let fixture = fixture();
    let answer = ask(&fixture, "GET", "/api/v1/policies/web/history?since=1h", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("content-type: application/jsonl"), "{}", answer.head);
    assert!(answer.head.contains("docktor-raw-since: "), "{}", answer.head);
    let rows = answer.body.lines().filter(|it| it.contains("\"cpu.utilization\":")).count();
    // Swept once, at the 500th: from then on and ten to fifteen minutes before there are all, of the rest means.
    assert!((280..320).contains(&rows), "{rows}");
    for (path, status) in [
        ("/api/v1/policies/absent/history", 404),
        ("/api/v1/policies/web/history?since=yesterday", 400),
        ("/api/v1/policies/web/history?from=1h", 400),
        ("/api/v1/policies/web/decisions?limit=0", 400),
        ("/api/v1/policies/web/decisions?limit=1001", 400),
        ("/api/v1/policies/absent/decisions", 404),
    ] {
        assert_eq!(ask(&fixture, "GET", path, "").status, status, "{path}");
    }
}

#[test]
fn decisions_come_from_the_history_and_what_it_lacks_from_memory() {
    let fixture = fixture();
    let times = |path: &str| -> Vec<String> {
        let list = ask(&fixture, "GET", path, "").json();
        let times =
            list["items"].as_array().unwrap().iter().map(|it| it["time"].as_str().unwrap().to_owned());
        times.collect()
    };
    assert_eq!(times("/api/v1/policies/web/decisions").len(), 8, "though no such policy runs");
    assert_eq!(times("/api/v1/policies/web/decisions?limit=3").len(), 3);
    let hour = times("/api/v1/decisions?since=1h");
    assert_eq!(hour.len(), 4, "{hour:?}");
    // The view remembers two of its own, of four hours and of two hours ago.
    fixture.admin.publish(web());
    let all = times("/api/v1/policies/web/decisions");
    assert_eq!(all.len(), 10);
    assert!(all.is_sorted());
}

#[test]
fn history_is_a_table_of_what_was_decided() {
    let fixture = fixture();
    let run = fixture.docktorctl(&["history", "web", "--since", "1h"]);
    insta::assert_snapshot!(redacted(&run, fixture.folder.path()));
    let lines = fixture.docktorctl(&["history", "policy/web", "-o", "jsonl"]);
    assert_eq!(lines.stdout.lines().count(), 8, "{lines}");
    let list: serde_json::Value =
        serde_json::from_str(&fixture.docktorctl(&["history", "web", "-o", "json"]).stdout).unwrap();
    assert_eq!((&list["kind"], &list["items"][0]["to"]), (&"List".into(), &4.into()));
}

#[test]
fn history_works_from_the_state_folder_alone_and_else_needs_a_controller() {
    let mut fixture = fixture();
    let online = fixture.docktorctl(&["history", "web"]);
    fixture.stop();
    let state = fixture.folder.path().to_str().unwrap();
    let offline = docktorctl(&["history", "web", "--state-dir", state], fixture.folder.path());
    assert_eq!((offline.code, offline.stdout), (0, online.stdout));
    assert_eq!(fixture.docktorctl(&["history", "web"]).code, 3);
    assert_eq!(docktorctl(&["history", "api", "--state-dir", state], fixture.folder.path()).code, 4);
    let svg = docktorctl(&["history", "web", "--state-dir", state, "-o", "svg"], fixture.folder.path());
    assert!(svg.code == 2 && svg.stderr.contains("`history` prints table, json, jsonl, yaml"), "{svg}");
}

#[test]
fn a_state_folder_without_a_history_is_told() {
    let folder = tempfile::TempDir::new().unwrap();
    fs::write(folder.path().join("mine.yaml"), POLICY).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for (state, words) in [
        ("nowhere", "cannot read nowhere: No such file or directory"),
        ("empty", "empty has no history.db; give the state folder of a controller that keeps a history"),
    ] {
        for arguments in [&["history", "web"][..], &["simulate", "-f", "mine.yaml", "--from-history", "web"]]
        {
            let run = docktorctl(&[arguments, &["--state-dir", state]].concat(), folder.path());
            assert_eq!((run.code, &*run.stdout), (1, ""), "{run}");
            assert!(run.stderr.contains(words), "{run}");
        }
    }
}

#[test]
fn a_policy_is_tried_on_the_past_of_another() {
    let mut fixture = fixture();
    let file = fixture.folder.path().join("mine.yaml");
    fs::write(&file, POLICY).unwrap();
    let arguments = ["simulate", "-f", "mine.yaml", "--from-history", "web", "--since", "7d", "-o", "jsonl"];
    let online = fixture.docktorctl(&arguments);
    assert_eq!(online.code, 0, "{online}");
    assert!(
        online.stderr.contains("the history of web: ") && online.stderr.contains("five-minute means"),
        "{online}"
    );
    assert!(online.stdout.contains("\"desired\":4"), "{online}");
    let rows = online.stdout.lines().count();
    assert!(online.stderr.contains(&format!("{rows} rows, ")), "{online}");

    fixture.stop();
    let offline = docktorctl(&[&arguments[..], &["--state-dir", "."]].concat(), fixture.folder.path());
    assert_eq!((offline.code, offline.stdout), (0, online.stdout), "{}", offline.stderr);
    assert_eq!(offline.stderr, online.stderr);
    let unreachable = fixture.docktorctl(&arguments);
    assert_eq!((unreachable.code, unreachable.stdout.len()), (3, 0), "{unreachable}");
}

#[test]
fn without_a_file_the_running_policy_is_tried() {
    let fixture = fixture();
    let arguments = ["simulate", "--from-history", "web", "-o", "jsonl"];
    let unknown = fixture.docktorctl(&arguments);
    assert!(unknown.code == 4 && unknown.stderr.contains("give another by -f"), "{unknown}");
    fixture.admin.publish(running());
    let run = fixture.docktorctl(&arguments);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("\"desired\":4"), "{run}");
    let other = fixture.docktorctl(&["simulate", "--from-history", "sql"]);
    assert_eq!(other.code, 4, "{other}");
}

#[test]
fn beside_a_state_folder_the_policy_comes_from_a_file_or_the_policy_folder() {
    let mut fixture = fixture();
    fixture.stop();
    let policies = fixture.folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("web.yaml"), POLICY.replace("name: mine", "name: web")).unwrap();
    let arguments = ["simulate", "--from-history", "web", "--state-dir", ".", "-o", "jsonl"];
    let told = docktorctl(&arguments, fixture.folder.path());
    assert_eq!((told.code, &*told.stdout), (2, ""), "{told}");
    assert!(told.stderr.contains("give the policy by -f, or its folder by --policies"), "{told}");
    let run = docktorctl(&[&arguments[..], &["--policies", "policies"]].concat(), fixture.folder.path());
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("\"desired\":4"), "{run}");
}

#[test]
fn a_trace_or_a_past_is_needed_and_not_both() {
    let folder = tempfile::TempDir::new().unwrap();
    let neither = docktorctl(&["simulate", "-f", "mine.yaml"], folder.path());
    assert!(neither.stderr.contains("--trace <TRACE>|--from-history <POLICY>"), "{neither}");
    for arguments in [
        &["simulate", "-f", "mine.yaml"][..],
        &["simulate", "--trace", "trace"],
        &["simulate", "-f", "mine.yaml", "--trace", "trace", "--from-history", "web"],
        &["simulate", "-f", "mine.yaml", "--trace", "trace", "--since", "1h"],
        &["history", "web", "--since", "soon"],
    ] {
        let run = docktorctl(arguments, folder.path());
        assert_eq!(run.code, 2, "{arguments:?} {run}");
    }
}
