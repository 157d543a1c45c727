//! What one decision costs: `decide()` alone, without files, engine or clock.

use docktor::api::effective::Spec;
use docktor::api::policy::PolicySpec;
use docktor::decide::{Constraints, decide};
use docktor::model::memory::Memory;
use docktor::model::observation::{
    Health, Limits, Observation, Replica, ReplicaId, ReplicaPhase, Sample, Snapshot,
};
use docktor::units::Timestamp;

use crate::figure::{self, Cost, cost};

/// Evaluations before any is measured, so that windows are full.
const WARM_UP: i64 = 100;
const RUNS: usize = 2_000;
const INTERVAL_SECONDS: i64 = 10;
const SAMPLES_PER_REPLICA: i64 = 30;

const SIMPLE: &str = r#"
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 10}
scaleUp: {rules: [{metric: cpu.avg, op: ">", value: 75}], consecutive: 3}
scaleDown: {rules: [{metric: cpu.avg, op: "<", value: 20}], step: "-1"}
"#;

pub fn measure() {
    let simple = Case::new(SIMPLE, 2, 0).cost();
    let heavy = Case::new(&with_metrics(40), 20, 40).cost();
    for (name, cost) in [("one rule a direction, 2 replicas", &simple), ("121 rules, 20 replicas", &heavy)] {
        let rate = 1.0 / cost.time.as_secs_f64();
        figure::print(&format!("decide: {name}"), &format!("{rate:.0} decisions/s on one core"), "");
        figure::print(&format!("decide: {name}"), &format!("{} allocations", cost.allocations), "");
    }
    let (few, many) =
        (Case::new(&with_metrics(10), 2, 10).cost(), Case::new(&with_metrics(100), 2, 100).cost());
    let growth = figure::ratio(many.time, few.time);
    figure::print(
        "decide: 100 metrics against 10",
        &format!("{growth:.1} times the time"),
        "10 or less: linear",
    );
}

/// A policy with `count` metrics, each with a rule, a band and an expression, and long windows.
fn with_metrics(count: usize) -> String {
    let mut text = r#"
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 50}
metrics:
"#
    .to_owned();
    for n in 0..count {
        text += &format!("  m{n}: {{prometheus: {{url: 'http://h:9090', query: up}}}}\n");
    }
    text += "scaleUp:\n  stabilizationWindow: 5m\n  rules:\n    - {metric: cpu.p95, op: '>', value: 75}\n";
    for n in 0..count {
        text += &format!("    - {{metric: m{n}, op: '>', value: 100}}\n");
        text += &format!("    - {{metric: m{n}, within: {{lower: 200, upper: 300, points: 5}}}}\n");
        text += &format!("    - {{expr: 'm{n} > 2.0 * cpu.avg + orElse(m{n}, 1.0) * 100.0'}}\n");
    }
    text + "scaleDown: {stabilizationWindow: 30m, step: '-1', rules: [{metric: cpu.avg, op: '<', value: 5}]}\n"
}

/// A policy under a load that moves and changes nothing.
struct Case {
    spec: Spec,
    memory: Memory,
    replicas: u32,
    metrics: usize,
    now: i64,
}

impl Case {
    fn new(text: &str, replicas: u32, metrics: usize) -> Self {
        // Through JSON, as serde's YAML wants enums as tags.
        let value: serde_json::Value = serde_yaml::from_str(text).expect("YAML");
        let policy: PolicySpec = serde_json::from_value(value).expect("a policy");
        let spec = Spec::effective(&policy, None).expect("a sound policy");
        let mut case = Self { spec, memory: Memory::default(), replicas, metrics, now: 1_000_000 };
        (0..WARM_UP).for_each(|_| case.decide(&case.snapshot()));
        case
    }

    fn cost(mut self) -> Cost {
        let mut snapshots = (0..).map(|n| {
            let mut ahead = self.snapshot();
            ahead.metrics.values_mut().for_each(|it| *it = Observation::Value(f64::from(n % 90)));
            ahead
        });
        let snapshots: Vec<_> = snapshots.by_ref().take(90).collect();
        let mut next = snapshots.iter().cycle();
        cost(RUNS, || self.decide(next.next().expect("it has no end")))
    }

    fn decide(&mut self, snapshot: &Snapshot) {
        self.now += INTERVAL_SECONDS;
        let now = Timestamp::from_secs(self.now);
        let decision = decide(&self.spec, &mut self.memory, snapshot, &Constraints::default(), now);
        assert_eq!(decision.desired, self.replicas, "the benchmark means to change nothing: {decision:?}");
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            replicas: (1..=self.replicas).map(|number| self.replica(number)).collect(),
            metrics: (0..self.metrics).map(|n| (format!("m{n}"), Observation::Value(50.0))).collect(),
            evaluation: true,
            ..Snapshot::default()
        }
    }

    fn replica(&self, number: u32) -> Replica {
        let old = Some(Timestamp::from_secs(0));
        let sample = |ago| Sample {
            at: Timestamp::from_secs(self.now + INTERVAL_SECONDS - ago),
            cpu: Some(50.0),
            memory: Some(1e8),
            ..Sample::default()
        };
        Replica {
            restarts: 0,
            id: ReplicaId::new(&format!("{number:064}")),
            name: format!("shop-web-{number}"),
            number,
            phase: ReplicaPhase::Running,
            health: Health::Healthy,
            created_at: old,
            started_at: old,
            change: None,
            outdated: false,
            samples: (0..SAMPLES_PER_REPLICA).rev().map(sample).collect(),
            limits: Limits::default(),
        }
    }
}
