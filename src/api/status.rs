//! `ScalingPolicyStatus`: what the `.status.yaml` sidecar holds. Output only; docktor never reads it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::limits::LimitSet;
use crate::units::Timestamp;

/// One document of a sidecar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicyStatus {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `ScalingPolicyStatus`.
    pub kind: String,
    /// Name and generation.
    pub metadata: StatusMetadata,
    /// The status itself.
    pub status: Status,
}

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusMetadata {
    /// The policy's name, or `<file>#<index>` where it has none that can be read.
    pub name: String,
    /// docktor's own counter of changes of the spec.
    pub generation: u64,
}

/// How a policy fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The generation that this speaks of.
    pub observed_generation: u64,
    /// The text that this speaks of.
    pub source: SourceRef,
    /// The one word.
    pub phase: Phase,
    /// Counts; absent until the target was seen once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaCounts>,
    /// Limits of each replica; only of a policy that moves them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitLevels>,
    /// Present values; a missing one is left out.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Kubernetes' conditions.
    pub conditions: Vec<Condition>,
    /// The last decision, with its trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_decision: Option<DecisionRecord>,
    /// When docktor last changed the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Timestamp>,
    /// When cooldowns end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_allowed: Option<NextAllowed>,
}

/// The text that a status speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRef {
    /// Path below the policy folder.
    pub file: String,
    /// Which document of the file, from 0.
    pub document: usize,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
}

/// How a policy fares, in one word; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// The document is wrong.
    Invalid,
    /// Mode `Disabled`.
    Disabled,
    /// docktor stopped trying.
    Failed,
    /// A person holds it.
    Held,
    /// A change waits for a person.
    AwaitingApproval,
    /// Metrics or the target cannot be read.
    Degraded,
    /// Replicas are being added.
    ScalingUp,
    /// Replicas are being removed.
    ScalingDown,
    /// All is well.
    Active,
    /// No controller has reported on it. Only `docktorctl` without a controller shows this; no sidecar has it.
    Unknown,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaCounts {
    /// Running, starting and restarting.
    pub current: u32,
    /// Able to work.
    pub ready: u32,
    /// What docktor wants.
    pub desired: u32,
    /// Fewest, as schedules now have it.
    pub min: u32,
    /// Most, as schedules now have it.
    pub max: u32,
}

/// Limits of each replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitLevels {
    /// As they are.
    pub current: LimitSet,
    /// What docktor wants.
    pub desired: LimitSet,
}

/// When cooldowns end; absent where none runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextAllowed {
    /// The next scale-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<Timestamp>,
    /// The next scale-down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Timestamp>,
}

/// What a decision did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The count stays.
    None,
    /// More replicas.
    ScaleUp,
    /// Fewer replicas.
    ScaleDown,
}

impl Action {
    /// The action that leads from `from` to `to` replicas.
    #[must_use]
    pub fn between(from: u32, to: u32) -> Self {
        match to.cmp(&from) {
            std::cmp::Ordering::Greater => Self::ScaleUp,
            std::cmp::Ordering::Less => Self::ScaleDown,
            std::cmp::Ordering::Equal => Self::None,
        }
    }
}

/// A stage of the pipeline, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What was seen.
    Observe,
    /// What rules, tracking and forecast would like.
    Recommend,
    /// What to do when metrics are missing.
    Fallback,
    /// Several recommendations become one.
    Combine,
    /// The 0 ↔ 1 gate.
    Activate,
    /// Look back and take the safest.
    Stabilize,
    /// Rate limits, then cooldown.
    Limit,
    /// Minimum, maximum, drift and a person's wish.
    Bound,
    /// Mode, hold, STOP, conflict, budget, failures.
    Gate,
}

/// A decision as it is shown and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// When it was made.
    pub time: Timestamp,
    /// What it did.
    pub action: Action,
    /// Replicas before.
    pub from: u32,
    /// Replicas wanted.
    pub to: u32,
    /// Why, in one line.
    pub reason: String,
    /// What kept it from what was recommended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<String>,
    /// A line from each stage that had something to say.
    pub trail: Vec<TrailLine>,
    /// Limits wanted of each replica, where the policy moves them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Box<LimitSet>>,
    /// Limits before, where they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_before: Option<Box<LimitSet>>,
    /// The approval that it used, in mode `Approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// What one stage made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrailLine {
    /// The stage.
    pub stage: Stage,
    /// The number after it, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// What it did, for people.
    pub message: String,
}
