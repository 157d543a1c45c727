//! Memory: the bounded past that a decision may look at. Durable as JSON in the state folder, so a
//! restart continues exactly where it was. Every list here has a named bound.
//!
//! It holds values and the few sentences that change them; what follows from them is in `decide`.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::approval::Approvals;
use super::change::{ChangeId, Intent, LimitChange, LimitStage};
use super::observation::ReplicaId;
use super::trend::Recent;
use super::usage::Usage;
use crate::api::limits::LimitSet;
use crate::api::policy::Mode;
use crate::units::{Duration, Timestamp};

/// Most own changes that are remembered for rate limits: one a second over the longest period, 30m.
const MAX_CHANGES: usize = 2_048;
/// Most recommendations that one window holds; then the two oldest become one, the safer one.
const MAX_RECOMMENDATIONS: usize = 512;
/// Most scale-downs that are remembered; more in an hour than any sensible `maxScaleDownsPerHour`.
const MAX_SCALE_DOWNS: usize = 1_000;
/// Most replicas whose life is followed.
const MAX_REPLICAS_FOLLOWED: usize = 10_000;
/// Most changes that are open at once; the controller makes one after the other.
const MAX_INTENTS: usize = 16;
/// How far back `maxScaleDownsPerHour` looks.
pub const SCALE_DOWN_PERIOD: Duration = Duration::from_secs(3_600);
/// Restores within [`RESTORE_PERIOD`] after which docktor gives up.
pub const MAX_RESTORES: usize = 3;
/// How far back restores are counted.
pub const RESTORE_PERIOD: Duration = Duration::from_secs(600);

/// What docktor remembers of one policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// When docktor first saw the target.
    pub first_seen: Option<Timestamp>,
    /// How many replicas it then had; what `onDelete: Restore` goes back to.
    pub found: Option<u32>,
    /// How many replicas docktor last left; what drift is measured against.
    pub desired: Option<u32>,
    /// docktor itself brought the target to zero, so it may wake it.
    pub scaled_to_zero: bool,
    /// Evaluations in a row in which the rules held.
    pub consecutive: Counters,
    /// Evaluations in a row in which a metric could not be had, by its full name.
    pub failures: BTreeMap<String, u32>,
    /// What `within` rules saw, in the order of the spec's bands.
    pub bands: Vec<Band>,
    /// Recent values of metrics whose trend is asked for, by full name.
    pub trends: BTreeMap<String, Recent>,
    /// Recommendations that may still be the highest of their window, oldest first, falling.
    pub highs: VecDeque<Past>,
    /// Recommendations that may still be the lowest of their window, oldest first, rising.
    pub lows: VecDeque<Past>,
    /// docktor's own changes within the longest period of a limit, oldest first.
    pub changes: VecDeque<Change>,
    /// When rules and metrics were last evaluated on the policy's interval.
    pub last_evaluation: Option<Timestamp>,
    /// When docktor last scaled up.
    pub last_up: Option<Timestamp>,
    /// When docktor last scaled either way.
    pub last_action: Option<Timestamp>,
    /// When docktor scaled down within the last hour, oldest first.
    pub scale_downs: VecDeque<Timestamp>,
    /// When the workload was last active.
    pub last_active: Option<Timestamp>,
    /// What is known of changes by others.
    pub drift: DriftMemory,
    /// A person's hold.
    pub hold: Option<Hold>,
    /// A person's wish for a count.
    pub wish: Option<Wish>,
    /// The mode that a person set while running, in place of the policy's.
    pub mode: Option<Mode>,
    /// What waits for a person in mode `Approve`, and what persons have answered.
    #[serde(skip_serializing_if = "Approvals::is_unused")]
    pub approvals: Approvals,
    /// Changes that were begun and whose outcome is not known yet.
    pub intents: Vec<Intent>,
    /// Replicas that are there, by id.
    pub replicas: BTreeMap<ReplicaId, Life>,
    /// Failures in a row.
    pub failed: Failures,
    /// What is remembered of limits, where the policy moves them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Box<SizingMemory>>,
}

/// What docktor remembers of limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SizingMemory {
    /// The limits that docktor last set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitSet>,
    /// When it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_resize: Option<Timestamp>,
    /// What was to be taken away was in use; it is tried again then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put_off: Option<Timestamp>,
    /// Past use, where limits are found by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What is known of changes of limits by others.
    pub drift: LimitDrift,
}

/// What is known of changes of limits by others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitDrift {
    /// The limits as they were last seen to differ, and since when they have been that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<(Timestamp, LimitSet)>,
    /// When docktor restored them within the last ten minutes, oldest first; never more than three.
    pub restores: VecDeque<Timestamp>,
    /// docktor gave up restoring; until `resume`, or until the limits are right again.
    pub contested: bool,
}

/// A number for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// Of scaleUp.
    pub up: u32,
    /// Of scaleDown.
    pub down: u32,
}

/// What a `within` rule saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Band {
    /// The rule's text.
    pub rule: String,
    /// Its points, oldest first.
    pub points: VecDeque<Point>,
}

/// Whether a metric lay in its band at one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// In the band or not.
    pub inside: bool,
}

/// What was recommended once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// When.
    pub at: Timestamp,
    /// How many replicas.
    pub replicas: u32,
}

/// A change that docktor made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
}

/// What a change was made for; it tells restores of drift from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// What was recommended.
    Recommendation,
    /// The minimum, the maximum or a ceiling.
    Bounds,
    /// Back to what docktor had left.
    RestoreDrift,
    /// A person's wish.
    Person,
}

/// What is known of changes by others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftMemory {
    /// The count as it was last seen to differ, and since when it has been that.
    pub seen: Option<Past>,
    /// Until when `Hold` keeps the count.
    pub hold_until: Option<Timestamp>,
    /// When docktor restored the count within the last ten minutes, oldest first; never more than three.
    pub restores: VecDeque<Timestamp>,
    /// docktor gave up restoring; until `resume`, or until the count is right again.
    pub contested: bool,
}

/// In which direction a hold keeps the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HoldDirection {
    /// No scale-up.
    Up,
    /// No scale-down.
    Down,
    /// Neither.
    Both,
}

/// A person's hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Which direction it stops.
    pub direction: HoldDirection,
    /// When it ends.
    pub until: Timestamp,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who, as the socket or the token told.
    pub by: String,
}

/// A person's wish for a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// How many replicas; kept within the bounds all the same.
    pub replicas: u32,
    /// When it ends.
    pub until: Timestamp,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who, as the socket or the token told.
    pub by: String,
}

/// The life of one replica, as far as docktor followed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Life {
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last started, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How often it restarted since it was first seen.
    #[serde(default)]
    pub restarts: u32,
    /// Since when it has been ready without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Timestamp>,
    /// It has been ready once since it was last started, `readinessDelay` after that or later.
    #[serde(default)]
    pub was_ready: bool,
    /// Whether docktor still has to make sure of it.
    pub trust: Trust,
}

/// Whether docktor still has to make sure of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trust {
    /// docktor did not make it.
    NotOurs,
    /// Made by docktor, not ready yet.
    Pending,
    /// Ready, and has to stay healthy for a while.
    Verifying,
    /// It stayed healthy.
    Verified,
    /// It did not become ready or did not stay healthy.
    Failed,
}

/// Failures in a row, and whether docktor stopped trying.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failures {
    /// How many changes failed one after the other.
    pub in_a_row: u32,
    /// When the last one did.
    pub last: Option<Timestamp>,
    /// Its change, so that several replicas of one change count once.
    pub change: Option<ChangeId>,
    /// What went wrong last, for people, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when docktor has stopped trying; phase `Failed`.
    pub stopped_at: Option<Timestamp>,
}

impl Memory {
    /// docktor has started a change of the count. A change that could not be started is not told here:
    /// it starts no cooldown.
    pub fn record_change(&mut self, from: u32, to: u32, purpose: Purpose, at: Timestamp) {
        self.desired = Some(to);
        self.drift.seen = None;
        self.scaled_to_zero = to == 0 || (self.scaled_to_zero && from == 0);
        if to == from {
            return;
        }
        self.last_action = Some(at);
        push_bounded(&mut self.changes, Change { at, from, to }, MAX_CHANGES);
        if to > from {
            self.last_up = Some(at);
        } else {
            push_bounded(&mut self.scale_downs, at, MAX_SCALE_DOWNS);
        }
        if purpose == Purpose::RestoreDrift {
            push_bounded(&mut self.drift.restores, at, MAX_RESTORES);
        }
    }

    /// docktor has changed the limits of each replica. Cooldowns are those of the count.
    pub fn record_resize(&mut self, from: &LimitSet, to: &LimitSet, purpose: Purpose, at: Timestamp) {
        let sizing = self.sizing.get_or_insert_default();
        sizing.limits = Some(*to);
        sizing.drift.seen = None;
        if from == to {
            return;
        }
        if purpose == Purpose::RestoreDrift {
            push_bounded(&mut sizing.drift.restores, at, MAX_RESTORES);
        }
        sizing.last_resize = Some(at);
        self.last_action = Some(at);
        if from.iter().any(|(kind, before)| to.get(kind).is_some_and(|after| after > before)) {
            self.last_up = Some(at);
        } else {
            push_bounded(&mut self.scale_downs, at, MAX_SCALE_DOWNS);
        }
    }

    /// docktor could not make a change, or it came to nothing: `current` is what there is.
    /// Counts as one failure, and the change as none that limits would count.
    pub fn record_failure(&mut self, current: u32, at: Timestamp) {
        if self.changes.back().is_some_and(|it| Some(it.to) == self.desired) {
            self.changes.pop_back();
        }
        self.desired = Some(current);
        self.drift.seen = None;
        self.count_failure(at);
    }

    /// Limits are as they were before a change of docktor's own that came to nothing.
    pub fn take_back_resize(&mut self, to: &LimitSet) {
        let sizing = self.sizing.get_or_insert_default();
        sizing.limits = Some(*to);
        sizing.drift.seen = None;
    }

    /// Limits do not shrink before `until`: what was to be taken away was in use.
    pub fn put_off_shrinking(&mut self, until: Timestamp) {
        self.sizing.get_or_insert_default().put_off = Some(until);
    }

    /// A change of limits failed, and why. Counts as one failure.
    pub fn record_limits_failure(&mut self, why: String, at: Timestamp) {
        self.failed.why = Some(why);
        self.count_failure(at);
    }

    fn count_failure(&mut self, at: Timestamp) {
        self.failed.in_a_row = self.failed.in_a_row.saturating_add(1);
        self.failed.last = Some(at);
    }

    /// The change of limits that is not finished; there is never more than one.
    #[must_use]
    pub fn limit_change(&self) -> Option<&LimitChange> {
        self.intents.iter().find_map(|it| it.limits.as_deref())
    }

    /// Are limits being set, or brought back? Then nothing else can be done about them.
    #[must_use]
    pub fn is_setting_limits(&self) -> bool {
        self.limit_change().is_some_and(|it| matches!(it.stage, LimitStage::Applying | LimitStage::Undoing))
    }

    /// Nothing runs, and it was not docktor that stopped it. Whoever turns it on again decides how many run; nothing is restored.
    pub fn turned_off(&mut self, at: Timestamp) {
        self.desired = None;
        self.drift.seen = Some(Past { at, replicas: 0 });
    }

    /// A change is about to begin: on disk before anything is done. It uses up its approval.
    pub fn intend(&mut self, intent: Intent) {
        if let Some(id) = &intent.approval {
            self.approvals.use_up(id);
        }
        if self.intents.len() >= MAX_INTENTS {
            self.intents.remove(0);
        }
        self.intents.push(intent);
    }

    /// The outcome of a change is known.
    pub fn settle(&mut self, id: &ChangeId) {
        self.intents.retain(|it| it.id != *id);
    }

    /// A person holds the count.
    pub fn hold(&mut self, hold: Hold) {
        self.hold = Some(hold);
    }

    /// A person wants a count for a while.
    pub fn wish(&mut self, wish: Wish) {
        self.wish = Some(wish);
    }

    /// A person lets docktor go on: ends holds and wishes, and forgets failures and contested drift.
    pub fn resume(&mut self) {
        self.hold = None;
        self.wish = None;
        self.failed = Failures::default();
        self.drift = DriftMemory::default();
        if let Some(sizing) = &mut self.sizing {
            sizing.drift = LimitDrift::default();
        }
    }

    /// A person sets the mode while running; `None` goes back to the policy's.
    pub fn set_mode(&mut self, mode: Option<Mode>) {
        self.mode = mode;
    }

    /// Keeps a recommendation for as long as it can matter in `up` (lowest) or `down` (highest) windows.
    pub fn remember(&mut self, replicas: u32, now: Timestamp, up: Duration, down: Duration) {
        let past = Past { at: now, replicas };
        remember_in(&mut self.lows, past, up, |old| old >= replicas);
        remember_in(&mut self.highs, past, down, |old| old <= replicas);
    }

    /// After a gap in evaluations longer than `most`, rules have not held "in a row" any more.
    pub fn interrupt(&mut self, now: Timestamp, most: Duration) {
        if self.last_evaluation.is_some_and(|at| now.since(at) > most) {
            self.consecutive = Counters::default();
        }
    }

    /// Forgets what can no longer matter. `period` is the longest period of a limit.
    pub fn forget(&mut self, now: Timestamp, period: Duration) {
        self.turn_back(now);
        self.approvals.forget(now);
        drop_older(&mut self.changes, now, period, |it| it.at);
        drop_older(&mut self.scale_downs, now, SCALE_DOWN_PERIOD, |it| *it);
        drop_older(&mut self.drift.restores, now, RESTORE_PERIOD, |it| *it);
        if let Some(sizing) = &mut self.sizing {
            drop_older(&mut sizing.drift.restores, now, RESTORE_PERIOD, |it| *it);
        }
        if self.hold.as_ref().is_some_and(|it| it.until <= now) {
            self.hold = None;
        }
        if self.wish.as_ref().is_some_and(|it| it.until <= now) {
            self.wish = None;
        }
    }

    /// Whatever lies ahead of `now` was written before the clock was set back. It happened at the latest now:
    /// else cooldowns and windows would last for as long as the clock went back.
    fn turn_back(&mut self, now: Timestamp) {
        let moments = [self.last_action, self.last_active, self.failed.stopped_at];
        let windows = [self.highs.back(), self.lows.back()];
        let ahead = |at: Timestamp| at > now;
        if !moments.into_iter().flatten().any(ahead) && !windows.into_iter().flatten().any(|it| ahead(it.at))
        {
            return;
        }
        let earlier = |at: &mut Timestamp| *at = (*at).min(now);
        for moment in [
            &mut self.last_up,
            &mut self.last_action,
            &mut self.last_active,
            &mut self.first_seen,
            &mut self.failed.stopped_at,
        ] {
            moment.iter_mut().for_each(earlier);
        }
        self.highs.iter_mut().chain(&mut self.lows).for_each(|it| earlier(&mut it.at));
        self.changes.iter_mut().for_each(|it| earlier(&mut it.at));
        self.scale_downs.iter_mut().chain(&mut self.drift.restores).for_each(earlier);
        self.drift.seen.iter_mut().for_each(|it| earlier(&mut it.at));
        if let Some(sizing) = &mut self.sizing {
            sizing.last_resize.iter_mut().for_each(earlier);
            sizing.put_off = None;
            sizing.drift.restores.iter_mut().for_each(earlier);
            sizing.drift.seen.iter_mut().for_each(|it| earlier(&mut it.0));
            sizing.usage.iter_mut().for_each(|it| it.turn_back(now));
        }
    }

    /// The life of that replica, begun here where it is new. Beyond the bound nothing is followed.
    pub(crate) fn life(&mut self, id: &ReplicaId, begin: impl FnOnce() -> Life) -> Option<&mut Life> {
        if !self.replicas.contains_key(id) {
            if self.replicas.len() >= MAX_REPLICAS_FOLLOWED {
                return None;
            }
            self.replicas.insert(id.clone(), begin());
        }
        self.replicas.get_mut(id)
    }
}

/// An entry exactly `age` old no longer counts.
fn drop_older<T>(entries: &mut VecDeque<T>, now: Timestamp, age: Duration, at: impl Fn(&T) -> Timestamp) {
    while entries.front().is_some_and(|it| now.since(at(it)) >= age) {
        entries.pop_front();
    }
}

fn push_bounded<T>(entries: &mut VecDeque<T>, entry: T, most: usize) {
    if entries.len() >= most {
        entries.pop_front();
    }
    entries.push_back(entry);
}

/// A monotonic queue: what `beaten` says can never be the window's extreme again goes.
fn remember_in(entries: &mut VecDeque<Past>, past: Past, window: Duration, beaten: impl Fn(u32) -> bool) {
    drop_older(entries, past.at, window, |it| it.at);
    if window.is_zero() {
        return;
    }
    while entries.back().is_some_and(|it| beaten(it.replicas)) {
        entries.pop_back();
    }
    if entries.len() >= MAX_RECOMMENDATIONS {
        // The front is the safer of the two; it stays as long as the newer of them would.
        if let (Some(front), Some(second)) = (entries.pop_front(), entries.front_mut()) {
            second.replicas = front.replicas;
        }
    }
    entries.push_back(past);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn a_change_sets_what_cooldowns_limits_and_drift_are_measured_by() {
        let mut memory = Memory::default();
        memory.record_change(2, 4, Purpose::Recommendation, at(10));
        memory.record_change(4, 3, Purpose::Recommendation, at(20));
        assert_eq!(
            (memory.last_up, memory.last_action, memory.desired),
            (Some(at(10)), Some(at(20)), Some(3))
        );
        assert_eq!((memory.changes.len(), memory.scale_downs.len()), (2, 1));
        memory.record_failure(4, at(21));
        assert_eq!((memory.changes.len(), memory.desired, memory.failed.in_a_row), (1, Some(4), 1));
    }

    #[test]
    fn zero_is_docktors_own_only_where_docktor_went_there() {
        let mut memory = Memory::default();
        memory.record_change(2, 0, Purpose::Recommendation, at(0));
        assert!(memory.scaled_to_zero);
        memory.record_change(0, 1, Purpose::Recommendation, at(1));
        assert!(memory.scaled_to_zero, "until the replica is seen to run");
        memory.record_change(1, 2, Purpose::Recommendation, at(2));
        assert!(!memory.scaled_to_zero);
    }

    #[test]
    fn what_is_as_old_as_its_period_is_forgotten() {
        let mut memory = Memory::default();
        memory.record_change(2, 4, Purpose::RestoreDrift, at(0));
        memory.hold(Hold {
            direction: HoldDirection::Both,
            until: at(60),
            reason: None,
            by: "ada".to_owned(),
        });
        memory.forget(at(59), Duration::from_secs(60));
        assert_eq!((memory.changes.len(), memory.hold.is_some()), (1, true));
        memory.forget(at(60), Duration::from_secs(60));
        assert_eq!((memory.changes.len(), memory.hold.is_some(), memory.drift.restores.len()), (0, false, 1));
        memory.forget(at(600), Duration::from_secs(60));
        assert!(memory.drift.restores.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_cooldowns() {
        let mut memory = Memory::default();
        memory.record_change(2, 4, Purpose::Recommendation, at(100_000));
        memory.remember(4, at(100_000), Duration::ZERO, Duration::from_secs(300));
        memory.forget(at(500), Duration::from_secs(60));
        assert_eq!((memory.last_up, memory.last_action), (Some(at(500)), Some(at(500))));
        assert_eq!((memory.highs[0].at, memory.changes[0].at), (at(500), at(500)));
    }

    #[test]
    fn resume_ends_holds_and_forgets_failures_and_contested_drift() {
        let mut memory = Memory { desired: Some(3), ..Memory::default() };
        memory.hold(Hold { direction: HoldDirection::Up, until: at(60), reason: None, by: "ada".to_owned() });
        memory.failed = Failures { in_a_row: 3, stopped_at: Some(at(1)), ..Failures::default() };
        memory.drift.contested = true;
        memory.resume();
        assert_eq!(memory, Memory { desired: Some(3), ..Memory::default() });
    }

    proptest! {
        #[test]
        fn what_is_kept_of_a_window_has_its_extremes(
            past in prop::collection::vec((0..40i64, 0..9u32), 1..60), window in 1..200u64,
        ) {
            let length = Duration::from_secs(window);
            let mut memory = Memory::default();
            let mut all = Vec::new();
            let mut now = 0;
            for (after, replicas) in past {
                now += after;
                memory.remember(replicas, at(now), length, length);
                all.push(Past { at: at(now), replicas });
                let inside = |it: &&Past| at(now).since(it.at) < length;
                let numbers = || all.iter().filter(inside).map(|it| it.replicas);
                prop_assert_eq!(memory.highs.iter().map(|it| it.replicas).max(), numbers().max());
                prop_assert_eq!(memory.lows.iter().map(|it| it.replicas).min(), numbers().min());
            }
        }

        #[test]
        fn a_window_never_holds_more_than_its_bound_and_keeps_the_safest(count in 1..2_000u32) {
            let mut memory = Memory::default();
            let length = Duration::from_secs(1_000_000);
            for (second, replicas) in (0..count).rev().enumerate() {
                memory.remember(replicas, at(second as i64), length, length);
            }
            prop_assert!(memory.highs.len() <= MAX_RECOMMENDATIONS);
            prop_assert_eq!(memory.highs[0].replicas, count - 1);
            prop_assert_eq!(memory.lows.len(), 1);
        }
    }
}
