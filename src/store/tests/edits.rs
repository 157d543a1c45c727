//! Edits of documents: what runs, what is reported, what is counted.

use super::bench::{Bench, keys, now, policy, simple, wrong};
use crate::store::Store;
use crate::units::Duration;

#[test]
fn new_changed_and_deleted_policies_are_told() {
    let mut bench = Bench::new();
    bench.write("web.yaml", simple("web"));
    bench.write("team/api.yml", simple("api"));
    assert_eq!(bench.rescan().changed, keys(&["api", "web"]));
    assert!(bench.rescan().changed.is_empty());

    bench.write("web.yaml", policy("web", "web", 9));
    assert_eq!(bench.rescan().changed, keys(&["web"]));
    assert_eq!(bench.max("web"), Some(9));

    bench.remove("team/api.yml");
    let changes = bench.rescan();
    assert_eq!((changes.changed, changes.deleted), (keys(&[]), keys(&["api"])));
}

#[test]
fn an_invalid_edit_leaves_the_last_good_text_running_across_restarts() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    let good = bench.get("web").source.clone();
    for text in [
        wrong("web"),
        "a: [".into(),
        "kind: ScalingPolicy\n".into(),
        simple("web").replace("ScalingPolicy", "Scaler"),
    ] {
        bench.write("web.yaml", &text);
        assert_eq!(bench.rescan().changed, keys(&["web"]), "{text}");
        bench.restart();
        let web = bench.get("web");
        assert!(web.runs() && !web.mistakes.is_empty(), "{text}");
        assert_eq!((bench.max("web"), web.generation, web.running.as_ref()), (Some(4), 1, Some(&good)));
        assert_ne!(web.source.sha256, good.sha256);
        assert_eq!(bench.keys(), ["web"], "{text}");
    }
    bench.write("web.yaml", policy("web", "web", 5));
    bench.rescan();
    let web = bench.get("web");
    assert_eq!((web.generation, web.mistakes.len(), web.running.as_ref()), (2, 0, Some(&web.source)));
}

#[test]
fn a_document_that_never_was_good_is_shown_and_does_not_run() {
    let mut bench = Bench::new();
    bench.write("web.yaml", wrong("web"));
    bench.write("sub/broken.yaml", "a: [");
    bench.rescan();
    assert_eq!(bench.keys(), ["sub/broken.yaml#0", "web"]);
    assert!(bench.running().is_empty());
    assert_eq!(bench.get("web").generation, 0);
    assert_eq!(bench.get("sub/broken.yaml#0").troubles().len(), 1);
}

#[test]
fn the_generation_counts_changes_of_the_spec_and_nothing_else() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    let first_seen = bench.get("web").first_seen;
    bench.write("web.yaml", format!("# a comment\n{}", simple("web")));
    bench.rescan();
    assert_eq!(bench.get("web").generation, 1);
    bench.write("web.yaml", simple("web").replace("name: web\n", "name: web\n  labels: {tier: front}\n"));
    bench.rescan();
    assert_eq!(bench.get("web").generation, 1);
    bench.write("web.yaml", policy("web", "web", 5));
    bench.rescan();
    bench.restart();
    bench.write("web.yaml", policy("web", "web", 6));
    bench.rescan();
    assert_eq!((bench.get("web").generation, bench.get("web").first_seen), (3, first_seen));
}

#[test]
fn a_file_that_is_renamed_keeps_its_policy() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    std::fs::rename(bench.path("web.yaml"), bench.path("shop.yml")).unwrap();
    let changes = bench.rescan();
    assert_eq!((changes.changed, changes.deleted), (keys(&["web"]), keys(&[])));
    let web = bench.get("web");
    assert_eq!((web.generation, web.source.file.as_str()), (1, "shop.yml"));
    assert_eq!(bench.store.catalog().files["shop.yml"], keys(&["web"]));
}

#[test]
fn of_several_documents_each_stands_for_itself() {
    let mut bench = Bench::new();
    bench.write("all.yaml", [simple("a"), simple("b"), simple("c")].join("---\n"));
    bench.rescan();
    assert_eq!(bench.running(), ["a", "b", "c"]);
    assert_eq!(bench.get("c").source.document, 2);

    bench.write("all.yaml", [simple("a"), "x: [\n".into(), policy("c", "c", 8)].join("---\n"));
    bench.rescan();
    assert_eq!((bench.running(), bench.keys()), (vec!["a", "b", "c"], vec!["a", "b", "c"]));
    assert_eq!((bench.max("c"), bench.get("b").mistakes.is_empty()), (Some(8), false));

    bench.write("all.yaml", [simple("c"), simple("a")].join("---\n"));
    assert_eq!(bench.rescan().deleted, keys(&["b"]));
    assert_eq!(bench.store.catalog().files["all.yaml"], keys(&["c", "a"]));
}

#[test]
fn a_new_name_with_a_mistake_does_not_end_the_policy_in_its_place() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.write("web.yaml", wrong("shop"));
    bench.rescan();
    assert_eq!((bench.keys(), bench.running()), (vec!["shop", "web"], vec!["web"]));
    bench.write("web.yaml", simple("shop"));
    bench.rescan();
    assert_eq!(bench.keys(), ["shop"]);
}

#[test]
fn a_deleted_policy_comes_back_where_it_was_within_a_day() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.write("web.yaml", policy("web", "web", 5));
    bench.rescan();
    let first_seen = bench.get("web").first_seen;
    bench.remove("web.yaml");
    bench.rescan();
    assert!(bench.keys().is_empty());
    bench.restart();
    bench.write("web.yaml", policy("web", "web", 5));
    bench.rescan();
    assert_eq!((bench.get("web").generation, bench.get("web").first_seen), (2, first_seen));
}

#[test]
fn a_checkout_that_brings_an_invalid_text_is_an_invalid_edit_whenever_it_is_seen() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.remove("web.yaml");
    bench.rescan();
    bench.write("web.yaml", wrong("web"));
    bench.rescan();
    assert!(bench.get("web").runs());
}

#[test]
fn a_deleted_policy_is_forgotten_after_a_day() {
    let bench = Bench::with(&[("web.yaml", &simple("web"))]);
    let (folder, state) = (bench.folder(), bench.state());
    let mut store = Store::open(&folder, &state, now()).unwrap();
    bench.remove("web.yaml");
    store.rescan(now());
    let tomorrow = now().plus(Duration::from_secs(24 * 3_600 + 1));
    store.rescan(tomorrow);
    bench.write("web.yaml", policy("web", "web", 5));
    store.rescan(tomorrow);
    assert_eq!(store.entries().map(|it| it.generation).collect::<Vec<_>>(), [1]);
}
