//! Activation, fallback, target tracking, expressions, bands and groups.

use super::*;

#[test]
fn work_wakes_from_zero_and_none_puts_to_rest_after_idle_after() {
    let mut world = World::new(QUEUE);
    let queue = |current, backlog| row(current, &[("queue.backlog", Some(backlog))]);
    assert_eq!(world.step(&queue(0, 5.0), 0), 0, "not above the activation");
    let woken = world.decide(&queue(0, 900.0), 10);
    assert_eq!((woken.desired, woken.why), (1, Why::Active));
    assert_eq!(world.step(&queue(0, 900.0), 10), 1);
    assert_eq!(world.step(&queue(1, 900.0), 20), 4, "then tracking, four more than 15s before");
    assert_eq!(world.step(&queue(4, 0.0), 30), 1, "never to zero by tracking alone");
    assert_eq!(world.step(&queue(1, 0.0), 319), 1);
    let rest = world.decide(&queue(1, 0.0), 320);
    assert_eq!((rest.desired, rest.why.clone()), (0, Why::Idle(Duration::from_secs(300))));
    assert_eq!(world.step(&queue(1, 0.0), 320), 0);
    assert_eq!(world.step(&queue(0, 0.0), 330), 0);
    assert!(world.memory.scaled_to_zero);
    assert_eq!(world.step(&queue(0, 6.0), 340), 1, "and docktor, who put it to rest, wakes it");
}

#[test]
fn going_to_zero_keeps_the_last_replica_stopped() {
    let mut world = World::new(QUEUE);
    let mut snapshot = running(3, 1.0);
    snapshot.metrics.insert("queue.backlog".to_owned(), Observation::Value(0.0));
    let decision = world.decide(&snapshot, 0);
    assert_eq!(decision.desired, 0, "never active, so at once");
    assert_eq!((decision.retire.len(), decision.keep), (2, Some(ReplicaId::new("id1"))));
}

#[test]
fn the_fallback_decides_after_more_failures_than_allowed_and_one_success_ends_it() {
    for (behavior, at_two, at_nine) in
        [("Static", 6, 6), ("CurrentIfHigher", 6, 9), ("CurrentIfLower", 2, 6), ("Keep", 2, 9)]
    {
        for (current, wanted) in [(2, at_two), (9, at_nine)] {
            let text = format!("{QUEUE}fallback: {{afterFailures: 3, replicas: 6, behavior: {behavior}}}");
            let mut world = World::new(&text.replace("min: 0", "min: 1").replace(", idleAfter: 5m", ""));
            for seconds in [0, 10, 20] {
                let decision = world.decide(&row(current, &[("queue.backlog", None)]), seconds);
                assert_eq!(decision.desired, current, "{behavior} holds until then");
            }
            let decision = world.decide(&row(current, &[("queue.backlog", None)]), 30);
            assert_eq!(decision.desired, wanted, "{behavior} {current}");
            assert_eq!(decision.fallback, behavior != "Keep");
            let backlog = f64::from(current * 100);
            let decision = world.decide(&row(current, &[("queue.backlog", Some(backlog))]), 40);
            assert_eq!((decision.desired, decision.fallback), (current, false));
        }
    }
}

#[test]
fn of_several_tracked_metrics_the_largest_wins_and_a_missing_one_stops_shrinking_alone() {
    let text = "
replicas: {max: 20}
metrics:
  queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}
  latency: {prometheus: {url: 'http://h:9090', query: q}}
track: [{metric: queue.backlog, averageValue: 100}, {metric: latency, target: 0.25}]
scaleDown: {stabilizationWindow: 0s}
";
    for (backlog, latency, wanted) in [
        (Some(600.0), Some(0.25), 6),
        (Some(400.0), Some(0.5), 8),
        (Some(100.0), Some(0.1), 2),
        (Some(600.0), None, 6),
        (Some(100.0), None, 4),
        (None, None, 4),
    ] {
        let mut world = World::new(text);
        let decision = world.decide(&row(4, &[("queue.backlog", backlog), ("latency", latency)]), 0);
        assert_eq!(decision.desired, wanted, "{backlog:?} {latency:?}");
    }
}

#[test]
fn where_scale_down_rules_are_declared_nothing_goes_down_unless_they_hold() {
    let text = "
replicas: {max: 20}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleDown: {rules: [{metric: cpu.avg, op: '<', value: 30}], stabilizationWindow: 0s}
";
    let low = |cpu| row(8, &[("queue.backlog", Some(200.0)), ("cpu.avg", Some(cpu))]);
    assert_eq!(World::new(text).decide(&low(20.0), 0).desired, 2, "tracking, and no step bounds it");
    let refused = World::new(text).decide(&low(40.0), 0);
    assert_eq!((refused.desired, refused.limited_by), (8, Some(Limitation::ScaleDownRules)));
    let stepped = text.replace("scaleDown: {", "scaleDown: {step: '-2', ");
    assert_eq!(World::new(&stepped).decide(&low(20.0), 0).desired, 6, "a written step bounds it");
    let busy = row(8, &[("queue.backlog", Some(800.0)), ("cpu.avg", Some(20.0))]);
    assert_eq!(World::new(text).decide(&busy, 0).desired, 8, "without a written step they recommend nothing");
}

#[test]
fn formulas_and_expressions_decide_and_a_missing_input_makes_them_unknown() {
    let text = "
replicas: {max: 20}
metrics:
  queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}
  work: {formula: {expr: 'queue.backlog + 2.0 * orElse(queue.rate_in, 0.0)'}}
scaleUp: {rules: [{expr: 'work > 100.0 && queue.backlog > 1.0'}]}
";
    let mut world = World::new(text);
    let decision = world.decide(&row(2, &[("queue.backlog", Some(50.0)), ("queue.rate_in", Some(30.0))]), 0);
    assert_eq!((decision.desired, decision.reason()), (3, "work > 100.0 && queue.backlog > 1.0".to_owned()));
    assert_eq!(
        world.decide(&row(2, &[("queue.backlog", Some(150.0)), ("queue.rate_in", None)]), 10).desired,
        3
    );
    assert_eq!(
        world.decide(&row(2, &[("queue.backlog", None), ("queue.rate_in", Some(900.0))]), 20).desired,
        2
    );
}

#[test]
fn a_band_holds_once_enough_points_lie_in_it() {
    let text = "
replicas: {max: 20}
metrics: {latency: {prometheus: {url: 'http://h:9090', query: q}}}
scaleUp: {rules: [{metric: latency, within: {lower: 0.5, upper: 2.0, points: 3}}]}
";
    let mut world = World::new(text);
    let latencies = [0.5, 1.0, 2.0, 1.0, 1.0, 1.0];
    let desired: Vec<u32> = latencies
        .iter()
        .zip(0..)
        .map(|(latency, at)| world.decide(&row(2, &[("latency", Some(*latency))]), at * 10).desired)
        .collect();
    assert_eq!(desired, [2, 2, 2, 2, 2, 3]);
}

#[test]
fn the_rules_of_a_group_speak_with_one_voice() {
    let text = |when: &str| {
        format!(
            "
replicas: {{max: 20}}
metrics: {{a: {{push: {{}}}}, b: {{push: {{}}}}, c: {{push: {{}}}}}}
scaleUp:
  when: {when}
  rules:
    - {{metric: a, op: '>', value: 1, group: g}}
    - {{metric: b, op: '>', value: 1, group: g}}
    - {{metric: c, op: '>', value: 1}}
"
        )
    };
    for (when, a, b, c, fires) in [
        ("Any", 2.0, 0.0, 0.0, true),
        ("Any", 2.0, 2.0, 0.0, true),
        ("Any", 0.0, 0.0, 2.0, true),
        ("All", 2.0, 0.0, 2.0, true),
        ("All", 2.0, 2.0, 0.0, false),
        ("All", 0.0, 0.0, 2.0, false),
        ("All", 0.0, 2.0, 2.0, true),
    ] {
        let snapshot = row(2, &[("a", Some(a)), ("b", Some(b)), ("c", Some(c))]);
        assert_eq!(World::new(&text(when)).decide(&snapshot, 0).desired == 3, fires, "{when} {a} {b} {c}");
    }
}

#[test]
fn tracking_the_memory_of_replicas_counts_young_ones_and_tracking_their_cpu_does_not() {
    let text = |metric: &str| {
        format!("replicas: {{max: 20}}\ntrack: [{{metric: {metric}, target: 50}}]\nscaleUp: {{limits: []}}\n")
    };
    let mut snapshot = running(4, 100.0);
    for replica in &mut snapshot.replicas {
        replica.samples[0].memory = Some(100.0);
        replica.limits.memory = Some(100.0);
    }
    for replica in &mut snapshot.replicas[2..] {
        replica.started_at = Some(at(-10));
    }
    // All four at 100 % of memory; of the CPU two at 100 %, and two young ones taken for idle.
    assert_eq!(World::new(&text("memory.utilization")).decide(&snapshot, 0).desired, 8);
    assert_eq!(World::new(&text("cpu.utilization")).decide(&snapshot, 0).desired, 4);
}
