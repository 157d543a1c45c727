//! Conditions, in Kubernetes' form. The list of types is closed; everything else is a reason.

use serde::{Deserialize, Serialize};

use crate::units::Timestamp;

/// What a condition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// The policy is valid, owns its target and is under control.
    Ready,
    /// Its metrics can be read.
    ScalingActive,
    /// Its target is found and the actuator answers.
    AbleToScale,
    /// A bound or a limit keeps the count from what is recommended.
    ScalingLimited,
    /// docktor itself brought the workload to zero.
    ScaledToZero,
    /// The fallback decides.
    Fallback,
    /// Somebody else changed the workload.
    Drifted,
    /// A change is under way. Only there when true.
    Reconciling,
    /// Nothing will happen without a person. Only there when true.
    Stalled,
}

impl ConditionType {
    /// Is it left out while false?
    #[must_use]
    pub const fn abnormal_true(self) -> bool {
        matches!(self, Self::Reconciling | Self::Stalled)
    }
}

/// Whether it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Why, in one word that programs may rely on; grouped by the type that mostly bears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each name says what it means; docs/conditions.md has a sentence for each")]
pub enum Reason {
    // Ready
    Reconciled,
    InvalidPolicy,
    Conflict,
    NotSupportedYet,
    Disabled,
    Held,
    AwaitingApproval,
    Stopped,
    TooManyFailures,
    Observing,
    // ScalingActive
    MetricsAvailable,
    MetricsMissing,
    MetricsPartial,
    TurnedOff,
    // AbleToScale
    TargetFound,
    CoolingDown,
    TargetNotFound,
    EngineUnreachable,
    ActionFailed,
    FixedContainerName,
    HostPort,
    StaticAddress,
    StaleNamespace,
    RolloutInProgress,
    ImageMoved,
    ImageMissing,
    EnvironmentDrift,
    SwarmManaged,
    MixedProject,
    NotCloneable,
    SharedVolume,
    DependencyNotReady,
    PermissionDenied,
    UnitNotUsable,
    NotDelegated,
    DaemonReloadNeeded,
    SliceLimit,
    // ScalingLimited
    DesiredWithinRange,
    TooFewReplicas,
    TooManyReplicas,
    LimitAtMinimum,
    LimitAtMaximum,
    HostReserve,
    LimitInUse,
    ScaleUpLimit,
    ScaleDownLimit,
    ScaleUpStabilized,
    ScaleDownStabilized,
    // ScaledToZero
    ScaledToZero,
    NotScaledToZero,
    // Fallback
    FallbackActive,
    FallbackInactive,
    // Drifted
    NoDrift,
    ReplicasChanged,
    LimitsChanged,
    DriftContested,
    // Reconciling
    Starting,
    Verifying,
    Draining,
    RollingBack,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it speaks of.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// Since when `status` is what it is.
    pub last_transition_time: Timestamp,
}
