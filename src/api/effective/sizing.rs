//! `resources` in its effective form: each limit with its range in its own unit.

use super::super::limits::LimitKind;
use super::super::resources::{Apply, Range, Recommend, Reserve, Resources};
use super::PolicySpec;
use super::profiles::is_built_in;
use crate::units::{Bytes, Percent};

/// How limits move.
#[derive(Debug, Clone, PartialEq)]
pub struct SizingSpec {
    /// The limits that move; at least one.
    pub limits: Vec<LimitSpec>,
    /// Any trigger moves all of them, or a rule moves the limits of its own resource.
    pub grouping: Grouping,
    /// What of the host is never given away.
    pub reserve: ReserveSpec,
    /// How they are found.
    pub recommend: Recommend,
    /// How they are applied.
    pub apply: Apply,
    /// Do they survive a reboot?
    pub persistent: bool,
}

/// Which limits a trigger moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// All of them.
    Together,
    /// Those of its own resource; all of them where it belongs to none.
    Each,
}

/// Between which values a limit moves, in the unit of its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitSpec {
    /// Which limit.
    pub kind: LimitKind,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Smallest change; 0 for any.
    pub min_step: f64,
}

/// What of the host is never given away.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReserveSpec {
    /// Cores.
    pub cpus: f64,
    /// Bytes.
    pub memory: f64,
    /// Processes and threads.
    pub tasks: f64,
}

/// The written form with its defaults. A built-in profile moves all limits together.
pub(super) fn fill(written: Resources, profile: Option<&PolicySpec>) -> Resources {
    Resources {
        together: written.together.or(Some(profile.is_some_and(is_built_in))),
        recommend: written.recommend.or(Some(Recommend::Factor)),
        apply: written.apply.or(Some(Apply::Live)),
        persistent: written.persistent.or(Some(false)),
        ..written
    }
}

/// The effective form of a filled one.
pub(super) fn compile(it: &Resources) -> SizingSpec {
    let percent = |it: &Percent| it.0;
    let bytes = |it: &Bytes| it.0 as f64;
    let count = |it: &u64| *it as f64;
    let limits = [
        ranged(LimitKind::CpuQuota, it.cpu_quota.as_ref(), percent),
        ranged(LimitKind::MemoryMax, it.memory_max.as_ref(), bytes),
        ranged(LimitKind::MemoryHigh, it.memory_high.as_ref(), bytes),
        ranged(LimitKind::TasksMax, it.tasks_max.as_ref(), count),
        ranged(LimitKind::CpuWeight, it.cpu_weight.as_ref(), count),
        ranged(LimitKind::IoWeight, it.io_weight.as_ref(), count),
        ranged(LimitKind::AllowedCpus, it.allowed_cpus.as_ref(), count),
    ];
    let reserve = it.reserve.clone().unwrap_or_default();
    SizingSpec {
        limits: limits.into_iter().flatten().collect(),
        grouping: if it.together == Some(true) { Grouping::Together } else { Grouping::Each },
        reserve: kept_back(&reserve),
        recommend: it.recommend.unwrap_or_default(),
        apply: it.apply.unwrap_or_default(),
        persistent: it.persistent.unwrap_or(false),
    }
}

fn ranged<T>(kind: LimitKind, range: Option<&Range<T>>, value: impl Fn(&T) -> f64) -> Option<LimitSpec> {
    let Range { min, max, min_step } = range?;
    Some(LimitSpec { kind, min: value(min), max: value(max), min_step: min_step.as_ref().map_or(0.0, value) })
}

fn kept_back(it: &Reserve) -> ReserveSpec {
    ReserveSpec {
        cpus: it.cpus.unwrap_or(0.0),
        memory: it.memory.map_or(0.0, |it| it.0 as f64),
        tasks: it.tasks.map_or(0.0, |it| it as f64),
    }
}
