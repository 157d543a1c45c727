//! A decision in the making: what each stage does to it, and the line that the stage leaves.
//! The stages themselves are functions of plain values, in files of their own.

use std::cmp::Ordering;

use super::activate::{self, Activity, Gate, Resting, Work};
use super::bound::{self, ScheduledBounds};
use super::combine::{self, Shrinking};
use super::drift::Drift;
use super::observe::Reading;
use super::recommend::{Proposal, Recommendations, Way};
use super::size::{self, Sized};
use super::stabilize::{self, Window};
use super::verify::{Followed, earlier};
use super::{Constraints, fallback, gate, limit, order, schedule, victims};
use crate::api::behavior::{FallbackBehavior, Step};
use crate::api::effective::{Name, Spec};
use crate::api::policy::Order;
use crate::api::status::{Action, NextAllowed, Stage};
use crate::model::decision::{Decision, Dimension, Drifted, Limitation, Line, Note, Resize, Sight, Why};
use crate::model::forecast::Forecast;
use crate::model::memory::{Memory, Purpose};
use crate::model::observation::{ReplicaId, Snapshot};
use crate::units::{Bounds, Timestamp};

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
    schedules: Vec<Name>,
    rollback: Vec<ReplicaId>,
    retire: Vec<ReplicaId>,
    keep: Option<ReplicaId>,
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
            schedules: Vec::new(),
            rollback: Vec::new(),
            retire: Vec::new(),
            keep: None,
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

    pub(super) fn see(&mut self, followed: &Followed) {
        self.ready = followed.ready;
        let starting = self.from.saturating_sub(self.current);
        let failed = u32::try_from(followed.rollback.len()).unwrap_or(u32::MAX);
        let (current, ready) = (self.current, self.ready);
        self.say(Stage::Observe, Some(current), Note::Seen { current, ready, starting, failed });
    }

    pub(super) fn schedule(&mut self, spec: &Spec, now: Timestamp) -> ScheduledBounds {
        if spec.schedules.is_empty() {
            return ScheduledBounds::default();
        }
        let (bounds, active) = schedule::bounds(&spec.schedules, now);
        self.schedules = active;
        bounds
    }

    pub(super) fn read(&mut self, spec: &Spec, readings: &[Reading]) {
        self.metrics.reserve(readings.len());
        for (metric, reading) in spec.metrics.iter().zip(readings) {
            if let Some(value) = reading.for_growing() {
                self.metrics.push((metric.name.clone(), value));
            } else if reading.is_failure() {
                self.missing.push(metric.name.clone());
                self.say(Stage::Observe, None, Note::Missing(metric.name.clone()));
            }
        }
        if !self.missing.is_empty() {
            self.sight = if self.metrics.is_empty() { Sight::Blind } else { Sight::Partial };
        }
    }

    pub(super) fn recommended_by(&mut self, spec: &Spec, found: &Recommendations) {
        for proposal in &found.proposals {
            let note = match proposal.why {
                Why::Track { .. } => Note::Tracked(proposal.why.clone()),
                _ => Note::Fired(proposal.why.clone()),
            };
            self.say(Stage::Recommend, Some(proposal.replicas), note);
        }
        for (standing, direction) in [(&found.up, &spec.scale_up), (&found.down, &spec.scale_down)] {
            if standing.hold && !standing.satisfied {
                let note = Note::NotYet { times: standing.times, needed: direction.consecutive };
                self.say(Stage::Recommend, None, note);
            }
        }
    }

    pub(super) fn foresee(&mut self, spec: &Spec, found: &Recommendations, known: Option<&Forecast>) {
        let Some(forecast) = &spec.forecast else { return };
        if let Some(floor) = &found.floor {
            if let Why::Forecast { value, .. } = floor.why {
                self.metrics.push((forecast.shown.clone(), value));
            }
            self.say(Stage::Recommend, Some(floor.replicas), Note::Forecast(floor.why.clone()));
        } else if let Some(Forecast::Learning { has, needs }) = known {
            self.say(Stage::Recommend, None, Note::Learning { has: *has, needs: *needs });
        }
    }

    /// Lays the forecast's floor under what `of` others want. Never lowers.
    fn lay_floor(&mut self, floor: Option<&Proposal>, of: u32) {
        let Some(floor) = floor.filter(|it| it.replicas > self.wanted) else { return };
        self.recommended = self.recommended.max(floor.replicas);
        if floor.replicas <= self.from {
            return self.keep_back(
                Stage::Combine,
                floor.replicas,
                Some(Limitation::Forecast(floor.replicas)),
            );
        }
        self.wanted = floor.replicas;
        self.why = floor.why.clone();
        self.limited_by = None;
        if of > 0 {
            self.say(Stage::Combine, Some(floor.replicas), Note::Largest { of: of.saturating_add(1) });
        }
    }

    /// Fallback and combine: several recommendations become one.
    pub(super) fn combine(&mut self, spec: &Spec, found: &mut Recommendations) -> Shrinking {
        let blind = fallback::blind(spec, found);
        let lacking = found.up.lacking || found.down.lacking || found.track_lacking;
        let mut proposals = std::mem::take(&mut found.proposals);
        let mut decides_down = false;
        if blind.any() && spec.fallback.behavior != FallbackBehavior::Keep {
            self.fallback = true;
            decides_down = blind.down;
            let mut replicas = fallback::replicas(spec.fallback, self.from);
            if !blind.down {
                replicas = replicas.max(self.from);
            }
            self.say(Stage::Fallback, Some(replicas), Note::Fallback);
            proposals.push(Proposal { replicas, why: Why::Fallback });
        }
        let declared = !spec.scale_down.rules.is_empty();
        let shrinking = Shrinking {
            lacking: lacking && !decides_down,
            refused: declared && !found.down.satisfied && !decides_down,
        };
        let of = u32::try_from(proposals.len()).unwrap_or(u32::MAX);
        let Some(largest) = combine::largest(&proposals).cloned() else {
            if found.floor.as_ref().is_none_or(|it| it.replicas <= self.from) {
                self.say(Stage::Combine, Some(self.from), Note::NoOpinion);
            }
            self.lay_floor(found.floor.as_ref(), of);
            return shrinking;
        };
        self.recommended = largest.replicas;
        self.why = largest.why;
        if of > 1 {
            self.say(Stage::Combine, Some(largest.replicas), Note::Largest { of });
        }
        let (replicas, limitation) =
            combine::shrink(largest.replicas, self.from, shrinking, written_step(spec));
        self.keep_back(Stage::Combine, replicas, limitation);
        self.lay_floor(found.floor.as_ref(), of);
        shrinking
    }

    pub(super) fn activate(
        &mut self,
        spec: &Spec,
        memory: &mut Memory,
        readings: &[Reading],
        found: &Recommendations,
        shrinking: Shrinking,
        now: Timestamp,
    ) -> Gate {
        let Some(idle) = spec.idle else { return Gate::Pass(self.wanted) };
        let at_rest = self.from <= idle.replicas;
        let (activity, resting) = activity(spec, readings, found, at_rest);
        if activity == Activity::Active {
            memory.last_active = Some(now);
        }
        let first_seen = memory.first_seen.unwrap_or(now);
        let work = Work { activity, last_active: memory.last_active, first_seen };
        let usual = activate::activate(self.wanted, self.from, self.bounds.min(), idle, work, resting, now);
        let floor = found.floor.as_ref();
        let gate = floor
            .map_or(usual, |it| activate::above_floor(usual, self.wanted, it.replicas, self.bounds.min()));
        match gate {
            Gate::Pass(replicas) => self.wanted = replicas,
            Gate::Stay(replicas) => self.wanted = replicas,
            Gate::Wake(replicas) => {
                self.wanted = replicas;
                self.recommended = replicas;
                match floor.filter(|_| gate != usual) {
                    Some(floor) => self.why = floor.why.clone(),
                    None if self.fallback => {}
                    None => self.why = Why::Active,
                }
                self.say(Stage::Activate, Some(replicas), Note::Activation(self.why.clone()));
            }
            Gate::Rest(replicas, after) => {
                self.recommended = replicas;
                self.why = Why::Idle(after);
                self.say(Stage::Activate, Some(replicas), Note::Activation(Why::Idle(after)));
                let (replicas, limitation) =
                    combine::shrink(replicas, self.from, shrinking, written_step(spec));
                self.keep_back(Stage::Activate, replicas, limitation);
            }
        }
        gate
    }

    pub(super) fn stabilize(
        &mut self,
        spec: &Spec,
        memory: &mut Memory,
        gate: Gate,
        evaluation: bool,
        now: Timestamp,
    ) {
        let (up, down) = (spec.scale_up.window, spec.scale_down.window);
        let recommended = self.wanted;
        if memory.highs.is_empty() && memory.lows.is_empty() {
            // A fresh controller: the present size is the first recommendation, so a restart never shrinks.
            memory.remember(self.from, now, up, down);
        }
        if matches!(gate, Gate::Pass(_)) {
            let lows = Window { past: &memory.lows, length: up };
            let highs = Window { past: &memory.highs, length: down };
            let replicas = stabilize::stabilize(recommended, self.from, lows, highs, now);
            let limitation = match replicas.cmp(&recommended) {
                std::cmp::Ordering::Less => Some(Limitation::ScaleUpWindow(up)),
                std::cmp::Ordering::Greater => Some(Limitation::ScaleDownWindow(down)),
                std::cmp::Ordering::Equal => None,
            };
            self.keep_back(Stage::Stabilize, replicas, limitation);
        }
        if evaluation {
            memory.remember(recommended, now, up, down);
        }
    }

    pub(super) fn limit(&mut self, spec: &Spec, memory: &Memory, gate: Gate, now: Timestamp) {
        if matches!(gate, Gate::Wake(_)) || self.wanted == self.from {
            return;
        }
        let grows = self.wanted > self.from;
        let direction = if grows { &spec.scale_up } else { &spec.scale_down };
        let (limits, select, changes) = (&direction.limits, direction.select, &memory.changes);
        let (allowed, limitation, cooling, cooldown): (_, _, _, fn(Timestamp) -> Limitation) = if grows {
            let most = limit::most(self.from, limits, select, changes, now);
            let cooling = limit::cooling_until(memory.last_up, direction.cooldown, now);
            (self.wanted.min(most), Limitation::ScaleUpLimit, cooling, Limitation::ScaleUpCooldown)
        } else {
            let least = limit::least(self.from, limits, select, changes, now);
            let cooling = limit::cooling_until(memory.last_action, direction.cooldown, now);
            (self.wanted.max(least), Limitation::ScaleDownLimit, cooling, Limitation::ScaleDownCooldown)
        };
        let limited = (allowed != self.wanted).then_some(limitation);
        self.keep_back(Stage::Limit, allowed, limited);
        if let Some(until) = cooling
            && allowed != self.from
        {
            self.keep_back(Stage::Limit, self.from, Some(cooldown(until)));
        }
    }

    pub(super) fn bound(
        &mut self,
        memory: &Memory,
        drift: Drift,
        gate: Gate,
        spec: &Spec,
        ceiling: Option<u32>,
    ) {
        for name in std::mem::take(&mut self.schedules) {
            self.say(Stage::Bound, None, Note::Schedule(name));
        }
        let at_rest = match gate {
            Gate::Rest(..) | Gate::Stay(_) => spec.idle.map(|it| it.replicas),
            Gate::Pass(_) | Gate::Wake(_) => None,
        };
        let bounded = bound::bound(self.wanted, self.from, self.bounds, at_rest, drift, memory.wish.as_ref());
        if let Some((why, purpose)) = bounded.decided {
            self.say(Stage::Bound, Some(bounded.replicas), Note::Bound(why.clone()));
            self.why = why;
            self.purpose = purpose;
            self.limited_by = None;
        }
        let limitation = match bounded.limited_by.or_else(|| self.stopped_at_a_bound(bounded.replicas)) {
            Some(Limitation::Max(max)) if ceiling == Some(max) && max < spec.bounds.max() => {
                Some(Limitation::Ceiling(max))
            }
            other => other,
        };
        self.keep_back(Stage::Bound, bounded.replicas, limitation);
        if let Drift::Adopted { left } = drift {
            self.say(Stage::Bound, Some(self.wanted), Note::Adopted { left });
        }
        self.wait(memory.wish.as_ref().map(|it| it.until));
    }

    /// Where a limit stops at the very bound, it is the bound that keeps the count: a wider limit would not help.
    fn stopped_at_a_bound(&self, replicas: u32) -> Option<Limitation> {
        match self.limited_by {
            Some(Limitation::ScaleUpLimit) if replicas == self.bounds.max() => {
                Some(Limitation::Max(replicas))
            }
            Some(Limitation::ScaleDownLimit) if replicas == self.bounds.min() => {
                Some(Limitation::Min(replicas))
            }
            _ => None,
        }
    }

    /// Which way the count would go if nothing held it back but its bounds.
    pub(super) fn would_go(&self) -> Ordering {
        self.bounds.clamp(self.wanted).cmp(&self.from)
    }

    /// Limits, once it is clear whose turn it is. `would` is the way that the count would go.
    pub(super) fn resize(
        &mut self,
        mut sized: Sized,
        would: Ordering,
        constraints: &Constraints,
        memory: &Memory,
        spec: &Spec,
        now: Timestamp,
    ) {
        let moves = self.wanted != self.from;
        // Bounds, drift and a person are obeyed whoever's turn it is.
        let is_forced = moves && self.purpose != Purpose::Recommendation;
        let order = spec.order.unwrap_or(Order::ReplicasFirst);
        let turn = if is_forced { Dimension::Replicas } else { order::turn(order, would, sized.would) };
        for (way, ordering) in [(Way::Up, Ordering::Greater), (Way::Down, Ordering::Less)] {
            let limitation = if spec.horizontal && constraints.growing {
                Some(Limitation::Unfinished)
            } else if turn == Dimension::Replicas && (moves || would.is_ne()) {
                Some(Limitation::Turn(Dimension::Replicas))
            } else {
                gate::forbids_resize(way, sized.purpose, constraints, memory, spec.safety, now)
            };
            if let Some(limitation) = limitation {
                sized.forbid(ordering, limitation);
            }
        }
        if turn == Dimension::Resources && sized.would.is_ne() && moves {
            self.keep_back(Stage::Gate, self.from, Some(Limitation::Turn(Dimension::Resources)));
        }
        let acts = sized.resize.changes();
        if acts || (turn == Dimension::Resources && (sized.would.is_ne() || !spec.horizontal)) {
            self.why = sized.why;
            self.purpose = sized.purpose;
            self.limited_by = sized.limited_by;
        }
        self.wait(sized.limited_by.and_then(Limitation::until));
        self.trail.append(&mut sized.lines);
        self.trail.sort_by_key(|it| it.stage);
        self.resize = Some(Box::new(sized.resize));
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

/// Is there work? Target tracking of a source says so by `activation`; without such, rules do. Metrics of the
/// target itself cannot say at rest, and say "active" while replicas run.
pub(super) fn activity(
    spec: &Spec,
    readings: &[Reading],
    found: &Recommendations,
    at_rest: bool,
) -> (Activity, Resting) {
    let mut wakers = spec.track.iter().filter(|it| it.wakes).peekable();
    if wakers.peek().is_some() {
        let mut unknown = false;
        for track in wakers {
            match readings.get(track.metric.0).and_then(|it| it.for_growing()) {
                Some(value) if value > track.activation => return (Activity::Active, Resting::AtOnce),
                Some(_) => {}
                None => unknown = true,
            }
        }
        let activity = match (found.up.satisfied, unknown) {
            (true, _) => Activity::Active,
            (false, true) => Activity::Unknown,
            (false, false) => Activity::Inactive,
        };
        return (activity, Resting::AtOnce);
    }
    let activity = if found.up.satisfied {
        Activity::Active
    } else if at_rest {
        if found.up.lacking { Activity::Unknown } else { Activity::Inactive }
    } else if found.down.hold {
        Activity::Inactive
    } else if found.down.lacking {
        Activity::Unknown
    } else {
        Activity::Active
    };
    (activity, Resting::AsRecommended)
}
