//! Limits: by steps and by past use, beside the count and without it.

use proptest::prelude::*;

use super::*;
use crate::api::limits::{LimitKind, LimitSet};
use crate::model::decision::Resize;
use crate::model::observation::HostCapacity;

/// The limits and rules of the AutoCoder autoscaler, on a Compose service.
const LIMITS: &str = "
resources:
  cpuQuota: {min: 100%, max: 800%, minStep: 50%}
  memoryMax: {min: 8GiB, max: 192GiB, minStep: 8GiB}
  tasksMax: {min: 100, max: 1500, minStep: 50}
  together: true
  reserve: {cpus: 1, memory: 8GiB, tasks: 50}
";
const RULES: &str = "
scaleUp:
  rules: [{metric: cpu.utilization, op: '>', value: 85}, {metric: memory.utilization, op: '>', value: 80}]
  consecutive: 2
  step: x1.5
  cooldown: 60s
scaleDown:
  rules: [{metric: cpu.utilization, op: '<', value: 40}, {metric: memory.utilization, op: '<', value: 50}]
  consecutive: 2
  step: x0.6
  cooldown: 60s
";
const GIB: f64 = 1_073_741_824.0;

fn set(text: &str) -> LimitSet {
    serde_json::from_str(text).unwrap()
}

fn started() -> LimitSet {
    set(r#"{"cpuQuota": "200%", "memoryMax": "32GiB", "tasksMax": 250}"#)
}

/// A replica with these limits that uses these percents of them; `None` for no sample.
fn loaded(limits: &LimitSet, cpu: Option<f64>, memory: Option<f64>, tasks: Option<f64>) -> Snapshot {
    let of = |kind| limits.get(kind);
    let host = HostCapacity { cpus: Some(16.0), memory: Some(256.0 * GIB), tasks: Some(32_768.0) };
    let limits = Limits {
        cpus: of(LimitKind::CpuQuota).map(|it| it / 100.0),
        memory: of(LimitKind::MemoryMax),
        tasks: of(LimitKind::TasksMax),
        host,
        ..Limits::default()
    };
    let share = |percent: Option<f64>, kind| Some(percent? / 100.0 * of(kind).unwrap_or(1.0));
    let mut snapshot = running(1, 0.0);
    snapshot.replicas[0].limits = limits;
    snapshot.replicas[0].samples = vec![Sample {
        cpu: share(cpu, LimitKind::CpuQuota),
        memory: share(memory, LimitKind::MemoryMax),
        tasks: share(tasks, LimitKind::TasksMax),
        ..Sample::default()
    }];
    snapshot
}

fn busy(limits: &LimitSet) -> Snapshot {
    loaded(limits, Some(95.0), Some(60.0), Some(10.0))
}

fn idle(limits: &LimitSet) -> Snapshot {
    loaded(limits, Some(10.0), Some(10.0), Some(10.0))
}

fn resize(decision: &Decision) -> Resize {
    **decision.resize.as_ref().expect("the policy moves limits")
}

impl World {
    /// Decides and does it; gives the limits after.
    fn resized(&mut self, snapshot: &Snapshot, seconds: i64) -> LimitSet {
        let decision = self.decide(snapshot, seconds);
        let resize = resize(&decision);
        if resize.changes() {
            self.memory.record_resize(&resize.from, &resize.to, Purpose::Recommendation, at(seconds));
        }
        resize.to
    }
}

#[test]
fn any_trigger_moves_all_limits_up_together_and_all_of_them_down_again() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    assert_eq!(world.resized(&busy(&started()), 0), started());
    let up = world.resized(&busy(&started()), 10);
    assert_eq!(up, set(r#"{"cpuQuota": "300%", "memoryMax": "48GiB", "tasksMax": 375}"#));
    assert_eq!((world.memory.last_up, world.memory.last_action), (Some(at(10)), Some(at(10))));
    for seconds in [20, 30, 60] {
        assert_eq!(world.resized(&idle(&up), seconds), up, "the cooldown runs");
    }
    let down = world.resized(&idle(&up), 70);
    assert_eq!(down, set(r#"{"cpuQuota": "180%", "memoryMax": "29492MiB", "tasksMax": 225}"#));
}

#[test]
fn a_decision_about_limits_says_what_and_why_and_leaves_the_count_alone() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    world.decide(&busy(&started()), 0);
    let decision = world.decide(&busy(&started()), 10);
    assert_eq!((decision.action, decision.desired, decision.from), (Action::ScaleUp, 1, 1));
    let record = decision.record();
    let told: Vec<_> = record.trail.iter().map(|it| format!("{:?}: {}", it.stage, it.message)).collect();
    assert_eq!(
        told,
        [
            "Observe: 1 running, 1 ready",
            "Observe: limits: cpuQuota 200%, memoryMax 32GiB, tasksMax 250",
            "Recommend: cpu.utilization 95 > 85 (2 of 2)",
            "Recommend: cpuQuota 200% -> 300%, memoryMax 32GiB -> 48GiB, tasksMax 250 -> 375 (x1.5)",
        ]
    );
    assert_eq!(
        (record.limits_before.clone(), record.reason.clone()),
        (Some(Box::new(started())), "cpu.utilization 95 > 85 (2 of 2)".to_owned())
    );
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(
        json["limits"],
        serde_json::json!({"cpuQuota": "300%", "memoryMax": "48GiB", "tasksMax": 375})
    );
}

#[test]
fn who_turns_a_unit_on_again_has_not_changed_a_count_that_is_docktors() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    world.decide(&idle(&started()), 0);
    world.decide(&running(0, 0.0), 10);
    let decision = world.decide(&idle(&started()), 20);
    assert_eq!((decision.current, decision.drifted), (1, None));
}

#[test]
fn apart_a_rule_moves_the_limits_of_its_own_resource_and_one_of_none_moves_all() {
    let sources = "metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}\n";
    let rules = |rule: &str| format!("scaleUp: {{rules: [{rule}], step: x2}}\n");
    for (rule, moved) in [
        ("{metric: cpu.utilization, op: '>', value: 85}", vec![LimitKind::CpuQuota]),
        ("{metric: memory.utilization, op: '>', value: 50}", vec![LimitKind::MemoryMax]),
        ("{metric: tasks.count, op: '>', value: 1}", vec![LimitKind::TasksMax]),
        (
            "{expr: 'cpu.utilization + memory.utilization > 100.0'}",
            vec![LimitKind::CpuQuota, LimitKind::MemoryMax],
        ),
        (
            "{metric: queue.backlog, op: '>', value: 5}",
            vec![LimitKind::CpuQuota, LimitKind::MemoryMax, LimitKind::TasksMax],
        ),
        ("{metric: cpu.utilization, op: '>', value: 99}", vec![]),
    ] {
        let mut world = World::new(&format!("{sources}{}{}", LIMITS.replace("true", "false"), rules(rule)));
        let mut snapshot = busy(&started());
        snapshot.metrics.insert("queue.backlog".to_owned(), Observation::Value(10.0));
        let decision = world.decide(&snapshot, 0);
        let changed: Vec<_> = resize(&decision).changed().map(|it| it.0).collect();
        assert_eq!(changed, moved, "{rule}");
    }
}

#[test]
fn growth_stops_at_the_host_less_its_reserve() {
    let mut world = World::new(&format!("{LIMITS}{RULES}").replace("consecutive: 2", "consecutive: 1"));
    let mut snapshot = busy(&started());
    snapshot.replicas[0].limits.host =
        HostCapacity { cpus: Some(3.5), memory: Some(48.0 * GIB), tasks: Some(250.0) };
    let decision = world.decide(&snapshot, 0);
    assert_eq!(resize(&decision).to, set(r#"{"cpuQuota": "250%", "memoryMax": "40GiB", "tasksMax": 250}"#));
    assert_eq!(decision.limited_by, Some(Limitation::Host(LimitKind::TasksMax)));
}

#[test]
fn what_is_not_known_to_be_unused_does_not_shrink() {
    for (memory_used, tasks_used, wanted) in [
        (Some(10.0), Some(10.0), r#"{"cpuQuota": "120%", "memoryMax": "19661MiB", "tasksMax": 150}"#),
        (Some(10.0), None, r#"{"cpuQuota": "120%", "memoryMax": "19661MiB", "tasksMax": 250}"#),
        (Some(10.0), Some(70.0), r#"{"cpuQuota": "120%", "memoryMax": "19661MiB", "tasksMax": 193}"#),
        (None, Some(10.0), r#"{"cpuQuota": "200%", "memoryMax": "32GiB", "tasksMax": 250}"#),
    ] {
        let mut world = World::new(&format!("{LIMITS}{RULES}"));
        let snapshot = loaded(&started(), Some(10.0), memory_used, tasks_used);
        world.decide(&snapshot, 0);
        assert_eq!(resize(&world.decide(&snapshot, 10)).to, set(wanted), "{memory_used:?} {tasks_used:?}");
    }
}

#[test]
fn a_hold_stop_a_conflict_and_too_many_failures_keep_limits_too() {
    let hold = |direction| {
        let hold = Hold { direction, until: at(60), reason: None, by: "ada".to_owned() };
        (Constraints::default(), Some(hold), false)
    };
    let stop = Constraints { stopped: true, ..Constraints::default() };
    for (what, (constraints, hold, failed), limited_by) in [
        ("hold", hold(HoldDirection::Up), Some(Limitation::Hold(at(60)))),
        ("the other way", hold(HoldDirection::Down), None),
        ("STOP", (stop, None, false), Some(Limitation::Stop)),
        ("failures", (Constraints::default(), None, true), Some(Limitation::Failed(None))),
    ] {
        let mut world = World::new(&format!("{LIMITS}{RULES}"));
        world.decide(&busy(&started()), 0);
        (world.constraints, world.memory.hold) = (constraints, hold);
        world.memory.failed.stopped_at = failed.then(|| at(0));
        let decision = world.decide(&busy(&started()), 10);
        assert_eq!(decision.limited_by, limited_by, "{what}");
        assert_eq!(resize(&decision).changes(), limited_by.is_none(), "{what}");
        assert_eq!(decision.action == Action::ScaleUp, limited_by.is_none(), "{what}");
    }
}

#[test]
fn limits_outside_of_their_range_are_brought_into_it_without_rules_or_cooldown() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    world.memory.last_up = Some(at(0));
    let below = set(r#"{"cpuQuota": "50%", "memoryMax": "4GiB", "tasksMax": 2000}"#);
    let decision = world.decide(&loaded(&below, Some(60.0), Some(60.0), Some(10.0)), 0);
    assert_eq!(resize(&decision).to, set(r#"{"cpuQuota": "100%", "memoryMax": "8GiB", "tasksMax": 1500}"#));
    assert_eq!(
        (decision.purpose, decision.reason()),
        (Purpose::Bounds, "limits are outside of their range".to_owned())
    );
}

#[test]
fn after_too_many_failures_limits_stay_even_outside_of_their_range() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    world.memory.failed.stopped_at = Some(at(0));
    let below = set(r#"{"cpuQuota": "50%", "memoryMax": "8GiB", "tasksMax": 100}"#);
    let decision = world.decide(&loaded(&below, Some(60.0), Some(60.0), Some(60.0)), 0);
    assert_eq!(resize(&decision).to, below);
    assert_eq!(decision.limited_by, Some(Limitation::Failed(None)));
}

#[test]
fn what_is_no_longer_needed_of_limits_is_forgotten() {
    let mut memory = Memory::default();
    let mut pass = |text: &str| {
        let _ =
            decide(&spec(text), &mut memory, &by_use(100.0, GIB, 1.0, GIB), &Constraints::default(), at(0));
        (memory.sizing.is_some(), memory.sizing.as_ref().is_some_and(|it| it.usage.is_some()))
    };
    assert_eq!(pass(HISTOGRAM), (true, true));
    assert_eq!(pass(&format!("{LIMITS}{RULES}")), (true, false));
    assert_eq!(pass(super::RULES), (false, false));
}

#[test]
fn without_replicas_present_limits_are_what_docktor_set_last_or_the_minimum() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    let decision = world.decide(&row(1, &[]), 0);
    assert_eq!(resize(&decision).from, set(r#"{"cpuQuota": "100%", "memoryMax": "8GiB", "tasksMax": 100}"#));
    world.memory.record_resize(&started(), &started(), Purpose::Recommendation, at(0));
    assert_eq!(resize(&world.decide(&row(1, &[]), 10)).from, started());
    assert!(world.decide(&row(0, &[]), 20).resize.is_none(), "nothing runs, so there is nothing to size");
}

#[test]
fn an_unlimited_replica_has_what_the_host_has() {
    let mut world = World::new(&format!("{LIMITS}{RULES}"));
    let decision = world.decide(&loaded(&LimitSet::default(), None, None, None), 0);
    assert_eq!(
        resize(&decision).from,
        set(r#"{"cpuQuota": "1600%", "memoryMax": "256GiB", "tasksMax": 32768}"#)
    );
    assert_eq!(resize(&decision).to, resize(&decision).from, "what it uses is not known");
}

// Both ways of scaling.

const BOTH: &str = "
replicas: {min: 1, max: 2}
order: ReplicasFirst
safety: {verify: 30s}
resources: {cpuQuota: {min: 100%, max: 400%}}
scaleUp: {rules: [{metric: cpu.utilization, op: '>', value: 80}], step: '+1'}
scaleDown: {rules: [{metric: cpu.utilization, op: '<', value: 20}], step: '-1', stabilizationWindow: 0s}
";

/// So many replicas with that quota, each using that much of it.
fn of_both(count: u32, quota: f64, percent: f64) -> Snapshot {
    let mut snapshot = running(count, percent * quota / 100.0);
    for replica in &mut snapshot.replicas {
        replica.limits.cpus = Some(quota / 100.0);
    }
    snapshot
}

/// Count and quota after.
fn after(decision: &Decision) -> (u32, f64) {
    (decision.desired, resize(decision).to.get(LimitKind::CpuQuota).unwrap())
}

#[test]
fn growing_takes_turns_by_the_order_and_shrinking_by_its_reverse() {
    let text = BOTH.replace("'+1'", "x2").replace("'-1'", "x0.5");
    for (order, count, quota, percent, wanted) in [
        ("ReplicasFirst", 1, 100.0, 90.0, (2, 100.0)),
        ("ReplicasFirst", 2, 100.0, 90.0, (2, 200.0)),
        ("ResourcesFirst", 1, 100.0, 90.0, (1, 200.0)),
        ("ResourcesFirst", 1, 400.0, 90.0, (2, 400.0)),
        ("ReplicasFirst", 2, 400.0, 90.0, (2, 400.0)),
        ("ReplicasFirst", 2, 400.0, 10.0, (2, 200.0)),
        ("ReplicasFirst", 2, 100.0, 10.0, (1, 100.0)),
        ("ResourcesFirst", 2, 400.0, 10.0, (1, 400.0)),
        ("ResourcesFirst", 1, 400.0, 10.0, (1, 200.0)),
        ("ReplicasFirst", 1, 100.0, 10.0, (1, 100.0)),
    ] {
        let mut world = World::new(&text.replace("ReplicasFirst", order));
        let decision = world.decide(&of_both(count, quota, percent), 0);
        assert_eq!(after(&decision), wanted, "{order} {count} {quota} {percent}");
    }
}

#[test]
fn the_one_that_waits_says_for_whom() {
    let mut world = World::new(BOTH);
    let decision = world.decide(&of_both(1, 100.0, 90.0), 0);
    let told = |it: &Decision| it.record().trail.iter().map(|it| it.message.clone()).collect::<Vec<_>>();
    assert!(
        told(&decision).contains(&"kept by order: it is the turn of replicas".to_owned()),
        "{:?}",
        told(&decision)
    );
    let mut world = World::new(&BOTH.replace("ReplicasFirst", "ResourcesFirst"));
    let decision = world.decide(&of_both(1, 100.0, 90.0), 0);
    assert!(
        told(&decision).contains(&"kept by order: it is the turn of resources".to_owned()),
        "{:?}",
        told(&decision)
    );
    assert_eq!(decision.limited_by.and_then(Limitation::until), None);
}

#[test]
fn limits_wait_while_replicas_start_or_are_verified() {
    let mut world = World::new(&BOTH.replace("max: 2", "max: 1"));
    let growing = |growing| Constraints { growing, ..Constraints::default() };
    world.constraints = growing(true);
    let decision = world.decide(&of_both(1, 100.0, 90.0), 0);
    assert_eq!((after(&decision), decision.limited_by), ((1, 100.0), Some(Limitation::Unfinished)));
    world.constraints = growing(false);
    assert_eq!(after(&world.decide(&of_both(1, 100.0, 90.0), 10)), (1, 101.0));
}

#[test]
fn a_resize_starts_the_cooldown_of_the_count() {
    let text = BOTH.replace("ReplicasFirst", "ResourcesFirst").replace("'+1'", "x4, cooldown: 60s");
    let mut world = World::new(&text);
    assert_eq!(world.resized(&of_both(1, 100.0, 90.0), 0).get(LimitKind::CpuQuota), Some(400.0));
    let held = world.decide(&of_both(1, 400.0, 90.0), 30);
    assert_eq!((held.desired, held.limited_by), (1, Some(Limitation::ScaleUpCooldown(at(60)))));
    assert_eq!(world.decide(&of_both(1, 400.0, 90.0), 60).desired, 2);
}

#[test]
fn bounds_of_the_count_are_kept_whoever_has_the_turn() {
    let mut world = World::new(&BOTH.replace("ReplicasFirst", "ResourcesFirst").replace("min: 1", "min: 2"));
    let decision = world.decide(&of_both(1, 100.0, 90.0), 0);
    assert_eq!(after(&decision), (2, 100.0));
    assert!(matches!(decision.why, Why::BelowMin(2)));
}

// By past use.

const HISTOGRAM: &str = "
interval: 60s
resources:
  cpuQuota: {min: 10%, max: 800%}
  memoryMax: {min: 64MiB, max: 8GiB}
  recommend: Histogram
";

fn by_use(quota: f64, memory: f64, cores: f64, bytes: f64) -> Snapshot {
    let mut snapshot = running(1, cores * 100.0);
    snapshot.replicas[0].limits =
        Limits { cpus: Some(quota / 100.0), memory: Some(memory), ..Limits::default() };
    snapshot.replicas[0].samples[0].memory = Some(bytes);
    snapshot
}

#[test]
fn limits_move_to_past_use_with_its_margin_once_they_are_outside_of_the_range() {
    let mut world = World::new(HISTOGRAM);
    // A minute a sample, for a day: the range is 1.15 x (use .. 2 x use).
    let mut first = None;
    for minute in 0..1_440 {
        let decision = world.decide(&by_use(600.0, 4.0 * GIB, 1.0, GIB), minute * 60);
        if resize(&decision).changes() {
            first.get_or_insert((minute, decision));
        }
    }
    let (minute, decision) = first.expect("six cores are far too many for one");
    assert!(
        matches!(decision.why, Why::OutsideOfUse { kind: LimitKind::CpuQuota, .. }),
        "{:?}",
        decision.why
    );
    // Six cores are above 1.2 x (1 + 1/c) once c is a quarter of a day.
    assert!((340..370).contains(&minute), "{minute}");
    let quota = resize(&decision).to.get(LimitKind::CpuQuota).unwrap();
    assert!((115.0..122.0).contains(&quota), "{quota}");
}

/// A unit of 1 GiB that uses 0.85 of it.
fn tight() -> Snapshot {
    by_use(100.0, GIB, 0.85, 0.85 * GIB)
}

/// The same, and in the last minute the kernel killed that often, as the sampler or a trace tells it.
fn killed(kills: f64, seconds: i64) -> [Snapshot; 2] {
    let (mut sampled, mut told) = (tight(), tight());
    let at = at(seconds - 10);
    sampled.replicas[0].samples.push(Sample { at, oom_kills: Some(kills), ..Sample::default() });
    told.metrics.insert("memory.oomKills".to_owned(), Observation::Value(kills));
    [sampled, told]
}

#[test]
fn a_kill_for_want_of_memory_raises_its_limit_at_once() {
    for way in 0..2 {
        let mut world = World::new(HISTOGRAM);
        assert!(!resize(&world.decide(&killed(0.0, 0)[way], 0)).changes());
        let decision = world.decide(&killed(1.0, 60)[way], 60);
        let memory = resize(&decision).to.get(LimitKind::MemoryMax).unwrap();
        assert_eq!(
            (decision.action, decision.reason().as_str()),
            (Action::ScaleUp, "the kernel killed for want of memory")
        );
        // 1 GiB x 1.2 x 1.15 is 1.38 GiB, within a bucket of 5 %.
        assert!((1.38 * GIB..1.46 * GIB).contains(&memory), "{memory}");
    }
}

#[test]
fn a_kill_is_learnt_from_once_though_several_windows_show_it() {
    let text = HISTOGRAM.replace("interval: 60s", "interval: 60s\nwindow: 5m");
    let last_oom = |world: &World| world.memory.sizing.as_ref()?.usage.as_ref()?.last_oom;
    for way in 0..2 {
        let mut world = World::new(&text);
        world.decide(&killed(0.0, 0)[way], 0);
        // The kill of second 50, and another one at 170.
        for (seconds, expected) in [(60, 60), (120, 60), (180, 180), (240, 180)] {
            let mut snapshot =
                if seconds < 180 { killed(1.0, 60)[way].clone() } else { killed(2.0, 60)[way].clone() };
            if way == 0 && seconds >= 180 {
                let sample = Sample { at: at(170), oom_kills: Some(1.0), ..Sample::default() };
                snapshot.replicas[0].samples.push(sample);
            }
            world.decide(&snapshot, seconds);
            assert_eq!(last_oom(&world), Some(at(expected)), "{way} {seconds}");
        }
    }
}

#[test]
fn an_older_memory_loads_and_one_with_history_goes_on_after_a_restart() {
    let older: Memory = serde_json::from_str(r#"{"desired": 3}"#).unwrap();
    assert!(older.sizing.is_none() && !serde_json::to_string(&older).unwrap().contains("sizing"));
    let mut world = World::new(HISTOGRAM);
    for minute in 0..600 {
        world.decide(
            &by_use(600.0, 4.0 * GIB, 1.0 + f64::from(minute % 7) / 10.0, GIB),
            i64::from(minute) * 60,
        );
    }
    let json = serde_json::to_string(&world.memory).unwrap();
    assert!(json.len() < 8_000, "{}", json.len());
    let mut restarted = World { memory: serde_json::from_str(&json).unwrap(), ..World::new(HISTOGRAM) };
    let snapshot = by_use(600.0, 4.0 * GIB, 1.0, GIB);
    assert_eq!(resize(&restarted.decide(&snapshot, 36_000)), resize(&world.decide(&snapshot, 36_000)));
}

// What holds for every history.

fn policies() -> impl Strategy<Value = Arc<Spec>> {
    let texts = [
        format!("{LIMITS}{RULES}"),
        format!("{}{RULES}", LIMITS.replace("true", "false")).replace("consecutive: 2", "consecutive: 1"),
        BOTH.to_owned(),
        BOTH.replace("ReplicasFirst", "ResourcesFirst").replace("'+1'", "x1.5").replace("'-1'", "x0.7"),
        HISTOGRAM.to_owned(),
        format!("{HISTOGRAM}  together: true\n{RULES}"),
    ];
    let specs: Vec<Arc<Spec>> = texts.iter().map(|text| Arc::new(spec(text))).collect();
    prop::sample::select(specs)
}

type Seen = (i64, u32, [f64; 3], Option<f64>, Option<f64>, bool);

fn histories() -> impl Strategy<Value = Vec<Seen>> {
    let percent = || prop::option::weighted(0.8, 0.0..150.0f64);
    let limits = [0.5..20.0f64, 0.5..20.0f64, 0.5..20.0f64];
    prop::collection::vec((0..5_000i64, 1..4u32, limits, percent(), percent(), any::<bool>()), 1..40)
}

/// Limits by how many times their usual minimum they are.
fn snapshot(seen: &Seen) -> Snapshot {
    let (_, count, [cpu, memory, tasks], cpu_used, memory_used, evaluation) = seen;
    let limits: LimitSet = [
        (LimitKind::CpuQuota, cpu * 100.0),
        (LimitKind::MemoryMax, memory * 8.0 * GIB),
        (LimitKind::TasksMax, tasks * 100.0),
    ]
    .into_iter()
    .collect();
    let one = loaded(&limits, *cpu_used, *memory_used, Some(10.0));
    let replicas = (1..=*count).map(|number| Replica {
        number,
        id: ReplicaId::new(&format!("id{number}")),
        ..one.replicas[0].clone()
    });
    Snapshot { replicas: replicas.collect(), evaluation: *evaluation, ..Snapshot::default() }
}

proptest! {
    #[test]
    fn no_history_moves_both_at_once_leaves_the_ranges_or_goes_below_use(spec in policies(), history in histories()) {
        let mut memory = Memory::default();
        let mut now = 0;
        for seen in &history {
            now += seen.0;
            let snapshot = snapshot(seen);
            let mut copy = memory.clone();
            let decision = decide(&spec, &mut memory, &snapshot, &Constraints::default(), at(now));
            prop_assert_eq!(&decision, &decide(&spec, &mut copy, &snapshot, &Constraints::default(), at(now)));
            prop_assert_eq!(&memory, &copy);
            let resize = resize(&decision);
            prop_assert!(!(resize.changes() && decision.desired != decision.from), "{:?}", decision);
            for limit in &spec.sizing.as_ref().unwrap().limits {
                let (from, to) = (resize.from.get(limit.kind).unwrap(), resize.to.get(limit.kind).unwrap());
                prop_assert!(to >= limit.min.min(from) && to <= limit.max.max(from), "{:?}", decision);
                if to < from {
                    let used = match limit.kind {
                        LimitKind::CpuQuota => seen.3.map(|it| it / 100.0 * from),
                        LimitKind::MemoryMax => seen.4.map(|it| it / 100.0 * from),
                        _ => Some(0.1 * from),
                    };
                    prop_assert!(used.is_some_and(|it| to >= it * 1.1 - 1e-3), "{:?}", decision);
                }
            }
            let _ = (decision.record(), decision.findings());
            if resize.changes() {
                memory.record_resize(&resize.from, &resize.to, Purpose::Recommendation, at(now));
            } else if decision.action != Action::None {
                memory.record_change(decision.from, decision.desired, decision.purpose, at(now));
            }
        }
    }

    #[test]
    fn missing_data_never_shrinks_limits(spec in policies(), history in histories()) {
        let mut memory = Memory::default();
        let mut now = 0;
        for seen in &history {
            now += seen.0;
            let mut blind = snapshot(seen);
            blind.replicas.iter_mut().for_each(|it| it.samples.clear());
            let decision = decide(&spec, &mut memory, &blind, &Constraints::default(), at(now));
            let shrinks = resize(&decision).changed().any(|(_, from, to)| to < from);
            prop_assert!(!shrinks, "{:?}", decision);
        }
    }

    #[test]
    fn more_use_never_means_smaller_limits(
        spec in policies(), limits in [1.0..8.0f64, 1.0..20.0f64, 1.0..15.0f64], used in 0.0..100.0f64, more in 0.0..100.0f64,
    ) {
        let after = |percent: f64| {
            let seen = (0, 1, limits, Some(percent), Some(percent), true);
            let mut memory = Memory::default();
            let _ = decide(&spec, &mut memory, &snapshot(&seen), &Constraints::default(), at(0));
            let decision = decide(&spec, &mut memory, &snapshot(&seen), &Constraints::default(), at(600));
            (decision.desired, resize(&decision).to)
        };
        let ((fewer, smaller), (count, larger)) = (after(used), after(used + more));
        prop_assert!(count >= fewer);
        for (kind, value) in smaller.iter() {
            // Where the count grows instead, limits stay.
            prop_assert!(larger.get(kind).unwrap() >= value || count > fewer, "{kind} {smaller} {larger}");
        }
    }
}
