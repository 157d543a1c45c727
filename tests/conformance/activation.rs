//! From zero and to it, fallback, and what a source's answer stands for, after KEDA.

use super::{FREE, SOURCES, decisions, desired, last};

fn queue(replicas: &str, rest: &str) -> String {
    format!(
        "{SOURCES}  replicas: {{{replicas}}}\n  \
         track: [{{metric: queue.backlog, averageValue: 10, activation: 5}}]\n{FREE}{rest}\n"
    )
}

#[test]
fn only_more_than_the_activation_wakes_to_the_minimum_and_at_least_one() {
    let sleeping = queue("min: 0, max: 50", "");
    let trace = "at,current,queue.backlog\n0,0,5\n10,,5.1\n20,,200\n30,,200";
    assert_eq!(desired(&sleeping, trace), [0, 1, 20, 20]);
    let idle = queue("min: 3, max: 50, idle: 0", "");
    assert_eq!(desired(&idle, "at,current,queue.backlog\n0,0,6\n10,,500"), [3, 50]);
}

#[test]
fn it_goes_to_zero_only_after_idle_after_without_work() {
    let trace = "at,current,queue.backlog\n0,1,40\n10,,0\n299,,5\n300,,5\n310,,0\n320,,100";
    assert_eq!(desired(&queue("min: 0, max: 50", ""), trace), [4, 1, 1, 0, 0, 1]);
    let never = "at,current,queue.backlog\n0,2,0\n10,,0";
    assert_eq!(desired(&queue("min: 0, max: 50", ""), never), [0, 0]);
    let later = queue("min: 0, max: 50, initialIdleAfter: 1m", "");
    assert_eq!(desired(&later, "at,current,queue.backlog\n0,2,0\n59,,0\n60,,0"), [1, 1, 0]);
}

#[test]
fn while_nobody_can_say_it_neither_rests_nor_wakes() {
    let trace = "at,current,queue.backlog\n0,2,50\n400,,\n800,,\n810,,0";
    assert_eq!(desired(&queue("min: 0, max: 50", ""), trace), [5, 5, 5, 0]);
    assert_eq!(desired(&queue("min: 0, max: 50", ""), "at,current,queue.backlog\n0,0,\n10,0,"), [0, 0]);
}

#[test]
fn the_cpu_cannot_wake_a_workload() {
    let spec = format!(
        "{SOURCES}  replicas: {{min: 0, max: 50}}\n  track:\n    - {{metric: queue.backlog, averageValue: 10}}\n    \
         - {{metric: cpu.utilization, target: 50}}\n{FREE}"
    );
    assert_eq!(desired(&spec, "at,current,queue.backlog,cpu.utilization\n0,0,0,99\n10,0,1,99"), [0, 1]);
}

#[test]
fn zero_that_docktor_did_not_make_is_left_alone_and_zero_that_it_made_is_woken() {
    let spec = queue("min: 0, max: 50", "");
    let person = "at,current,queue.backlog\n0,2,20\n10,0,90\n20,0,90";
    assert_eq!(desired(&spec, person), [2, 0, 0]);
    let docktor = "{\"at\": 0, \"current\": 2, \"metrics\": {\"queue.backlog\": 20}}\n\
                   {\"at\": 10, \"scaled\": {\"from\": 2, \"to\": 0}, \"metrics\": {\"queue.backlog\": 0}}\n\
                   {\"at\": 20, \"metrics\": {\"queue.backlog\": 90}}";
    assert_eq!(desired(&spec, docktor), [2, 0, 1]);
}

#[test]
fn the_fallback_holds_from_one_more_than_after_failures_until_one_success() {
    let failed = |at: u32| format!("{{\"at\": {at}, \"current\": CURRENT, \"failed\": [\"queue\"]}}\n");
    let mut trace: String = [0, 10, 20, 30].map(failed).concat();
    trace += "{\"at\": 40, \"current\": CURRENT, \"metrics\": {\"queue.backlog\": BACKLOG}}\n";
    trace += &failed(50);
    for (behavior, at_two, at_nine) in
        [("Static", 6, 6), ("CurrentIfHigher", 6, 9), ("CurrentIfLower", 2, 6), ("Keep", 2, 9)]
    {
        let replicas = if behavior == "Keep" { "" } else { ", replicas: 6" };
        let rest = format!("  fallback: {{afterFailures: 3{replicas}, behavior: {behavior}}}");
        for (current, wanted) in [(2u32, at_two), (9, at_nine)] {
            let backlog = current * 10;
            let trace =
                trace.replace("CURRENT", &current.to_string()).replace("BACKLOG", &backlog.to_string());
            let found = desired(&queue("min: 1, max: 50", &rest), &trace);
            assert_eq!(found, [current, current, current, wanted, current, current], "{behavior} {current}");
        }
    }
}

#[test]
fn what_is_no_number_is_missing_unless_the_source_says_zero() {
    let spec = |switches: &str| {
        format!(
            "  metrics: {{latency: {{prometheus: {{url: 'http://h:9090', query: q{switches}}}}}}}\n  \
             replicas: {{max: 50}}\n  track: [{{metric: latency, target: 10}}]\n{FREE}"
        )
    };
    let trace = "at,current,latency\n0,4,NaN\n10,4,inf\n20,4,\n30,4,10";
    for (switches, wanted) in [
        ("", [4, 4, 4, 4]),
        (", onNaN: Zero", [1, 1, 4, 4]),
        (", onEmpty: Zero", [4, 4, 1, 4]),
        (", onNaN: Missing, onEmpty: Missing", [4, 4, 4, 4]),
    ] {
        assert_eq!(desired(&spec(switches), trace), wanted, "{switches}");
    }
    let absent = "{\"at\": 0, \"current\": 4, \"metrics\": {}}";
    assert_eq!(last(&spec(", onEmpty: Zero"), absent), 4, "a metric that the row does not name is missing");
    let negative = "at,current,queue.backlog\n0,4,-5";
    let decision = &decisions(&queue("max: 50", ""), negative)[0];
    assert_eq!(decision.desired, 4);
    assert!(decision.trail.iter().any(|it| it.message == "queue.backlog is missing"), "{decision:?}");
}

#[test]
fn a_formula_has_or_else_for_a_failed_input() {
    let spec = format!(
        "{}    work: {{formula: {{expr: 'queue.backlog + orElse(latency, 100.0)'}}}}\n  replicas: {{max: 50}}\n  \
         track: [{{metric: work, averageValue: 10}}]\n{FREE}",
        SOURCES.trim_end_matches([' ', '\n']).to_owned() + "\n"
    );
    let trace = "{\"at\": 0, \"current\": 4, \"metrics\": {\"queue.backlog\": 50, \"latency\": 30}}\n\
                 {\"at\": 1, \"current\": 4, \"metrics\": {\"queue.backlog\": 50}, \"failed\": [\"latency\"]}\n\
                 {\"at\": 2, \"current\": 4, \"metrics\": {\"latency\": 10}, \"failed\": [\"queue\"]}";
    assert_eq!(desired(&spec, trace), [8, 15, 4]);
}
