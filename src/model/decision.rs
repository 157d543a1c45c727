//! A decision and its trail: what one pass wants, and what each stage made of it.
//!
//! The parts are plain values, rendered as text only when somebody looks.

use std::fmt;
use std::sync::Arc;

use super::change::Intent;
use super::memory::Purpose;
use super::observation::ReplicaId;
use crate::api::behavior::Op;
use crate::api::condition::{ConditionStatus, ConditionType, Reason};
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
    /// What leads from `from` to `desired`.
    pub action: Action,
    /// Whether the action is to be carried out: not in mode `Observe`.
    pub act: bool,
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

/// Why a decision is what it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// Nothing asks for another count.
    Steady,
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
    /// A person asked for it.
    Person {
        /// Who.
        by: String,
    },
    /// Somebody else turned the workload off.
    TurnedOff,
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
            approval: None,
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
        }
    }
}

/// The conditions that a decision has something to say about.
impl Decision {
    /// `ScalingActive`, `AbleToScale`, `ScalingLimited`, `ScaledToZero`, `Fallback` and `Drifted`.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        vec![
            self.scaling_active(),
            self.able_to_scale(),
            self.scaling_limited(),
            self.at_zero(),
            self.falling_back(),
            self.drift(),
        ]
    }

    fn scaling_active(&self) -> Finding {
        let (status, reason, message) = match (&self.why, self.sight) {
            (Why::TurnedOff, _) => (ConditionStatus::False, Reason::TurnedOff, self.reason()),
            (Why::Disabled, _) => (ConditionStatus::False, Reason::Disabled, self.reason()),
            (Why::Unreadable(_), _) => (ConditionStatus::Unknown, Reason::MetricsMissing, self.reason()),
            (_, Sight::Full) => {
                (ConditionStatus::True, Reason::MetricsAvailable, "metrics can be read".to_owned())
            }
            (_, Sight::Partial) => (ConditionStatus::Unknown, Reason::MetricsPartial, self.what_is_missing()),
            (_, Sight::Blind) => (ConditionStatus::False, Reason::MetricsMissing, self.what_is_missing()),
        };
        Finding { kind: ConditionType::ScalingActive, status, reason, message }
    }

    fn what_is_missing(&self) -> String {
        format!("no value of {}", self.missing.join(", "))
    }

    fn able_to_scale(&self) -> Finding {
        let cooling = [self.next_allowed.up, self.next_allowed.down].into_iter().flatten().min();
        let (status, reason, message) = match (self.obstacle, cooling) {
            (Some(reason), _) => {
                (ConditionStatus::False, reason, format!("the target cannot be changed: {reason:?}"))
            }
            (None, Some(until)) => {
                (ConditionStatus::True, Reason::CoolingDown, format!("a cooldown runs until {until}"))
            }
            (None, None) => (ConditionStatus::True, Reason::TargetFound, "the target is there".to_owned()),
        };
        Finding { kind: ConditionType::AbleToScale, status, reason, message }
    }

    fn scaling_limited(&self) -> Finding {
        let limited = self.limited_by.and_then(|it| Some((it.reason()?, it)));
        let (status, reason, message) = match limited {
            Some((reason, limitation)) => (ConditionStatus::True, reason, format!("kept by {limitation}")),
            None => {
                let message = "what is wanted is what is recommended".to_owned();
                (ConditionStatus::False, Reason::DesiredWithinRange, message)
            }
        };
        Finding { kind: ConditionType::ScalingLimited, status, reason, message }
    }

    fn at_zero(&self) -> Finding {
        let (reason, message) = if self.scaled_to_zero {
            (Reason::ScaledToZero, "docktor brought it to zero, and wakes it when there is work")
        } else {
            (Reason::NotScaledToZero, "docktor did not bring it to zero")
        };
        let status = ConditionStatus::from(self.scaled_to_zero);
        Finding { kind: ConditionType::ScaledToZero, status, reason, message: message.to_owned() }
    }

    fn falling_back(&self) -> Finding {
        let (reason, message) = if self.fallback {
            (Reason::FallbackActive, self.what_is_missing())
        } else {
            (Reason::FallbackInactive, "metrics decide".to_owned())
        };
        let status = ConditionStatus::from(self.fallback);
        Finding { kind: ConditionType::Fallback, status, reason, message }
    }

    fn drift(&self) -> Finding {
        let (reason, message) = match self.drifted {
            None => (Reason::NoDrift, "the count is what docktor left".to_owned()),
            Some(Drifted { left, contested: false }) => {
                let message = format!("somebody else changed the count from {left} to {}", self.current);
                (Reason::ReplicasChanged, message)
            }
            Some(Drifted { left, contested: true }) => {
                let message = format!("somebody else keeps undoing the count of {left}; docktor gave up");
                (Reason::DriftContested, message)
            }
        };
        let status = ConditionStatus::from(self.drifted.is_some());
        Finding { kind: ConditionType::Drifted, status, reason, message }
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
            | Self::Hold(until)
            | Self::ScaleDownsPerHour(until) => Some(until),
            Self::Failed(until) => until,
            _ => None,
        }
    }

    /// The reason that `ScalingLimited` bears; none where the limitation is no bound or limit of the policy.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        Some(match self {
            Self::ScaleDownWindow(_) => Reason::ScaleDownStabilized,
            Self::ScaleUpWindow(_) => Reason::ScaleUpStabilized,
            Self::ScaleUpLimit | Self::ScaleUpCooldown(_) => Reason::ScaleUpLimit,
            Self::ScaleDownLimit
            | Self::ScaleDownStep
            | Self::ScaleDownCooldown(_)
            | Self::ScaleDownsPerHour(_) => Reason::ScaleDownLimit,
            Self::Min(_) => Reason::TooFewReplicas,
            Self::Max(_) => Reason::TooManyReplicas,
            Self::Ceiling(_) => Reason::TooManyReplicas,
            _ => return None,
        })
    }
}

impl Line {
    /// As it is shown and stored.
    #[must_use]
    pub fn render(&self) -> TrailLine {
        TrailLine { stage: self.stage, replicas: self.replicas, message: self.note.to_string() }
    }
}

/// A number for people: enough digits to tell it from its threshold, and no more.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            size if size >= 10.0 => 1,
            size if size >= 1.0 => 2,
            _ => 4,
        };
        let text = format!("{:.digits$}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compared { metric, value, op, threshold } => {
                write!(f, "{metric} {} {op} {threshold}", Short(*value))
            }
            Self::Within { rule, value } => write!(f, "{rule} (now {})", Short(*value)),
            Self::Expression(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steady => f.write_str("nothing asks for another count"),
            Self::Rules { held, times, needed } => {
                for (index, evidence) in held.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" and ")?;
                    }
                    write!(f, "{evidence}")?;
                }
                if *needed > 1 { write!(f, " ({} of {needed})", times.min(needed)) } else { Ok(()) }
            }
            Self::Track { metric, value, target, per_replica } => {
                let each = if *per_replica { " per replica" } else { "" };
                write!(f, "{metric} {}, target {}{each}", Short(*value), Short(*target))
            }
            Self::Fallback => f.write_str("metrics cannot be read, the fallback decides"),
            Self::Active => f.write_str("there is work and nothing runs"),
            Self::Idle(after) => write!(f, "no work for {after}"),
            Self::BelowMin(min) => write!(f, "below the minimum of {min}"),
            Self::AboveMax(max) => write!(f, "above the maximum of {max}"),
            Self::Drift { left } => write!(f, "somebody else changed the count from {left}"),
            Self::Person { by } => write!(f, "asked for by {by}"),
            Self::TurnedOff => {
                f.write_str("somebody else turned the workload off; docktor waits until a replica runs")
            }
            Self::Disabled => f.write_str("mode Disabled"),
            Self::Unreadable(reason) => write!(f, "the target cannot be seen: {reason:?}"),
        }
    }
}

impl fmt::Display for Limitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScaleDownWindow(window) => {
                write!(f, "scaleDown.stabilizationWindow: a higher recommendation within {window}")
            }
            Self::ScaleUpWindow(window) => {
                write!(f, "scaleUp.stabilizationWindow: a lower recommendation within {window}")
            }
            Self::ScaleUpLimit => f.write_str("scaleUp.limits"),
            Self::ScaleDownLimit => f.write_str("scaleDown.limits"),
            Self::ScaleDownStep => f.write_str("scaleDown.step"),
            Self::ScaleDownRules => f.write_str("scaleDown.rules do not hold"),
            Self::MissingMetrics => f.write_str("metrics are missing, so nothing goes down"),
            Self::ScaleUpCooldown(until) => write!(f, "scaleUp.cooldown until {until}"),
            Self::ScaleDownCooldown(until) => write!(f, "scaleDown.cooldown until {until}"),
            Self::Min(min) => write!(f, "the minimum of {min}"),
            Self::Max(max) => write!(f, "the maximum of {max}"),
            Self::Ceiling(most) => write!(f, "the target, which can have no more than {most}"),
            Self::Settling(until) => write!(f, "a change by somebody else, which settles until {until}"),
            Self::DriftHold(until) => write!(f, "a change by somebody else, which is kept until {until}"),
            Self::DriftContested => f.write_str("somebody else, who keeps undoing what docktor restores"),
            Self::Hold(until) => write!(f, "a hold until {until}"),
            Self::Stop => f.write_str("the file STOP"),
            Self::Conflict => f.write_str("another policy that owns the target"),
            Self::Mode => f.write_str("the mode"),
            Self::Blocked(reason) => write!(f, "the target: {reason:?}"),
            Self::Failed(Some(until)) => write!(f, "too many failures, until {until}"),
            Self::Failed(None) => f.write_str("too many failures, until `resume`"),
            Self::Unfinished => f.write_str("a replica that is starting or under verification"),
            Self::ScaleDownsPerHour(until) => write!(f, "safety.maxScaleDownsPerHour until {until}"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen { current, ready, starting, failed } => {
                write!(f, "{current} running, {ready} ready")?;
                if *starting > 0 {
                    write!(f, ", {starting} more being started")?;
                }
                if *failed > 0 {
                    write!(f, ", {failed} new failed")?;
                }
                Ok(())
            }
            Self::Missing(metric) => write!(f, "{metric} is missing"),
            Self::Fired(why) | Self::Tracked(why) | Self::Activation(why) | Self::Bound(why) => {
                write!(f, "{why}")
            }
            Self::NotYet { times, needed } => write!(f, "rules hold, {times} of {needed} in a row"),
            Self::NoOpinion => f.write_str("no opinion"),
            Self::Fallback => f.write_str("metrics cannot be read, the fallback decides"),
            Self::Largest { of } => write!(f, "the largest of {of}"),
            Self::Limited(limitation) => write!(f, "kept by {limitation}"),
            Self::Schedule(name) => write!(f, "schedule {name} is active"),
            Self::Adopted { left } => write!(f, "somebody else changed the count from {left}; adopted"),
            Self::Open => f.write_str("nothing stands in the way"),
        }
    }
}
