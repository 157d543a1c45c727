//! Limits as they are: what each replica may use now, and what it uses of that.

use crate::api::effective::{ReserveSpec, SizingSpec, Spec};
use crate::api::limits::{LimitKind, LimitKinds, LimitSet, Usable};
use crate::api::target::Target;
use crate::model::memory::Memory;
use crate::model::observation::{HostCapacity, Limits, Observation, Replica, ReplicaPhase, Sample, Snapshot};

/// The share by which a limit may differ from what was set without being another one.
const ROUNDING: f64 = 1e-4;

/// The present limits of the policy's kinds: the largest of the replicas; the host's capacity where there is none;
/// what docktor last set where nothing is known; else the minimum.
#[must_use]
pub fn present(sizing: &SizingSpec, memory: &Memory, snapshot: &Snapshot) -> LimitSet {
    let last_set = memory.sizing.as_ref().and_then(|it| it.limits);
    let known = known(sizing, snapshot);
    let of = |kind| known.get(kind).or_else(|| last_set?.get(kind));
    sizing.limits.iter().map(|it| (it.kind, of(it.kind).unwrap_or(it.min))).collect()
}

/// The present limits of the policy's kinds that are known: the largest of the replicas; the host's capacity where there
/// is none.
#[must_use]
pub fn known(sizing: &SizingSpec, snapshot: &Snapshot) -> LimitSet {
    let of = |kind| seen(snapshot).filter_map(|it| it.effective(kind)).reduce(f64::max);
    sizing.limits.iter().filter_map(|it| Some((it.kind, of(it.kind)?))).collect()
}

/// The policy's kinds of which some replica has no limit, so that the host's capacity is reckoned with.
#[must_use]
pub fn unlimited(sizing: &SizingSpec, snapshot: &Snapshot) -> LimitKinds {
    let is_of_host = |it: &Limits, kind| it.of(kind).is_none() && it.effective(kind).is_some();
    let kinds = sizing.limits.iter().map(|it| it.kind);
    kinds.filter(|kind| seen(snapshot).any(|it| is_of_host(it, *kind))).collect()
}

/// Where limits are not what docktor left: for each kind the value that is furthest off. `None` where all are as left.
#[must_use]
pub fn astray(left: &LimitSet, snapshot: &Snapshot) -> Option<LimitSet> {
    let off = |kind, value: f64| {
        let values = seen(snapshot).filter_map(|it| it.effective(kind));
        values.filter(|it| differs(*it, value)).max_by(|one, other| {
            let distance = |it: &f64| (it - value).abs();
            distance(one).total_cmp(&distance(other))
        })
    };
    let astray: LimitSet = left.iter().filter_map(|(kind, value)| Some((kind, off(kind, value)?))).collect();
    if astray.is_empty() {
        return None;
    }
    Some(left.iter().map(|(kind, value)| (kind, astray.get(kind).unwrap_or(value))).collect())
}

/// Are these two limits, and not one that a kernel or an engine rounded?
#[must_use]
pub fn differs(one: f64, other: f64) -> bool {
    (one - other).abs() > one.abs().max(other.abs()) * ROUNDING
}

/// What the host has, as far as the snapshot tells.
#[must_use]
pub fn host(snapshot: &Snapshot) -> HostCapacity {
    seen(snapshot).map(|it| it.host).next().unwrap_or_default()
}

fn seen(snapshot: &Snapshot) -> impl Iterator<Item = &Limits> {
    let of_replicas = snapshot.replicas.iter().filter(|it| it.counts()).map(|it| &it.limits);
    of_replicas.chain(snapshot.limits.as_ref())
}

/// What of the host may be given away, in the unit of the limit.
#[must_use]
pub fn free(kind: LimitKind, host: HostCapacity, reserve: ReserveSpec) -> Option<f64> {
    match kind {
        LimitKind::CpuQuota => host.cpus.map(|it| (it - reserve.cpus) * 100.0),
        LimitKind::AllowedCpus => host.cpus.map(|it| it - reserve.cpus),
        LimitKind::MemoryMax | LimitKind::MemoryHigh => host.memory.map(|it| it - reserve.memory),
        LimitKind::TasksMax => host.tasks.map(|it| it - reserve.tasks),
        LimitKind::CpuWeight | LimitKind::IoWeight => None,
    }
}

/// Present use of the busiest replica.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Use {
    /// CPU in percent of one core.
    pub cpu: Used,
    /// Memory in bytes.
    pub memory: Used,
    /// Processes and threads.
    pub tasks: Used,
}

/// How much is used, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Used {
    /// Nothing is known.
    #[default]
    Unknown,
    /// At least so much; there is a replica of which it is not known.
    AtLeast(f64),
    /// So much.
    Exactly(f64),
}

impl Used {
    /// What is known of it.
    #[must_use]
    pub const fn known(self) -> Option<f64> {
        match self {
            Self::Unknown => None,
            Self::AtLeast(value) | Self::Exactly(value) => Some(value),
        }
    }

    /// All of it, where that is known: only then may a limit shrink.
    #[must_use]
    pub const fn whole(self) -> Option<f64> {
        match self {
            Self::Exactly(value) => Some(value),
            Self::Unknown | Self::AtLeast(_) => None,
        }
    }
}

impl Use {
    /// What counts against a limit of that kind, in its unit.
    #[must_use]
    pub fn against(&self, kind: LimitKind) -> Option<f64> {
        match (kind, kind.of()) {
            (LimitKind::AllowedCpus, _) => self.cpu.whole().map(|it| it / 100.0),
            (_, Usable::Cpu) => self.cpu.whole(),
            (_, Usable::Memory) => self.memory.whole(),
            (_, Usable::Tasks) => self.tasks.whole(),
            (_, Usable::Io) => None,
        }
    }
}

/// Present use: of the replicas' samples; else as the metrics of a trace tell it.
#[must_use]
pub fn usage(spec: &Spec, snapshot: &Snapshot, present: &LimitSet) -> Use {
    let of_replicas = |field: fn(&Sample) -> Option<f64>| used(&snapshot.replicas, field);
    let told = Told { spec, snapshot };
    let limit = |kind| present.get(kind);
    let memory = limit(LimitKind::MemoryMax).or(limit(LimitKind::MemoryHigh));
    Use {
        cpu: told.or(
            of_replicas(|it| it.cpu),
            ["cpu.cores", "cpu.utilization", "cpu.avg"],
            100.0,
            limit(LimitKind::CpuQuota),
        ),
        memory: told.or(
            of_replicas(|it| it.memory),
            ["memory.bytes", "memory.utilization", "memory.avg"],
            1.0,
            memory,
        ),
        tasks: told.or(
            of_replicas(|it| it.tasks),
            ["tasks.count", "tasks.utilization", "tasks.avg"],
            1.0,
            limit(LimitKind::TasksMax),
        ),
    }
}

/// The most that a running replica uses, each with the mean of its samples.
fn used(replicas: &[Replica], field: fn(&Sample) -> Option<f64>) -> Used {
    let (mut most, mut complete) = (None::<f64>, true);
    for replica in replicas.iter().filter(|it| it.phase == ReplicaPhase::Running) {
        let values = || replica.samples.iter().filter_map(field).filter(|it| it.is_finite() && *it >= 0.0);
        let count = values().count();
        if count == 0 {
            complete = false;
            continue;
        }
        let mean = values().sum::<f64>() / count as f64;
        most = Some(most.map_or(mean, |it| it.max(mean)));
    }
    match most {
        None => Used::Unknown,
        Some(value) if complete => Used::Exactly(value),
        Some(value) => Used::AtLeast(value),
    }
}

/// Use as metrics tell it.
struct Told<'a> {
    spec: &'a Spec,
    snapshot: &'a Snapshot,
}

impl Told<'_> {
    /// `measured` where something was; else of three metrics: the whole in its own unit, percent of the limit, and
    /// `avg`, which is percent of the limit for a systemd unit and the unit of samples for all else.
    fn or(
        &self,
        measured: Used,
        [whole, percent, average]: [&str; 3],
        unit: f64,
        limit: Option<f64>,
    ) -> Used {
        if measured != Used::Unknown || !self.snapshot.replicas.is_empty() {
            return measured;
        }
        let of_limit = |name| Some(self.value(name)? * limit? / 100.0);
        let average_of_limit = matches!(self.spec.target, Target::Systemd(_));
        let replicas = f64::from(self.snapshot.current().max(1));
        let told = self
            .value(whole)
            .map(|it| it * unit / replicas)
            .or_else(|| of_limit(percent))
            .or_else(|| if average_of_limit { of_limit(average) } else { self.value(average) });
        told.map_or(Used::Unknown, Used::Exactly)
    }

    fn value(&self, name: &str) -> Option<f64> {
        match self.snapshot.metrics.get(name) {
            Some(Observation::Value(value)) if value.is_finite() && *value >= 0.0 => Some(*value),
            _ => None,
        }
    }
}
