//! Use of the containers of one Docker engine: from cgroup files where this host is the engine's, else from
//! one-shot stats of the API, which cost the engine about a millisecond each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::cgroup::{Cgroup, CgroupGauge};
use super::host;
use super::reading::{Gauge, GaugeSource, Meter, MeterError, Reading, Traffic};
use crate::clients::docker::{DiskStats, Engine, EngineError, InterfaceStats, Stats};
use crate::clock::Clock;
use crate::model::observation::{HostCapacity, Limits, ReplicaId};

/// Most questions to the engine at the same time; the others wait their turn.
const MAX_CONCURRENT_QUESTIONS: usize = 8;
/// The kernel's period of a CPU quota, in microseconds, where none is given.
const DEFAULT_CPU_PERIOD: f64 = 100_000.0;

/// A memory limit that limits nothing, an EiB: the engine has no other way to lift one.
const BOUNDLESS_MEMORY: f64 = (1_u64 << 60) as f64;

/// What measures containers.
pub struct Containers {
    clock: Clock,
    engine: Arc<Engine>,
    way: Way,
    turns: Arc<Semaphore>,
}

/// How containers are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From cgroup files where they can be seen, else by the API.
    Best,
    /// By the API alone.
    Stats,
}

impl Containers {
    /// The containers of this engine.
    #[must_use]
    pub fn new(clock: Clock, engine: Arc<Engine>, way: Way) -> Self {
        let turns = Arc::new(Semaphore::new(MAX_CONCURRENT_QUESTIONS));
        Self { clock, engine, way, turns }
    }

    async fn attach(&self, replica: &ReplicaId) -> Result<Box<dyn Gauge>, MeterError> {
        let _turn = self.turns.acquire().await;
        let container =
            self.engine.inspect(replica.as_str()).await.map_err(|error| meter_error(replica, error))?;
        let pid = container["State"]["Pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let Some(pid) = pid.filter(|&pid| pid > 0) else {
            return Err(MeterError::Gone { replica: replica.clone() });
        };
        match self.way {
            Way::Best => match self.cgroup(replica, pid, &container) {
                Some(gauge) => Ok(Box::new(gauge)),
                None => Ok(Box::new(self.stats(replica, &container).await?)),
            },
            Way::Stats => Ok(Box::new(self.stats(replica, &container).await?)),
        }
    }

    /// The container's cgroup, if `pid` is a process of this host and indeed in that container: the engine may
    /// be on another host, or docktor in a container of its own.
    fn cgroup(&self, replica: &ReplicaId, pid: u32, container: &Value) -> Option<CgroupGauge> {
        let cgroup = Cgroup::of_container(self.clock, pid, replica.as_str(), host::capacity()).ok()?;
        let cgroup = if shares_the_hosts_network(container) { cgroup } else { cgroup.with_network_of(pid) };
        Some(CgroupGauge::new(replica.clone(), cgroup))
    }

    async fn stats(&self, replica: &ReplicaId, container: &Value) -> Result<StatsGauge, MeterError> {
        let info = self.engine.info().await.map_err(|error| meter_error(replica, error))?;
        let limits = limits(&container["HostConfig"], info.capacity);
        let (engine, turns) = (self.engine.clone(), self.turns.clone());
        Ok(StatsGauge { replica: replica.clone(), engine, turns, limits })
    }
}

impl Meter for Containers {
    fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>> {
        self.attach(replica).boxed()
    }
}

/// Asks the engine for a container's stats.
struct StatsGauge {
    replica: ReplicaId,
    engine: Arc<Engine>,
    turns: Arc<Semaphore>,
    limits: Limits,
}

impl Gauge for StatsGauge {
    fn read(&mut self) -> BoxFuture<'_, Result<Reading, MeterError>> {
        async {
            let _turn = self.turns.acquire().await;
            let stats = self.engine.stats(self.replica.as_str()).await;
            let stats = stats.map_err(|error| meter_error(&self.replica, error))?;
            reading(stats, self.limits).ok_or_else(|| MeterError::Gone { replica: self.replica.clone() })
        }
        .boxed()
    }

    fn source(&self) -> GaugeSource {
        GaugeSource::Docker
    }
}

/// Stats as a reading; none for a container that does not run, whose stats are empty.
fn reading(stats: Stats, limits: Limits) -> Option<Reading> {
    let memory = stats.memory_stats.unwrap_or_default();
    let kinds = memory.stats.unwrap_or_default();
    // The engine passes on what its kernel's cgroup version calls it.
    let inactive_file = kinds.get("total_inactive_file").or(kinds.get("inactive_file")).copied();
    Some(Reading {
        taken: engine_time(&stats.read?)?,
        cpu: Some(Duration::from_nanos(stats.cpu_stats?.cpu_usage?.total_usage?)),
        memory_usage: memory.usage,
        inactive_file,
        tasks: Some(stats.pids_stats?.current?),
        network: stats.networks.and_then(network),
        io: stats.blkio_stats.and_then(disks),
        limits,
        ..Reading::default()
    })
}

/// The moment at which the engine took the reading, since the epoch; the engine's clock, not this host's.
fn engine_time(text: &str) -> Option<Duration> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok().map(Duration::from_nanos)
}

fn network(interfaces: HashMap<String, InterfaceStats>) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for interface in interfaces.into_values() {
        bytes.inward += interface.rx_bytes?;
        bytes.outward += interface.tx_bytes?;
    }
    Some(bytes)
}

/// No entry means no access yet; the engine writes an empty list, or `null`.
fn disks(blkio: DiskStats) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for entry in blkio.io_service_bytes_recursive.unwrap_or_default() {
        match entry.op.as_deref() {
            Some("Read" | "read") => bytes.inward += entry.value?,
            Some("Write" | "write") => bytes.outward += entry.value?,
            _ => {}
        }
    }
    Some(bytes)
}

/// Limits as the engine has them; 0, -1 and null are its words for none.
fn limits(config: &Value, host: HostCapacity) -> Limits {
    let positive = |name: &str| config[name].as_i64().filter(|&it| it > 0).map(|it| it as f64);
    let quota = || Some(positive("CpuQuota")? / positive("CpuPeriod").unwrap_or(DEFAULT_CPU_PERIOD));
    Limits {
        cpus: positive("NanoCpus").map(|nanos| nanos / 1e9).or_else(quota),
        memory: positive("Memory").filter(|it| *it < BOUNDLESS_MEMORY),
        tasks: positive("PidsLimit"),
        host,
        ..Limits::default()
    }
}

/// Its interfaces are the host's, and so are their counters.
fn shares_the_hosts_network(container: &Value) -> bool {
    container["HostConfig"]["NetworkMode"] == "host"
}

fn meter_error(replica: &ReplicaId, error: EngineError) -> MeterError {
    let replica = replica.clone();
    // A conflict: it is being removed, or does not run.
    if error.is_not_found() || error.is_conflict() {
        MeterError::Gone { replica }
    } else {
        MeterError::Unreadable { replica, source: Box::new(error) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As captured from Docker 26.1 on cgroup v1, shortened.
    fn stats_of_v1() -> Value {
        json!({
            "read": "2026-11-22T06:54:21.780469141Z",
            "preread": "0001-01-01T00:00:00Z",
            "pids_stats": {"current": 1, "limit": 50},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 254, "minor": 0, "op": "Read", "value": 4096},
                {"major": 254, "minor": 0, "op": "Write", "value": 8192},
                {"major": 254, "minor": 0, "op": "Total", "value": 12288},
            ]},
            "cpu_stats": {"cpu_usage": {"total_usage": 1_852_427_526_u64}, "online_cpus": 2},
            "memory_stats": {
                "usage": 450_560,
                "stats": {"inactive_file": 1, "total_inactive_file": 4096},
                "limit": 67_108_864,
            },
            "networks": {
                "eth0": {"rx_bytes": 1042, "tx_bytes": 3},
                "eth1": {"rx_bytes": 8, "tx_bytes": 4},
            },
        })
    }

    fn typed(stats: Value) -> Stats {
        serde_json::from_value(stats).unwrap()
    }

    #[test]
    fn stats_are_read_as_the_engine_writes_them() {
        let reading = reading(typed(stats_of_v1()), Limits::default()).unwrap();
        assert_eq!(reading.cpu, Some(Duration::from_nanos(1_852_427_526)));
        assert_eq!(reading.taken.subsec_nanos(), 780_469_141);
        assert_eq!((reading.memory_usage, reading.inactive_file), (Some(450_560), Some(4_096)));
        assert_eq!(reading.tasks, Some(1));
        assert_eq!(reading.network, Some(Traffic { inward: 1_050, outward: 7 }));
        assert_eq!(reading.io, Some(Traffic { inward: 4_096, outward: 8_192 }));
    }

    #[test]
    fn what_the_engine_leaves_out_is_missing_and_no_access_to_disks_is_none_yet() {
        let mut stats = stats_of_v1();
        stats["networks"] = Value::Null;
        stats["blkio_stats"]["io_service_bytes_recursive"] = Value::Null;
        stats["memory_stats"]["stats"] = json!({"inactive_file": 7});
        let reading = reading(typed(stats), Limits::default()).unwrap();
        assert_eq!((reading.network, reading.io), (None, Some(Traffic::default())));
        assert_eq!(reading.inactive_file, Some(7), "cgroup v2");
    }

    #[test]
    fn the_empty_stats_of_a_stopped_container_are_no_reading() {
        let stopped = json!({
            "read": "0001-01-01T00:00:00Z", "pids_stats": {}, "memory_stats": {},
            "cpu_stats": {"cpu_usage": {"total_usage": 0}},
            "blkio_stats": {"io_service_bytes_recursive": null},
        });
        assert_eq!(reading(typed(stopped), Limits::default()), None);
    }

    #[test]
    fn limits_are_read_in_every_way_to_write_them() {
        let host = HostCapacity { cpus: Some(8.0), ..HostCapacity::default() };
        let tight = Limits {
            cpus: Some(0.5),
            memory: Some(67_108_864.0),
            tasks: Some(50.0),
            host,
            ..Limits::default()
        };
        let none = Limits { host, ..Limits::default() };
        for (config, expected) in [
            (json!({"NanoCpus": 500_000_000, "Memory": 67_108_864, "PidsLimit": 50}), tight),
            (json!({"CpuQuota": 50_000, "Memory": 67_108_864, "PidsLimit": 50}), tight),
            (json!({"CpuQuota": 10_000, "CpuPeriod": 20_000, "Memory": 67_108_864, "PidsLimit": 50}), tight),
            (json!({"NanoCpus": 0, "CpuQuota": 0, "CpuPeriod": 0, "Memory": 0, "PidsLimit": null}), none),
            (json!({"CpuQuota": -1, "PidsLimit": -1}), none),
            (Value::Null, none),
        ] {
            assert_eq!(limits(&config, host), expected, "{config}");
        }
    }
}
