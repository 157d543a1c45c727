//! Use of the containers of one Docker engine: from cgroup files where this host is the engine's, else from
//! one-shot stats of the API, which cost the engine about a millisecond each.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerStatsResponse, HostConfig};
use bollard::query_parameters::{InspectContainerOptions, StatsOptionsBuilder};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::{OnceCell, Semaphore};

use super::cgroup::{Cgroup, CgroupError};
use super::host;
use super::reading::{Gauge, GaugeSource, Meter, MeterError, Reading, Traffic};
use crate::clock::Clock;
use crate::model::observation::{HostCapacity, Limits, ReplicaId};

/// Most questions to the engine at the same time; the others wait their turn.
const MAX_CONCURRENT_QUESTIONS: usize = 8;

/// What measures containers.
pub struct Containers {
    clock: Clock,
    docker: Docker,
    way: Way,
    turns: Arc<Semaphore>,
    /// What the engine's host has, where that is not this one.
    engine_host: OnceCell<HostCapacity>,
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
    pub fn new(clock: Clock, docker: Docker, way: Way) -> Self {
        let turns = Arc::new(Semaphore::new(MAX_CONCURRENT_QUESTIONS));
        Self { clock, docker, way, turns, engine_host: OnceCell::new() }
    }

    async fn attach(&self, replica: &ReplicaId) -> Result<Box<dyn Gauge>, MeterError> {
        let _turn = self.turns.acquire().await;
        let container = self
            .docker
            .inspect_container(replica.as_str(), None::<InspectContainerOptions>)
            .await
            .map_err(|error| meter_error(replica, error))?;
        let pid =
            container.state.as_ref().and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
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
    fn cgroup(
        &self,
        replica: &ReplicaId,
        pid: u32,
        container: &ContainerInspectResponse,
    ) -> Option<CgroupGauge> {
        let cgroup = Cgroup::of_container(self.clock, pid, replica.as_str(), host::capacity()).ok()?;
        let cgroup = if shares_the_hosts_network(container) { cgroup } else { cgroup.with_network_of(pid) };
        Some(CgroupGauge { replica: replica.clone(), cgroup })
    }

    async fn stats(
        &self,
        replica: &ReplicaId,
        container: &ContainerInspectResponse,
    ) -> Result<StatsGauge, MeterError> {
        let host = self.engine_host.get_or_try_init(|| self.ask_engine_host()).await;
        let host = *host.map_err(|error| meter_error(replica, error))?;
        let limits = limits(container.host_config.as_ref(), host);
        let (docker, turns) = (self.docker.clone(), self.turns.clone());
        Ok(StatsGauge { replica: replica.clone(), docker, turns, limits })
    }

    async fn ask_engine_host(&self) -> Result<HostCapacity, bollard::errors::Error> {
        let info = self.docker.info().await?;
        Ok(HostCapacity {
            cpus: info.ncpu.map(|count| count as f64),
            memory: info.mem_total.map(|bytes| bytes as f64),
            tasks: None,
        })
    }
}

impl Meter for Containers {
    fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>> {
        self.attach(replica).boxed()
    }
}

/// Reads a container's cgroup.
struct CgroupGauge {
    replica: ReplicaId,
    cgroup: Cgroup,
}

impl Gauge for CgroupGauge {
    fn read(&mut self) -> BoxFuture<'_, Result<Reading, MeterError>> {
        async {
            self.cgroup.read().map_err(|error| match error {
                CgroupError::Gone { .. } => MeterError::Gone { replica: self.replica.clone() },
                other => MeterError::Unreadable { replica: self.replica.clone(), source: Box::new(other) },
            })
        }
        .boxed()
    }

    fn source(&self) -> GaugeSource {
        GaugeSource::Cgroup
    }
}

/// Asks the engine for a container's stats.
struct StatsGauge {
    replica: ReplicaId,
    docker: Docker,
    turns: Arc<Semaphore>,
    limits: Limits,
}

impl Gauge for StatsGauge {
    fn read(&mut self) -> BoxFuture<'_, Result<Reading, MeterError>> {
        async {
            let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
            let gone = || MeterError::Gone { replica: self.replica.clone() };
            let _turn = self.turns.acquire().await;
            let answer = self.docker.stats(self.replica.as_str(), Some(options)).next().await;
            let stats = answer.ok_or_else(gone)?.map_err(|error| meter_error(&self.replica, error))?;
            reading(&stats, self.limits).ok_or_else(gone)
        }
        .boxed()
    }

    fn source(&self) -> GaugeSource {
        GaugeSource::Docker
    }
}

/// Stats as a reading; none for a container that does not run, whose stats are empty.
fn reading(stats: &ContainerStatsResponse, limits: Limits) -> Option<Reading> {
    let cpu = stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
    let taken = engine_time(stats.read.as_deref()?)?;
    let memory = stats.memory_stats.as_ref();
    let details = memory.and_then(|it| it.stats.as_ref());
    // The engine passes on what its kernel's cgroup version calls it.
    let inactive_file =
        details.and_then(|it| it.get("total_inactive_file").or_else(|| it.get("inactive_file")));
    Some(Reading {
        taken,
        cpu: Some(Duration::from_nanos(cpu)),
        memory_usage: memory.and_then(|it| it.usage),
        inactive_file: inactive_file.copied(),
        tasks: Some(stats.pids_stats.as_ref()?.current?),
        network: network(stats),
        io: disks(stats),
        limits,
        ..Reading::default()
    })
}

/// The moment at which the engine took the reading, since the epoch; the engine's clock, not this host's.
fn engine_time(text: &str) -> Option<Duration> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok().map(Duration::from_nanos)
}

fn network(stats: &ContainerStatsResponse) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for interface in stats.networks.as_ref()?.values() {
        bytes.inward += interface.rx_bytes?;
        bytes.outward += interface.tx_bytes?;
    }
    Some(bytes)
}

/// No entry at all means no access yet; it is written `null` or left out.
fn disks(stats: &ContainerStatsResponse) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for entry in stats.blkio_stats.as_ref()?.io_service_bytes_recursive.iter().flatten() {
        match entry.op.as_deref() {
            Some("Read" | "read") => bytes.inward += entry.value?,
            Some("Write" | "write") => bytes.outward += entry.value?,
            _ => {}
        }
    }
    Some(bytes)
}

/// Limits as the engine has them; 0 and -1 are its words for none.
fn limits(config: Option<&HostConfig>, host: HostCapacity) -> Limits {
    let Some(config) = config else { return Limits { host, ..Limits::default() } };
    let positive = |number: Option<i64>| number.filter(|&it| it > 0).map(|it| it as f64);
    // The kernel's default period.
    let period = positive(config.cpu_period).unwrap_or(100_000.0);
    let cpus = positive(config.nano_cpus).map(|nanos| nanos / 1e9);
    Limits {
        cpus: cpus.or_else(|| positive(config.cpu_quota).map(|quota| quota / period)),
        memory: positive(config.memory),
        tasks: positive(config.pids_limit),
        host,
    }
}

/// Its interfaces are the host's, and so are their counters.
fn shares_the_hosts_network(container: &ContainerInspectResponse) -> bool {
    let config = container.host_config.as_ref();
    config.and_then(|it| it.network_mode.as_deref()) == Some("host")
}

fn meter_error(replica: &ReplicaId, error: bollard::errors::Error) -> MeterError {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. } => {
            MeterError::Gone { replica: replica.clone() }
        }
        other => MeterError::Unreadable { replica: replica.clone(), source: Box::new(other) },
    }
}
