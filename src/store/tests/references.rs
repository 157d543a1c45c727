//! Policies that refer to profiles and notifiers.

use super::bench::{Bench, keys, simple};

fn user(profile: &str) -> String {
    simple("web").replace("spec:\n", &format!("spec:\n  profile: {profile}\n"))
}

fn profile(interval: &str) -> String {
    format!(
        "apiVersion: docktor.dev/v1\nkind: ScalingProfile\nmetadata: {{name: calm}}\nspec: {{interval: {interval}}}\n"
    )
}

fn interval(bench: &Bench) -> Option<String> {
    Some(bench.get("web").profile.as_ref()?.spec.interval?.to_string())
}

#[test]
fn an_unknown_profile_is_a_mistake_at_its_line() {
    let mut bench = Bench::new();
    bench.write("web.yaml", user("calm"));
    bench.rescan();
    let mistake = &bench.get("web").mistakes[0];
    assert_eq!((mistake.line, mistake.path.as_str()), (6, "spec.profile"));
    assert!(bench.running().is_empty());
    bench.write("calm.yaml", profile("20s"));
    assert_eq!(bench.rescan().changed, keys(&["web"]));
    assert_eq!((bench.running(), interval(&bench).as_deref()), (vec!["web"], Some("20s")));
}

#[test]
fn a_changed_profile_changes_its_users_and_not_their_generation() {
    let mut bench = Bench::with(&[("web.yaml", &user("calm")), ("calm.yaml", &profile("20s"))]);
    bench.write("calm.yaml", profile("40s"));
    let changes = bench.rescan();
    assert_eq!((changes.changed, changes.others_changed), (keys(&["web"]), true));
    assert_eq!((interval(&bench).as_deref(), bench.get("web").generation), (Some("40s"), 1));
}

#[test]
fn a_deleted_or_invalid_profile_changes_nothing_that_runs() {
    let mut bench = Bench::with(&[("web.yaml", &user("calm")), ("calm.yaml", &profile("20s"))]);
    bench.write("calm.yaml", profile("soon"));
    bench.rescan();
    bench.restart();
    assert_eq!((bench.store.catalog().faults.len(), interval(&bench).as_deref()), (1, Some("20s")));
    bench.remove("calm.yaml");
    bench.rescan();
    bench.restart();
    assert_eq!((bench.running(), interval(&bench).as_deref()), (vec!["web"], Some("20s")));
    assert_eq!(bench.get("web").mistakes.len(), 1);
}

#[test]
fn a_built_in_profile_needs_no_document() {
    let bench = Bench::with(&[("web.yaml", &user("balanced"))]);
    assert_eq!((bench.running(), bench.get("web").profile.is_none()), (vec!["web"], true));
}

#[test]
fn a_profile_with_which_a_policy_makes_no_sense_is_a_mistake_of_the_policy() {
    let bounds = |min| profile("20s").replace("interval: 20s", &format!("replicas: {{min: {min}}}"));
    let mut bench = Bench::with(&[("web.yaml", &user("calm")), ("calm.yaml", &bounds(2))]);
    assert_eq!(bench.running(), ["web"]);
    bench.write("calm.yaml", bounds(8));
    bench.rescan();
    bench.restart();
    let web = bench.get("web");
    assert!(web.mistakes[0].file == "web.yaml" && web.mistakes[0].line > 4, "{:?}", web.mistakes);
    let min = web.profile.as_ref().and_then(|it| it.spec.replicas.as_ref()?.min);
    assert_eq!((bench.running(), min), (vec!["web"], Some(2)));
}

#[test]
fn a_mistake_of_a_later_document_stands_at_its_line_in_the_file() {
    let mut bench = Bench::new();
    bench.write(
        "all.yaml",
        ["# first\n\n".into(), simple("api"), "---\n# second\n".into(), user("calm")].concat(),
    );
    bench.rescan();
    let mistake = &bench.get("web").mistakes[0];
    assert_eq!((mistake.line, mistake.column), (21, 12));
    assert!(mistake.snippet.as_ref().is_some_and(|it| it.contains("profile: calm")), "{mistake}");
}

#[test]
fn an_unknown_notifier_is_a_mistake() {
    let mut bench = Bench::new();
    bench.write("web.yaml", simple("web").replace("spec:\n", "spec:\n  notify: [ops]\n"));
    bench.rescan();
    assert_eq!(bench.get("web").mistakes[0].path, "spec.notify[0]");
}
