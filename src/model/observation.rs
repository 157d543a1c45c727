//! What one pass saw: the replicas with their samples, and the values of metric sources.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::change::ChangeId;
use super::forecast::Forecast;
use crate::api::limits::LimitKind;
use crate::api::target::SystemdManager;
use crate::units::Timestamp;

/// All that one pass saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Replicas of the target in every state, draining ones included.
    pub replicas: Vec<Replica>,
    /// How many run, where that is known without their list (a trace that says only `current`);
    /// else it is counted from `replicas`.
    pub current: Option<u32>,
    /// The limits of each replica, where they are known without the list of replicas (a trace).
    pub limits: Option<Limits>,
    /// Values by full name: `queue.backlog`, `latency`; also `cpu.avg` where a trace gives it.
    pub metrics: BTreeMap<String, Observation>,
    /// What is known of the future, where the policy asks for it.
    pub forecast: Option<Forecast>,
    /// Whether this pass is an evaluation on the policy's interval, which moves counters.
    pub evaluation: bool,
}

/// One value, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A finite number.
    Value(f64),
    /// The source answered, and had no value to give.
    Missing,
    /// The source could not be read.
    Failed,
}

/// Which replica: the engine's container id, or a unit's manager and name (`system/worker.service`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaId(Arc<str>);

impl ReplicaId {
    /// The replica of that id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The unit of that name as a replica.
    #[must_use]
    pub fn of_unit(manager: SystemdManager, unit: &str) -> Self {
        Self::new(&format!("{}/{unit}", manager.as_str()))
    }

    /// The manager and the name, where it is a unit. The id of a container has no slash.
    #[must_use]
    pub fn unit(&self) -> Option<(SystemdManager, &str)> {
        let (manager, unit) = self.0.split_once('/')?;
        let manager =
            [SystemdManager::System, SystemdManager::User].into_iter().find(|it| it.as_str() == manager)?;
        Some((manager, unit))
    }

    /// The id as the engine knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One replica as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// Its id.
    pub id: ReplicaId,
    /// Its name, for people.
    pub name: String,
    /// Its number, from 1.
    pub number: u32,
    /// Where it is in its life.
    pub phase: ReplicaPhase,
    /// What its health check says.
    pub health: Health,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// How often it was restarted after it had failed, as its engine counts.
    pub restarts: u32,
    /// docktor's own change that made it, if one did.
    pub change: Option<ChangeId>,
    /// It runs another configuration or image than most of its siblings.
    pub outdated: bool,
    /// Samples of the policy's window, oldest first; none when it could not be sampled.
    pub samples: Vec<Sample>,
    /// Its limits.
    pub limits: Limits,
}

/// Where a replica is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaPhase {
    /// Made or being started; not yet running.
    Pending,
    /// Running or restarting.
    Running,
    /// Running but leaving: docktor chose it and stops it.
    Draining,
    /// Stopped on purpose and kept (scaled to zero), or never started.
    Stopped,
    /// Exited by itself, dead, or paused.
    Failed,
}

/// What a replica's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// There is none.
    NoCheck,
    /// Not known yet.
    Starting,
    /// It passes.
    Healthy,
    /// It fails.
    Unhealthy,
}

/// Use of one replica at one moment. A field that could not be read is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// When; rates are over the time since the sample before.
    pub at: Timestamp,
    /// CPU in percent of one core.
    pub cpu: Option<f64>,
    /// Working set in bytes: usage less inactive file cache.
    pub memory: Option<f64>,
    /// Memory in bytes, page cache included.
    pub memory_usage: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<f64>,
    /// Bytes received per second.
    pub network_rx: Option<f64>,
    /// Bytes sent per second.
    pub network_tx: Option<f64>,
    /// Bytes read from disks per second.
    pub io_read: Option<f64>,
    /// Bytes written to disks per second.
    pub io_write: Option<f64>,
    /// How often the kernel killed for want of memory since the sample before.
    pub oom_kills: Option<f64>,
    /// Waiting for CPU.
    pub pressure_cpu: Stalls,
    /// Waiting for memory.
    pub pressure_memory: Stalls,
    /// Waiting for disks.
    pub pressure_io: Stalls,
}

/// Time that tasks lost waiting for one resource.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stalls {
    /// At least one task waited.
    pub some: Waiting,
    /// All tasks waited that had something to do.
    pub full: Waiting,
}

/// A share of time in percent, over three spans of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Waiting {
    /// Since the sample before.
    pub since: Option<f64>,
    /// Over the last ten seconds, as the kernel weighs them.
    pub avg10: Option<f64>,
    /// Over the last minute, as the kernel weighs it.
    pub avg60: Option<f64>,
}

/// Effective limits of one replica; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Cores.
    pub cpus: Option<f64>,
    /// Bytes.
    pub memory: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<f64>,
    /// Bytes above which the kernel slows down and reclaims.
    pub memory_high: Option<f64>,
    /// Share of the CPU under contention.
    pub cpu_weight: Option<f64>,
    /// Share of the disks under contention.
    pub io_weight: Option<f64>,
    /// How many CPUs it may run on.
    pub allowed_cpus: Option<f64>,
    /// What the host has; the denominator of utilization where there is no limit (a container's CPU: one core).
    pub host: HostCapacity,
}

impl Limits {
    /// The limit of that kind, in its unit; `None` where there is none.
    #[must_use]
    pub fn of(&self, kind: LimitKind) -> Option<f64> {
        let value = match kind {
            LimitKind::CpuQuota => self.cpus.map(|cores| cores * 100.0),
            LimitKind::MemoryMax => self.memory,
            LimitKind::MemoryHigh => self.memory_high,
            LimitKind::TasksMax => self.tasks,
            LimitKind::CpuWeight => self.cpu_weight,
            LimitKind::IoWeight => self.io_weight,
            LimitKind::AllowedCpus => self.allowed_cpus,
        };
        value.filter(|it| it.is_finite() && *it >= 0.0)
    }

    /// What a replica may use: its limit, or the host's capacity where it has none. A weight that was never set is
    /// unknown.
    #[must_use]
    pub fn effective(&self, kind: LimitKind) -> Option<f64> {
        let of_host = match kind {
            LimitKind::CpuQuota => self.host.cpus.map(|cores| cores * 100.0),
            LimitKind::MemoryMax => self.host.memory,
            LimitKind::MemoryHigh => self.of(LimitKind::MemoryMax).or(self.host.memory),
            LimitKind::TasksMax => self.host.tasks,
            LimitKind::AllowedCpus => self.host.cpus,
            LimitKind::CpuWeight | LimitKind::IoWeight => None,
        };
        self.of(kind).or(of_host.filter(|it| it.is_finite() && *it >= 0.0))
    }
}

/// What a host has.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HostCapacity {
    /// Cores.
    pub cpus: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<f64>,
    /// Most processes and threads.
    pub tasks: Option<f64>,
}

impl Replica {
    /// Does it count into `current`? Running, starting and restarting do; stopped, failed and draining do not.
    #[must_use]
    pub const fn counts(&self) -> bool {
        matches!(self.phase, ReplicaPhase::Pending | ReplicaPhase::Running)
    }
}

impl Snapshot {
    /// How many replicas run, start or restart.
    #[must_use]
    pub fn current(&self) -> u32 {
        let counted =
            || u32::try_from(self.replicas.iter().filter(|it| it.counts()).count()).unwrap_or(u32::MAX);
        self.current.unwrap_or_else(counted)
    }
}
