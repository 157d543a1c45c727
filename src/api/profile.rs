//! `ScalingProfile`: named defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Metadata;
use super::policy::PolicySpec;

/// Named defaults that a policy's `profile` refers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalingProfile {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `ScalingProfile`.
    pub kind: String,
    /// Name and labels.
    pub metadata: Metadata,
    /// What a policy has that does not say otherwise; without `target` and `profile`.
    pub spec: PolicySpec,
}
