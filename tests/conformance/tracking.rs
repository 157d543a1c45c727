//! Target tracking, after the tests of the HPA's replica calculator.

use super::{FREE, SOURCES, desired, last};

fn track(metric: &str, goal: &str) -> String {
    format!("  replicas: {{min: 1, max: 1000}}\n  track: [{{metric: {metric}, {goal}}}]\n{FREE}")
}

/// One row with these replicas, each written as JSON.
fn row(current: Option<u32>, replicas: &[&str]) -> String {
    let current = current.map(|it| format!("\"current\": {it}, ")).unwrap_or_default();
    let named = replicas.iter().zip(1..).map(|(it, number)| format!("\"web-{number}\": {it}"));
    format!("{{\"at\": 0, {current}\"replicas\": {{{}}}}}", named.collect::<Vec<_>>().join(", "))
}

fn utilization(target: u32, current: Option<u32>, replicas: &[&str]) -> u32 {
    last(&track("cpu.utilization", &format!("target: {target}")), &row(current, replicas))
}

#[test]
fn replicas_that_are_missing_unready_young_pending_failed_or_draining_count_as_in_the_hpa() {
    let (failed, draining) = (r#"{"cpu": 90, "phase": "failed"}"#, r#"{"cpu": 90, "phase": "draining"}"#);
    let (missing, pending) = (r#"{"cpu": null}"#, r#"{"phase": "pending"}"#);
    for (what, target, current, replicas, wanted) in [
        ("all ready", 30, None, &[r#"{"cpu": 30}"#, r#"{"cpu": 50}"#, r#"{"cpu": 70}"#][..], 5),
        (
            "an unready one damps",
            30,
            None,
            &[r#"{"cpu": 30, "ready": false}"#, r#"{"cpu": 50}"#, r#"{"cpu": 70}"#],
            4,
        ),
        (
            "a young one damps",
            30,
            None,
            &[r#"{"cpu": 30, "ready": true, "age": 10}"#, r#"{"cpu": 50}"#, r#"{"cpu": 70}"#],
            4,
        ),
        (
            "young ones can hold it",
            30,
            None,
            &[r#"{"cpu": 40}"#, r#"{"cpu": 50, "age": 10}"#, r#"{"cpu": 70, "ready": false}"#],
            3,
        ),
        ("failed ones are not there", 30, None, &[r#"{"cpu": 50}"#, r#"{"cpu": 70}"#, failed, failed], 4),
        (
            "failed ones of a larger count",
            30,
            Some(2),
            &[r#"{"cpu": 50}"#, r#"{"cpu": 70}"#, failed, failed],
            4,
        ),
        ("draining ones are not there", 30, None, &[r#"{"cpu": 50}"#, r#"{"cpu": 70}"#, draining], 4),
        ("a pending one is not ready", 30, None, &[r#"{"cpu": 60}"#, r#"{"cpu": 60}"#, pending], 4),
        (
            "down",
            50,
            None,
            &[r#"{"cpu": 10}"#, r#"{"cpu": 30}"#, r#"{"cpu": 50}"#, r#"{"cpu": 25}"#, r#"{"cpu": 25}"#],
            3,
        ),
        (
            "unready ones are left out of a fall",
            50,
            None,
            &[
                r#"{"cpu": 10}"#,
                r#"{"cpu": 30}"#,
                r#"{"cpu": 50}"#,
                r#"{"cpu": 25, "ready": false}"#,
                r#"{"ready": false, "age": 10}"#,
            ],
            2,
        ),
        ("missing, on target", 100, None, &[r#"{"cpu": 100}"#, missing], 2),
        ("missing, above", 100, None, &[r#"{"cpu": 190}"#, missing], 2),
        ("missing, below", 100, None, &[r#"{"cpu": 60}"#, missing], 2),
        (
            "missing and unready, no change",
            50,
            None,
            &[r#"{"cpu": 10, "ready": false}"#, r#"{"cpu": 45}"#, missing],
            3,
        ),
        (
            "missing and unready, up",
            50,
            None,
            &[r#"{"cpu": 10, "ready": false}"#, r#"{"cpu": 200}"#, missing],
            4,
        ),
        (
            "missing and unready, down",
            50,
            None,
            &[r#"{"cpu": 10, "ready": false}"#, r#"{"cpu": 10}"#, r#"{"cpu": 10}"#, missing],
            3,
        ),
        (
            "unready and without a sample is missing",
            50,
            None,
            &[r#"{"cpu": 10}"#, r#"{"cpu": null, "ready": false}"#],
            2,
        ),
        ("a target above 100 stands for the missing one", 150, None, &[r#"{"cpu": 90}"#, missing], 2),
        ("a surplus replica of a roll-out", 50, Some(2), &[r#"{"cpu": 10}"#, r#"{"cpu": 10}"#, missing], 2),
        ("all missing", 50, None, &[missing, missing], 2),
        ("all unready", 50, None, &[r#"{"cpu": 90, "ready": false}"#, r#"{"ready": false}"#], 2),
        ("all idle", 50, None, &[r#"{"cpu": 0}"#, r#"{"cpu": 0}"#], 1),
    ] {
        assert_eq!(utilization(target, current, replicas), wanted, "{what}");
    }
}

#[test]
fn utilization_is_the_whole_part_of_all_use_over_all_limits() {
    for (target, replicas, wanted) in [
        (50, &[r#"{"cpu": 55.99}"#][..], 1),
        (50, &[r#"{"cpu": 56}"#], 2),
        (30, &[r#"{"cpu": 29.9}"#, r#"{"cpu": 30.1}"#], 2),
        // One core and nine: 99 of 1000, not the mean of 90 and 1.
        (50, &[r#"{"cpu": 90, "cpuOneCore": 90}"#, r#"{"cpu": 1, "cpuOneCore": 9}"#], 1),
    ] {
        assert_eq!(utilization(target, None, replicas), wanted, "{replicas:?}");
    }
}

#[test]
fn both_ends_of_the_tolerance_hold_and_it_can_differ_by_direction() {
    let spec = |up: &str, down: &str| {
        format!(
            "{SOURCES}  replicas: {{max: 1000}}\n  track: [{{metric: queue.backlog, averageValue: 100}}]\n  \
             scaleUp: {{tolerance: {up}, limits: [{{replicas: 1000, period: 1s}}]}}\n  \
             scaleDown: {{tolerance: {down}, stabilizationWindow: 0s}}\n"
        )
    };
    for (up, down, current, backlog, wanted) in [
        ("0.1", "0.1", 10, 1_100, 10),
        ("0.1", "0.1", 10, 1_101, 12),
        ("0.1", "0.1", 20, 1_800, 20),
        ("0.1", "0.1", 20, 1_799, 18),
        ("0.1", "0.1", 11, 990, 11),
        ("0", "0.1", 10, 1_001, 11),
        ("0.1", "0.5", 10, 500, 10),
        ("0.1", "0.5", 10, 499, 5),
    ] {
        let trace = format!("at,current,queue.backlog\n0,{current},{backlog}");
        assert_eq!(last(&spec(up, down), &trace), wanted, "{up} {down} {current} {backlog}");
    }
}

#[test]
fn a_value_counts_ready_replicas_and_an_average_value_divides_the_whole() {
    let latency = format!("{SOURCES}{}", track("latency", "target: 10"));
    for (rest, wanted) in [
        (r#""current": 3, "metrics": {"latency": 20}"#, 6),
        (
            r#""metrics": {"latency": 50}, "replicas": {"a": {}, "b": {"ready": false}, "c": {"ready": false}}"#,
            5,
        ),
        (r#""metrics": {"latency": 50}, "replicas": {"a": {"ready": false}, "b": {"ready": false}}"#, 2),
        (r#""current": 3, "metrics": {"latency": 11}"#, 3),
        (r#""current": 3, "metrics": {"latency": 0}"#, 1),
        (r#""current": 3, "metrics": {"latency": -20}"#, 3),
    ] {
        assert_eq!(last(&latency, &format!("{{\"at\": 0, {rest}}}")), wanted, "{rest}");
    }
    let backlog = format!("{SOURCES}{}", track("queue.backlog", "averageValue: 100"));
    let trace = "at,current,queue.backlog\n0,2,620\n15,6,640\n30,6,0\n45,6,\n60,6,inf";
    assert_eq!(desired(&backlog, trace), [7, 6, 1, 6, 6]);
}

#[test]
fn the_memory_of_young_replicas_counts_and_that_of_pending_ones_does_not() {
    let spec = track("memory.utilization", "target: 50");
    let young = row(None, &[r#"{"memory": 100, "age": 5}"#, r#"{"memory": 100, "ready": false}"#]);
    assert_eq!(last(&spec, &young), 4);
    let pending = row(None, &[r#"{"memory": 100}"#, r#"{"phase": "pending", "memory": 100}"#]);
    assert_eq!(last(&spec, &pending), 2, "50 of 100 over both");
}

#[test]
fn the_largest_of_several_wins_and_a_failed_one_stops_only_what_shrinks() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 100}}\n  track:\n    - {{metric: queue.backlog, averageValue: 100}}\n    \
         - {{metric: latency, target: 0.5}}\n{FREE}"
    );
    for (metrics, wanted) in [
        (r#""metrics": {"queue.backlog": 600, "latency": 0.5}"#, 6),
        (r#""metrics": {"queue.backlog": 100, "latency": 1.0}"#, 8),
        (r#""metrics": {"queue.backlog": 100, "latency": 0.1}"#, 1),
        (r#""metrics": {"queue.backlog": 600}, "failed": ["latency"]"#, 6),
        (r#""metrics": {"queue.backlog": 400}, "failed": ["latency"]"#, 4),
        (r#""metrics": {"queue.backlog": 100}, "failed": ["latency"]"#, 4),
        (r#""metrics": {"queue.backlog": 100, "latency": 9}, "failed": ["latency"]"#, 4),
        (r#""failed": ["latency", "queue"]"#, 4),
    ] {
        assert_eq!(last(&spec, &format!("{{\"at\": 0, \"current\": 4, {metrics}}}")), wanted, "{metrics}");
    }
}

#[test]
fn no_load_overflows() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 2147483647}}\n  track: [{{metric: queue.backlog, averageValue: 0.001}}]\n{FREE}"
    );
    for backlog in ["9223372036854775807", "1e300"] {
        let trace = format!("at,current,queue.backlog\n0,1,{backlog}\n1,2147483647,{backlog}");
        assert_eq!(desired(&spec, &trace), [2_147_483_647; 2]);
    }
}
