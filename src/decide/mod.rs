//! `decide`: from what is known to how many replicas there should be. Pure and deterministic: the same
//! spec, memory, snapshot, constraints and moment give the same decision and the same memory.
//!
//! The pipeline, a file per stage, in this order: observe → recommend → fallback → combine → activate →
//! stabilize → limit → bound → gate, whose last word is `approve`. Limits of each replica go the same way in `size`, and `order` says whose turn it is
//! where a policy moves both. `verify` follows replicas, `drift` changes by others, and `victims` says
//! who goes. `outlook` tells what stands between a decision and another one.

pub mod activate;
pub mod approve;
pub mod bound;
pub mod capacity;
pub mod combine;
mod draft;
pub mod drift;
pub mod fallback;
pub mod forecast;
pub mod gate;
pub mod limit;
pub mod limits_drift;
pub mod observe;
pub mod order;
pub mod outlook;
pub mod recommend;
pub mod schedule;
pub mod size;
pub mod stabilize;
pub mod trend;
pub mod verdict;
pub mod verify;
pub mod victims;

use std::cmp::Ordering;

use draft::Draft;
use drift::Drift;
use limits_drift::LimitsDrift;
use verify::Followed;

use crate::api::condition::Reason;
use crate::api::effective::{SizingSpec, Spec};
use crate::api::policy::Mode;
use crate::model::decision::{Decision, Sight, Why};
use crate::model::memory::Memory;
use crate::model::observation::Snapshot;
use crate::units::{Duration, Timestamp};

/// What else stands in the way of this pass, as plain values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Constraints {
    /// The file `STOP` is in the policy folder.
    pub stopped: bool,
    /// Another policy owns the target.
    pub conflict: bool,
    /// Most replicas that the target can have.
    pub ceiling: Option<u32>,
    /// Why the target cannot be changed at present, though it can be seen.
    pub blocked: Option<Reason>,
    /// A scale-up of docktor's own is still making replicas, so `current` may be below `Memory::desired`.
    pub growing: bool,
    /// Why the target could not be seen; then the snapshot's replicas mean nothing.
    pub unreadable: Option<Reason>,
}

/// One pass of the pipeline. `memory` moves on with it; whoever only asks passes a copy.
#[must_use]
pub fn decide(
    spec: &Spec,
    memory: &mut Memory,
    snapshot: &Snapshot,
    constraints: &Constraints,
    now: Timestamp,
) -> Decision {
    let mode = memory.mode.unwrap_or(spec.mode);
    memory.forget(now, longest_period(spec));
    let current = snapshot.current();
    if let Some(reason) = constraints.unreadable {
        let known = memory.desired.unwrap_or(0);
        let decision =
            Draft::new(known, known, spec.bounds).finish(Why::Unreadable(reason), memory, spec, now);
        return Decision { obstacle: Some(reason), sight: Sight::Blind, ..decision };
    }
    let waiting = approve::withdraw(mode, &mut memory.approvals);
    if mode == Mode::Disabled {
        memory.desired = Some(current);
        return Draft::new(current, current, spec.bounds).finish(Why::Disabled, memory, spec, now);
    }
    let followed = verify::follow(spec, memory, snapshot, now);
    first_sight(spec, memory, current, &followed, now);
    let from = starting_point(memory, current, &followed, constraints);
    let mut draft = Draft::new(current, from, spec.bounds);
    draft.see(&followed);
    if current == 0 && !memory.scaled_to_zero && !constraints.growing {
        memory.turned_off(now);
        return draft.finish(Why::TurnedOff, memory, spec, now);
    }
    let readings = observe::readings(spec, memory, snapshot, now);
    draft.read(spec, &readings);
    let drift = if mode == Mode::Observe || !spec.horizontal {
        memory.desired = Some(from);
        Drift::None
    } else if constraints.growing || memory.intents.iter().any(|it| !it.retire.is_empty()) {
        // A change of docktor's own is under way.
        Drift::None
    } else {
        drift::assess(spec.drift, memory, from, now)
    };
    let scheduled = draft.schedule(spec, now);
    draft.bounds = bound::effective(spec.bounds, scheduled, constraints.ceiling);

    let mut found = recommend::recommend(spec, memory, snapshot, &readings, from, followed.ready, now);
    if spec.sizing.is_none() {
        memory.sizing = None;
    }
    let sizing = spec.sizing.as_ref().filter(|_| current > 0);
    let sized = sizing.map(|it| {
        let drift = limits_drift(spec, it, mode, memory, snapshot, now);
        let seen = size::Seen { snapshot, readings: &readings, found: &found, drift };
        size::size(spec, it, memory, seen, now)
    });
    if !spec.horizontal {
        found.proposals.clear();
    }
    draft.recommended_by(spec, &found);
    let mut would = Ordering::Equal;
    if spec.horizontal {
        draft.foresee(spec, &found, snapshot.forecast.as_ref());
        let shrinking = draft.combine(spec, &mut found);
        let gate = draft.activate(spec, memory, &readings, &found, shrinking, now);
        would = draft.would_go();
        draft.stabilize(spec, memory, gate, snapshot.evaluation, now);
        draft.limit(spec, memory, gate, now);
        draft.bound(memory, drift, gate, spec, constraints.ceiling);
    }
    let unfinished = followed.unfinished || memory.limit_change().is_some();
    let constraints = Constraints { growing: constraints.growing || unfinished, ..*constraints };
    if let Some(sized) = sized {
        draft.resize(sized, would, &constraints, memory, spec, now);
    }
    draft.gate(&constraints, memory, spec, now);
    if mode == Mode::Approve {
        draft.approve(waiting, memory, spec, now);
    }

    draft.drifted(drift);
    draft.wait(followed.next);
    draft.rollback(&constraints, followed);
    draft.retire(spec, snapshot, now);
    let why = std::mem::replace(&mut draft.why, Why::Steady);
    let mut decision = draft.finish(why, memory, spec, now);
    decision.act = mode.acts();
    decision.obstacle = constraints.blocked;
    decision
}

/// What becomes of limits that somebody else changed. Where docktor changes none, or is at it, nobody's are amiss.
fn limits_drift(
    spec: &Spec,
    sizing: &SizingSpec,
    mode: Mode,
    memory: &mut Memory,
    snapshot: &Snapshot,
    now: Timestamp,
) -> LimitsDrift {
    let under_way = memory.limit_change().is_some();
    let remembered = memory.sizing.get_or_insert_default();
    if mode == Mode::Observe {
        remembered.limits = Some(capacity::known(sizing, snapshot));
        return LimitsDrift::None;
    }
    if under_way {
        return LimitsDrift::None;
    }
    limits_drift::assess(spec.drift, sizing, remembered, snapshot, now)
}

fn longest_period(spec: &Spec) -> Duration {
    let limits = spec.scale_up.limits.iter().chain(&spec.scale_down.limits);
    limits.map(|it| it.period).max().unwrap_or_default()
}

fn first_sight(spec: &Spec, memory: &mut Memory, current: u32, followed: &Followed, now: Timestamp) {
    if memory.first_seen.is_none() {
        memory.first_seen = Some(now);
        memory.found = Some(current);
        // A policy that may go to zero takes over a workload that is there already.
        memory.scaled_to_zero = current == 0 && spec.idle.is_some_and(|it| it.replicas == 0);
    }
    if current > 0 && followed.ready > 0 {
        memory.scaled_to_zero = false;
    }
}

/// What a change starts from: what runs, less what is rolled back; or what docktor is still bringing it to.
fn starting_point(memory: &Memory, current: u32, followed: &Followed, constraints: &Constraints) -> u32 {
    let sound = current.saturating_sub(followed.rollback_counting);
    match memory.desired {
        Some(desired) if constraints.growing => sound.max(desired),
        _ => sound,
    }
}

#[cfg(test)]
mod tests;
