//! References to secrets. The value itself is never in a policy, and never printed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is found; exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Secret {
    /// An environment variable of the controller whose name begins with `DOCKTOR_SECRET_`.
    Env(#[schemars(regex(pattern = r"^DOCKTOR_SECRET_[A-Z0-9_]+$"))] String),
    /// A file below the secrets folder.
    File(PathBuf),
}
