//! Replay: the rows of a trace through `decide`, one after the other, with the memory that a controller would have.
//!
//! Who follows whom: where a row says how many run, that is the world's truth and nobody's drift. Where it says
//! nothing, the workload has followed the last decision. A decision that changes the count is docktor's own change,
//! for limits and cooldowns, once the next row shows that the workload followed it: it says nothing of the count, or
//! says exactly the count that was decided. `scaled` tells of docktor's own changes itself; then the decisions of
//! that row and of the one before are none.

use serde::Serialize;

use super::limits::Followed;
use super::scene;
use super::trace::{At, Row};
use crate::api::effective::{Name, Origin, Spec};
use crate::api::limits::LimitSet;
use crate::api::policy::Mode;
use crate::api::status::{Action, TrailLine};
use crate::decide::{Constraints, decide};
use crate::model::decision::{Decision, Line};
use crate::model::memory::{Memory, Purpose};
use crate::model::observation::Snapshot;
use crate::strategies::forecast::{Forecaster, Question};
use crate::units::Timestamp;

/// A policy on its way through a trace.
#[derive(Debug, Clone)]
pub struct Replay {
    spec: Spec,
    memory: Memory,
    before: Option<Before>,
    forecaster: Option<Forecaster>,
    /// Limits, where the policy moves them.
    limits: Option<Box<Followed>>,
    /// Metrics that had no value yet, of those that the trace has to give.
    wanting: Vec<Name>,
    /// What the latest row shows; its room is used again.
    snapshot: Snapshot,
}

/// What the last row decided.
#[derive(Debug, Clone, Copy)]
struct Before {
    at: Timestamp,
    from: u32,
    desired: u32,
    purpose: Purpose,
    /// The row told of docktor's changes itself.
    told: bool,
}

impl Replay {
    /// At the beginning of a trace. Whatever the policy's mode, what is shown is what `Auto` would do.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        let given = spec.metrics.iter().filter(|it| matches!(it.origin, Origin::Source | Origin::Target(_)));
        let wanting = given.map(|it| it.name.clone()).collect();
        let forecaster = Question::of(&spec).map(Forecaster::new);
        let limits = spec.sizing.as_ref().map(|it| Box::new(Followed::new(it)));
        Self {
            spec: Spec { mode: Mode::Auto, ..spec },
            memory: Memory::default(),
            before: None,
            forecaster,
            limits,
            wanting,
            snapshot: Snapshot::default(),
        }
    }

    /// What the policy decides at this row. Rows come in their order.
    pub fn decide(&mut self, row: &Row) -> Decision {
        self.decide_within(row, &Constraints::default())
    }

    /// The same, with what else stands in the way.
    pub fn decide_within(&mut self, row: &Row, constraints: &Constraints) -> Decision {
        let current = self.current(row);
        self.follow(row, current);
        scene::show(&self.spec, row, current, &mut self.snapshot);
        self.snapshot.forecast = self.forecaster.as_mut().map(|it| it.prediction(row.at));
        if let Some(limits) = &mut self.limits {
            let limits = limits.at(row, &mut self.memory);
            scene::limited(&self.spec, &mut self.snapshot, row, limits);
        }
        self.memory.desired = Some(current);
        let decision = decide(&self.spec, &mut self.memory, &self.snapshot, constraints, row.at);
        if !self.wanting.is_empty() {
            self.wanting.retain(|it| !decision.metrics.iter().any(|(name, _)| name == it));
        }
        if let Some(forecaster) = &mut self.forecaster {
            forecaster.learn(&self.spec, &decision);
        }
        if let (Some(limits), Some(resize)) = (&mut self.limits, &decision.resize) {
            limits.decided(row.at, **resize);
        }
        let Decision { from, desired, purpose, .. } = decision;
        self.before = Some(Before { at: row.at, from, desired, purpose, told: row.scaled.is_some() });
        decision
    }

    /// The policy.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What the latest row shows.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What has been remembered so far.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Metrics that the policy reads and no row has given so far.
    pub fn never_given(&self) -> impl Iterator<Item = &str> {
        self.wanting.iter().map(|it| &**it)
    }

    /// How many run: as the row says, else as was decided last, else the minimum; one where none are scaled.
    fn current(&self, row: &Row) -> u32 {
        let told = row.scaled.map(|it| it.to);
        let first = if self.spec.horizontal { self.spec.bounds.min() } else { 1 };
        let decided = self.before.map_or(first, |it| it.desired);
        stated(row).or(told).unwrap_or(decided)
    }

    /// Notes docktor's own changes up to this row.
    fn follow(&mut self, row: &Row, current: u32) {
        if let Some(scaled) = row.scaled {
            self.memory.record_change(scaled.from, scaled.to, Purpose::Recommendation, row.at);
            return;
        }
        if let Some(before) = self.before
            && !before.told
            && before.desired != before.from
            && before.desired == current
        {
            self.memory.record_change(before.from, before.desired, before.purpose, before.at);
        }
    }
}

/// How many run, where the row says so.
#[must_use]
pub fn stated(row: &Row) -> Option<u32> {
    let counted = |replicas: &Vec<_>| {
        let counts = |it: &&super::trace::TracedReplica| {
            matches!(it.phase, None | Some(super::trace::Phase::Pending | super::trace::Phase::Running))
        };
        u32::try_from(replicas.iter().filter(counts).count()).unwrap_or(u32::MAX)
    };
    row.current.or_else(|| row.replicas.as_ref().map(counted))
}

/// One decision, as `simulate` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulated {
    /// When, in the form in which the trace gave it.
    pub at: At,
    /// How many ran.
    pub current: u32,
    /// How many there should be.
    pub desired: u32,
    /// What leads there.
    pub action: Action,
    /// What kept it from what was recommended.
    pub limited_by: Option<String>,
    /// Why, in one line.
    pub reason: String,
    /// A line from each stage that had something to say.
    pub trail: Vec<TrailLine>,
    /// Limits that there should be of each replica, where the policy moves them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitSet>,
    /// Limits that there were, where they are to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits_before: Option<LimitSet>,
}

impl Simulated {
    /// The decision at that row.
    #[must_use]
    pub fn new(row: &Row, decision: &Decision) -> Self {
        Self {
            at: row.written.clone(),
            current: decision.current,
            desired: decision.desired,
            action: decision.action,
            limited_by: decision.limited_by.map(|it| it.to_string()),
            reason: decision.reason(),
            trail: decision.trail.iter().map(Line::render).collect(),
            limits: decision.resize.as_ref().map(|it| it.after()),
            limits_before: decision.resize.as_ref().filter(|it| it.changes()).map(|it| it.before()),
        }
    }
}

#[cfg(test)]
mod tests;
