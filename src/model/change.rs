//! Changes of the world that docktor makes: written down before, finished or undone after.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::observation::ReplicaId;
use crate::api::limits::{LimitSet, NewLimit};
use crate::units::Timestamp;

/// Which change; the value of the label `dev.docktor.change`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(Arc<str>);

impl ChangeId {
    /// The change of that id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as it stands in the label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A change that is on disk before anything is done, and until its outcome is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Its id.
    pub id: ChangeId,
    /// When it was decided.
    pub at: Timestamp,
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
    /// Replicas that go; empty for a change upwards.
    #[serde(default)]
    pub retire: Vec<ReplicaId>,
    /// Why, in one line.
    pub reason: String,
    /// The approval that it used, if it needed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The limits that it changes, where it changes those and not the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Box<LimitChange>>,
}

/// A change of limits, from its intent until it is verified or undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitChange {
    /// The limits that hold until it is verified, and again if it is not.
    pub from: LimitSet,
    /// The limits that it is to bring.
    pub to: LimitSet,
    /// Each replica as it was before.
    pub replicas: BTreeMap<ReplicaId, Before>,
    /// How far it has got.
    pub stage: LimitStage,
}

/// A replica before its limits were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// The limits that the change sets, as they were.
    pub limits: Vec<NewLimit>,
    /// How often it had been restarted after a failure.
    #[serde(default)]
    pub restarts: u32,
    /// Its health check failed already.
    #[serde(default)]
    pub unhealthy: bool,
}

/// How far a change of limits has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitStage {
    /// Limits are being set.
    Applying,
    /// They are set since then; the replicas have to stay healthy.
    Verifying(Timestamp),
    /// It failed; the limits from before are being brought back.
    Undoing,
}

impl LimitChange {
    /// Which way limits go: up where any does.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.from.iter().any(|(kind, from)| self.to.get(kind).is_some_and(|to| to > from))
    }
}

impl Intent {
    /// Does it make replicas?
    #[must_use]
    pub const fn grows(&self) -> bool {
        self.retire.is_empty() && self.limits.is_none()
    }

    /// The replica that is stopped and kept when the workload goes to zero: the last of those that go.
    #[must_use]
    pub fn kept(&self) -> Option<&ReplicaId> {
        if self.to == 0 { self.retire.last() } else { None }
    }
}
