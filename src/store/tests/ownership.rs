//! Names and scale targets have one owner each.

use super::bench::{Bench, policy, simple, wrong};
use crate::store::catalog::Contested;

#[test]
fn without_a_record_the_first_by_path_and_index_has_the_name() {
    let mut bench = Bench::new();
    bench.write("b.yaml", simple("web"));
    bench.write("a.yaml", [simple("other"), simple("web"), simple("web")].join("---\n"));
    bench.rescan();
    assert_eq!(bench.running(), ["other", "web"]);
    assert_eq!((bench.get("web").source.file.as_str(), bench.get("web").source.document), ("a.yaml", 1));
    for (key, file, document) in [("a.yaml#2", "a.yaml", 2), ("b.yaml#0", "b.yaml", 0)] {
        let rival = bench.get(key);
        let conflict = rival.conflict.as_ref().unwrap();
        assert_eq!((rival.name.as_str(), &conflict.over), ("web", &Contested::Name("web".to_owned())));
        assert_eq!((conflict.owner.file.as_str(), conflict.owner.document), ("a.yaml", 1));
        assert_eq!((conflict.rival.file.as_str(), conflict.rival.document), (file, document));
    }
}

#[test]
fn the_recorded_owner_keeps_the_name_until_it_gives_it_up() {
    let mut bench = Bench::with(&[("b.yaml", &policy("web", "one", 5))]);
    bench.write("a.yaml", policy("web", "two", 6));
    bench.rescan();
    bench.restart();
    assert_eq!((bench.max("web"), bench.keys()), (Some(5), vec!["a.yaml#0", "web"]));
    bench.write("b.yaml", wrong("web"));
    bench.rescan();
    assert_eq!(bench.max("web"), Some(5));
    bench.remove("b.yaml");
    bench.rescan();
    assert_eq!((bench.max("web"), bench.keys(), bench.get("web").generation), (Some(6), vec!["web"], 2));
}

#[test]
fn a_target_has_one_policy_and_the_recorded_one_keeps_it() {
    let mut bench = Bench::with(&[("z.yaml", &policy("last", "web", 4))]);
    bench.write("a.yaml", policy("first", "web", 4));
    bench.rescan();
    bench.restart();
    assert_eq!(bench.running(), ["last"]);
    let conflict = bench.get("first").conflict.clone().unwrap();
    assert_eq!(conflict.over, Contested::Target("compose/shop/web".to_owned()));
    let message = conflict.to_string();
    assert!(
        message.contains("last (document 0 of z.yaml)") && message.contains("first (document 0 of a.yaml)"),
        "{message}"
    );

    bench.write("z.yaml", policy("last", "other", 4));
    bench.rescan();
    assert_eq!(bench.running(), ["first", "last"]);
    bench.write("z.yaml", policy("last", "web", 4));
    bench.rescan();
    assert_eq!(bench.running(), ["first"]);
}

#[test]
fn without_a_record_the_first_by_path_has_the_target() {
    let mut bench = Bench::new();
    bench.write("a.yaml", policy("z", "web", 4));
    bench.write("b.yaml", policy("a", "web", 4));
    bench.rescan();
    assert_eq!(bench.running(), ["z"]);
}

#[test]
fn a_target_by_two_addresses_of_one_engine_is_one_once_its_id_is_known() {
    let remote =
        policy("remote", "web", 4).replace("service: web", "service: web, docker: 'tcp://127.0.0.1:2375'");
    let mut bench = Bench::with(&[("a.yaml", &remote), ("b.yaml", &simple("web"))]);
    assert_eq!(bench.running(), ["remote", "web"]);
    bench.store.learn_engine(None, "ABCD");
    bench.store.learn_engine(Some("tcp://127.0.0.1:2375"), "ABCD");
    bench.rescan();
    assert_eq!(bench.running(), ["remote"]);
    bench.restart();
    assert_eq!(bench.running(), ["remote"]);
}

#[test]
fn an_invalid_newcomer_takes_nothing_from_the_owner() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.write("a.yaml", simple("web").replace("kind: ScalingPolicy", "kind: Deployment"));
    bench.write("b.yaml", wrong("web"));
    bench.rescan();
    assert_eq!(bench.running(), ["web"]);
    assert!(bench.get("web").mistakes.is_empty());
    assert!(bench.get("a.yaml#0").conflict.is_none() && !bench.get("a.yaml#0").mistakes.is_empty());
    assert!(bench.get("b.yaml#0").conflict.is_some());
}
