//! Orders of the client, as the controller gets them.

use docktor::admin::order::Order;
use docktor::admin::view::{HoldDirection, HoldRequest};
use docktor::api::policy::Mode;
use docktor::model::key::PolicyKey;
use docktor::units::Duration;

use super::fixture::Fixture;

fn fixture() -> Fixture {
    let fixture = Fixture::start();
    fixture.three_policies();
    fixture
}

fn orders(fixture: &Fixture) -> Vec<Order> {
    std::mem::take(&mut fixture.orders.lock().unwrap())
}

#[test]
fn a_hold_says_how_long_which_way_why_and_who() {
    let fixture = fixture();
    let run =
        fixture.docktorctl(&["hold", "web", "--for", "10m", "--direction", "Up", "--reason", "load test"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "policy/web held from going up for 10m\n"), "{run}");
    let [Order::Hold { key, request, by }] = &orders(&fixture)[..] else { panic!("one hold") };
    assert_eq!(key, &PolicyKey::new("web"));
    let expected = HoldRequest {
        hold_for: Duration::from_secs(600),
        direction: Some(HoldDirection::Up),
        reason: Some("load test".to_owned()),
    };
    assert_eq!(request, &expected);
    assert!(by.contains("uid "), "{by}");
}

#[test]
fn all_policies_can_be_held_and_resumed_at_once() {
    let fixture = fixture();
    let run = fixture.docktorctl(&["hold", "--all", "--for", "1h"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "all policies held for 1h\n"), "{run}");
    let run = fixture.docktorctl(&["resume", "--all"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "all policies resumed\n"), "{run}");
    assert!(matches!(&orders(&fixture)[..], [Order::HoldAll { .. }, Order::ResumeAll { .. }]));
}

#[test]
fn resume_and_mode_reach_the_controller() {
    let fixture = fixture();
    assert_eq!(fixture.docktorctl(&["resume", "policy/web"]).stdout, "policy/web resumed\n");
    assert_eq!(fixture.docktorctl(&["mode", "web", "observe"]).stdout, "policy/web mode set to Observe\n");
    let orders = orders(&fixture);
    assert!(matches!(&orders[0], Order::Resume { key, .. } if key.as_str() == "web"));
    assert!(matches!(&orders[1], Order::SetMode { mode: Mode::Observe, .. }));
}

#[test]
fn a_refusal_gives_1_and_the_controllers_reason() {
    let fixture = fixture();
    let run = fixture.docktorctl(&["hold", "stubborn", "--for", "1m"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (1, "docktorctl: the policy is invalid; mend its text first\n")
    );
    let run = fixture.docktorctl(&["resume", "absent"]);
    assert_eq!((run.code, run.stderr.as_str()), (4, "docktorctl: there is no policy `absent`\n"));
}

#[test]
fn wrong_usage_gives_2_before_anything_is_asked() {
    let fixture = fixture();
    for arguments in [
        &["hold", "web"][..],
        &["hold", "--for", "1m"],
        &["hold", "web", "--all", "--for", "1m"],
        &["hold", "web", "--for", "ten"],
        &["hold", "web", "--for", "1m", "--direction", "Sideways"],
        &["mode", "web", "Manual"],
        &["get", "pods"],
        &["get", "policies", "-o", "xml"],
        &["get", "policies", "-l", "a b"],
        &["get", "policies", "--sort-by", "{.a"],
        &["describe", "events"],
        &["describe", "policy", "web", "-o", "json"],
        &["--server", "https://localhost", "get", "policies"],
        &["frobnicate"],
        &[],
    ] {
        let run = fixture.docktorctl(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {run}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    assert!(orders(&fixture).is_empty());
}
