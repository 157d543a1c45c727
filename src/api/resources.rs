//! Vertical scaling: the limits of a unit or of each container.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::LimitKind;
use crate::units::{Bytes, Percent};

/// The limits that move, and what is kept for the host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// CPU time, in percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<Range<Percent>>,
    /// Memory above which the kernel kills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<Range<Bytes>>,
    /// Memory above which the kernel slows down and reclaims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_high: Option<Range<Bytes>>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_max: Option<Range<u64>>,
    /// Share of the CPU under contention, 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<Range<u64>>,
    /// Share of the disks under contention, 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_weight: Option<Range<u64>>,
    /// How many CPUs it may run on.
    #[serde(default, rename = "allowedCPUs", skip_serializing_if = "Option::is_none")]
    pub allowed_cpus: Option<Range<u64>>,
    /// Any trigger moves all limits (true), or a rule moves the limit of its own resource (false, the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<bool>,
    /// What of the host is never given away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Reserve>,
    /// How the limits are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommend: Option<Recommend>,
    /// How they are applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<Apply>,
    /// Whether they survive a reboot; false by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<bool>,
}

impl Resources {
    /// The kinds of limits that move.
    #[must_use]
    pub fn kinds(&self) -> Vec<LimitKind> {
        let is_there = |kind: &LimitKind| match kind {
            LimitKind::CpuQuota => self.cpu_quota.is_some(),
            LimitKind::MemoryMax => self.memory_max.is_some(),
            LimitKind::MemoryHigh => self.memory_high.is_some(),
            LimitKind::TasksMax => self.tasks_max.is_some(),
            LimitKind::CpuWeight => self.cpu_weight.is_some(),
            LimitKind::IoWeight => self.io_weight.is_some(),
            LimitKind::AllowedCpus => self.allowed_cpus.is_some(),
        };
        LimitKind::ALL.into_iter().filter(is_there).collect()
    }
}

/// Between which values a limit moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Range<T> {
    /// Smallest.
    pub min: T,
    /// Largest.
    pub max: T,
    /// Smallest change; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_step: Option<T>,
}

/// What of the host is never given away.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reserve {
    /// Cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
}

/// How limits are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Recommend {
    /// By rules and step.
    #[default]
    Factor,
    /// By a decaying histogram of use.
    Histogram,
}

/// How limits are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Apply {
    /// In place, without a restart.
    #[default]
    Live,
    /// With a restart.
    Restart,
}
