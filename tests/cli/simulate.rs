//! `simulate`: policies on traces, without a controller.

use std::fs;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::fixture::{Run, docktorctl, redacted};

const POLICY: &str = "\
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {systemd: {unit: worker@.service}}
  mode: Observe
  replicas: {min: 1, max: 8}
  metrics: {queue: {nats: {url: 'nats://127.0.0.1:4222', stream: EVENTS, consumer: WORKERS}}}
  track: [{metric: queue.backlog, averageValue: 100}]
  scaleDown: {stabilizationWindow: 30s}
";
const TRACE: &str = "at,current,queue.backlog\n0,2,620\n15,,900\n30,,\n45,,100\n60,,100\n75,,100\n";

fn folder(policy: &str, trace: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("web.yaml"), policy).unwrap();
    fs::write(folder.path().join("trace"), trace).unwrap();
    folder
}

fn simulate(policy: &str, trace: &str, more: &[&str]) -> (Run, TempDir) {
    let folder = folder(policy, trace);
    let arguments = [&["simulate", "-f", "web.yaml", "--trace", "trace"], more].concat();
    (docktorctl(&arguments, folder.path()), folder)
}

#[test]
fn a_table_and_a_report_tell_what_a_policy_would_do() {
    let (run, folder) = simulate(POLICY, TRACE, &["--report"]);
    assert_snapshot!(redacted(&run, folder.path()));
}

#[test]
fn one_row_is_told_as_a_story() {
    let (run, folder) = simulate(POLICY, TRACE, &["--explain", "45"]);
    assert_snapshot!(redacted(&run, folder.path()));
    let (run, _) = simulate(POLICY, TRACE, &["--explain", "45", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&told["kind"], &told["decision"]["from"]),
        (&"PolicyExplanation".into(), &8.into()),
        "{told}"
    );
    for (arguments, code, words) in [
        (&["--explain", "46"][..], 4, "trace has no row at that moment; the row before that is at 45"),
        (&["--explain", "noon"], 2, "a number of seconds, as in `30`, or a time"),
        (&["--explain", "45", "-o", "svg"], 2, "`simulate --explain` prints a story, json and yaml only"),
    ] {
        let (run, _) = simulate(POLICY, TRACE, arguments);
        assert!(run.code == code && run.stderr.contains(words), "{arguments:?} {run}");
    }
}

#[test]
fn json_lines_give_one_decision_a_row() {
    let (run, _) = simulate(POLICY, TRACE, &["-o", "jsonl"]);
    let rows: Vec<serde_json::Value> =
        run.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(rows.len(), 6);
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["at", "current", "desired", "action", "limitedBy", "reason", "trail"]);
    assert_eq!(rows[0]["at"], 0);
    assert_eq!(rows[0]["limitedBy"], "scaleUp.limits");
    assert_eq!(rows[2]["limitedBy"], serde_json::Value::Null);
    assert_eq!(
        rows[0]["trail"][0],
        serde_json::json!({"stage": "observe", "replicas": 2, "message": "2 running, 2 ready"})
    );
    let (whole, _) = simulate(POLICY, TRACE, &["-o", "json", "--report"]);
    let whole: serde_json::Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(whole["decisions"].as_array().unwrap(), &rows);
    assert_eq!(whole["report"]["rows"], 6);
}

#[test]
fn limits_have_a_column_and_fields_of_their_own() {
    let policy = "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {name: builder}\nspec:\n  \
                  target: {compose: {project: shop, service: web}}\n  \
                  resources: {cpuQuota: {min: 100%, max: 800%}, tasksMax: {min: 100, max: 1500}}\n  \
                  scaleUp: {rules: [{metric: cpu.utilization, op: '>', value: 80}], step: x1.5}\n";
    let trace = "at,cpu.utilization,limits.cpuQuota\n0,50,200%\n15,90,\n30,50,\n";
    let (run, folder) = simulate(policy, trace, &["--report"]);
    assert_snapshot!(redacted(&run, folder.path()));
    let (run, _) = simulate(policy, trace, &["-o", "jsonl"]);
    let rows: Vec<serde_json::Value> =
        run.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(rows[1]["limitsBefore"], serde_json::json!({"cpuQuota": "200%", "tasksMax": 100}));
    assert_eq!(rows[1]["limits"], serde_json::json!({"cpuQuota": "300%", "tasksMax": 100}));
    assert_eq!(rows[2].get("limitsBefore"), None);
    let (run, _) = simulate(policy, "at,limits.cpuQuota\n0,200\n", &[]);
    assert!(
        run.code == 2 && run.stderr.contains("line 2: `limits.cpuQuota`: found `200`; write `200%`"),
        "{run}"
    );
}

#[test]
fn a_picture_is_svg() {
    let (run, _) = simulate(POLICY, TRACE, &["-o", "svg"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("<svg ") && run.stdout.ends_with("</svg>\n"));
    assert!(run.stdout.contains(">queue.backlog</text>"));
}

#[test]
fn a_mistake_in_the_trace_says_its_line_and_gives_2_after_what_was_decided_before() {
    let (run, _) = simulate(POLICY, "at,current,queue.backlog\n0,2,620\n15,two,900\n", &["-o", "jsonl"]);
    assert_eq!((run.code, run.stdout.lines().count()), (2, 1));
    assert!(run.stderr.contains("trace: line 3: `current` is `two`; write a whole number"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_simulated_is_told() {
    let several = format!("{POLICY}---\n{}", POLICY.replace("name: web", "name: api"));
    for (policy, trace, arguments, code, words) in [
        ("kind: ScalingPolicy\n", TRACE, &[][..], 2, "web.yaml is invalid"),
        (several.as_str(), TRACE, &[], 2, "has several policies; name one: simulate NAME, of web, api"),
        (&several, TRACE, &["sql"], 4, "has no policy `sql`; it has web, api"),
        (&several, TRACE, &["api"], 0, ""),
        (POLICY, "", &[], 4, "trace has no row"),
        (POLICY, TRACE, &["-o", "yaml"], 2, "`simulate` prints table, json, jsonl and svg only"),
        (
            POLICY,
            "at,cpu.avg\n0,5\n",
            &[],
            0,
            "the policy reads queue.backlog, and no row of the trace gives it",
        ),
        (
            &POLICY.replace("mode: Observe", "profile: mine"),
            TRACE,
            &[],
            2,
            "there is no valid ScalingProfile `mine`",
        ),
        (&POLICY.replace("mode: Observe", "profile: balanced"), TRACE, &[], 0, ""),
    ] {
        let (run, _) = simulate(policy, trace, arguments);
        assert_eq!(run.code, code, "{arguments:?} {run}");
        assert!(run.stderr.contains(words), "{arguments:?} {run}");
    }
    let folder = folder(POLICY, TRACE);
    let both = docktorctl(&["simulate", "-f", "-", "--trace", "-"], folder.path());
    assert!(both.code == 2 && both.stderr.contains("cannot be both"), "{both}");
    let gone = docktorctl(&["simulate", "-f", "web.yaml", "--trace", "gone"], folder.path());
    assert!(gone.code == 1 && gone.stderr.contains("cannot read gone"), "{gone}");
}

#[test]
fn a_profile_may_stand_in_the_policys_file_or_in_the_folder() {
    let profile = "apiVersion: docktor.dev/v1\nkind: ScalingProfile\nmetadata: {name: mine}\nspec:\n  \
                   track: [{metric: cpu.utilization, target: 50}]\n";
    let policy = "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {name: web}\nspec:\n  \
                  target: {compose: {project: shop, service: web}}\n  profile: mine\n  replicas: {max: 9}\n";
    let trace = "at,current,cpu.utilization\n0,3,100\n";
    let (run, _) = simulate(&format!("{policy}---\n{profile}"), trace, &["-o", "jsonl"]);
    assert!(run.stdout.contains("\"desired\":6"), "{run}");
    let folder = folder(policy, trace);
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/mine.yaml"), profile).unwrap();
    let arguments =
        ["simulate", "-f", "web.yaml", "--trace", "trace", "--policies", "policies", "-o", "jsonl"];
    let run = docktorctl(&arguments, folder.path());
    assert!(run.stdout.contains("\"desired\":6"), "{run}");
}

#[test]
fn the_example_traces_are_valid() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (policy, trace) in [
        ("queue.yaml", "queue-burst.csv"),
        ("traces/web.yaml", "web-replicas.jsonl"),
        ("traces/web-three-days.yaml", "web-three-days.csv"),
        ("traces/batch-two-days.yaml", "batch-two-days.csv"),
    ] {
        let (policy, trace) = (root.join(policy), root.join("traces").join(trace));
        let folder = TempDir::new().unwrap();
        let arguments = ["simulate", "-f", policy.to_str().unwrap(), "--trace", trace.to_str().unwrap()];
        let run = docktorctl(&arguments, folder.path());
        assert_eq!(run.code, 0, "{run}");
        assert!(run.stdout.contains("ScaleUp") && run.stdout.contains("ScaleDown"), "{run}");
    }
}
