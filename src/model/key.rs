//! Which policy, and which version of its content.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which policy: its name, unique over the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyKey(Arc<str>);

impl PolicyKey {
    /// The key of the policy of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The policy's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// docktor's own counter of the changes of a policy's spec, from 1.
pub type Generation = u64;
