//! Changes of the world that docktor makes: written down before, finished or undone after.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::observation::ReplicaId;
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
}

impl Intent {
    /// The replica that is stopped and kept when the workload goes to zero: the last of those that go.
    #[must_use]
    pub fn kept(&self) -> Option<&ReplicaId> {
        if self.to == 0 { self.retire.last() } else { None }
    }
}
