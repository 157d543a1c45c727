//! CPU, memory, tasks, I/O, pressure and limits of a cgroup (a container's, a unit's, a process's), read from the kernel's files: cgroup v1,
//! v2, and both side by side; laid out by the cgroupfs or the systemd driver.
//!
//! Where the files are is asked of the kernel (`locate`), never guessed. They are kept open, which makes a reading
//! four times cheaper, as long as the process has few; with hundreds of replicas, the later ones are opened anew for
//! each reading.

mod file;
mod gauge;
mod locate;
mod parse;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

pub use self::gauge::CgroupGauge;

use self::file::{Reader, Source};
use self::locate::{Controller, Folder, Folders, Owner, Version};
use super::pressure::{Alarm, Trigger};
use super::reading::{Pressure, Reading, Stalled, Traffic};
use crate::clock::Clock;
use crate::model::observation::{HostCapacity, Limits};

/// Why a cgroup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// There is no such process, here or any more.
    #[error("process {pid} is not to be seen")]
    NoProcess {
        /// Which.
        pid: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The process is another one than was meant, or its cgroup cannot be reached from this one's namespaces.
    #[error(
        "the cgroup that was looked for is not that of process {pid}, or not below any mounted hierarchy"
    )]
    OutOfSight {
        /// Whose.
        pid: u32,
    },
    /// The kernel does not account its CPU time: v1, and the controller is off for it.
    #[error("cgroup {} has no CPU accounting", folder.display())]
    NoCpuAccounting {
        /// One of its folders.
        folder: PathBuf,
    },
    /// There is no such cgroup, or no longer, or another one has taken its place.
    #[error("there is no cgroup {} any more", folder.display())]
    Gone {
        /// Where it was.
        folder: PathBuf,
    },
}

/// A cgroup, ready to be read again and again.
#[derive(Debug)]
pub struct Cgroup {
    clock: Clock,
    folder: PathBuf,
    /// Its folder of the unified hierarchy, which alone accounts pressure.
    unified: Option<PathBuf>,
    /// Tells this cgroup from a later one in the same place.
    inode: u64,
    host: HostCapacity,
    cpu: Source<Duration>,
    memory_usage: Option<Source<u64>>,
    inactive_file: Option<Source<u64>>,
    tasks: Option<Source<u64>>,
    io: Option<Source<Traffic>>,
    network: Option<Source<Traffic>>,
    pressure_cpu: Option<Source<Stalled>>,
    pressure_memory: Option<Source<Stalled>>,
    pressure_io: Option<Source<Stalled>>,
    cpu_quota: Option<Source<f64>>,
    cpu_period: Option<Source<f64>>,
    memory_limit: Option<Source<u64>>,
    tasks_limit: Option<Source<u64>>,
    oom_kills: Option<Source<u64>>,
}

impl Cgroup {
    /// The cgroup in which a process of this host is now.
    ///
    /// # Errors
    /// When the process, or its cgroup's CPU accounting, cannot be seen from here.
    pub fn of_process(clock: Clock, pid: u32, host: HostCapacity) -> Result<Self, CgroupError> {
        Self::of(clock, pid, Owner::Process, host)
    }

    /// The cgroup of the container of that id, of which `pid` is a process.
    ///
    /// # Errors
    /// As above; and when `pid` is not a process of that container *here*, as the engine is on another host, or
    /// this process in a container with process numbers of its own.
    pub fn of_container(clock: Clock, pid: u32, id: &str, host: HostCapacity) -> Result<Self, CgroupError> {
        Self::of(clock, pid, Owner::Container(id), host)
    }

    /// The cgroup of that path, as systemd's `ControlGroup` property gives it: `/system.slice/worker.service`.
    ///
    /// # Errors
    /// `Gone` when there is none (the path of a unit that does not run is empty); when its CPU time is not
    /// accounted.
    pub fn of_group(clock: Clock, control_group: &str, host: HostCapacity) -> Result<Self, CgroupError> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let folders = locate::folders_of_group(control_group, &mounts, |path| path.is_dir());
        let Some(any) = folders.any() else {
            return Err(CgroupError::Gone { folder: PathBuf::from(control_group) });
        };
        let opened = Self::open(clock, &folders, host);
        opened.ok_or_else(|| CgroupError::NoCpuAccounting { folder: any.path.clone() })
    }

    fn of(clock: Clock, pid: u32, owner: Owner<'_>, host: HostCapacity) -> Result<Self, CgroupError> {
        let memberships = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .map_err(|source| CgroupError::NoProcess { pid, source })?;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let folders = locate::folders(&memberships, &mounts, owner, |path| path.is_dir());
        Self::open(clock, &folders, host).ok_or(CgroupError::OutOfSight { pid })
    }

    fn open(clock: Clock, folders: &Folders, host: HostCapacity) -> Option<Self> {
        use Version::{V1, V2};
        let cpu_folder = folders.of(Controller::CpuAcct)?;
        let cpu = match cpu_folder.version {
            V1 => cpu_folder.source("cpuacct.usage", parse::nanoseconds),
            V2 => cpu_folder.source("cpu.stat", parse::usage_usec),
        }?;
        let pick = |controller, v1: &[&str], v2: &str, parse_v1, parse_v2| {
            let folder = folders.of(controller)?;
            match folder.version {
                V1 => v1.iter().find_map(|name| folder.source(name, parse_v1)),
                V2 => folder.source(v2, parse_v2),
            }
        };
        let cpu_limit = folders.of(Controller::Cpu);
        let (cpu_quota, cpu_period) = match cpu_limit {
            Some(folder) if folder.version == V1 => (
                folder.source("cpu.cfs_quota_us", parse::positive),
                folder.source("cpu.cfs_period_us", parse::positive),
            ),
            Some(folder) => (folder.source("cpu.max", parse::cpu_max), None),
            None => (None, None),
        };
        let pressure = |name| folders.unified().and_then(|it| it.source(name, parse::pressure));
        Some(Self {
            clock,
            inode: std::fs::metadata(&cpu_folder.path).ok()?.ino(),
            folder: cpu_folder.path.clone(),
            unified: folders.unified().map(|it| it.path.clone()),
            host,
            cpu,
            memory_usage: pick(
                Controller::Memory,
                &["memory.usage_in_bytes"],
                "memory.current",
                parse::number,
                parse::number,
            ),
            inactive_file: pick(
                Controller::Memory,
                &["memory.stat"],
                "memory.stat",
                parse::total_inactive_file,
                parse::inactive_file,
            ),
            tasks: pick(Controller::Pids, &["pids.current"], "pids.current", parse::number, parse::number),
            io: folders.of(Controller::Io).and_then(|folder| match folder.version {
                V1 => ["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"]
                    .iter()
                    .find_map(|name| folder.source(name, parse::blkio_service_bytes)),
                V2 => folder.source("io.stat", parse::io_stat),
            }),
            network: None,
            pressure_cpu: pressure("cpu.pressure"),
            pressure_memory: pressure("memory.pressure"),
            pressure_io: pressure("io.pressure"),
            cpu_quota,
            cpu_period,
            memory_limit: pick(
                Controller::Memory,
                &["memory.limit_in_bytes"],
                "memory.max",
                parse::memory_limit,
                parse::memory_limit,
            ),
            tasks_limit: pick(Controller::Pids, &["pids.max"], "pids.max", parse::number, parse::number),
            oom_kills: pick(
                Controller::Memory,
                &["memory.oom_control"],
                "memory.events",
                parse::oom_kill,
                parse::oom_kill,
            ),
        })
    }

    /// Also reads what goes over the network interfaces that process `pid` has to itself, loopback excluded.
    #[must_use]
    pub fn with_network_of(mut self, pid: u32) -> Self {
        self.network = Source::by_path(PathBuf::from(format!("/proc/{pid}/net/dev")), parse::net_dev);
        self
    }

    /// The counters as they are now.
    ///
    /// # Errors
    /// When the cgroup is gone, or was made anew since this one was opened.
    pub fn read(&self) -> Result<Reading, CgroupError> {
        let gone = || CgroupError::Gone { folder: self.folder.clone() };
        let inode = std::fs::metadata(&self.folder).map_err(|_| gone())?.ino();
        if inode != self.inode {
            return Err(gone());
        }
        let mut read = Reader::default();
        let taken = self.clock.elapsed();
        let cpu = read.required(&self.cpu).ok_or_else(gone)?;
        Ok(Reading {
            taken,
            cpu: Some(cpu),
            memory_usage: read.optional(&self.memory_usage),
            inactive_file: read.optional(&self.inactive_file),
            tasks: read.optional(&self.tasks),
            network: read.optional(&self.network),
            io: read.optional(&self.io),
            oom_kills: read.optional(&self.oom_kills),
            pressure: Pressure {
                cpu: read.optional(&self.pressure_cpu),
                memory: read.optional(&self.pressure_memory),
                io: read.optional(&self.pressure_io),
            },
            limits: self.limits(&mut read),
        })
    }

    /// What rings when it comes under such pressure. To be called within a tokio runtime.
    #[must_use]
    pub fn alarm(&self, triggers: &[Trigger]) -> Alarm {
        self.unified.as_ref().map_or_else(Alarm::default, |folder| Alarm::set(folder, triggers))
    }

    /// Read with every sample, as `docker update` and systemd change them at any time.
    fn limits(&self, read: &mut Reader) -> Limits {
        let cpus = read.optional(&self.cpu_quota).and_then(|quota| match &self.cpu_period {
            None => Some(quota),
            Some(period) => read.required(period).map(|period| quota / period),
        });
        Limits {
            cpus,
            memory: read.optional(&self.memory_limit).map(|bytes| bytes as f64),
            tasks: read.optional(&self.tasks_limit).map(|count| count as f64),
            host: self.host,
            ..Limits::default()
        }
    }
}

impl Folder {
    /// The file of that name in this folder, if it can be read now.
    fn source<T>(&self, name: &str, parse: fn(&str) -> Option<T>) -> Option<Source<T>> {
        Source::kept_open(self.path.join(name), parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup_of_this_very_process_can_be_read() {
        let cgroup =
            Cgroup::of_process(Clock::system(), std::process::id(), HostCapacity::default()).unwrap();
        let reading = cgroup.read().unwrap();
        assert!(reading.cpu.unwrap() > Duration::ZERO);
    }

    /// The path of this very process's cgroup in the hierarchy that accounts CPU time.
    fn own_control_group() -> String {
        let memberships = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let accounts_cpu = |line: &&str| line.starts_with("0::") || line.contains("cpuacct");
        let line = memberships.lines().find(accounts_cpu).unwrap();
        line.splitn(3, ':').nth(2).unwrap().to_owned()
    }

    #[test]
    fn a_cgroup_is_found_by_its_path() {
        let host = HostCapacity::default();
        let cgroup = Cgroup::of_group(Clock::system(), &own_control_group(), host).unwrap();
        assert!(cgroup.read().unwrap().cpu.unwrap() > Duration::ZERO);
    }

    #[test]
    fn a_path_that_is_empty_or_leads_nowhere_is_a_cgroup_that_is_gone() {
        for path in ["", "/system.slice/there-is-no-such.service"] {
            let error = Cgroup::of_group(Clock::system(), path, HostCapacity::default()).unwrap_err();
            assert!(matches!(error, CgroupError::Gone { .. }), "{error}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_has_no_cgroup() {
        let clock = Clock::system();
        let error = Cgroup::of_process(clock, u32::MAX, HostCapacity::default()).unwrap_err();
        assert!(matches!(error, CgroupError::NoProcess { pid: u32::MAX, .. }), "{error}");
    }
}
