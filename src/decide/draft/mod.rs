//! A decision in the making: what each stage does to it, and the line that the stage leaves.
//! The stages themselves are functions of plain values, in files of their own.

mod approval;
mod limits;
mod replicas;
mod seen;

use std::cmp::Ordering;

use super::drift::Drift;
use super::verify::{Followed, earlier};
use super::{Constraints, gate, limit, size, victims};
use crate::api::behavior::Step;
use crate::api::effective::{Name, Spec};
use crate::api::status::{Action, NextAllowed, Stage};
use crate::model::decision::{Decision, Drifted, Limitation, LimitsDrifted, Line, Note, Resize, Sight, Why};
use crate::model::memory::{Memory, Purpose};
use crate::model::observation::{ReplicaId, Snapshot};
use crate::units::{Bounds, Timestamp};

pub(super) use replicas::activity;

/// Lines that a trail mostly has; room for them is made at once.
const USUAL_LINES: usize = 8;

/// A decision in the making.
pub(super) struct Draft {
    current: u32,
    from: u32,
    /// The number after the latest stage.
    wanted: u32,
    recommended: u32,
    pub(super) bounds: Bounds,
    pub(super) why: Why,
    purpose: Purpose,
    limited_by: Option<Limitation>,
    trail: Vec<Line>,
    ready: u32,
    metrics: Vec<(Name, f64)>,
    missing: Vec<Name>,
    sight: Sight,
    fallback: bool,
    drifted: Option<Drifted>,
    resize: Option<Box<Resize>>,
    limits_drifted: Option<Box<LimitsDrifted>>,
    schedules: Vec<Name>,
    rollback: Vec<ReplicaId>,
    retire: Vec<ReplicaId>,
    keep: Option<ReplicaId>,
    approval: Option<String>,
    recheck_at: Option<Timestamp>,
}

impl Draft {
    pub(super) fn new(current: u32, from: u32, bounds: Bounds) -> Self {
        Self {
            current,
            from,
            wanted: from,
            recommended: from,
            bounds,
            why: Why::Steady,
            purpose: Purpose::Recommendation,
            limited_by: None,
            trail: Vec::with_capacity(USUAL_LINES),
            ready: 0,
            metrics: Vec::new(),
            missing: Vec::new(),
            sight: Sight::Full,
            fallback: false,
            drifted: None,
            resize: None,
            limits_drifted: None,
            schedules: Vec::new(),
            rollback: Vec::new(),
            retire: Vec::new(),
            keep: None,
            approval: None,
            recheck_at: None,
        }
    }

    fn say(&mut self, stage: Stage, replicas: Option<u32>, note: Note) {
        self.trail.push(Line { stage, replicas, note });
    }

    /// A stage that keeps the number from where it was going.
    fn keep_back(&mut self, stage: Stage, replicas: u32, limitation: Option<Limitation>) {
        self.wanted = replicas;
        if let Some(limitation) = limitation {
            self.limited_by = Some(limitation);
            self.say(stage, Some(replicas), Note::Limited(limitation));
            self.wait(limitation.until());
        }
    }

    pub(super) fn wait(&mut self, until: Option<Timestamp>) {
        self.recheck_at = earlier(self.recheck_at, until);
    }

    pub(super) fn gate(&mut self, constraints: &Constraints, memory: &Memory, spec: &Spec, now: Timestamp) {
        let min = self.bounds.min();
        let (replicas, limitation) =
            gate::gate(self.wanted, self.from, min, constraints, memory, spec.safety, now);
        self.keep_back(Stage::Gate, replicas, limitation);
        self.wait(memory.hold.as_ref().map(|it| it.until));
    }

    pub(super) fn drifted(&mut self, drift: Drift) {
        self.drifted = match drift {
            Drift::Settling { left, .. } | Drift::Restore { left } => {
                Some(Drifted { left, contested: false })
            }
            Drift::Contested { left } => Some(Drifted { left, contested: true }),
            Drift::Held { until } => {
                self.wait(Some(until));
                Some(Drifted { left: self.from, contested: false })
            }
            Drift::None | Drift::Adopted { .. } => None,
        };
        if let Drift::Settling { until, .. } = drift {
            self.wait(Some(until));
        }
    }

    pub(super) fn rollback(&mut self, constraints: &Constraints, followed: Followed) {
        if !constraints.stopped && !constraints.conflict && constraints.blocked.is_none() {
            self.rollback = followed.rollback;
        }
    }

    pub(super) fn retire(&mut self, spec: &Spec, snapshot: &Snapshot, now: Timestamp) {
        let count = self.from.saturating_sub(self.wanted);
        if count == 0 {
            return;
        }
        let sound = snapshot.replicas.iter().filter(|it| !self.rollback.contains(&it.id)).cloned();
        let sound: Vec<_> = sound.collect();
        self.retire = victims::victims(&sound, count, spec.victim, spec.readiness_delay, now);
        if self.wanted == 0 {
            // The last to go stays, stopped: what wakes the workload is cloned from it.
            self.keep = self.retire.pop();
        }
    }

    fn action(&self) -> Action {
        let limits = self.resize.as_ref().map_or(Ordering::Equal, |it| size::direction(&it.from, &it.to));
        match limits {
            Ordering::Greater => Action::ScaleUp,
            Ordering::Less => Action::ScaleDown,
            Ordering::Equal => Action::between(self.from, self.wanted),
        }
    }

    pub(super) fn finish(self, why: Why, memory: &Memory, spec: &Spec, now: Timestamp) -> Decision {
        let why = if why == Why::Steady && !spec.horizontal { Why::SteadyLimits } else { why };
        let cooling = |last, cooldown| limit::cooling_until(last, cooldown, now);
        Decision {
            at: now,
            current: self.current,
            ready: self.ready,
            from: self.from,
            desired: self.wanted,
            recommended: self.recommended,
            bounds: self.bounds,
            action: self.action(),
            resize: self.resize,
            act: false,
            approval: self.approval,
            purpose: self.purpose,
            why,
            limited_by: self.limited_by,
            trail: self.trail,
            metrics: self.metrics,
            missing: self.missing,
            sight: self.sight,
            fallback: self.fallback,
            scaled_to_zero: memory.scaled_to_zero && self.current == 0,
            drifted: self.drifted,
            limits_drifted: self.limits_drifted,
            obstacle: None,
            rollback: self.rollback,
            retire: self.retire,
            keep: self.keep,
            next_allowed: NextAllowed {
                up: cooling(memory.last_up, spec.scale_up.cooldown),
                down: cooling(memory.last_action, spec.scale_down.cooldown),
            },
            recheck_at: self.recheck_at.filter(|it| *it > now),
        }
    }
}

/// The step that bounds one scale-down, where one is written.
pub(super) fn written_step(spec: &Spec) -> Option<Step> {
    spec.scale_down.step_written.then_some(spec.scale_down.step)
}
