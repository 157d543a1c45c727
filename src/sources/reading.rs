//! One reading of a replica's counters, and the sample that two of them make.
//! Also the seam between the sampler and what it reads with: `Meter` and `Gauge`.

use std::time::Duration;

use futures::future::BoxFuture;

use super::pressure::{Alarm, Trigger};
use crate::model::observation::{Limits, ReplicaId, Sample, Stalls, Waiting};
use crate::units::Timestamp;

/// What finds the replicas of one engine.
pub trait Meter: Send + Sync + 'static {
    /// Looks a running replica up and gives what reads it from now on, cheaply.
    fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>>;
}

/// What reads one replica, from when it was attached until that replica stops or restarts.
pub trait Gauge: Send {
    /// The counters as they are now.
    fn read(&mut self) -> BoxFuture<'_, Result<Reading, MeterError>>;

    /// What it reads from; a metric label.
    fn source(&self) -> GaugeSource;

    /// What rings when the replica comes under such pressure; never, where nobody can tell.
    fn alarm(&self, _triggers: &[Trigger]) -> Alarm {
        Alarm::default()
    }
}

/// What a gauge reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GaugeSource {
    /// The kernel's files on this host.
    Cgroup,
    /// One-shot stats of the Docker API.
    Docker,
}

impl GaugeSource {
    /// The metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Docker => "docker",
        }
    }
}

/// Why a replica could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// It does not run, or no longer in the life that was attached.
    #[error("replica {replica} does not run any more")]
    Gone {
        /// Which.
        replica: ReplicaId,
    },
    /// It runs, but its use cannot be read now.
    #[error("cannot read the use of replica {replica}")]
    Unreadable {
        /// Which.
        replica: ReplicaId,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Counters and levels of one replica at one moment. What could not be read is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// When, on an axis of the gauge's own: only differences mean something.
    pub taken: Duration,
    /// CPU time used so far.
    pub cpu: Option<Duration>,
    /// Memory in bytes, page cache included.
    pub memory_usage: Option<u64>,
    /// Bytes of page cache that the kernel would give up first.
    pub inactive_file: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Bytes over the network so far, loopback excluded.
    pub network: Option<Traffic>,
    /// Bytes from and to disks so far.
    pub io: Option<Traffic>,
    /// How often the kernel has killed for want of memory so far.
    pub oom_kills: Option<u64>,
    /// Time lost waiting.
    pub pressure: Pressure,
    /// Effective limits, without what the host has.
    pub limits: Limits,
}

/// Bytes in and out so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Received or read.
    pub inward: u64,
    /// Sent or written.
    pub outward: u64,
}

/// Time lost waiting for …
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pressure {
    /// … CPU.
    pub cpu: Option<Stalled>,
    /// … memory.
    pub memory: Option<Stalled>,
    /// … disks.
    pub io: Option<Stalled>,
}

/// Time lost waiting for one resource.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stalled {
    /// In which some task waited.
    pub some: Waited,
    /// In which all tasks waited; of CPU, kernels before 5.13 do not tell.
    pub full: Option<Waited>,
}

/// Time in which tasks waited, as the kernel accounts it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Waited {
    /// All of it so far.
    pub total: Duration,
    /// Percent of the last ten seconds, as the kernel weighs them.
    pub avg10: f64,
    /// Percent of the last minute, as the kernel weighs it.
    pub avg60: f64,
}

impl Reading {
    /// The sample of moment `at`: levels as they are, rates over the time since `earlier`.
    ///
    /// Without an earlier reading, or when a counter went backwards since, there is no rate.
    #[must_use]
    pub fn sample(&self, at: Timestamp, earlier: Option<&Self>) -> Sample {
        let since = Since { now: self, earlier };
        Sample {
            at,
            cpu: since.percent(|it| it.cpu),
            memory: self.working_set().map(|bytes| bytes as f64),
            memory_usage: self.memory_usage.map(|bytes| bytes as f64),
            tasks: self.tasks.map(|count| count as f64),
            network_rx: since.rate(|it| it.network.map(|bytes| bytes.inward)),
            network_tx: since.rate(|it| it.network.map(|bytes| bytes.outward)),
            io_read: since.rate(|it| it.io.map(|bytes| bytes.inward)),
            io_write: since.rate(|it| it.io.map(|bytes| bytes.outward)),
            oom_kills: since.growth(|it| it.oom_kills).map(|count| count as f64),
            pressure_cpu: since.stalls(|it| it.pressure.cpu),
            pressure_memory: since.stalls(|it| it.pressure.memory),
            pressure_io: since.stalls(|it| it.pressure.io),
        }
    }

    /// Usage less inactive file cache, as `docker stats` has it; usage where that would be negative.
    fn working_set(&self) -> Option<u64> {
        let usage = self.memory_usage?;
        let inactive = self.inactive_file?;
        Some(usage.checked_sub(inactive).unwrap_or(usage))
    }
}

/// Two readings, and what happened between them.
struct Since<'a> {
    now: &'a Reading,
    earlier: Option<&'a Reading>,
}

impl Since<'_> {
    /// Growth of a counter.
    fn growth(&self, counter: impl Fn(&Reading) -> Option<u64>) -> Option<u64> {
        counter(self.now)?.checked_sub(counter(self.earlier?)?)
    }

    /// Growth of a counter per second.
    fn rate(&self, counter: impl Fn(&Reading) -> Option<u64>) -> Option<f64> {
        let seconds = self.now.taken.checked_sub(self.earlier?.taken)?.as_secs_f64();
        let growth = self.growth(counter)?;
        (seconds > 0.0).then(|| growth as f64 / seconds)
    }

    /// Time spent per time passed, in percent.
    fn percent(&self, spent: impl Fn(&Reading) -> Option<Duration>) -> Option<f64> {
        let nanos = |it: &Reading| spent(it).and_then(|time| u64::try_from(time.as_nanos()).ok());
        self.rate(nanos).map(|nanos_per_second| nanos_per_second / 1e7)
    }

    fn stalls(&self, of: impl Fn(&Reading) -> Option<Stalled>) -> Stalls {
        let some = |it: &Reading| of(it).map(|it| it.some);
        let full = |it: &Reading| of(it).and_then(|it| it.full);
        Stalls { some: self.waiting(some), full: self.waiting(full) }
    }

    /// Nothing can be lost in more than all of the time; readings that are a little apart say so now and then.
    fn waiting(&self, of: impl Fn(&Reading) -> Option<Waited>) -> Waiting {
        let since = self.percent(|it| of(it).map(|it| it.total)).map(|percent| percent.min(100.0));
        let now = of(self.now);
        Waiting { since, avg10: now.map(|it| it.avg10), avg60: now.map(|it| it.avg60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some task waited a tenth of that time, all of them a twentieth.
    fn stalled(millis: u64) -> Stalled {
        let waited = |share| Waited { total: Duration::from_millis(millis / share), avg10: 3.5, avg60: 1.25 };
        Stalled { some: waited(10), full: Some(waited(20)) }
    }

    fn reading(seconds: u64, cpu_millis: u64) -> Reading {
        Reading {
            taken: Duration::from_secs(seconds),
            cpu: Some(Duration::from_millis(cpu_millis)),
            memory_usage: Some(1_000),
            inactive_file: Some(400),
            tasks: Some(3),
            network: Some(Traffic { inward: seconds * 100, outward: seconds * 10 }),
            io: Some(Traffic { inward: 0, outward: seconds * 7 }),
            oom_kills: Some(seconds / 4),
            pressure: Pressure { cpu: Some(stalled(cpu_millis)), ..Pressure::default() },
            limits: Limits::default(),
        }
    }

    #[test]
    fn rates_are_over_the_time_between_two_readings() {
        let sample = reading(12, 3_000).sample(Timestamp::from_secs(5), Some(&reading(10, 2_000)));
        assert_eq!(sample.at, Timestamp::from_secs(5));
        assert_eq!(sample.cpu, Some(50.0));
        assert_eq!(sample.memory, Some(600.0));
        assert_eq!(sample.memory_usage, Some(1_000.0));
        assert_eq!(sample.tasks, Some(3.0));
        assert_eq!((sample.network_rx, sample.network_tx), (Some(100.0), Some(10.0)));
        assert_eq!((sample.io_read, sample.io_write), (Some(0.0), Some(7.0)));
        let waiting = |since| Waiting { since: Some(since), avg10: Some(3.5), avg60: Some(1.25) };
        assert_eq!(sample.pressure_cpu, Stalls { some: waiting(5.0), full: waiting(2.5) });
        assert_eq!(sample.pressure_io, Stalls::default());
        assert_eq!(sample.oom_kills, Some(1.0));
    }

    #[test]
    fn a_first_reading_has_levels_but_no_rates() {
        let sample = reading(10, 2_000).sample(Timestamp::default(), None);
        assert_eq!((sample.cpu, sample.network_rx, sample.io_write), (None, None, None));
        assert_eq!(sample.memory, Some(600.0));
        assert_eq!(sample.oom_kills, None, "those were before");
        let some = sample.pressure_cpu.some;
        assert_eq!((some.since, some.avg10), (None, Some(3.5)), "the kernel's averages are levels");
    }

    #[test]
    fn pressure_is_never_more_than_all_of_the_time() {
        let earlier = Reading { taken: Duration::from_millis(10_001), ..reading(10, 0) };
        let sample = reading(12, 20_000).sample(Timestamp::default(), Some(&earlier));
        assert_eq!(sample.pressure_cpu.some.since, Some(100.0));
    }

    #[test]
    fn a_counter_that_went_backwards_gives_no_rate() {
        let sample = reading(12, 100).sample(Timestamp::default(), Some(&reading(10, 2_000)));
        assert_eq!(sample.cpu, None);
        assert_eq!(sample.network_rx, Some(100.0));
    }

    #[test]
    fn two_readings_of_one_moment_give_no_rate() {
        let sample = reading(10, 2_000).sample(Timestamp::default(), Some(&reading(10, 2_000)));
        assert_eq!(sample.cpu, None);
    }

    #[test]
    fn cache_read_after_usage_never_makes_the_working_set_negative() {
        let raced = Reading { memory_usage: Some(10), inactive_file: Some(20), ..Reading::default() };
        assert_eq!(raced.sample(Timestamp::default(), None).memory, Some(10.0));
    }
}
