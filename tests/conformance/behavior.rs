//! Stabilization windows, rate limits, cooldowns and bounds, after the tests of the HPA's `behavior`.

use super::{FREE, SOURCES, decisions, desired, last};

fn tracking(max: u32, rest: &str) -> String {
    format!(
        "{SOURCES}  replicas: {{max: {max}}}\n  track: [{{metric: queue.backlog, averageValue: 100}}]\n{rest}\n"
    )
}

#[test]
fn the_worked_examples_of_rate_limits() {
    let up =
        |limits: &str| format!("  scaleUp: {{limits: [{limits}]}}\n  scaleDown: {{stabilizationWindow: 0s}}");
    let down = |limits: &str| format!("  scaleDown: {{stabilizationWindow: 0s, limits: [{limits}]}}");
    let made = |at: u32, from: u32, to: u32| {
        format!("{{\"at\": {at}, \"current\": {to}, \"scaled\": {{\"from\": {from}, \"to\": {to}}}}}\n")
    };
    let now = |at: u32, current: u32, replicas: u32| {
        format!(
            "{{\"at\": {at}, \"current\": {current}, \"metrics\": {{\"queue.backlog\": {}}}}}",
            replicas * 100
        )
    };
    for (what, behavior, trace, wanted) in [
        ("10 to 50 by default", String::new(), now(0, 10, 50), 20),
        ("1 to 50 by default", String::new(), now(0, 1, 50), 5),
        (
            "10 to 500 by 100 or 100 % a minute",
            up("{replicas: 100, period: 60s}, {percent: 100, period: 60s}"),
            now(0, 10, 500),
            110,
        ),
        (
            "100 to 0 by 50 % in 120s after 2, 4 and 6 fewer",
            down("{percent: 50, period: 120s}"),
            made(0, 112, 110) + &made(30, 110, 106) + &made(60, 106, 100) + &now(90, 100, 0),
            56,
        ),
        (
            "6 to 24 by 300 % in 300s after 4 more and 2 fewer",
            up("{percent: 300, period: 300s}"),
            made(0, 4, 8) + &made(30, 8, 6) + &now(60, 6, 24),
            16,
        ),
        (
            "never past the present count",
            up("{replicas: 5, period: 120s}"),
            made(0, 85, 100) + &now(60, 100, 200),
            100,
        ),
        (
            "a change just younger than the period counts",
            up("{replicas: 4, period: 60s}"),
            made(0, 6, 10) + &now(59, 10, 50),
            10,
        ),
        (
            "a change exactly as old does not",
            up("{replicas: 4, period: 60s}"),
            made(0, 6, 10) + &now(60, 10, 50),
            14,
        ),
        (
            "the smallest change of several",
            "  scaleUp: {select: Min, limits: [{replicas: 3, period: 60s}, {percent: 100, period: 60s}]}"
                .into(),
            now(0, 10, 50),
            13,
        ),
        ("no change that way", "  scaleUp: {select: Disabled}".into(), now(0, 10, 50), 10),
        ("a fall by percent rounds down", down("{percent: 50, period: 60s}"), now(0, 5, 0), 2),
    ] {
        assert_eq!(last(&tracking(1_000, &behavior), &trace), wanted, "{what}");
    }
}

#[test]
fn a_fresh_controller_does_not_shrink_for_its_window() {
    let trace = "at,current,queue.backlog\n0,5,100\n150,5,100\n299.999,5,100\n300,5,100";
    assert_eq!(desired(&tracking(100, ""), trace), [5, 5, 5, 1]);
}

#[test]
fn down_goes_to_the_highest_of_the_window_and_up_to_the_lowest() {
    let down = tracking(100, "  scaleDown: {stabilizationWindow: 60s}");
    let trace = "at,current,queue.backlog\n0,9,900\n30,9,400\n60,9,700\n90,9,100\n119,9,100\n120,9,100";
    assert_eq!(desired(&down, trace), [9, 9, 7, 7, 7, 1]);
    let up = tracking(100, "  scaleUp: {stabilizationWindow: 60s, limits: [{replicas: 100, period: 1s}]}");
    let trace = "at,current,queue.backlog\n0,2,900\n30,2,600\n59,2,900\n60,2,900\n89,2,900\n90,2,900";
    assert_eq!(desired(&up, trace), [2, 2, 2, 6, 6, 9]);
}

#[test]
fn where_the_trace_is_silent_the_workload_follows_and_its_changes_count_for_limits() {
    let trace = "at,current,queue.backlog\n0,2,5000\n5,,5000\n15,,5000\n20,,5000\n30,,5000";
    assert_eq!(desired(&tracking(100, ""), trace), [6, 6, 12, 12, 24]);
}

#[test]
fn a_cooldown_runs_from_a_change_that_the_workload_followed_and_from_no_other() {
    let spec = tracking(100, "  scaleUp: {cooldown: 60s}");
    let followed = "at,current,queue.backlog\n0,2,5000\n15,6,5000\n59,6,5000\n60,6,5000";
    assert_eq!(desired(&spec, followed), [6, 6, 6, 12]);
    let not_followed = "at,current,queue.backlog\n0,2,5000\n15,2,5000\n30,3,5000";
    assert_eq!(desired(&spec, not_followed), [6, 6, 7]);
    let limited = &decisions(&spec, followed)[1];
    assert!(limited.limited_by.as_ref().is_some_and(|it| it.contains("scaleUp.cooldown")), "{limited:?}");
}

#[test]
fn a_scale_down_waits_for_its_cooldown_after_any_change() {
    let spec = tracking(100, "  scaleDown: {cooldown: 120s, stabilizationWindow: 0s}");
    let trace = "at,current,queue.backlog\n0,2,400\n30,,100\n119,,100\n120,,100";
    assert_eq!(desired(&spec, trace), [4, 4, 4, 1]);
}

#[test]
fn bounds_hold_at_once_without_metrics_and_regardless_of_cooldowns() {
    let spec = format!(
        "{SOURCES}  replicas: {{min: 3, max: 10}}\n  track: [{{metric: queue.backlog, averageValue: 100}}]\n{}",
        FREE.replace("{limits", "{cooldown: 1h, limits").replace("{stabil", "{cooldown: 1h, stabil")
    );
    let trace = "{\"at\": 0, \"current\": 5, \"scaled\": {\"from\": 4, \"to\": 5}}\n\
                 {\"at\": 1, \"current\": 1}\n{\"at\": 2, \"current\": 12}\n{\"at\": 3, \"current\": 0}";
    assert_eq!(desired(&spec, trace), [5, 3, 10, 0], "and what a person turned off stays off");
    let all = decisions(&spec, trace);
    assert!(all[3].reason.contains("nothing that it did not stop itself"), "{:?}", all[3]);
}

#[test]
fn a_count_of_the_trace_is_no_drift_whatever_it_does() {
    let trace = "at,current,queue.backlog\n0,8,800\n10,3,300\n20,9,900\n30,1,100";
    assert_eq!(desired(&tracking(100, ""), trace), [8, 3, 9, 1]);
}
