//! Means and slopes of what evaluations read.

use super::*;

const TREND: &str = "
interval: 60s
replicas: {min: 1, max: 10}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
scaleUp: {rules: [{metric: queue.backlog.avg5m, op: '>', value: 100}], step: '+1'}
scaleDown: {rules: [{expr: 'queue.backlog.avg5m < 50.0 && queue.backlog.slope <= 0.0'}], step: '-1', stabilizationWindow: 0s}
";

fn backlog(current: u32, value: f64) -> Snapshot {
    row(current, &[("queue.backlog", Some(value))])
}

fn metric(decision: &Decision, name: &str) -> Option<f64> {
    decision.metrics.iter().find(|(it, _)| **it == *name).map(|(_, value)| *value)
}

#[test]
fn a_rule_on_a_mean_ignores_a_spike_and_follows_a_level() {
    let mut world = World::new(TREND);
    for minute in 0..10 {
        assert_eq!(world.step(&backlog(2, 60.0), minute * 60), 2);
    }
    let spike = world.decide(&backlog(2, 250.0), 600);
    assert_eq!((spike.desired, metric(&spike, "queue.backlog.avg5m")), (2, Some(98.0)));
    let level = world.decide(&backlog(2, 250.0), 660);
    assert_eq!((level.desired, metric(&level, "queue.backlog.avg5m")), (3, Some(136.0)));
    assert!(level.reason().contains("queue.backlog.avg5m 136 > 100"), "{}", level.reason());
}

#[test]
fn a_trend_shrinks_nothing_before_its_window_is_whole_or_while_its_metric_is_missing() {
    let mut world = World::new(TREND);
    for minute in 0..5 {
        assert_eq!(world.step(&backlog(5, 10.0), minute * 60), 5, "minute {minute}");
    }
    assert_eq!(world.step(&backlog(5, 10.0), 300), 4);
    assert_eq!(world.step(&row(4, &[("queue.backlog", None)]), 360), 4, "the metric is missing");
    assert_eq!(world.step(&backlog(4, 10.0), 420), 3);
}

#[test]
fn only_evaluations_move_a_trend_and_a_restart_goes_on_with_it() {
    let mut world = World::new(TREND);
    let woken = |value| Snapshot { evaluation: false, ..backlog(2, value) };
    world.decide(&backlog(2, 50.0), 0);
    let early = world.decide(&woken(5_000.0), 30);
    assert_eq!(metric(&early, "queue.backlog.avg5m"), Some(50.0));
    world.memory = serde_json::from_str(&serde_json::to_string(&world.memory).unwrap()).unwrap();
    let next = world.decide(&backlog(2, 70.0), 60);
    assert_eq!(metric(&next, "queue.backlog.avg5m"), Some(60.0));
    assert_eq!(metric(&next, "queue.backlog.slope"), Some(20.0));
}

#[test]
fn what_no_trend_asks_for_is_forgotten() {
    let mut world = World::new(TREND);
    world.decide(&backlog(2, 50.0), 0);
    assert_eq!(world.memory.trends.keys().collect::<Vec<_>>(), ["queue.backlog"], "once for two trends");
    world.spec = spec(&TREND.replace(".avg5m", "").replace(".slope", ""));
    world.decide(&backlog(2, 50.0), 60);
    assert!(world.memory.trends.is_empty());
}

#[test]
fn a_trend_of_the_targets_own_use_says_nothing_at_zero_and_may_be_tracked() {
    let mut world = World::new(
        "
replicas: {min: 0, max: 10}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: cpu.avg15m, target: 50}, {metric: queue.backlog, averageValue: 100}]
scaleDown: {stabilizationWindow: 0s}
",
    );
    let seen = |current, cpu| row(current, &[("cpu.avg", Some(cpu)), ("queue.backlog", Some(1.0))]);
    for pass in 0..5 {
        world.decide(&seen(4, 100.0), pass * 10);
    }
    assert_eq!(world.decide(&seen(4, 100.0), 50).desired, 8);
    world.memory.record_change(4, 0, Purpose::Recommendation, at(55));
    world.memory.replicas.clear();
    let asleep = world.decide(&row(0, &[("queue.backlog", Some(0.0))]), 60);
    assert_eq!((asleep.desired, metric(&asleep, "cpu.avg15m")), (0, None));
    assert!(asleep.missing.is_empty(), "{:?}", asleep.missing);
}

#[test]
fn a_trace_may_give_a_trend_itself() {
    let mut world = World::new(TREND);
    let given = row(2, &[("queue.backlog.avg5m", Some(500.0)), ("queue.backlog", Some(1.0))]);
    assert_eq!(world.decide(&given, 0).desired, 3);
}
