//! The pipeline as a whole: one policy, one sentence a test. Tables for single stages stand beside them.

use std::sync::Arc;

use super::*;
use crate::api::policy::PolicySpec;
use crate::api::status::Action;
use crate::model::change::ChangeId;
use crate::model::decision::Limitation;
use crate::model::memory::{Hold, HoldDirection, Purpose, Trust, Wish};
use crate::model::observation::{Health, Limits, Observation, Replica, ReplicaId, ReplicaPhase, Sample};

const TARGET: &str = "target: {compose: {project: shop, service: web}}\n";
const RULES: &str = "
replicas: {min: 1, max: 10}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}], consecutive: 2, step: '+2', cooldown: 60s}
scaleDown:
  rules: [{metric: cpu.avg, op: '<', value: 20}]
  consecutive: 2
  step: '-1'
  stabilizationWindow: 0s
safety: {verify: 30s}
";

fn spec(text: &str) -> Spec {
    let value: serde_json::Value = serde_yaml::from_str(&format!("{TARGET}{text}")).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    Spec::effective(&policy, None).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + seconds)
}

fn replica(number: u32, cpu: Option<f64>) -> Replica {
    Replica {
        id: ReplicaId::new(&format!("id{number}")),
        name: format!("web-{number}"),
        number,
        phase: ReplicaPhase::Running,
        health: Health::NoCheck,
        created_at: Some(at(-10_000)),
        started_at: Some(at(-10_000)),
        change: None,
        outdated: false,
        samples: vec![Sample { at: at(0), cpu, ..Sample::default() }],
        limits: Limits::default(),
    }
}

fn running(count: u32, cpu: f64) -> Snapshot {
    let replicas = (1..=count).map(|number| replica(number, Some(cpu))).collect();
    Snapshot { replicas, evaluation: true, ..Snapshot::default() }
}

/// A trace's row: so many run, and these metrics have these values.
fn row(current: u32, metrics: &[(&str, Option<f64>)]) -> Snapshot {
    let observed = |value: Option<f64>| value.map_or(Observation::Failed, Observation::Value);
    Snapshot {
        current: Some(current),
        metrics: metrics.iter().map(|(name, value)| ((*name).to_owned(), observed(*value))).collect(),
        evaluation: true,
        ..Snapshot::default()
    }
}

/// A controller without a world: what it decides is done at once.
struct World {
    spec: Spec,
    memory: Memory,
    constraints: Constraints,
}

impl World {
    fn new(text: &str) -> Self {
        Self { spec: spec(text), memory: Memory::default(), constraints: Constraints::default() }
    }

    fn decide(&mut self, snapshot: &Snapshot, seconds: i64) -> Decision {
        decide(&self.spec, &mut self.memory, snapshot, &self.constraints, at(seconds))
    }

    /// Decides and does it; gives the count after.
    fn step(&mut self, snapshot: &Snapshot, seconds: i64) -> u32 {
        let decision = self.decide(snapshot, seconds);
        if decision.act && decision.action != Action::None {
            self.memory.record_change(decision.from, decision.desired, decision.purpose, at(seconds));
        }
        decision.desired
    }
}

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
fn bounds_hold_without_metrics_rules_or_cooldown() {
    let mut world = World::new(&RULES.replace("min: 1", "min: 3"));
    let blind = Snapshot { replicas: vec![replica(1, None)], evaluation: true, ..Snapshot::default() };
    let decision = world.decide(&blind, 0);
    assert_eq!((decision.desired, decision.purpose), (3, Purpose::Bounds));
    assert_eq!(decision.reason(), "below the minimum of 3");
    let mut world = World::new(RULES);
    let decision = world.decide(&running(14, 50.0), 0);
    assert_eq!((decision.desired, decision.retire.len()), (10, 4));
    assert_eq!(decision.retire[0], ReplicaId::new("id14"));
}

#[test]
fn what_is_recommended_beyond_the_maximum_is_brought_to_it_and_says_so() {
    let mut world = World::new(RULES);
    world.decide(&running(9, 90.0), 0);
    let decision = world.decide(&running(9, 90.0), 10);
    assert_eq!((decision.desired, decision.limited_by), (10, Some(Limitation::Max(10))));
    let full = world.decide(&running(10, 90.0), 20);
    assert_eq!((full.action, full.limited_by), (Action::None, Some(Limitation::Max(10))));
    assert_eq!(full.record().limited_by.as_deref(), Some("the maximum of 10"));
}

#[test]
fn a_target_that_can_have_one_replica_stays_at_one() {
    let mut world = World::new(&RULES.replace("min: 1", "min: 2"));
    world.constraints.ceiling = Some(1);
    world.decide(&running(1, 90.0), 0);
    let decision = world.decide(&running(1, 90.0), 10);
    assert_eq!((decision.desired, decision.limited_by), (1, Some(Limitation::Ceiling(1))));
    assert_eq!((decision.bounds.min(), decision.bounds.max()), (1, 1));
}

#[test]
fn a_loss_is_restored_after_it_settled_and_not_while_a_change_of_ours_is_under_way() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(4);
    assert_eq!(world.decide(&running(1, 50.0), 0).desired, 1);
    let decision = world.decide(&running(1, 50.0), 5);
    assert_eq!((decision.desired, decision.purpose), (4, Purpose::RestoreDrift));
    assert!(decision.drifted.is_some());
    world.constraints.growing = true;
    let decision = world.decide(&running(2, 50.0), 20);
    assert_eq!((decision.from, decision.desired, decision.grow_by()), (4, 4, 0));
}

#[test]
fn what_somebody_turned_off_is_left_alone_until_it_runs_again() {
    let mut world = World::new(&RULES.replace("min: 1", "min: 2"));
    assert_eq!(world.step(&running(3, 50.0), 0), 3);
    for seconds in [10, 20, 600] {
        let off = world.decide(&running(0, 0.0), seconds);
        assert_eq!((off.desired, off.why), (0, Why::TurnedOff), "{seconds}s");
    }
    assert_eq!(world.decide(&running(1, 50.0), 700).desired, 2, "the minimum, not what it was");
}

#[test]
fn stop_conflict_hold_and_a_blocked_target_let_nothing_through() {
    let gates: [(Constraints, Limitation); 3] = [
        (Constraints { stopped: true, ..Constraints::default() }, Limitation::Stop),
        (Constraints { conflict: true, ..Constraints::default() }, Limitation::Conflict),
        (
            Constraints { blocked: Some(Reason::RolloutInProgress), ..Constraints::default() },
            Limitation::Blocked(Reason::RolloutInProgress),
        ),
    ];
    for (constraints, limitation) in gates {
        let mut world = World::new(RULES);
        world.constraints = constraints;
        world.decide(&running(2, 90.0), 0);
        let decision = world.decide(&running(2, 90.0), 10);
        assert_eq!((decision.action, decision.limited_by), (Action::None, Some(limitation)));
    }
}

#[test]
fn a_hold_stops_its_direction_until_it_ends() {
    for (direction, grows, shrinks) in [
        (HoldDirection::Up, false, true),
        (HoldDirection::Down, true, false),
        (HoldDirection::Both, false, false),
    ] {
        for (cpu, moves) in [(90.0, grows), (5.0, shrinks)] {
            let mut world = World::new(RULES);
            world.memory.hold(Hold { direction, until: at(20), reason: None, by: "ada".to_owned() });
            world.decide(&running(3, cpu), 0);
            assert_eq!(
                world.decide(&running(3, cpu), 10).action != Action::None,
                moves,
                "{direction:?} {cpu}"
            );
            assert_ne!(world.decide(&running(3, cpu), 20).action, Action::None);
        }
    }
}

#[test]
fn observe_decides_and_does_not_act_and_disabled_does_neither() {
    let mut world = World::new(&format!("mode: Observe\n{RULES}"));
    world.decide(&running(2, 90.0), 0);
    let decision = world.decide(&running(2, 90.0), 10);
    assert_eq!((decision.desired, decision.act, decision.wants_action()), (4, false, false));
    world.memory.set_mode(Some(Mode::Disabled));
    let decision = world.decide(&running(2, 90.0), 20);
    assert_eq!((decision.desired, decision.why), (2, Why::Disabled));
}

#[test]
fn a_persons_wish_passes_rules_and_limits_but_not_the_bounds() {
    let mut world = World::new(RULES);
    world.memory.wish(Wish { replicas: 50, until: at(60), reason: None, by: "ada".to_owned() });
    let decision = world.decide(&running(2, 50.0), 0);
    assert_eq!((decision.desired, decision.purpose), (10, Purpose::Person));
    assert_eq!(decision.reason(), "asked for by ada");
}

/// A replica that docktor made with that change, started at that second.
fn made(number: u32, change: &str, started: i64) -> Replica {
    Replica {
        change: Some(ChangeId::new(change)),
        created_at: Some(at(started)),
        started_at: Some(at(started)),
        ..replica(number, Some(50.0))
    }
}

fn with(mut snapshot: Snapshot, more: Replica) -> Snapshot {
    snapshot.replicas.push(more);
    snapshot
}

fn trust(world: &World, number: u32) -> Trust {
    world.memory.replicas[&ReplicaId::new(&format!("id{number}"))].trust
}

#[test]
fn a_new_replica_is_pending_then_verified_after_it_stayed_healthy() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(2);
    let new = || with(running(1, 50.0), made(2, "c1", 0));
    for (seconds, expected) in
        [(1, Trust::Pending), (29, Trust::Pending), (30, Trust::Verifying), (59, Trust::Verifying)]
    {
        world.decide(&new(), seconds);
        assert_eq!(trust(&world, 2), expected, "{seconds}s");
    }
    assert_eq!(world.decide(&new(), 45).recheck_at, Some(at(60)), "when verification ends");
    world.decide(&new(), 60);
    assert_eq!(trust(&world, 2), Trust::Verified);
}

#[test]
fn a_scale_down_waits_until_no_replica_is_starting_or_under_verification() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(3);
    let low = |seconds: i64| {
        let mut snapshot = with(running(2, 5.0), made(3, "c1", 0));
        snapshot.replicas[2].samples = vec![Sample { at: at(seconds), cpu: Some(5.0), ..Sample::default() }];
        snapshot
    };
    world.decide(&low(40), 40);
    let decision = world.decide(&low(50), 50);
    assert_eq!((decision.desired, decision.limited_by), (3, Some(Limitation::Unfinished)));
    assert_eq!(world.decide(&low(61), 61).desired, 2);
}

#[test]
fn only_new_replicas_that_failed_are_rolled_back_and_each_change_counts_once() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(4);
    let mut snapshot = with(with(running(2, 50.0), made(3, "c1", 0)), made(4, "c1", 0));
    world.decide(&snapshot, 1);
    snapshot.replicas[2].health = Health::Unhealthy;
    snapshot.replicas[3].phase = ReplicaPhase::Failed;
    let decision = world.decide(&snapshot, 5);
    assert_eq!(decision.rollback, [ReplicaId::new("id3"), ReplicaId::new("id4")]);
    assert_eq!((decision.current, decision.from, decision.desired), (3, 2, 2));
    assert_eq!((world.memory.failed.in_a_row, world.memory.desired), (1, Some(2)));
    let old_one_dies = {
        let mut snapshot = running(2, 50.0);
        snapshot.replicas[1].health = Health::Unhealthy;
        snapshot
    };
    assert!(world.decide(&old_one_dies, 10).rollback.is_empty());
}

#[test]
fn after_too_many_failures_only_the_minimum_is_kept_up_until_retry_after() {
    let text = RULES
        .replace("verify: 30s", "verify: 30s, maxFailures: 2, retryAfter: 10m")
        .replace("min: 1", "min: 2");
    let mut world = World::new(&text);
    world.memory.desired = Some(2);
    for (change, seconds) in [("c1", 0), ("c2", 10)] {
        let mut bad = with(running(2, 90.0), made(3, change, seconds));
        bad.replicas[2].id = ReplicaId::new(change);
        bad.replicas[2].health = Health::Unhealthy;
        world.memory.desired = Some(3);
        world.decide(&bad, seconds);
    }
    assert_eq!(world.memory.failed.stopped_at, Some(at(10)));
    let stuck = world.decide(&running(2, 90.0), 20);
    assert_eq!((stuck.desired, stuck.limited_by), (2, Some(Limitation::Failed(Some(at(610))))));
    world.memory.desired = Some(1);
    assert_eq!(world.decide(&running(1, 90.0), 30).desired, 2, "the minimum");
    world.memory.desired = Some(2);
    assert_eq!(world.decide(&running(2, 90.0), 610).desired, 4, "one more attempt");
}

#[test]
fn a_replica_that_restarts_in_a_loop_failed() {
    let mut world = World::new(RULES);
    for start in 0..4 {
        world.memory.desired = Some(2);
        world.decide(&with(running(1, 50.0), made(2, "c1", start * 5)), start * 5 + 1);
    }
    assert_eq!(trust(&world, 2), Trust::Failed);
}

#[test]
fn who_goes_first_does_not_work_then_is_outdated_then_has_the_highest_number() {
    let mut replicas = running(5, 50.0).replicas;
    replicas[0].health = Health::Unhealthy;
    replicas[1].outdated = true;
    let who = |victim| -> Vec<String> {
        let ids = victims::victims(&replicas, 4, victim, Duration::ZERO, at(0));
        ids.iter().map(ToString::to_string).collect()
    };
    use crate::api::behavior::Victim;
    assert_eq!(who(Victim::HighestNumber), ["id1", "id2", "id5", "id4"]);
    replicas[2].created_at = Some(at(-20_000));
    replicas[3].created_at = Some(at(-1));
    replicas[4].samples[0].cpu = Some(1.0);
    let who = |victim| -> Vec<String> {
        let ids = victims::victims(&replicas, 3, victim, Duration::ZERO, at(0));
        ids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(who(Victim::Oldest), ["id1", "id2", "id3"]);
    assert_eq!(who(Victim::Newest), ["id1", "id2", "id4"]);
    assert_eq!(who(Victim::LeastBusy), ["id1", "id2", "id5"]);
}

#[test]
fn no_more_scale_downs_in_an_hour_than_allowed() {
    let mut world = World::new(&RULES.replace("verify: 30s", "maxScaleDownsPerHour: 1"));
    world.step(&running(5, 5.0), 0);
    assert_eq!(world.step(&running(5, 5.0), 10), 4);
    let decision = world.decide(&running(4, 5.0), 20);
    assert_eq!(decision.limited_by, Some(Limitation::ScaleDownsPerHour(at(3_610))));
    assert_eq!(world.decide(&running(4, 5.0), 3_610).desired, 3);
}

const QUEUE: &str = "
replicas: {min: 0, max: 20, idleAfter: 5m}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100, activation: 5}]
scaleDown: {stabilizationWindow: 0s}
";

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
fn the_rules_of_a_group_agree_among_themselves_first() {
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
        ("Any", 2.0, 0.0, 0.0, false),
        ("Any", 2.0, 2.0, 0.0, true),
        ("Any", 0.0, 0.0, 2.0, true),
        ("All", 2.0, 0.0, 2.0, true),
        ("All", 2.0, 2.0, 0.0, false),
        ("All", 0.0, 0.0, 2.0, false),
    ] {
        let snapshot = row(2, &[("a", Some(a)), ("b", Some(b)), ("c", Some(c))]);
        assert_eq!(World::new(&text(when)).decide(&snapshot, 0).desired == 3, fires, "{when} {a} {b} {c}");
    }
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

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn policies() -> impl Strategy<Value = Arc<Spec>> {
        let texts = [
            RULES.to_owned(),
            RULES.replace("consecutive: 2", "consecutive: 1").replace("step: '-1'", "step: x0.5"),
            QUEUE
                .replace("queue.backlog", "cpu.avg")
                .replace("averageValue: 100, activation: 5", "target: 60"),
            QUEUE.to_owned(),
            format!("{QUEUE}fallback: {{afterFailures: 1, replicas: 3, behavior: CurrentIfHigher}}"),
        ];
        let specs: Vec<Arc<Spec>> = texts.iter().map(|text| Arc::new(spec(text))).collect();
        prop::sample::select(specs)
    }

    #[derive(Debug, Clone)]
    struct Row {
        after: i64,
        current: u32,
        cpu: Option<f64>,
        backlog: Option<f64>,
        evaluation: bool,
        done: bool,
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let value = || prop::option::weighted(0.8, prop_oneof![0.0..200.0f64, any::<f64>()]);
        let row = (0..400i64, 0..30u32, value(), value(), any::<bool>(), any::<bool>()).prop_map(
            |(after, current, cpu, backlog, evaluation, done)| Row {
                after,
                current,
                cpu,
                backlog,
                evaluation,
                done,
            },
        );
        prop::collection::vec(row, 1..40)
    }

    fn snapshot(it: &Row) -> Snapshot {
        let metrics = [("cpu.avg", it.cpu), ("queue.backlog", it.backlog)];
        Snapshot { evaluation: it.evaluation, ..row(it.current, &metrics) }
    }

    proptest! {
        #[test]
        fn no_history_panics_leaves_the_bounds_or_changes_with_a_copy(spec in policies(), rows in rows()) {
            let mut memory = Memory::default();
            let mut now = 0;
            for it in &rows {
                now += it.after;
                let mut copy: Memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
                prop_assert_eq!(&copy, &memory);
                let decision = decide(&spec, &mut memory, &snapshot(it), &Constraints::default(), at(now));
                let again = decide(&spec, &mut copy, &snapshot(it), &Constraints::default(), at(now));
                prop_assert_eq!(decision.record(), again.record());
                prop_assert_eq!(&memory, &copy);
                let within = spec.bounds.clamp(decision.desired) == decision.desired;
                prop_assert!(within || decision.action == Action::None, "{:?}", decision);
                let _ = decision.findings();
                if it.done && decision.action != Action::None {
                    memory.record_change(decision.from, decision.desired, decision.purpose, at(now));
                }
            }
        }

        #[test]
        fn missing_data_never_shrinks(spec in policies(), rows in rows()) {
            let mut memory = Memory::default();
            let mut now = 0;
            for it in &rows {
                now += it.after;
                let blind = Row { cpu: None, backlog: None, ..it.clone() };
                let decision = decide(&spec, &mut memory, &snapshot(&blind), &Constraints::default(), at(now));
                let shrinks = decision.action == Action::ScaleDown && decision.purpose == Purpose::Recommendation;
                prop_assert!(!shrinks, "{:?}", decision);
            }
        }

        #[test]
        fn limits_hold_over_any_period(
            loads in prop::collection::vec((1..90i64, 0.0..200.0f64), 1..80), most in 1..5u32, period in 1..200u64,
        ) {
            let limits = format!("limits: [{{replicas: {most}, period: {period}s}}]");
            let text = format!(
                "
replicas: {{max: 1000}}
track: [{{metric: cpu.avg, target: 50}}]
scaleUp: {{{limits}}}
scaleDown: {{{limits}, stabilizationWindow: 0s}}
"
            );
            let mut world = World::new(&text);
            let mut past = vec![(0, 20)];
            let mut now = 0;
            for (after, cpu) in loads {
                now += after;
                let current = past.last().unwrap().1;
                let count = world.step(&row(current, &[("cpu.avg", Some(cpu))]), now);
                let began = now - i64::try_from(period).unwrap();
                let at_start = past.iter().rev().find(|(at, _)| *at <= began).unwrap_or(&past[0]).1;
                prop_assert!(count.max(current) <= current.max(at_start + most), "{past:?} {count}");
                prop_assert!(count.min(current) >= current.min(at_start.saturating_sub(most)), "{past:?} {count}");
                past.push((now, count));
            }
        }

        #[test]
        fn steady_load_settles(load in 1.0..2_000.0f64, start in 1..40u32, target in 20.0..90.0f64) {
            let text = format!(
                "
replicas: {{max: 200}}
track: [{{metric: cpu.avg, target: {target}}}]
scaleDown: {{stabilizationWindow: 30s}}
"
            );
            let mut world = World::new(&text);
            let mut count = start;
            let mut sizes = Vec::new();
            for pass in 0..120 {
                count = world.step(&row(count, &[("cpu.avg", Some(load / f64::from(count)))]), pass * 10);
                sizes.push(count);
            }
            prop_assert!(sizes[60..].iter().all(|it| it == sizes.last().unwrap()), "{sizes:?}");
        }

        #[test]
        fn more_load_never_wants_fewer(spec in policies(), current in 1..30u32, load in 0.0..200.0f64, more in 0.0..1e6f64) {
            let desired = |load: f64| {
                let mut memory = Memory::default();
                let of = row(current, &[("cpu.avg", Some(load)), ("queue.backlog", Some(load))]);
                let _ = decide(&spec, &mut memory, &of, &Constraints::default(), at(0));
                decide(&spec, &mut memory, &of, &Constraints::default(), at(600)).desired
            };
            prop_assert!(desired(load + more) >= desired(load));
        }
    }
}
