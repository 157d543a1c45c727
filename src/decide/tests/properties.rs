//! What holds for every policy and every history.

use proptest::prelude::*;

use super::*;

pub(super) fn policies() -> impl Strategy<Value = Arc<Spec>> {
    let texts = [
        RULES.to_owned(),
        RULES.replace("consecutive: 2", "consecutive: 1").replace("step: '-1'", "step: x0.5"),
        QUEUE.replace("queue.backlog", "cpu.avg").replace("averageValue: 100, activation: 5", "target: 60"),
        QUEUE.to_owned(),
        format!("{QUEUE}fallback: {{afterFailures: 1, replicas: 3, behavior: CurrentIfHigher}}"),
        QUEUE.replace("min: 0", "min: 3, idle: 0"),
        QUEUE.replace("consumer: C}}}", "consumer: C}}, work: {formula: {expr: 'queue.backlog + orElse(cpu.avg, 50.0)'}}}")
            .replace("metric: queue.backlog", "metric: work"),
        format!("{RULES}schedules: [{{name: a, timezone: UTC, start: '0 0 * * *', duration: 12h, min: 4, max: 6}}]"),
        RULES.replace("op: '>', value: 75}", "within: {lower: 75, points: 2}, group: a}, {metric: queue.backlog, op: '>', value: 100, group: a}")
            .replace("replicas:", "metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}\nreplicas:"),
    ];
    let specs: Vec<Arc<Spec>> = texts.iter().map(|text| Arc::new(spec(text))).collect();
    prop::sample::select(specs)
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) after: i64,
    current: u32,
    cpu: Option<f64>,
    backlog: Option<f64>,
    evaluation: bool,
    pub(super) done: bool,
}

pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
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

pub(super) fn snapshot(it: &Row) -> Snapshot {
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
            let at_rest = spec.idle.is_some_and(|it| it.replicas == decision.desired);
            prop_assert!(within || at_rest || decision.action == Action::None, "{:?}", decision);
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
    fn a_share_holds_over_any_period(
        loads in prop::collection::vec((1..90i64, 0.0..200.0f64), 1..80), share in 1..300u32, period in 1..200u64,
    ) {
        let most = f64::from(share) / 100.0;
        let text = format!(
            "
replicas: {{max: 100000}}
track: [{{metric: cpu.avg, target: 50}}]
scaleUp: {{limits: [{{percent: {share}, period: {period}s}}]}}
scaleDown: {{limits: [{{percent: {share}, period: {period}s}}], stabilizationWindow: 0s}}
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
            let start = f64::from(at_start);
            prop_assert!(f64::from(count.max(current)) < f64::from(current).max(start * (1.0 + most)) + 1.0, "{past:?} {count}");
            prop_assert!(f64::from(count.min(current)) > f64::from(current).min(start * (1.0 - most)) - 1.0, "{past:?} {count}");
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
