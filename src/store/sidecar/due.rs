//! When a sidecar is written: at once when something happened, once a minute for values.

use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::api::status::{
    Action, DecisionRecord, Phase, ReplicaCounts, ScalingPolicyStatus, SourceRef, Status, StatusMetadata,
};
use crate::units::{Duration, Timestamp};

/// How often mere values are written.
pub const VALUES_EVERY: Duration = Duration::from_secs(60);

/// When a sidecar is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At once.
    Now,
    /// At that time, unless something happens before.
    At(Timestamp),
    /// Nothing changed.
    Never,
}

/// When the sidecar that was `last` written, at that time with those statuses, is to be written anew.
#[must_use]
pub fn due(
    last: Option<(Timestamp, &[ScalingPolicyStatus])>,
    statuses: &[ScalingPolicyStatus],
    now: Timestamp,
) -> Due {
    let Some((at, written)) = last else { return Due::Now };
    if written == statuses {
        return Due::Never;
    }
    let news = written.len() != statuses.len()
        || written.iter().zip(statuses).any(|(old, new)| Facts::of(old) != Facts::of(new));
    let values_at = at.plus(VALUES_EVERY);
    // A clock that was set back must not silence the sidecar.
    if news || now >= values_at || now < at { Due::Now } else { Due::At(values_at) }
}

/// What of a status is more than a value.
#[derive(PartialEq)]
struct Facts<'a> {
    metadata: &'a StatusMetadata,
    observed_generation: u64,
    source: &'a SourceRef,
    phase: Phase,
    replicas: Option<ReplicaCounts>,
    conditions: Vec<(ConditionType, ConditionStatus, Reason)>,
    /// A decision that changes nothing is made at every pass; its counts tell enough.
    decision: Option<(Action, u32, u32, Option<Timestamp>)>,
    last_scale_time: Option<Timestamp>,
}

impl<'a> Facts<'a> {
    fn of(document: &'a ScalingPolicyStatus) -> Self {
        let ScalingPolicyStatus { metadata, status, .. } = document;
        let Status { observed_generation, source, phase, replicas, conditions, last_decision, .. } = status;
        let bare = |it: &Condition| (it.kind, it.status, it.reason);
        let decision =
            |it: &DecisionRecord| (it.action, it.from, it.to, (it.action != Action::None).then_some(it.time));
        Self {
            metadata,
            observed_generation: *observed_generation,
            source,
            phase: *phase,
            replicas: *replicas,
            conditions: conditions.iter().map(bare).collect(),
            decision: last_decision.as_ref().map(decision),
            last_scale_time: status.last_scale_time,
        }
    }
}
