//! The cases of KEDA's executor, fallback and formulas, each put through a policy and a trace, and the public
//! functions.

use docktor::api::behavior::FallbackBehavior;
use docktor::api::effective::{FallbackSpec, Idle};
use docktor::decide::activate::{Activity, Gate, Resting, Work, activate};
use docktor::decide::fallback;
use docktor::decide::observe::or_zero;
use docktor::units::{Duration, Timestamp};

use super::{FREE, SOURCES, desired, last};

fn queue(replicas: &str, rest: &str) -> String {
    format!(
        "{SOURCES}  replicas: {{{replicas}}}\n  track: [{{metric: queue.backlog, averageValue: 10}}]\n{FREE}{rest}\n"
    )
}

#[test]
fn work_wakes_and_its_end_puts_to_rest() {
    for (name, replicas, current, backlog, wanted) in [
        ("none, to zero", "min: 0, max: 100", 10, 0, 0),
        ("none, but below the minimum", "min: 5, max: 100", 1, 0, 5),
        ("some, at zero", "min: 0, max: 100", 0, 5, 1),
        ("none, to the idle count", "min: 5, max: 100, idle: 0", 10, 0, 0),
        ("some, at the idle count", "min: 5, max: 100, idle: 0", 0, 5, 5),
        ("some, between the idle count and the minimum", "min: 5, max: 100, idle: 0", 2, 5, 5),
        ("some, at the minimum", "min: 1, max: 100", 1, 5, 1),
        ("none, at zero", "min: 0, max: 100", 0, 0, 0),
    ] {
        let trace = format!("at,current,queue.backlog\n0,{current},{backlog}");
        assert_eq!(last(&queue(replicas, ""), &trace), wanted, "{name}");
    }
}

#[test]
fn the_gate_by_itself() {
    let idle = |replicas| Idle { replicas, after: Duration::from_secs(300), initially_after: Duration::ZERO };
    let now = Timestamp::from_secs(10_000);
    let ago = |seconds: i64| Some(Timestamp::from_secs(10_000 - seconds));
    for (name, activity, current, min, rest, last_active, wanted) in [
        ("never any work", Activity::Inactive, 10, 0, 0, None, Gate::Rest(0, Duration::ZERO)),
        ("never any work, idle", Activity::Inactive, 10, 5, 0, None, Gate::Rest(0, Duration::ZERO)),
        ("work at zero", Activity::Active, 0, 0, 0, None, Gate::Wake(1)),
        ("work at the idle count", Activity::Active, 0, 5, 0, None, Gate::Wake(5)),
        (
            "work ten minutes ago",
            Activity::Inactive,
            10,
            0,
            0,
            ago(600),
            Gate::Rest(0, Duration::from_secs(300)),
        ),
        ("work a minute ago", Activity::Inactive, 1, 0, 0, ago(60), Gate::Pass(1)),
        ("an error while nothing runs", Activity::Unknown, 0, 0, 0, None, Gate::Stay(0)),
        ("an error while some run", Activity::Unknown, 4, 0, 0, ago(600), Gate::Pass(4)),
    ] {
        let work = Work { activity, last_active, first_seen: Timestamp::from_secs(0) };
        let found = activate(current, current, min, idle(rest), work, Resting::AtOnce, now);
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn only_more_failures_than_after_failures_make_the_fallback() {
    for (failures, wanted) in [(1, 3), (3, 3), (4, 10), (6, 10)] {
        let spec = queue("min: 1, max: 100", "  fallback: {afterFailures: 3, replicas: 10}");
        let failed = |at: u32| format!("{{\"at\": {at}, \"current\": 3, \"failed\": [\"queue\"]}}\n");
        assert_eq!(
            last(&spec, &(0..failures).map(failed).collect::<String>()),
            wanted,
            "{failures} failures"
        );
    }
    let spec = queue("min: 1, max: 100", "");
    assert_eq!(last(&spec, "{\"at\": 0, \"current\": 3, \"failed\": [\"queue\"]}"), 3, "no fallback");
    let back = "{\"at\": 9, \"current\": 3, \"metrics\": {\"queue.backlog\": 60}}";
    assert_eq!(last(&spec, back), 6, "a success decides by itself");
}

#[test]
fn the_fallback_uses_its_number_by_its_behavior() {
    for (behavior, current, wanted) in [
        (FallbackBehavior::Static, 5, 10),
        (FallbackBehavior::Static, 15, 10),
        (FallbackBehavior::CurrentIfHigher, 5, 10),
        (FallbackBehavior::CurrentIfHigher, 15, 15),
        (FallbackBehavior::CurrentIfLower, 5, 5),
        (FallbackBehavior::CurrentIfLower, 15, 10),
        (FallbackBehavior::Keep, 5, 5),
        (FallbackBehavior::Keep, 15, 15),
    ] {
        let spec = FallbackSpec { after_failures: 3, replicas: 10, behavior };
        assert_eq!(fallback::replicas(spec, current), wanted, "{behavior:?}, by the function");
        let replicas = if behavior == FallbackBehavior::Keep { "" } else { ", replicas: 10" };
        let rest = format!("  fallback: {{afterFailures: 3, behavior: {behavior:?}{replicas}}}");
        let failed = |at: u32| format!("{{\"at\": {at}, \"current\": {current}, \"failed\": [\"queue\"]}}\n");
        let trace: String = (0..4).map(failed).collect();
        assert_eq!(last(&queue("min: 1, max: 100", &rest), &trace), wanted, "{behavior:?}, by a trace");
    }
}

fn formula(expr: &str, average_value: u32, rest: &str) -> String {
    format!(
        "{}    work: {{formula: {{expr: '{expr}'}}}}\n  replicas: {{max: 50}}\n  \
         track: [{{metric: work, averageValue: {average_value}}}]\n{FREE}{rest}\n",
        SOURCES.trim_end_matches([' ', '\n']).to_owned() + "\n"
    )
}

#[test]
fn a_formula_takes_the_place_of_its_metrics() {
    let sum = "{\"at\": 0, \"current\": 1, \"metrics\": {\"queue.backlog\": 2, \"latency\": 5}}";
    assert_eq!(last(&formula("queue.backlog + latency", 1, ""), sum), 7);
    let failed =
        |at: u32| format!("{{\"at\": {at}, \"current\": 3, \"failed\": [\"queue\", \"latency\"]}}\n");
    let trace: String = (0..5).map(failed).collect();
    let fallback = "  fallback: {afterFailures: 3, replicas: 7}";
    let either = formula("orElse(queue.backlog, latency)", 2, fallback);
    assert_eq!(desired(&either, &trace), [3, 3, 3, 7, 7], "both fail, so the fallback decides");
    let one = "{\"at\": 0, \"current\": 3, \"metrics\": {\"latency\": 8}, \"failed\": [\"queue\"]}";
    assert_eq!(last(&either, one), 4, "one is enough");
    let most = formula(
        "queue.backlog > latency ? queue.backlog : latency",
        1,
        "  fallback: {afterFailures: 3, replicas: 12}",
    );
    assert_eq!(last(&most, &trace), 12, "two that fail are no twice the fallback");
}

#[test]
fn keda_takes_for_zero_what_is_no_number_of_things() {
    for (answer, wanted) in [
        (Some(7.5), 7.5),
        (Some(0.0), 0.0),
        (Some(-3.0), 0.0),
        (Some(f64::NAN), 0.0),
        (Some(f64::INFINITY), 0.0),
        (Some(f64::NEG_INFINITY), 0.0),
        (None, 0.0),
    ] {
        assert_eq!(or_zero(answer), wanted, "{answer:?}");
    }
}
