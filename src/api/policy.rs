//! `ScalingPolicy`: how one workload is scaled.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Metadata;
use super::behavior::{Direction, Drift, Fallback, Forecast, Safety, ScaleIn, Schedule, Track};
use super::metric::MetricSource;
use super::resources::Resources;
use super::target::Target;
use crate::units::Duration;

/// How one workload is scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalingPolicy {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `ScalingPolicy`.
    pub kind: String,
    /// Name and labels.
    pub metadata: Metadata,
    /// What to scale, and how.
    pub spec: PolicySpec,
}

/// What to scale, and how, as it was written. A `ScalingProfile` has the same fields, save `target` and `profile`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    /// The workload. Required in a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The `ScalingProfile` that fills what is not written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How far docktor may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Time between two evaluations; 10s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Samples are averaged over it; `interval` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// Horizontal scaling: how many replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Vertical scaling: the limits of the unit or of each container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Which acts first where both `replicas` and `resources` are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// A replica younger than this does not count in averages; 60s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Duration>,
    /// How long after its start a replica without health check is taken for ready; 30s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_delay: Option<Duration>,
    /// Where values come from, by name. Those of the target itself need no entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, MetricSource>>,
    /// When and how the workload grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<Direction>,
    /// When and how the workload shrinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<Direction>,
    /// Target tracking; the largest recommendation wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Vec<Track>>,
    /// Times with their own minimum and maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Vec<Schedule>>,
    /// A prediction that may raise the count ahead of the load, never lower it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// How many replicas when metrics cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// Which replica goes, and how it is emptied before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_in: Option<ScaleIn>,
    /// What to do when somebody else changes the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Verification of changes, and when to stop trying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// Who comes first when a `HostBudget` does not suffice for all; higher first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// The `Notifier`s that are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Vec<String>>,
    /// What becomes of the workload when the policy is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<OnDelete>,
}

/// How far docktor may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Decide and act.
    #[default]
    Auto,
    /// Decide, then wait for a person's approval.
    Approve,
    /// Decide and record, without side effects.
    Observe,
    /// Nothing at all.
    Disabled,
}

impl Mode {
    /// Does it make changes, be it after a person was asked?
    #[must_use]
    pub const fn acts(self) -> bool {
        matches!(self, Self::Auto | Self::Approve)
    }
}

/// Which way of scaling acts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Order {
    /// More replicas before larger ones.
    ReplicasFirst,
    /// Larger replicas before more of them.
    ResourcesFirst,
}

/// What becomes of the workload when its policy is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnDelete {
    /// It stays as it is.
    #[default]
    Keep,
    /// It goes back to what docktor found.
    Restore,
}

/// How many replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replicas {
    /// Fewest; 1 by default. 0 lets an idle workload go to zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// Most. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How many run while idle; below `min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u32>,
    /// Without activity for this long, the workload is idle; 5m by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_after: Option<Duration>,
    /// The same for a workload that was never active; 0s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_idle_after: Option<Duration>,
}
