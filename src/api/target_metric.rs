//! Metrics of the target itself: which there are, and what their names mean.
//!
//! `cpu.avg` is the use over replicas and window; `cpu.utilization` the same in percent of the limit.

/// What is measured of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// CPU in percent of one core.
    Cpu,
    /// Working set in bytes.
    Memory,
    /// Memory in bytes, page cache included.
    MemoryUsage,
    /// How often the kernel killed for want of memory.
    OomKills,
    /// Processes and threads.
    Tasks,
    /// Bytes per second, both ways.
    Network,
    /// Bytes received per second.
    NetworkReceived,
    /// Bytes sent per second.
    NetworkSent,
    /// Bytes per second from and to disks.
    Io,
    /// Bytes read from disks per second.
    IoRead,
    /// Bytes written to disks per second.
    IoWritten,
    /// Share of time, in percent, in which a task waited for CPU.
    PressureCpu,
    /// Share of time, in percent, in which a task waited for memory.
    PressureMemory,
    /// Share of time, in percent, in which a task waited for disks.
    PressureIo,
}

/// How the values of replicas become one. Each replica first counts with its mean over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Their mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The median (nearest rank).
    P50,
    /// The 95th percentile (nearest rank).
    P95,
    /// Added up.
    Sum,
    /// Added up, in percent of the limits added up.
    Utilization,
    /// Added up, CPU in cores rather than percent of one.
    Absolute,
}

/// A metric of the target itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetMetric {
    /// What is measured.
    pub resource: Resource,
    /// How replicas become one value.
    pub aggregate: Aggregate,
}

impl TargetMetric {
    /// The metric of that full name, if there is one: `cpu.avg`, `memory.usage`, `network.rx`, `pressure.io`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (source, field) = name.split_once('.')?;
        let plain = |resource| Some(Self { resource, aggregate: Aggregate::Avg });
        let resource = match (source, field) {
            ("memory", "usage") => return plain(Resource::MemoryUsage),
            ("memory", "oomKills") => return plain(Resource::OomKills),
            ("network", "rx") => return plain(Resource::NetworkReceived),
            ("network", "tx") => return plain(Resource::NetworkSent),
            ("io", "read") => return plain(Resource::IoRead),
            ("io", "write") => return plain(Resource::IoWritten),
            ("pressure", "cpu") => return plain(Resource::PressureCpu),
            ("pressure", "memory") => return plain(Resource::PressureMemory),
            ("pressure", "io") => return plain(Resource::PressureIo),
            ("cpu", _) => Resource::Cpu,
            ("memory", _) => Resource::Memory,
            ("tasks", _) => Resource::Tasks,
            ("network", _) => Resource::Network,
            ("io", _) => Resource::Io,
            _ => return None,
        };
        let aggregate = match field {
            "avg" => Aggregate::Avg,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "p50" => Aggregate::P50,
            "p95" => Aggregate::P95,
            "sum" => Aggregate::Sum,
            "utilization" if resource.has_limit() => Aggregate::Utilization,
            "cores" if resource == Resource::Cpu => Aggregate::Absolute,
            "bytes" if resource == Resource::Memory => Aggregate::Absolute,
            "count" if resource == Resource::Tasks => Aggregate::Absolute,
            _ => return None,
        };
        Some(Self { resource, aggregate })
    }

    /// The fields that a target source has, for messages.
    #[must_use]
    pub fn fields(source: &str) -> &'static [&'static str] {
        match source {
            "cpu" => &["avg", "min", "max", "p50", "p95", "sum", "utilization", "cores"],
            "tasks" => &["avg", "min", "max", "p50", "p95", "sum", "utilization", "count"],
            "memory" => {
                &["avg", "min", "max", "p50", "p95", "sum", "utilization", "usage", "bytes", "oomKills"]
            }
            "network" => &["avg", "min", "max", "p50", "p95", "sum", "rx", "tx"],
            "io" => &["avg", "min", "max", "p50", "p95", "sum", "read", "write"],
            "pressure" => &["cpu", "memory", "io"],
            _ => &[],
        }
    }
}

impl Resource {
    /// Has it a limit, so that utilization means something?
    #[must_use]
    pub const fn has_limit(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::metric::TARGET_SOURCES;

    #[test]
    fn every_field_that_is_offered_means_something() {
        for source in TARGET_SOURCES {
            assert!(!TargetMetric::fields(source).is_empty(), "{source}");
            for field in TargetMetric::fields(source) {
                assert!(TargetMetric::parse(&format!("{source}.{field}")).is_some(), "{source}.{field}");
            }
        }
    }

    #[test]
    fn a_name_that_means_nothing_is_no_target_metric() {
        for name in ["cpu", "cpu.", "cpu.mean", "network.utilization", "pressure.avg", "queue.backlog", ""] {
            assert_eq!(TargetMetric::parse(name), None, "{name}");
        }
    }
}
