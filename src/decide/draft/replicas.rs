//! From several recommendations to one count: fallback, combine, activate, stabilize, limit, bound.

use super::super::activate::{self, Activity, Gate, Resting, Work};
use super::super::bound;
use super::super::combine::{self, Shrinking};
use super::super::drift::Drift;
use super::super::observe::Reading;
use super::super::recommend::{Proposal, Recommendations};
use super::super::stabilize::{self, Window};
use super::super::{fallback, limit};
use super::{Draft, written_step};
use crate::api::behavior::FallbackBehavior;
use crate::api::effective::Spec;
use crate::api::status::Stage;
use crate::model::decision::{Limitation, Note, Why};
use crate::model::memory::Memory;
use crate::units::Timestamp;

impl Draft {
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
    pub(in crate::decide) fn combine(&mut self, spec: &Spec, found: &mut Recommendations) -> Shrinking {
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

    pub(in crate::decide) fn activate(
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

    pub(in crate::decide) fn stabilize(
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

    pub(in crate::decide) fn limit(&mut self, spec: &Spec, memory: &Memory, gate: Gate, now: Timestamp) {
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

    pub(in crate::decide) fn bound(
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
}

/// Is there work? Target tracking of a source says so by `activation`; without such, rules do. Metrics of the
/// target itself cannot say at rest, and say "active" while replicas run.
pub(in crate::decide) fn activity(
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
