//! A decision as `simulate` prints it, written without making anything first: most of what a long trace costs would
//! else be texts that are thrown away.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{SerializeSeq, SerializeStruct, Serializer};

use super::trace::At;
use super::world::World;
use crate::model::decision::{Decision, Line};

/// A decision with its moment; the JSON form of [`Simulated`](super::replay::Simulated).
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Whose it is, where there are several.
    pub policy: Option<&'a str>,
    /// When, in the form in which the trace gave it.
    pub at: &'a At,
    /// What was decided.
    pub decision: &'a Decision,
    /// The modelled workload, in a closed loop.
    pub world: Option<&'a World>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { policy, at, decision, world } = self;
        let resize = decision.resize.as_deref();
        let before = resize.filter(|it| it.changes()).map(|it| &it.from);
        let optional = [policy.is_some(), resize.is_some(), before.is_some(), world.is_some()];
        let fields = 7 + optional.into_iter().filter(|it| *it).count();
        let mut it = serializer.serialize_struct("Shown", fields)?;
        if let Some(policy) = policy {
            it.serialize_field("policy", policy)?;
        }
        it.serialize_field("at", at)?;
        it.serialize_field("current", &decision.current)?;
        it.serialize_field("desired", &decision.desired)?;
        it.serialize_field("action", &decision.action)?;
        it.serialize_field("limitedBy", &decision.limited_by.as_ref().map(Text))?;
        it.serialize_field("reason", &Text(&decision.why))?;
        it.serialize_field("trail", &Trail(&decision.trail))?;
        if let Some(resize) = resize {
            it.serialize_field("limits", &resize.to)?;
        }
        if let Some(before) = before {
            it.serialize_field("limitsBefore", before)?;
        }
        if let Some(world) = world {
            it.serialize_field("workload", &Workload::of(world, decision.ready))?;
        }
        it.end()
    }
}

/// The modelled workload at that moment. What was decided has been done already, so `ready` is told by the decision.
#[derive(Serialize)]
struct Workload {
    arrivals: f64,
    capacity: f64,
    ready: u32,
    backlog: f64,
    latency: Option<f64>,
}

impl Workload {
    fn of(world: &World, ready: u32) -> Self {
        let capacity = world.capacity_of(ready);
        let latency = world.latency_of(ready);
        Self { arrivals: world.arrivals(), capacity, ready, backlog: world.backlog(), latency }
    }
}

struct Text<'a, T: Display>(&'a T);

impl<T: Display> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

struct Trail<'a>(&'a [Line]);

impl Serialize for Trail<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|line| lines.serialize_element(&Stage(line)))?;
        lines.end()
    }
}

struct Stage<'a>(&'a Line);

impl Serialize for Stage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Line { stage, replicas, note } = self.0;
        let mut line = serializer.serialize_struct("TrailLine", 2 + usize::from(replicas.is_some()))?;
        line.serialize_field("stage", stage)?;
        if let Some(replicas) = replicas {
            line.serialize_field("replicas", replicas)?;
        }
        line.serialize_field("message", &Text(note))?;
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::replay::{Replay, Simulated};
    use super::super::trace::Reader;
    use super::*;
    use crate::api::effective::Spec;
    use crate::api::policy::PolicySpec;

    fn same(text: &str, trace: &str) -> Vec<String> {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let policy: PolicySpec = serde_json::from_value(value).unwrap();
        let (mut reader, mut replay) = (Reader::new(), Replay::new(Spec::effective(&policy, None).unwrap()));
        let rows = trace.lines().filter_map(|line| reader.row(line).unwrap());
        let each = rows.map(|row| {
            let decision = replay.decide(&row);
            let shown = Shown { policy: None, at: &row.written, decision: &decision, world: None };
            let simulated = serde_json::to_string(&Simulated::new(&row, &decision)).unwrap();
            assert_eq!(serde_json::to_string(&shown).unwrap(), simulated);
            simulated
        });
        each.collect()
    }

    #[test]
    fn it_is_the_json_form_of_the_simulated_decision() {
        let text = "
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 6}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleUp: {cooldown: 60s}
";
        let trace = "at,current,queue.backlog\n0,2,310\n15.5,,1e9\n2026-11-22T06:29:00Z,9,\n";
        assert_eq!(same(text, trace).len(), 3);
    }

    #[test]
    fn it_says_what_becomes_of_limits_as_the_simulated_decision_does() {
        let text = "
target: {systemd: {unit: builder.service}}
resources: {cpuQuota: {min: 100%, max: 800%}, tasksMax: {min: 10, max: 90}}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 85}], step: x1.5}
";
        let shown = same(text, "at,cpu.avg,limits.cpuQuota\n0,50,200%\n30,95,\n60,50,\n");
        let says = |words: &str| shown.iter().map(|it| it.contains(words)).collect::<Vec<_>>();
        assert_eq!(says("\"limits\":{\"cpuQuota\":\""), [true, true, true], "{shown:#?}");
        assert_eq!(says("\"limitsBefore\":{\"cpuQuota\":\"200%\""), [false, true, false], "{shown:#?}");
    }
}
