//! What the client shows of a running controller.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use docktor::admin::explanation::Explanation;
use docktor::api::effective::Spec;
use docktor::api::policy::PolicySpec;
use docktor::api::status::Phase;
use docktor::decide::outlook::Present;
use docktor::decide::{Constraints, decide};
use docktor::model::key::PolicyKey;
use docktor::model::memory::Memory;
use docktor::model::observation::{Observation, Snapshot};
use insta::assert_snapshot;

use super::fixture::{Fixture, ago, command, redacted, web};

fn fixture() -> Fixture {
    let fixture = Fixture::start();
    fixture.three_policies();
    fixture
}

#[test]
fn policies_are_a_plain_table() {
    let fixture = fixture();
    assert_snapshot!(redacted(&fixture.docktorctl(&["get", "policies"]), fixture.folder.path()));
}

#[test]
fn wide_tables_show_more() {
    let fixture = fixture();
    assert_snapshot!(redacted(&fixture.docktorctl(&["get", "pol", "-o", "wide"]), fixture.folder.path()));
}

#[test]
fn names_and_labels_select() {
    let fixture = fixture();
    let names = |arguments: &[&str]| fixture.docktorctl(arguments).stdout;
    assert_eq!(names(&["get", "pol", "-o", "name"]), "policy/api\npolicy/stubborn\npolicy/web\n");
    assert_eq!(names(&["get", "pol", "-l", "tier=front", "-o", "name"]), "policy/web\n");
    assert_eq!(
        names(&["get", "pol", "-l", "tier in (front, back)", "-o", "name"]),
        "policy/api\npolicy/web\n"
    );
    assert_eq!(names(&["get", "policy/web", "-o", "name"]), "policy/web\n");
    assert_eq!(names(&["get", "policy", "web", "api", "-o", "name"]), "policy/web\npolicy/api\n");
}

#[test]
fn one_name_gives_the_object_and_several_a_list() {
    let fixture = fixture();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&fixture.docktorctl(arguments).stdout).unwrap()
    };
    assert_eq!(json(&["get", "policy", "web", "-o", "json"])["metadata"]["name"], "web");
    let list = json(&["get", "policies", "-o", "json"]);
    assert_eq!((list["kind"].as_str(), list["items"].as_array().unwrap().len()), (Some("List"), 3));

    let yaml = fixture.docktorctl(&["get", "policy", "web", "-o", "yaml"]).stdout;
    let object: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
    assert_eq!(object["spec"]["target"]["compose"]["service"], "web", "{yaml}");
}

#[test]
fn templates_pick_fields_as_with_kubectl() {
    let fixture = fixture();
    let pick = |arguments: &[&str]| fixture.docktorctl(arguments).stdout;
    assert_eq!(pick(&["get", "policy", "web", "-o", "jsonpath={.status.replicas.desired}"]), "4");
    assert_eq!(pick(&["get", "policies", "-o", "jsonpath={.items[*].metadata.name}"]), "api stubborn web");
}

#[test]
fn policies_are_sorted_by_any_field() {
    let fixture = fixture();
    let run = fixture.docktorctl(&["get", "pol", "--sort-by", ".status.replicas.current", "-o", "name"]);
    assert_eq!(run.stdout, "policy/stubborn\npolicy/api\npolicy/web\n");
    let run = fixture.docktorctl(&["get", "pol", "--sort-by", "{.status.phase}", "-o", "name"]);
    assert_eq!(run.stdout, "policy/api\npolicy/stubborn\npolicy/web\n");
}

#[test]
fn the_present_decision_is_told_with_what_would_change_it() {
    let fixture = fixture();
    fixture.admin.explain(&PolicyKey::new("web"), Some(explanation()));
    let run = fixture.docktorctl(&["explain", "web"]);
    for line in [
        "web: stay at 4 replicas.",
        "  4 of 4 replicas ready; minimum 2, maximum 10; mode Auto, phase Active",
        "    - cpu.avg is 60.2, needs > 75",
        "    - cpu.avg is 60.2, needs < 20",
    ] {
        assert!(run.stdout.lines().any(|it| it == line), "{line}: {run}");
    }
    assert!(run.stdout.contains("it may grow at "), "{run}");
    assert!(run.stdout.is_ascii() && !run.stdout.contains('\u{1b}'), "{run}");
    let picked =
        fixture.docktorctl(&["explain", "web", "-o", "jsonpath={.outlook.grow.rules.rules[0].outcome}"]);
    assert_eq!(picked.stdout, "Fails", "{picked}");
    let yaml = fixture.docktorctl(&["explain", "web", "-o", "yaml"]).stdout;
    assert!(yaml.contains("kind: PolicyExplanation"), "{yaml}");
}

/// A policy of rules that sees 60.2 on four replicas.
fn explanation() -> Explanation {
    let policy: serde_json::Value = serde_yaml::from_str(
        "{target: {compose: {project: shop, service: web}}, interval: 30s, replicas: {min: 2, max: 10}, \
         scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}]}, \
         scaleDown: {rules: [{metric: cpu.avg, op: '<', value: 20}], step: '-1'}}",
    )
    .unwrap();
    let policy: PolicySpec = serde_json::from_value(policy).unwrap();
    let spec = Spec::effective(&policy, None).unwrap();
    let metrics = [("cpu.avg".to_owned(), Observation::Value(60.2))].into();
    let snapshot = Snapshot { current: Some(4), metrics, evaluation: true, ..Snapshot::default() };
    let (mut memory, constraints, now) = (Memory::default(), Constraints::default(), ago(3));
    let decision = decide(&spec, &mut memory, &snapshot, &constraints, now);
    let present = Present {
        spec: &spec,
        memory: &memory,
        snapshot: &snapshot,
        constraints: &constraints,
        decision: &decision,
        next_evaluation: Some(now.plus(spec.interval)),
    };
    Explanation::of("web", Phase::Active, &present, None)
}

#[test]
fn a_policy_is_described_in_full() {
    let fixture = fixture();
    assert_snapshot!(redacted(&fixture.docktorctl(&["describe", "policy", "web"]), fixture.folder.path()));
}

#[test]
fn an_invalid_policy_is_described_with_its_mistakes() {
    let fixture = fixture();
    assert_snapshot!(redacted(
        &fixture.docktorctl(&["describe", "policy", "stubborn"]),
        fixture.folder.path()
    ));
}

#[test]
fn a_format_that_a_command_does_not_print_is_told_with_those_that_it_does() {
    let fixture = fixture();
    for (arguments, words) in [
        (
            &["get", "policies", "-o", "jsonl"][..],
            "`get` prints table, wide, json, yaml, name and jsonpath only",
        ),
        (&["explain", "web", "--tail", "2", "-o", "svg"], "`explain --tail` prints a table, json, yaml"),
        (&["validate", "-o", "jsonl", "."], "`validate` prints text, json, yaml and jsonpath only"),
        (&["version", "-o", "svg"], "`version` prints text, json, yaml and jsonpath only"),
    ] {
        let run = fixture.docktorctl(arguments);
        assert!(run.stderr.contains(words), "{run}");
    }
}

#[test]
fn a_decision_is_told_as_a_story() {
    let fixture = fixture();
    assert_snapshot!(redacted(&fixture.docktorctl(&["explain", "web"]), fixture.folder.path()));
}

#[test]
fn the_last_decisions_are_a_table() {
    let fixture = fixture();
    assert_snapshot!(redacted(
        &fixture.docktorctl(&["explain", "web", "--tail", "5"]),
        fixture.folder.path()
    ));
    let one = fixture.docktorctl(&["explain", "web", "--tail", "1"]).stdout;
    assert!(one.contains("ScaleUp") && !one.contains("ScaleDown"), "{one}");
}

#[test]
fn decisions_of_all_policies_stand_together() {
    let fixture = fixture();
    let run = fixture.docktorctl(&["get", "decisions"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 3), "{run}");
    assert_eq!(fixture.docktorctl(&["get", "decisions", "api"]).code, 4);
}

#[test]
fn events_are_listed() {
    let fixture = fixture();
    let run = fixture.docktorctl(&["get", "events"]);
    assert!(run.stdout.starts_with("LAST SEEN   TYPE     REASON"), "{run}");
    assert!(run.stdout.contains("HoldEnded"), "{run}");
    assert_eq!(fixture.docktorctl(&["get", "events", "api"]).code, 4);
}

#[test]
fn a_watch_prints_what_changes_and_nothing_twice() {
    let fixture = fixture();
    let mut watch = command(fixture.folder.path())
        .args(["--socket", fixture.socket().to_str().unwrap(), "get", "policies", "-l", "tier=front", "-w"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("NAME   TARGET"));
    assert!(lines.next().unwrap().contains("ScalingUp"));

    let mut unseen = web();
    unseen.metadata.generation += 1;
    fixture.admin.publish(unseen);
    let mut active = web();
    active.status.phase = Phase::Active;
    fixture.admin.publish(active);
    fixture.admin.remove(&PolicyKey::new("api"));
    fixture.admin.remove(&PolicyKey::new("web"));
    assert!(lines.next().unwrap().contains(" Active "));
    assert!(lines.next().unwrap().contains(" Deleted "));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let fixture = fixture();
    let mut child = command(fixture.folder.path())
        .args(["--socket", fixture.socket().to_str().unwrap(), "get", "policies"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn versions_of_both_sides_are_told() {
    let fixture = fixture();
    assert_snapshot!(redacted(&fixture.docktorctl(&["version"]), fixture.folder.path()));
}

#[test]
fn a_name_that_no_policy_has_gives_4() {
    let fixture = fixture();
    for arguments in
        [&["get", "policy", "absent"][..], &["describe", "policy", "absent"], &["explain", "absent"]]
    {
        let run = fixture.docktorctl(arguments);
        assert_eq!(run.code, 4, "{run}");
        assert!(run.stderr.contains("there is no policy `absent`"), "{run}");
    }
    let run = fixture.docktorctl(&["get", "policy", "web", "absent", "-o", "name"]);
    assert_eq!((run.code, run.stdout.as_str()), (4, "policy/web\n"));
    assert_eq!(fixture.docktorctl(&["get", "pol", "-l", "tier=none"]).code, 4);
}
