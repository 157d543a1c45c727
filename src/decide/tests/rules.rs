//! Rules, counters, cooldowns, windows and limits.

use super::*;

#[test]
fn rules_act_once_they_held_often_enough_in_a_row() {
    let mut world = World::new(RULES);
    assert_eq!(world.decide(&running(2, 89.3), 0).action, Action::None);
    let decision = world.decide(&running(2, 89.3), 10);
    assert_eq!((decision.desired, decision.action), (4, Action::ScaleUp));
    assert_eq!(decision.reason(), "cpu.avg 89.3 > 75 (2 of 2)");
}

#[test]
fn an_evaluation_in_which_rules_do_not_hold_begins_the_row_anew() {
    let mut world = World::new(RULES);
    for (seconds, cpu, desired) in [(0, 89.0, 2), (10, 50.0, 2), (20, 89.0, 2), (30, 89.0, 4)] {
        assert_eq!(world.decide(&running(2, cpu), seconds).desired, desired, "{seconds}s");
    }
}

#[test]
fn a_pass_woken_earlier_neither_raises_nor_resets_the_row_but_may_act_on_it() {
    let mut world = World::new(RULES);
    let woken = |cpu| Snapshot { evaluation: false, ..running(2, cpu) };
    assert_eq!(world.decide(&running(2, 89.0), 0).desired, 2);
    assert_eq!(world.decide(&woken(89.0), 1).desired, 2, "not raised");
    assert_eq!(world.decide(&woken(10.0), 2).desired, 2, "not reset");
    assert_eq!(world.decide(&running(2, 89.0), 10).desired, 4);
    assert_eq!(world.decide(&woken(89.0), 11).desired, 4, "satisfied already");
    assert_eq!(world.decide(&woken(50.0), 12).desired, 2, "but they must hold now");
}

#[test]
fn the_cooldown_of_scale_up_runs_from_the_last_scale_up_and_names_its_end() {
    let mut world = World::new(RULES);
    world.step(&running(2, 89.0), 0);
    assert_eq!(world.step(&running(2, 89.0), 10), 4);
    let cooling = world.decide(&running(4, 89.0), 69);
    assert_eq!((cooling.desired, cooling.next_allowed.up), (4, Some(at(70))));
    assert_eq!(cooling.limited_by, Some(Limitation::ScaleUpCooldown(at(70))));
    assert_eq!(cooling.recheck_at, Some(at(70)));
    assert_eq!(world.decide(&running(4, 89.0), 70).desired, 6);
}

#[test]
fn what_was_not_started_starts_no_cooldown() {
    let mut world = World::new(RULES);
    world.decide(&running(2, 89.0), 0);
    assert_eq!(world.decide(&running(2, 89.0), 10).desired, 4);
    world.memory.record_failure(2, at(10));
    assert_eq!(world.decide(&running(2, 89.0), 20).desired, 4);
}

#[test]
fn going_down_waits_for_its_window_and_a_restart_continues_it() {
    let mut world = World::new(&RULES.replace("stabilizationWindow: 0s", "stabilizationWindow: 5m"));
    let mut desired = Vec::new();
    for seconds in (0..=310).step_by(10) {
        let json = serde_json::to_string(&world.memory).unwrap();
        world.memory = serde_json::from_str(&json).unwrap();
        desired.push(world.decide(&running(4, 5.0), seconds).desired);
    }
    // The present size is the first recommendation; then rules recommend one fewer from 10s on.
    assert_eq!(desired.iter().position(|it| *it == 3), Some(30), "{desired:?}");
}

#[test]
fn rate_limits_bound_the_change_over_any_period() {
    let mut world = World::new(
        "
replicas: {max: 100}
scaleUp:
  rules: [{metric: cpu.avg, op: '>', value: 75}]
  step: x10
  limits: [{replicas: 4, period: 60s}]
",
    );
    let mut count = 2;
    let mut sizes = Vec::new();
    for seconds in (0..120).step_by(10) {
        count = world.step(&running(count, 90.0), seconds);
        sizes.push(count);
    }
    assert_eq!(sizes, [6, 6, 6, 6, 6, 6, 10, 10, 10, 10, 10, 10]);
}

#[test]
fn a_replica_without_a_sample_stops_shrinking_and_not_growing() {
    let mut world = World::new(RULES);
    let mut low = running(3, 5.0);
    low.replicas[2].samples.clear();
    for seconds in [0, 10, 20] {
        let decision = world.decide(&low, seconds);
        assert_eq!((decision.desired, decision.missing.len()), (3, 0), "{seconds}s");
    }
    let mut high = running(3, 95.0);
    high.replicas[2].samples.clear();
    world.decide(&high, 30);
    assert_eq!(world.decide(&high, 40).desired, 5);
}

#[test]
fn young_replicas_do_not_count_and_none_that_counts_is_no_failure() {
    let mut world = World::new(RULES);
    let mut young = running(2, 95.0);
    for replica in &mut young.replicas {
        replica.started_at = Some(at(-20));
    }
    let decision = world.decide(&young, 0);
    assert_eq!((decision.desired, decision.ready, decision.sight), (2, 0, Sight::Full));
    assert!(world.memory.failures.is_empty());
}

#[test]
fn the_trail_tells_what_each_stage_made_of_it() {
    let mut world = World::new(RULES);
    world.decide(&running(9, 90.0), 0);
    let record = world.decide(&running(9, 90.0), 10).record();
    let told: Vec<String> =
        record.trail.iter().map(|it| format!("{:?} {:?} {}", it.stage, it.replicas, it.message)).collect();
    assert_eq!(
        told,
        [
            "Observe Some(9) 9 running, 9 ready",
            "Recommend Some(11) cpu.avg 90 > 75 (2 of 2)",
            "Bound Some(10) kept by the maximum of 10",
        ]
    );
}

#[test]
fn a_schedule_raises_the_minimum_for_its_time() {
    let office = "{name: office, timezone: UTC, start: '0 8 * * *', duration: 1h, min: 4, max: 20}";
    let mut world = World::new(&format!("{RULES}schedules: [{office}]"));
    let noon: Timestamp = "2026-07-06T08:30:00Z".parse().unwrap();
    let decision = decide(&world.spec, &mut world.memory, &running(2, 50.0), &Constraints::default(), noon);
    assert_eq!((decision.desired, decision.bounds.min(), decision.bounds.max()), (4, 4, 20));
    assert!(decision.record().trail.iter().any(|it| it.message == "schedule office is active"));
    let later = noon.plus(Duration::from_secs(3_600));
    let decision = decide(&world.spec, &mut world.memory, &running(2, 50.0), &Constraints::default(), later);
    assert_eq!((decision.desired, decision.bounds.min()), (2, 1));
}

#[test]
fn a_cron_source_is_one_inside_its_window_and_wakes_the_workload() {
    let text = "
replicas: {min: 0, max: 20}
metrics: {office: {cron: {timezone: UTC, start: '0 8 * * *', end: '0 18 * * *'}}}
track: [{metric: office, averageValue: 0.25}]
";
    let mut world = World::new(text);
    let empty = Snapshot { evaluation: true, ..Snapshot::default() };
    for (now, desired) in [("2026-07-06T07:59:59Z", 0), ("2026-07-06T08:00:00Z", 1)] {
        let decision =
            decide(&world.spec, &mut world.memory, &empty, &Constraints::default(), now.parse().unwrap());
        assert_eq!(decision.desired, desired, "{now}");
    }
    let noon = "2026-07-06T12:00:00Z".parse().unwrap();
    assert_eq!(
        decide(&world.spec, &mut world.memory, &row(1, &[]), &Constraints::default(), noon).desired,
        4
    );
}

#[test]
fn an_older_or_foreign_memory_still_loads() {
    let memory: Memory = serde_json::from_str(r#"{"desired": 3, "unknown": {"a": 1}}"#).unwrap();
    assert_eq!(memory.desired, Some(3));
}
