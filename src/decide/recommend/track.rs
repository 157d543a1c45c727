//! Target tracking: what each entry of `track` looks at, and how many replicas hold its target value.

use super::super::observe::{self, Readiness, Reading};
use super::Proposal;
use crate::api::effective::{Goal, Origin, Spec, TrackSpec};
use crate::model::decision::Why;
use crate::model::memory::Memory;
use crate::model::observation::{ReplicaId, Snapshot};
use crate::strategies::step;
use crate::strategies::target_tracking::{self, Measured, Tolerance};
use crate::units::Timestamp;

/// How large the workload is.
#[derive(Clone, Copy)]
pub(super) struct Size {
    /// What a change starts from.
    pub(super) from: u32,
    /// Replicas able to work.
    pub(super) ready: u32,
}

pub(super) fn tracked(
    spec: &Spec,
    track: &TrackSpec,
    memory: &Memory,
    snapshot: &Snapshot,
    reading: Reading,
    Size { from, ready }: Size,
    now: Timestamp,
) -> Option<Proposal> {
    let metric = spec.metrics.get(track.metric.0)?;
    let shown = shown(spec, track, memory, snapshot, reading, now)?;
    let replicas = wanted(spec, track.goal, &shown, from, ready)?;
    // Where no replica is old enough for the reading, others may still count here.
    let value = reading.for_growing().unwrap_or_else(|| shown.in_use(track.goal));
    let per_replica = matches!(track.goal, Goal::AverageValue(_));
    let why = Why::Track { metric: metric.name.clone(), value, target: track.goal.target(), per_replica };
    Some(Proposal { replicas, why })
}

/// What target tracking looks at.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::decide) enum Shown {
    /// Each replica by itself.
    Replicas(Vec<Measured>),
    /// One value.
    Value(f64),
}

impl Shown {
    fn in_use(&self, goal: Goal) -> f64 {
        match (self, goal) {
            (Self::Value(value), _) => *value,
            (Self::Replicas(measured), Goal::Utilization { .. }) => target_tracking::percent_in_use(measured),
            (Self::Replicas(measured), _) => target_tracking::average_in_use(measured),
        }
    }
}

/// What an entry of `track` looks at now; `None` where there is nothing to look at.
pub(in crate::decide) fn shown(
    spec: &Spec,
    track: &TrackSpec,
    memory: &Memory,
    snapshot: &Snapshot,
    reading: Reading,
    now: Timestamp,
) -> Option<Shown> {
    let metric = spec.metrics.get(track.metric.0)?;
    let per_replica = matches!(track.goal, Goal::Utilization { .. } | Goal::PerReplica { .. });
    match metric.origin {
        // A trace may give the value itself; then there are no replicas to look at.
        Origin::Target(of_target) if per_replica && !snapshot.metrics.contains_key(&*metric.name) => {
            let readiness = Readiness { warm_up: spec.warm_up, delay: spec.readiness_delay };
            let was_ready = |id: &ReplicaId| memory.replicas.get(id).is_some_and(|it| it.was_ready);
            Some(Shown::Replicas(observe::measured(of_target, snapshot, readiness, was_ready, now)))
        }
        _ => reading.for_growing().map(Shown::Value),
    }
}

/// How many replicas hold the target value, given what is shown.
pub(in crate::decide) fn wanted(
    spec: &Spec,
    goal: Goal,
    shown: &Shown,
    from: u32,
    ready: u32,
) -> Option<u32> {
    let tolerance = Tolerance { up: spec.scale_up.tolerance, down: spec.scale_down.tolerance };
    match (goal, shown) {
        (Goal::Utilization { target, .. }, Shown::Replicas(measured)) => {
            target_tracking::utilization(measured, from, target, tolerance)
        }
        (_, Shown::Replicas(measured)) => {
            target_tracking::per_replica(measured, from, goal.target(), tolerance)
        }
        (Goal::Utilization { target, .. }, Shown::Value(value)) => {
            target_tracking::value(step::whole_part(*value), target, from, ready, tolerance)
        }
        (Goal::PerReplica { target } | Goal::Value(target), Shown::Value(value)) => {
            target_tracking::value(*value, target, from, ready, tolerance)
        }
        (Goal::AverageValue(target), Shown::Value(value)) => {
            target_tracking::average_value(*value, target, from, tolerance)
        }
    }
}
