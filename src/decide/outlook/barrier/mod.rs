//! Barriers: what forbids to go one way, and what ends each of them.

mod pace;
mod present;

use serde::{Deserialize, Serialize};

use super::super::recommend::Way;
use super::MetricSeen;
use crate::api::condition::Reason;
use crate::api::policy::Mode;
use crate::units::{Duration, Timestamp};

pub(super) use pace::first_room;
pub(super) use present::{barriers, max_set_by, min_set_by, of_limitation, out_of_control, shrinking};

/// What forbids to go one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Barrier {
    /// Nothing runs, and it was not docktor that stopped it.
    TurnedOff,
    /// The target cannot be seen.
    Unreadable {
        /// Why.
        reason: Reason,
    },
    /// The mode.
    Mode {
        /// Which.
        mode: Mode,
    },
    /// In mode `Approve` a person is asked first.
    AsksFirst,
    /// A change waits for a person.
    AwaitingApproval {
        /// Its id.
        id: String,
        /// Until when it waits; then it is asked anew.
        asked_until: Timestamp,
    },
    /// A person has rejected the change.
    Rejected {
        /// Who.
        by: String,
        /// Until when it is not asked again.
        not_asked_until: Timestamp,
        /// Why, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The file `STOP`.
    Stop,
    /// Another policy owns the target.
    Conflict,
    /// The target cannot be changed at present.
    Blocked {
        /// Why.
        reason: Reason,
    },
    /// A person holds the count.
    Hold {
        /// Who.
        by: String,
        /// Until when.
        until: Timestamp,
        /// Why, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person wants this count.
    Wish {
        /// Who.
        by: String,
        /// How many replicas.
        replicas: u32,
        /// Until when.
        until: Timestamp,
    },
    /// docktor stopped trying.
    Failed {
        /// How many changes failed in a row.
        in_a_row: u32,
        /// When it tries again; absent where it waits for `resume`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Replicas are starting or under verification.
    Unfinished {
        /// How many are known of.
        replicas: u32,
        /// When the last is done, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A change by somebody else may still go on.
    Settling {
        /// When it has settled.
        until: Timestamp,
        /// The count that docktor then restores; absent where the policy says otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restores: Option<u32>,
    },
    /// A change by somebody else is kept.
    DriftHold {
        /// Until when.
        until: Timestamp,
    },
    /// Somebody else keeps undoing what docktor restores.
    DriftContested,
    /// Metrics are missing, so nothing goes down.
    MissingMetrics {
        /// Which, and why they have no value.
        metrics: Vec<MetricSeen>,
    },
    /// `scaleDown.rules` do not hold.
    ScaleDownRules,
    /// `scaleDown.step` bounds one scale-down.
    ScaleDownStep,
    /// What is to come needs so many.
    Forecast {
        /// How many.
        replicas: u32,
    },
    /// What keeps limits of the replicas from being changed.
    Resources {
        /// In words.
        message: String,
    },
    /// Nothing in the policy asks for it.
    NobodyAsks,
    /// There is work, or was lately, so that one replica stays.
    Working {
        /// When it rests if no work comes, where it does so by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It is at rest, and only work wakes it.
    AtRest,
    /// A recommendation of the stabilization window: the highest of scaleDown's, the lowest of scaleUp's.
    Window {
        /// Whose window.
        way: Way,
        /// How many replicas it was for.
        recommended: u32,
        /// How long the window is.
        window: Duration,
        /// When the last recommendation that forbids it leaves the window.
        until: Timestamp,
    },
    /// `select: Disabled`.
    Disabled {
        /// Whose.
        way: Way,
    },
    /// Rate limits.
    RateLimit {
        /// Whose.
        way: Way,
        /// As far as this it may go now.
        reach: u32,
        /// When it may go farther, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A cooldown.
    Cooldown {
        /// Whose.
        way: Way,
        /// When it ends.
        until: Timestamp,
    },
    /// `safety.maxScaleDownsPerHour`.
    ScaleDownsPerHour {
        /// When the next is allowed.
        until: Timestamp,
    },
    /// The minimum.
    Min {
        /// How many.
        replicas: u32,
        /// What set it.
        set_by: SetBy,
    },
    /// The maximum.
    Max {
        /// How many.
        replicas: u32,
        /// What set it.
        set_by: SetBy,
    },
}

/// What set a bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetBy {
    /// `replicas` of the policy.
    Policy,
    /// An active schedule.
    Schedule(String),
    /// The target, which can have no more.
    Target,
}

impl Barrier {
    /// Does it give way to a minimum or maximum that the count lies beyond?
    #[must_use]
    pub const fn yields_to_bounds(&self) -> bool {
        match self {
            Self::MissingMetrics { .. }
            | Self::ScaleDownRules
            | Self::ScaleDownStep
            | Self::Forecast { .. }
            | Self::NobodyAsks
            | Self::Working { .. }
            | Self::Window { .. }
            | Self::Disabled { .. }
            | Self::RateLimit { .. }
            | Self::Cooldown { .. }
            | Self::Min { .. }
            | Self::Max { .. } => true,
            Self::TurnedOff
            | Self::Unreadable { .. }
            | Self::Mode { .. }
            | Self::AsksFirst
            | Self::AwaitingApproval { .. }
            | Self::Rejected { .. }
            | Self::Stop
            | Self::Conflict
            | Self::Blocked { .. }
            | Self::Hold { .. }
            | Self::Wish { .. }
            | Self::Failed { .. }
            | Self::Unfinished { .. }
            | Self::Settling { .. }
            | Self::DriftHold { .. }
            | Self::DriftContested
            | Self::Resources { .. }
            | Self::AtRest
            | Self::ScaleDownsPerHour { .. } => false,
        }
    }

    /// When it ends by time alone.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Hold { until, .. }
            | Self::Wish { until, .. }
            | Self::Settling { until, .. }
            | Self::DriftHold { until }
            | Self::Window { until, .. }
            | Self::Cooldown { until, .. }
            | Self::ScaleDownsPerHour { until } => Some(*until),
            Self::Failed { until, .. }
            | Self::Unfinished { until, .. }
            | Self::Working { until }
            | Self::RateLimit { until, .. } => *until,
            Self::TurnedOff
            | Self::Unreadable { .. }
            | Self::Mode { .. }
            | Self::AsksFirst
            | Self::AwaitingApproval { .. }
            | Self::Rejected { .. }
            | Self::Stop
            | Self::Conflict
            | Self::Blocked { .. }
            | Self::DriftContested
            | Self::MissingMetrics { .. }
            | Self::ScaleDownRules
            | Self::ScaleDownStep
            | Self::Forecast { .. }
            | Self::Resources { .. }
            | Self::NobodyAsks
            | Self::AtRest
            | Self::Disabled { .. }
            | Self::Min { .. }
            | Self::Max { .. } => None,
        }
    }
}
