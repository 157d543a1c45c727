//! The YAML contract, `docktor.dev/v1`: what people write, as types. Pure.
//!
//! The types hold what was written: a field that is not there is `None`, so that a profile can fill
//! it. `effective` lays the profile and the defaults under a policy; nothing further in looks at
//! the written form again.

pub mod behavior;
pub mod budget;
pub mod condition;
mod cron;
pub mod effective;
pub mod limits;
pub mod metric;
pub mod notifier;
pub mod path;
pub mod policy;
pub mod profile;
pub mod read;
pub mod resources;
pub mod schema;
pub mod secret;
pub mod status;
pub mod target;
pub mod target_metric;
pub mod trend_metric;
pub mod validate;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The one API version of this build.
pub const API_VERSION: &str = "docktor.dev/v1";
/// The kinds of documents that a policy folder holds.
pub const KINDS: [&str; 4] = ["ScalingPolicy", "ScalingProfile", "HostBudget", "Notifier"];

/// What every document carries besides its `spec`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Unique among the documents of its kind in the folder; an RFC 1123 label.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// For selection: `docktorctl get policies -l tier=front`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For people and other programs; docktor does not read them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One document of the policy folder.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// How one workload is scaled.
    ScalingPolicy(policy::ScalingPolicy),
    /// Named defaults.
    ScalingProfile(profile::ScalingProfile),
    /// What all policies of the host may use together.
    HostBudget(budget::HostBudget),
    /// Where events are told.
    Notifier(notifier::Notifier),
}

impl Document {
    /// As people write it. (Serde alone would write `!compose` for `compose:`.)
    ///
    /// # Errors
    /// Never for a document that was read.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        let value = match self {
            Self::ScalingPolicy(it) => serde_json::to_value(it),
            Self::ScalingProfile(it) => serde_json::to_value(it),
            Self::HostBudget(it) => serde_json::to_value(it),
            Self::Notifier(it) => serde_json::to_value(it),
        };
        serde_yaml::to_string(&value.map_err(<serde_yaml::Error as serde::ser::Error>::custom)?)
    }

    /// Name and labels.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::ScalingPolicy(it) => &it.metadata,
            Self::ScalingProfile(it) => &it.metadata,
            Self::HostBudget(it) => &it.metadata,
            Self::Notifier(it) => &it.metadata,
        }
    }
}
