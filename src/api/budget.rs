//! `HostBudget`: what all policies of this host may use together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::units::Bytes;

/// What all policies of this host may use together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostBudget {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `HostBudget`.
    pub kind: String,
    /// Name and labels.
    pub metadata: Metadata,
    /// The amounts.
    pub spec: HostBudgetSpec,
}

/// Amounts that the policies share; policies of higher `priority` come first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostBudgetSpec {
    /// Cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
}
