//! A decision and its trail: what one pass wants, and what each stage made of it.
//!
//! The parts are plain values, rendered as text only when somebody looks.

mod findings;
mod text;

pub use text::Short;

use std::sync::Arc;

use super::change::Intent;
use super::forecast::Model;
use super::memory::Purpose;
use super::observation::ReplicaId;
use crate::api::behavior::{Op, Step};
use crate::api::condition::{ConditionStatus, ConditionType, Reason};
use crate::api::limits::{LimitKind, LimitKinds, LimitSet};
use crate::api::status::{Action, DecisionRecord, NextAllowed, Stage, TrailLine};
use crate::units::{Bounds, Duration, Timestamp};

/// What one pass wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// When it was made.
    pub at: Timestamp,
    /// Replicas that run, start or restart.
    pub current: u32,
    /// Of these, the ones able to work.
    pub ready: u32,
    /// What a change starts from: `current`, less `rollback`, more what docktor is starting already.
    pub from: u32,
    /// Replicas wanted, after every stage.
    pub desired: u32,
    /// What recommenders alone would have, before stabilization, limits, bounds and gate.
    pub recommended: u32,
    /// Fewest and most replicas, as schedules and the target now have them.
    pub bounds: Bounds,
    /// What becomes of the limits; only of a policy that moves them. Where it changes them, `desired` is `from`.
    pub resize: Option<Box<Resize>>,
    /// What leads from `from` to `desired`, or from the present limits to others.
    pub action: Action,
    /// Whether the action is to be carried out: not in mode `Observe`.
    pub act: bool,
    /// The approval that the action uses, in mode `Approve`.
    pub approval: Option<String>,
    /// What the action is for; the controller hands it to `Memory::record_change`.
    pub purpose: Purpose,
    /// Why.
    pub why: Why,
    /// What kept it from what was recommended; the last that did.
    pub limited_by: Option<Limitation>,
    /// A line from each stage that had something to say.
    pub trail: Vec<Line>,
    /// Present values by full name, in the order of rules and track; missing ones are left out.
    pub metrics: Vec<(Arc<str>, f64)>,
    /// Metrics that could not be had, and should have been.
    pub missing: Vec<Arc<str>>,
    /// How much recommenders can see.
    pub sight: Sight,
    /// The fallback decides.
    pub fallback: bool,
    /// docktor itself brought the workload to zero, and nothing runs.
    pub scaled_to_zero: bool,
    /// Somebody else changed the count, and that is not settled.
    pub drifted: Option<Drifted>,
    /// Somebody else changed the limits, and that is not settled.
    pub limits_drifted: Option<Box<LimitsDrifted>>,
    /// Why the target cannot be seen or changed.
    pub obstacle: Option<Reason>,
    /// New replicas that failed and are to be removed, whatever `action` says.
    pub rollback: Vec<ReplicaId>,
    /// Replicas to stop and remove on a scale-down.
    pub retire: Vec<ReplicaId>,
    /// The replica to stop and keep when the workload goes to zero.
    pub keep: Option<ReplicaId>,
    /// When cooldowns end.
    pub next_allowed: NextAllowed,
    /// When something changes without any new input: a cooldown, a settling, a verification ends.
    pub recheck_at: Option<Timestamp>,
}

/// Limits of each replica, before and after. Where there is no limit, docktor reckons with the host's capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// As they are.
    pub from: LimitSet,
    /// As they should be; the same where nothing changes.
    pub to: LimitSet,
    /// Kinds that have no limit before; what stands in `from` is the host's.
    pub unlimited_before: LimitKinds,
    /// Kinds that have no limit after, though they had one.
    pub unlimited_after: LimitKinds,
}

/// A way of scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// More or fewer of them.
    Replicas,
    /// Larger or smaller limits of each.
    Resources,
}

/// How much recommenders can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sight {
    /// Every metric that should be there is.
    #[default]
    Full,
    /// Some are missing.
    Partial,
    /// None is there.
    Blind,
}

/// A change by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drifted {
    /// What docktor had left.
    pub left: u32,
    /// docktor restored it too often, and gave up.
    pub contested: bool,
}

/// A change of limits by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsDrifted {
    /// From what docktor had left to what there is.
    pub change: Resize,
    /// docktor restored them too often, and gave up.
    pub contested: bool,
}

/// Why a decision is what it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// Nothing asks for another count.
    Steady,
    /// Nothing asks for other limits.
    SteadyLimits,
    /// Rules held.
    Rules {
        /// Those that held, with what they saw.
        held: Vec<Evidence>,
        /// For how many evaluations in a row.
        times: u32,
        /// How many it needed.
        needed: u32,
    },
    /// A metric is off its target value.
    Track {
        /// The metric's name.
        metric: Arc<str>,
        /// Its value.
        value: f64,
        /// The value to hold.
        target: f64,
        /// Per replica or not.
        per_replica: bool,
    },
    /// The forecast lays a floor.
    Forecast {
        /// The metric's name.
        metric: Arc<str>,
        /// The highest value to be reckoned with up to the horizon.
        value: f64,
        /// How far ahead that looks.
        horizon: Duration,
        /// What made the prediction.
        model: Model,
        /// Share of the futures that the value covers.
        confidence: f64,
        /// As many replicas as can take it.
        replicas: u32,
    },
    /// Metrics cannot be read, and the policy says how many replicas it then wants.
    Fallback,
    /// There is work, and nothing runs.
    Active,
    /// There has been no work for this long.
    Idle(Duration),
    /// Fewer than the minimum.
    BelowMin(u32),
    /// More than the maximum.
    AboveMax(u32),
    /// Somebody else changed the count from this one.
    Drift {
        /// What docktor had left.
        left: u32,
    },
    /// A limit is outside of its range.
    LimitsOutside,
    /// Somebody else changed the limits from these, which docktor restores.
    LimitsDrift(Box<LimitSet>),
    /// A limit is outside of what past use says.
    OutsideOfUse {
        /// Which limit.
        kind: LimitKind,
        /// What it is.
        present: f64,
        /// Below this it is too small.
        lower: f64,
        /// Above this it is too large.
        upper: f64,
    },
    /// A limit has long been off what past use says.
    OffTarget {
        /// Which limit.
        kind: LimitKind,
        /// What it is.
        present: f64,
        /// What it should be.
        target: f64,
    },
    /// The kernel killed for want of memory.
    OutOfMemory,
    /// A person asked for it.
    Person {
        /// Who.
        by: String,
    },
    /// Nothing runs, and it was not docktor that stopped it.
    TurnedOff {
        /// The command that starts it.
        start: Arc<str>,
    },
    /// The policy is switched off.
    Disabled,
    /// The target cannot be seen.
    Unreadable(Reason),
}

/// What one rule saw when it held.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// `metric op value`.
    Compared {
        /// The metric's name.
        metric: Arc<str>,
        /// Its value.
        value: f64,
        /// How it was compared.
        op: Op,
        /// With what.
        threshold: f64,
    },
    /// It lay in its band.
    Within {
        /// The rule's text.
        rule: Arc<str>,
        /// The metric's value.
        value: f64,
    },
    /// The expression is true.
    Expression(Arc<str>),
}

/// What kept a decision from what was recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limitation {
    /// A higher recommendation of the window.
    ScaleDownWindow(Duration),
    /// A lower recommendation of the window.
    ScaleUpWindow(Duration),
    /// Rate limits of scaleUp.
    ScaleUpLimit,
    /// Rate limits of scaleDown.
    ScaleDownLimit,
    /// `scaleDown.step`.
    ScaleDownStep,
    /// What is to come needs so many.
    Forecast(u32),
    /// `scaleDown.rules` do not hold.
    ScaleDownRules,
    /// Metrics are missing.
    MissingMetrics,
    /// The cooldown of scaleUp, until then.
    ScaleUpCooldown(Timestamp),
    /// The cooldown of scaleDown, until then.
    ScaleDownCooldown(Timestamp),
    /// The minimum.
    Min(u32),
    /// The maximum.
    Max(u32),
    /// The target can have no more.
    Ceiling(u32),
    /// The minimum of a limit.
    LimitMin(LimitKind),
    /// The maximum of a limit.
    LimitMax(LimitKind),
    /// The host has no more to give, its reserve aside.
    Host(LimitKind),
    /// Present use, with its headroom.
    InUse(LimitKind),
    /// Present use is not known.
    UseUnknown(LimitKind),
    /// What would be taken away was in use when docktor was at it; not before then again.
    PutOff(Timestamp),
    /// A change smaller than `minStep` is not worth making.
    MinStep(LimitKind),
    /// It is the turn of the other way of scaling, this one.
    Turn(Dimension),
    /// A change by others settles until then.
    Settling(Timestamp),
    /// A change by others is kept until then.
    DriftHold(Timestamp),
    /// docktor gave up restoring.
    DriftContested,
    /// A person holds it until then.
    Hold(Timestamp),
    /// The file `STOP` is there.
    Stop,
    /// Another policy owns the target.
    Conflict,
    /// The mode.
    Mode,
    /// A person has not approved it yet.
    Approval,
    /// A person has rejected it; it is not asked again until then.
    Rejected(Timestamp),
    /// The target cannot be changed at present.
    Blocked(Reason),
    /// docktor stopped trying, until then or until `resume`.
    Failed(Option<Timestamp>),
    /// A replica is starting or under verification.
    Unfinished,
    /// `maxScaleDownsPerHour`, until then.
    ScaleDownsPerHour(Timestamp),
}

/// What one stage made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The stage.
    pub stage: Stage,
    /// The number after it, where it has one.
    pub replicas: Option<u32>,
    /// What it did.
    pub note: Note,
}

/// What a stage did.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// What was seen.
    Seen {
        /// Replicas that run, start or restart.
        current: u32,
        /// Ready ones.
        ready: u32,
        /// Ones docktor is starting, on top of `current`.
        starting: u32,
        /// New ones that failed.
        failed: u32,
    },
    /// A metric that could not be had.
    Missing(Arc<str>),
    /// scaleUp or scaleDown rules held and recommend.
    Fired(Why),
    /// Rules held, but not often enough in a row.
    NotYet {
        /// How often in a row.
        times: u32,
        /// How often it needs.
        needed: u32,
    },
    /// Target tracking.
    Tracked(Why),
    /// The floor that the forecast lays.
    Forecast(Why),
    /// The forecast has not seen enough yet.
    Learning {
        /// So much of the past is known.
        has: Duration,
        /// So much must be.
        needs: Duration,
    },
    /// The present limits.
    Limits(Box<Resize>),
    /// Limits that are recommended.
    Resized {
        /// From the present ones.
        resize: Box<Resize>,
        /// By this step, where it is one.
        step: Option<Step>,
    },
    /// Nobody has an opinion.
    NoOpinion,
    /// The fallback applies.
    Fallback,
    /// The largest of several.
    Largest {
        /// How many recommendations there were.
        of: u32,
    },
    /// Kept from it.
    Limited(Limitation),
    /// The gate between 0 and 1.
    Activation(Why),
    /// A bound, drift or a person decides.
    Bound(Why),
    /// The schedule that is active.
    Schedule(Arc<str>),
    /// Changes by others go on as they are.
    Adopted {
        /// What docktor had left.
        left: u32,
    },
    /// A person has approved it.
    Approved {
        /// The proposal's id.
        id: String,
        /// Who.
        by: String,
    },
    /// Changes of limits by others go on as they are.
    LimitsAdopted(Box<Resize>),
    /// Nothing stands in the way.
    Open,
}

/// Raw material of one condition; the controller adds the time of its last transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it speaks of.
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

impl Decision {
    /// Does it ask the controller to do something?
    #[must_use]
    pub fn wants_action(&self) -> bool {
        (self.act && self.action != Action::None) || !self.rollback.is_empty()
    }

    /// How many replicas are to be made.
    #[must_use]
    pub const fn grow_by(&self) -> u32 {
        self.desired.saturating_sub(self.from)
    }

    /// Why, in one line.
    #[must_use]
    pub fn reason(&self) -> String {
        self.why.to_string()
    }

    /// The intent of its action, to be put on disk first.
    #[must_use]
    pub fn intent(&self, id: super::change::ChangeId) -> Intent {
        let retire = self.retire.iter().chain(&self.keep).cloned().collect();
        Intent {
            id,
            at: self.at,
            from: self.from,
            to: self.desired,
            retire,
            reason: self.reason(),
            approval: self.approval.clone(),
            limits: None,
        }
    }

    /// As it is shown and stored.
    #[must_use]
    pub fn record(&self) -> DecisionRecord {
        DecisionRecord {
            time: self.at,
            action: self.action,
            from: self.from,
            to: self.desired,
            reason: self.reason(),
            limited_by: self.limited_by.map(|it| it.to_string()),
            trail: self.trail.iter().map(Line::render).collect(),
            limits: self.resize.as_ref().map(|it| Box::new(it.after())),
            limits_before: self.resize.as_ref().filter(|it| it.changes()).map(|it| Box::new(it.before())),
            approval: self.approval.clone(),
        }
    }
}

impl Resize {
    /// From these limits to those; a kind that is only in `to` had none.
    #[must_use]
    pub fn between(from: LimitSet, to: LimitSet) -> Self {
        let none = LimitKinds::default();
        Self { from, to, unlimited_before: none, unlimited_after: none }
    }

    /// The limits that there are before.
    #[must_use]
    pub fn before(&self) -> LimitSet {
        self.from.without(self.unlimited_before)
    }

    /// The limits that there are after. Where there was none and nothing changes, there is none.
    #[must_use]
    pub fn after(&self) -> LimitSet {
        let stays = |kind: &LimitKind| self.from.get(*kind) == self.to.get(*kind);
        let unlimited =
            LimitKind::ALL.into_iter().filter(|it| self.unlimited_before.contains(*it) && stays(it));
        self.to.without(unlimited.collect()).without(self.unlimited_after)
    }

    /// Is anything to change?
    #[must_use]
    pub fn changes(&self) -> bool {
        self.from != self.to
    }

    /// The kinds that change, with what they change to.
    pub fn changed(&self) -> impl Iterator<Item = (LimitKind, f64)> + '_ {
        self.to.iter().filter(|(kind, to)| self.from.get(*kind).is_none_or(|from| from.total_cmp(to).is_ne()))
    }
}

impl Line {
    /// As it is shown and stored.
    #[must_use]
    pub fn render(&self) -> TrailLine {
        TrailLine { stage: self.stage, replicas: self.replicas, message: self.note.to_string() }
    }
}

impl Limitation {
    /// When it ends by time alone.
    #[must_use]
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::ScaleUpCooldown(until)
            | Self::ScaleDownCooldown(until)
            | Self::Settling(until)
            | Self::DriftHold(until)
            | Self::PutOff(until)
            | Self::Hold(until)
            | Self::Rejected(until)
            | Self::ScaleDownsPerHour(until) => Some(until),
            Self::Failed(until) => until,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_limit_the_capacity_that_is_reckoned_with_is_not_shown_as_one() {
        let set = |quota, tasks| {
            [(LimitKind::CpuQuota, quota), (LimitKind::TasksMax, tasks)].into_iter().collect::<LimitSet>()
        };
        let none: LimitKinds = LimitKind::ALL.into_iter().collect();
        let shrinks =
            Resize { unlimited_before: none, ..Resize::between(set(200.0, 3_474.0), set(100.0, 3_474.0)) };
        assert_eq!(shrinks.to_string(), "cpuQuota none -> 100%");
        assert_eq!(
            (shrinks.before().to_string(), shrinks.after().to_string()),
            (String::new(), "cpuQuota 100%".into())
        );
        let told = Resize::between(shrinks.before(), shrinks.after());
        assert_eq!(told.to_string(), shrinks.to_string(), "as it is stored, so it is told");
        assert_eq!(Note::Limits(Box::new(shrinks)).to_string(), "limits: cpuQuota none, tasksMax none");

        let taken_away =
            Resize { unlimited_after: none, ..Resize::between(set(100.0, 50.0), set(200.0, 50.0)) };
        assert_eq!(taken_away.to_string(), "cpuQuota 100% -> none");
    }
}
