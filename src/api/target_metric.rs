//! Metrics of the target itself: which there are, and what their names mean.
//!
//! `cpu.avg` is the use over replicas and window; `cpu.utilization` the same in percent of the limit. Of a systemd unit
//! `cpu.avg` is in percent of the limit too.

use super::target::Target;

/// What is measured of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// CPU in percent of one core.
    Cpu,
    /// Working set in bytes.
    Memory,
    /// Memory in bytes, page cache included.
    MemoryUsage,
    /// How often the kernel killed for want of memory within the window.
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
    /// Share of time, in percent, that was lost waiting.
    Pressure(Pressure),
}

/// Time lost waiting, as the kernel accounts it (PSI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pressure {
    /// What was waited for.
    pub on: Contended,
    /// Whose waiting counts.
    pub stall: Stall,
    /// The time over which it is a share.
    pub over: Over,
}

/// What tasks wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contended {
    /// A CPU, or the quota's next period.
    Cpu,
    /// Memory: reclaim, swapping, pages that were dropped and are read again.
    Memory,
    /// Disks.
    Io,
}

/// Whose waiting counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stall {
    /// Time in which at least one task waited.
    Some,
    /// Time in which all tasks waited that had something to do: nothing got done.
    Full,
}

/// The time over which pressure is a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Over {
    /// The policy's window, measured by docktor.
    Window,
    /// The last ten seconds, as the kernel weighs them.
    Avg10,
    /// The last minute, as the kernel weighs it.
    Avg60,
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

/// The fields of `pressure`.
const PRESSURE: [&str; 18] = [
    "cpu",
    "cpuAvg10",
    "cpuAvg60",
    "cpuFull",
    "cpuFullAvg10",
    "cpuFullAvg60",
    "memory",
    "memoryAvg10",
    "memoryAvg60",
    "memoryFull",
    "memoryFullAvg10",
    "memoryFullAvg60",
    "io",
    "ioAvg10",
    "ioAvg60",
    "ioFull",
    "ioFullAvg10",
    "ioFullAvg60",
];

/// A metric of the target itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetMetric {
    /// What is measured.
    pub resource: Resource,
    /// How replicas become one value.
    pub aggregate: Aggregate,
    /// What it is told in.
    pub scale: Scale,
}

/// What a value is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// The resource's own unit.
    Own,
    /// Percent of the limit; where there is none, of the host's memory and tasks, and of one core.
    LimitOrCore,
    /// Percent of the limit; where there is none, of what the host has, all of its cores included.
    LimitOrHost,
}

impl TargetMetric {
    /// The metric of that full name, if there is one, as it is of that target.
    #[must_use]
    pub fn of(name: &str, target: &Target) -> Option<Self> {
        let metric = Self::parse(name)?;
        let of_limit = metric.resource.has_limit() && metric.aggregate != Aggregate::Absolute;
        Some(match target {
            Target::Systemd(_) if of_limit => Self { scale: Scale::LimitOrHost, ..metric },
            Target::Systemd(_) | Target::Compose(_) | Target::Swarm(_) => metric,
        })
    }

    /// The metric of that full name, if there is one: `cpu.avg`, `memory.usage`, `network.rx`, `pressure.io`. As it is
    /// of containers.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (source, field) = name.split_once('.')?;
        let metric = |resource, aggregate| Some(Self { resource, aggregate, scale: Scale::Own });
        let plain = |resource| metric(resource, Aggregate::Avg);
        let resource = match (source, field) {
            ("memory", "usage") => return plain(Resource::MemoryUsage),
            ("memory", "oomKills") => return metric(Resource::OomKills, Aggregate::Sum),
            ("network", "rx") => return plain(Resource::NetworkReceived),
            ("network", "tx") => return plain(Resource::NetworkSent),
            ("io", "read") => return plain(Resource::IoRead),
            ("io", "write") => return plain(Resource::IoWritten),
            ("pressure", _) => return plain(Resource::Pressure(Pressure::parse(field)?)),
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
        let scale = if aggregate == Aggregate::Utilization { Scale::LimitOrCore } else { Scale::Own };
        Some(Self { resource, aggregate, scale })
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
            "pressure" => &PRESSURE,
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

impl Pressure {
    /// The pressure of that field: `cpu`, `memoryFull`, `ioAvg10`, `cpuFullAvg60`.
    fn parse(field: &str) -> Option<Self> {
        let contended = [("cpu", Contended::Cpu), ("memory", Contended::Memory), ("io", Contended::Io)];
        let (on, rest) =
            contended.into_iter().find_map(|(word, on)| Some((on, field.strip_prefix(word)?)))?;
        let (stall, rest) = match rest.strip_prefix("Full") {
            Some(rest) => (Stall::Full, rest),
            None => (Stall::Some, rest),
        };
        let over = match rest {
            "" => Over::Window,
            "Avg10" => Over::Avg10,
            "Avg60" => Over::Avg60,
            _ => return None,
        };
        Some(Self { on, stall, over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::metric::TARGET_SOURCES;
    use crate::api::target::SystemdTarget;

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
    fn pressure_is_told_of_three_resources_in_six_ways() {
        let pressure = |on, stall, over| Some(Pressure { on, stall, over });
        for (field, expected) in [
            ("cpu", pressure(Contended::Cpu, Stall::Some, Over::Window)),
            ("memoryFull", pressure(Contended::Memory, Stall::Full, Over::Window)),
            ("ioAvg10", pressure(Contended::Io, Stall::Some, Over::Avg10)),
            ("cpuFullAvg60", pressure(Contended::Cpu, Stall::Full, Over::Avg60)),
            ("cpuAvg300", None),
            ("cpufull", None),
            ("tasks", None),
        ] {
            assert_eq!(Pressure::parse(field), expected, "{field}");
        }
        let all: std::collections::HashSet<_> =
            PRESSURE.iter().filter_map(|it| Pressure::parse(it)).collect();
        assert_eq!(all.len(), PRESSURE.len());
    }

    #[test]
    fn of_a_unit_the_same_names_are_percent_of_its_limit() {
        let unit = Target::Systemd(SystemdTarget { unit: "x.service".to_owned(), manager: None });
        for (name, scale) in [
            ("cpu.avg", Scale::LimitOrHost),
            ("memory.p95", Scale::LimitOrHost),
            ("tasks.max", Scale::LimitOrHost),
            ("cpu.utilization", Scale::LimitOrHost),
            ("cpu.cores", Scale::Own),
            ("memory.bytes", Scale::Own),
            ("tasks.count", Scale::Own),
            ("memory.usage", Scale::Own),
            ("memory.oomKills", Scale::Own),
            ("network.avg", Scale::Own),
        ] {
            assert_eq!(TargetMetric::of(name, &unit).map(|it| it.scale), Some(scale), "{name}");
        }
        let of_container = |name| TargetMetric::parse(name).map(|it| it.scale);
        assert_eq!(of_container("cpu.avg"), Some(Scale::Own));
        assert_eq!(of_container("cpu.utilization"), Some(Scale::LimitOrCore));
    }

    #[test]
    fn a_name_that_means_nothing_is_no_target_metric() {
        for name in ["cpu", "cpu.", "cpu.mean", "network.utilization", "pressure.avg", "queue.backlog", ""] {
            assert_eq!(TargetMetric::parse(name), None, "{name}");
        }
    }
}
