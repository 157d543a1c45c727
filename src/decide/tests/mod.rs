//! The pipeline as a whole: one policy, one sentence a test. Tables for single stages stand beside them.

mod approve;
mod bounds;
mod forecast;
mod metrics;
mod outlook;
mod properties;
mod replicas;
mod rules;
mod sizing;
mod trends;
mod units;

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
        restarts: 0,
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

const QUEUE: &str = "
replicas: {min: 0, max: 20, idleAfter: 5m}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100, activation: 5}]
scaleDown: {stabilizationWindow: 0s}
";
