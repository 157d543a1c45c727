//! Orders of the client, as the controller gets them.

use docktor::admin::order::Order;
use docktor::admin::view::{AnswerRequest, HoldDirection, HoldRequest, Verdict};
use docktor::api::policy::Mode;
use docktor::model::key::PolicyKey;
use docktor::units::Duration;

use super::fixture::{Fixture, careful, redacted};

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
fn what_waits_is_shown_with_its_id_and_approved_or_rejected_by_it() {
    let fixture = fixture();
    fixture.admin.publish(careful());
    let run = fixture.docktorctl(&["describe", "policy", "careful-web"]);
    insta::assert_snapshot!(redacted(&run, fixture.folder.path()));
    let run = fixture.docktorctl(&["get", "policies", "careful-web"]);
    assert!(run.stdout.contains("AwaitingApproval"), "{run}");

    let run = fixture.docktorctl(&["approve", "careful-web-7f3k", "--reason", "sale begins"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "careful-web-7f3k approved\n"), "{run}");
    let run = fixture.docktorctl(&["reject", "careful-web-7f3k"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "careful-web-7f3k rejected\n"), "{run}");
    let [Order::Answer { key, request, by }, Order::Answer { request: second, .. }] = &orders(&fixture)[..]
    else {
        panic!("two answers")
    };
    assert_eq!(key, &PolicyKey::new("careful-web"));
    let id = "careful-web-7f3k".to_owned();
    let reason = Some("sale begins".to_owned());
    assert_eq!(request, &AnswerRequest { id: id.clone(), verdict: Verdict::Approve, reason });
    assert_eq!(second, &AnswerRequest { id, verdict: Verdict::Reject, reason: None });
    assert!(by.contains("uid "), "{by}");
}

#[test]
fn an_id_that_does_not_wait_gives_1_with_what_does_and_4_where_nothing_does() {
    let fixture = fixture();
    fixture.admin.publish(careful());
    for (id, code, told) in [
        (
            "careful-web-2222",
            1,
            "`careful-web-2222` does not wait for an approval; `careful-web-7f3k` does: 2 -> 4 replicas, because \
             cpu.avg 89.3 > 75",
        ),
        ("web-7f3k", 4, "`web-7f3k` does not wait for an approval, and nothing else does"),
        ("absent-7f3k", 4, "there is no policy `absent`"),
        (
            "careful-web",
            2,
            "`careful-web` is no id of a change that waits; it is a policy's name and four letters or digits, as in \
             web-7f3k, and `docktorctl describe policy NAME` shows it",
        ),
    ] {
        let run = fixture.docktorctl(&["approve", id]);
        assert_eq!((run.code, run.stderr.as_str()), (code, format!("docktorctl: {told}\n").as_str()), "{id}");
    }
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
        &["approve"],
        &["reject", "7f3k"],
        &["approve", "web", "7f3k"],
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
