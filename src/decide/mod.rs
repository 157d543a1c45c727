//! `decide`: from what is known to how many replicas there should be. Pure and deterministic: the same
//! spec, memory, snapshot, constraints and moment give the same decision and the same memory.
//!
//! The pipeline, a file per stage, in this order: observe → recommend → fallback → combine → activate →
//! stabilize → limit → bound → gate. `verify` follows replicas, `drift` changes by others, and `victims` says
//! who goes.

pub mod activate;
pub mod bound;
pub mod combine;
pub mod drift;
pub mod fallback;
pub mod gate;
pub mod limit;
pub mod observe;
pub mod recommend;
pub mod stabilize;
pub mod verify;
pub mod victims;

use activate::{Activity, Gate, Resting, Work};
use bound::ScheduledBounds;
use combine::Shrinking;
use drift::Drift;
use observe::Reading;
use recommend::{Proposal, Recommendations};
use stabilize::Window;
use verify::{Followed, earlier};

use crate::api::behavior::FallbackBehavior;
use crate::api::condition::Reason;
use crate::api::effective::Spec;
use crate::api::policy::Mode;
use crate::api::status::{Action, NextAllowed, Stage};
use crate::model::decision::{Decision, Drifted, Limitation, Line, Note, Sight, Why};
use crate::model::memory::{Memory, Purpose};
use crate::model::observation::Snapshot;
use crate::units::{Bounds, Duration, Timestamp};

/// Most lines of a trail, as they mostly are: room for them is made at once.
const USUAL_LINES: usize = 8;

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
        // Whoever turns it on again decides how many run; nothing is restored.
        memory.desired = None;
        return draft.finish(Why::TurnedOff, memory, spec, now);
    }
    let readings = observe::readings(spec, snapshot, now);
    draft.read(spec, &readings);
    let drift = if mode == Mode::Observe {
        memory.desired = Some(from);
        Drift::None
    } else if constraints.growing || !memory.intents.is_empty() {
        Drift::None
    } else {
        drift::assess(spec.drift, memory, from, now)
    };
    draft.bounds = bound::effective(spec.bounds, ScheduledBounds::default(), constraints.ceiling);

    let found = recommend::recommend(spec, memory, snapshot, &readings, from, followed.ready, now);
    draft.recommended_by(spec, &found);
    let shrinking = draft.combine(spec, found.clone());
    let gate = draft.activate(spec, memory, &readings, &found, shrinking, now);
    draft.stabilize(spec, memory, gate, snapshot.evaluation, now);
    draft.limit(spec, memory, gate, now);
    draft.bound(memory, drift, gate, spec, constraints.ceiling);
    let constraints = Constraints { growing: constraints.growing || followed.unfinished, ..*constraints };
    draft.gate(&constraints, memory, spec, now);

    draft.drifted(drift);
    draft.wait(followed.next);
    draft.rollback(&constraints, followed);
    draft.retire(spec, snapshot, now);
    let why = std::mem::replace(&mut draft.why, Why::Steady);
    let mut decision = draft.finish(why, memory, spec, now);
    decision.act = mode == Mode::Auto;
    decision.obstacle = constraints.blocked;
    decision
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

/// A decision in the making.
struct Draft {
    current: u32,
    from: u32,
    /// The number after the latest stage.
    wanted: u32,
    recommended: u32,
    bounds: Bounds,
    why: Why,
    purpose: Purpose,
    limited_by: Option<Limitation>,
    trail: Vec<Line>,
    ready: u32,
    metrics: Vec<(crate::api::effective::Name, f64)>,
    missing: Vec<crate::api::effective::Name>,
    sight: Sight,
    fallback: bool,
    drifted: Option<Drifted>,
    rollback: Vec<crate::model::observation::ReplicaId>,
    retire: Vec<crate::model::observation::ReplicaId>,
    keep: Option<crate::model::observation::ReplicaId>,
    recheck_at: Option<Timestamp>,
}

impl Draft {
    fn new(current: u32, from: u32, bounds: Bounds) -> Self {
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

    fn wait(&mut self, until: Option<Timestamp>) {
        self.recheck_at = earlier(self.recheck_at, until);
    }

    fn see(&mut self, followed: &Followed) {
        self.ready = followed.ready;
        let starting = self.from.saturating_sub(self.current);
        let failed = u32::try_from(followed.rollback.len()).unwrap_or(u32::MAX);
        let (current, ready) = (self.current, self.ready);
        self.say(Stage::Observe, Some(current), Note::Seen { current, ready, starting, failed });
    }

    fn read(&mut self, spec: &Spec, readings: &[Reading]) {
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

    fn recommended_by(&mut self, spec: &Spec, found: &Recommendations) {
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

    /// Fallback and combine: several recommendations become one.
    fn combine(&mut self, spec: &Spec, found: Recommendations) -> Shrinking {
        let blind = fallback::blind(spec, &found);
        let lacking = found.up.lacking || found.down.lacking || found.track_lacking;
        let mut proposals = found.proposals;
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
            self.say(Stage::Combine, Some(self.from), Note::NoOpinion);
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
        shrinking
    }

    fn activate(
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
        let gate = activate::activate(self.wanted, self.from, self.bounds.min(), idle, work, resting, now);
        match gate {
            Gate::Pass(replicas) => self.wanted = replicas,
            Gate::Stay(replicas) => self.wanted = replicas,
            Gate::Wake(replicas) => {
                self.wanted = replicas;
                self.recommended = replicas;
                if !self.fallback {
                    self.why = Why::Active;
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

    fn stabilize(&mut self, spec: &Spec, memory: &mut Memory, gate: Gate, evaluation: bool, now: Timestamp) {
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

    fn limit(&mut self, spec: &Spec, memory: &Memory, gate: Gate, now: Timestamp) {
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

    fn bound(&mut self, memory: &Memory, drift: Drift, gate: Gate, spec: &Spec, ceiling: Option<u32>) {
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
        let limitation = match bounded.limited_by {
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

    fn gate(&mut self, constraints: &Constraints, memory: &Memory, spec: &Spec, now: Timestamp) {
        let min = self.bounds.min();
        let (replicas, limitation) =
            gate::gate(self.wanted, self.from, min, constraints, memory, spec.safety, now);
        self.keep_back(Stage::Gate, replicas, limitation);
        self.wait(memory.hold.as_ref().map(|it| it.until));
    }

    fn drifted(&mut self, drift: Drift) {
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

    fn rollback(&mut self, constraints: &Constraints, followed: Followed) {
        if !constraints.stopped && !constraints.conflict && constraints.blocked.is_none() {
            self.rollback = followed.rollback;
        }
    }

    fn retire(&mut self, spec: &Spec, snapshot: &Snapshot, now: Timestamp) {
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

    fn finish(self, why: Why, memory: &Memory, spec: &Spec, now: Timestamp) -> Decision {
        let cooling = |last, cooldown| limit::cooling_until(last, cooldown, now);
        Decision {
            at: now,
            current: self.current,
            ready: self.ready,
            from: self.from,
            desired: self.wanted,
            recommended: self.recommended,
            bounds: self.bounds,
            action: Action::between(self.from, self.wanted),
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
fn written_step(spec: &Spec) -> Option<crate::api::behavior::Step> {
    spec.scale_down.step_written.then_some(spec.scale_down.step)
}

/// Is there work? Target tracking of a source says so by `activation`; without such, rules do. Metrics of the
/// target itself cannot say at rest, and say "active" while replicas run.
fn activity(
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
