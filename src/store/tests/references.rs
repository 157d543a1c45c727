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
fn an_unknown_notifier_is_a_mistake() {
    let mut bench = Bench::new();
    bench.write("web.yaml", simple("web").replace("spec:\n", "spec:\n  notify: [ops]\n"));
    bench.rescan();
    assert_eq!(bench.get("web").mistakes[0].path, "spec.notify");
}
