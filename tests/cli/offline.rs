//! The client without a controller.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::fixture::{Run, docktorctl, redacted};

const WEB: &str = "\
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web, labels: {tier: front}}
spec:
  target: {compose: {project: shop, service: web}}
  replicas: {min: 2, max: 10}
  scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}], step: '+2'}
";
const STATUS: &str = "\
apiVersion: docktor.dev/v1
kind: ScalingPolicyStatus
metadata: {name: web, generation: 3}
status:
  observedGeneration: 3
  source: {file: web.yaml, document: 0, sha256: '00'}
  phase: Active
  replicas: {current: 2, ready: 2, desired: 2, min: 2, max: 10}
  metrics: {cpu.avg: 41.5}
  conditions: []
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join("policies").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
    docktorctl(&[&["--policies", "policies"], arguments].concat(), folder)
}

#[test]
fn without_a_status_file_nobody_knows_how_a_policy_fares() {
    let folder = folder(&[("web.yaml", WEB), (".hidden.yaml", WEB), ("notes.txt", "no policy")]);
    assert_snapshot!(redacted(&run(folder.path(), &["get", "policies"]), folder.path()));
}

#[test]
fn the_status_file_says_how_a_policy_fared() {
    let folder = folder(&[("shop/web.yaml", WEB), ("shop/web.status.yaml", STATUS)]);
    assert_snapshot!(redacted(&run(folder.path(), &["get", "policies"]), folder.path()));
    let picked = run(folder.path(), &["get", "pol", "web", "-o", "jsonpath={.status.replicas.desired}"]);
    assert_eq!(picked.stdout, "2");
    assert_eq!(run(folder.path(), &["describe", "policy", "web"]).code, 0);
    assert_snapshot!(redacted(&run(folder.path(), &["explain", "web"]), folder.path()));
}

#[test]
fn the_folder_stands_in_for_a_controller_that_does_not_answer() {
    let folder = folder(&[("web.yaml", WEB)]);
    let run = docktorctl(
        &["--socket", "none.sock", "--policies", "policies", "get", "pol", "-o", "name"],
        folder.path(),
    );
    assert_eq!((run.code, run.stdout.as_str()), (0, "policy/web\n"), "{run}");
    assert!(run.stderr.contains("no docktor answers at none.sock"), "{run}");
}

#[test]
fn without_controller_and_folder_the_answer_is_3() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["get", "policies"][..],
        &["hold", "web", "--for", "1m"],
        &["resume", "--all"],
        &["mode", "web", "Auto"],
        &["get", "events"],
        &["get", "policies", "-w"],
        &["--server", "http://127.0.0.1:1", "get", "policies"],
    ] {
        let run = docktorctl(&[&["--socket", "none.sock"], arguments].concat(), folder.path());
        assert_eq!(run.code, 3, "{arguments:?}: {run}");
        assert!(run.stderr.contains("no docktor answers at"), "{run}");
    }
}

#[test]
fn a_valid_folder_is_valid() {
    let folder = folder(&[("web.yaml", WEB), ("web.status.yaml", STATUS)]);
    assert_snapshot!(redacted(&docktorctl(&["validate", "policies"], folder.path()), folder.path()));
}

#[test]
fn a_mistake_is_shown_where_it_is_and_gives_2() {
    let folder = folder(&[("web.yaml", &WEB.replace("op: '>'", "op: '=>'"))]);
    assert_snapshot!(redacted(&docktorctl(&["validate", "policies/web.yaml"], folder.path()), folder.path()));
    let json = docktorctl(&["validate", "policies", "-o", "json"], folder.path());
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &report["valid"]), (2, &serde_json::Value::Bool(false)));
    assert_eq!(report["documents"][0]["mistakes"][0]["line"], 7);
}

#[test]
fn names_and_targets_are_unique_over_all_files() {
    let other = WEB.replace("name: web", "name: other");
    let folder = folder(&[("a.yaml", WEB), ("b.yaml", WEB), ("c.yaml", &other)]);
    let run = docktorctl(&["validate", "policies"], folder.path());
    assert_eq!(run.code, 2);
    assert!(
        run.stdout.contains("the name `web` is taken by the ScalingPolicy at policies/a.yaml:1"),
        "{run}"
    );
    assert!(
        run.stdout.contains("compose/shop/web is scaled by the policy at policies/a.yaml:1 already"),
        "{run}"
    );
}

#[test]
fn a_profile_that_is_neither_given_nor_built_in_is_noted() {
    let named = |profile: &str| WEB.replace("spec:\n", &format!("spec:\n  profile: {profile}\n"));
    let profile =
        "apiVersion: docktor.dev/v1\nkind: ScalingProfile\nmetadata: {name: mine}\nspec: {interval: 30s}\n";
    let folder = folder(&[("web.yaml", &named("balancd")), ("profile.yaml", profile)]);
    let run = docktorctl(&["validate", "policies"], folder.path());
    assert_eq!((run.code, &*run.stdout), (0, "2 documents valid\n"), "{run}");
    let note = "docktorctl: note: policies/web.yaml:1: spec.profile: no ScalingProfile `balancd` is in the given files; \
                built in are `conservative`, `balanced`, `aggressive`\n";
    assert_eq!(run.stderr, note);
    for known in ["mine", "balanced"] {
        std::fs::write(folder.path().join("policies/web.yaml"), named(known)).unwrap();
        let run = docktorctl(&["validate", "policies"], folder.path());
        assert_eq!((run.code, &*run.stderr), (0, ""), "{run}");
    }
}

#[test]
fn what_is_not_there_cannot_be_validated() {
    let folder = folder(&[("notes.txt", "")]);
    assert_eq!(docktorctl(&["validate", "absent.yaml"], folder.path()).code, 1);
    assert_eq!(docktorctl(&["validate", "policies"], folder.path()).code, 4);
}

#[test]
fn every_shell_gets_its_completion() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let run = docktorctl(&["completion", shell], folder.path());
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("docktorctl") && run.stdout.contains("validate"), "{shell}");
    }
    assert_eq!(docktorctl(&["--help"], folder.path()).code, 0);
    assert_eq!(docktorctl(&["--version"], folder.path()).code, 0);
}

const SIZED: &str = "\
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: worker}
spec:
  target: {systemd: {unit: worker.service}}
  profile: PROFILE
";

#[test]
fn a_policy_is_checked_with_the_profile_that_is_built_in_or_given() {
    let own = "apiVersion: docktor.dev/v1\nkind: ScalingProfile\nmetadata: {name: own}\nspec: {resources: {tasksMax: {min: 9, max: 99}}}\n";
    for (profile, resources, error) in [
        (
            "balanced",
            "",
            Some("error: `replicas` is missing; write `replicas: {min: 1, max: 5}`, or `resources`"),
        ),
        ("balanced", "  resources: {tasksMax: {min: 9, max: 99}}\n", None),
        ("own", "", Some("error: nothing here can move a limit")),
        ("own", "  scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}]}\n", None),
        ("elsewhere", "", None),
    ] {
        let policy = format!("{}{resources}", SIZED.replace("PROFILE", profile));
        let folder = folder(&[("worker.yaml", &policy), ("own.yaml", own)]);
        let run = run(folder.path(), &["validate", "policies"]);
        assert_eq!(run.code, if error.is_some() { 2 } else { 0 }, "{profile}: {}{}", run.stdout, run.stderr);
        let place = " --> policies/worker.yaml:4:1 (spec";
        let told = error.is_none_or(|it| run.stdout.contains(it) && run.stdout.contains(place));
        assert!(told, "{profile}: {}", run.stdout);
    }
}

#[test]
fn an_invalid_policy_is_explained_by_each_mistake_once() {
    let folder = folder(&[("web.yaml", &WEB.replace("max: 10", "max: 1"))]);
    let told = run(folder.path(), &["explain", "web"]).stdout;
    assert_eq!(told.matches("min 2 is above max 1").count(), 1, "{told}");
}
