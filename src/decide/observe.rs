//! Observe: from what a pass saw to one reading for each metric. Replicas count once they are ready and
//! older than `warmUp`.

use super::schedule::is_active;
use super::trend;
use crate::api::effective::{Metric, Origin, Spec};
use crate::api::metric::{MetricSource, WhenAbsent};
use crate::api::target_metric::{Aggregate, Contended, Over, Pressure, Resource, Scale, Stall, TargetMetric};
use crate::model::memory::Memory;
use crate::model::observation::{
    Health, Limits, Observation, Replica, ReplicaId, ReplicaPhase, Sample, Snapshot,
};
use crate::strategies::target_tracking::Measured;
use crate::units::{Duration, Timestamp};

/// What is known of a metric at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// A finite number.
    Value(f64),
    /// A number, though a replica that counts had no sample: good for growing, missing for shrinking.
    Partial(f64),
    /// There is no value.
    Missing,
    /// The source could not be read.
    Failed,
    /// Replicas run, and none of them counts yet. No failure.
    WarmingUp,
    /// It means nothing at present: a metric of the target at zero replicas, or of a limit that is not there.
    NotApplicable,
}

impl Reading {
    /// The value that may raise the count.
    #[must_use]
    pub const fn for_growing(self) -> Option<f64> {
        match self {
            Self::Value(value) | Self::Partial(value) => Some(value),
            Self::Missing | Self::Failed | Self::WarmingUp | Self::NotApplicable => None,
        }
    }

    /// The value that may lower the count.
    #[must_use]
    pub const fn for_shrinking(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Is there no value where there should be one?
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Missing | Self::Failed)
    }
}

/// A reading for each of the spec's metrics, in their order. An evaluation moves the memory of trends on.
#[must_use]
pub fn readings(spec: &Spec, memory: &mut Memory, snapshot: &Snapshot, now: Timestamp) -> Vec<Reading> {
    trend::forget_unused(spec, memory);
    let mut readings: Vec<Reading> = Vec::with_capacity(spec.metrics.len());
    let observed = observed(spec, snapshot);
    for (index, metric) in spec.metrics.iter().enumerate() {
        if let Origin::Trend { of, .. } = metric.origin
            && snapshot.evaluation
            && let Some(base) = readings.get(of.0)
        {
            trend::note(spec, memory, of, *base, index, now);
        }
        let observed = observed.get(index).copied().flatten();
        let reading = read(metric, observed, spec, memory, snapshot, &readings, now);
        readings.push(reading);
    }
    readings
}

/// What the snapshot has for each metric, found by going through both in the order of names; nothing where it has
/// no values at all.
fn observed<'a>(spec: &Spec, snapshot: &'a Snapshot) -> Vec<Option<&'a Observation>> {
    if snapshot.metrics.is_empty() {
        return Vec::new();
    }
    let mut found = vec![None; spec.metrics.len()];
    let mut given = snapshot.metrics.iter().peekable();
    for index in &spec.by_name {
        let Some(metric) = spec.metrics.get(index.0) else { continue };
        while given.next_if(|(name, _)| name.as_str() < &*metric.name).is_some() {}
        if let Some((_, value)) = given.next_if(|(name, _)| name.as_str() == &*metric.name) {
            found[index.0] = Some(value);
        }
    }
    found
}

/// What a source's answer stands for. NaN, infinity, a count of a queue below zero, and no answer are missing, unless
/// the source says `onNaN: Zero` or `onEmpty: Zero`.
#[must_use]
pub fn reported(source: Option<&MetricSource>, answer: Option<f64>) -> Observation {
    let (on_empty, on_nan) = match source {
        Some(MetricSource::Prometheus(it)) => (it.on_empty, it.on_nan),
        Some(MetricSource::Http(it)) => (it.on_empty, None),
        _ => (None, None),
    };
    let counts = source.is_some_and(|it| it.fields().contains(&"backlog"));
    let stand_in = match answer {
        None => on_empty,
        Some(value) if !value.is_finite() => on_nan,
        Some(value) if counts && value < 0.0 => None,
        Some(value) => return Observation::Value(value),
    };
    match stand_in {
        Some(WhenAbsent::Zero) => Observation::Value(or_zero(answer)),
        Some(WhenAbsent::Missing) | None => Observation::Missing,
    }
}

/// What KEDA takes an answer for, and docktor where a source says `Zero`: NaN, infinity, a number below zero, and no
/// answer at all are 0.
#[must_use]
pub fn or_zero(answer: Option<f64>) -> f64 {
    answer.filter(|it| it.is_finite() && *it >= 0.0).unwrap_or(0.0)
}

fn read(
    metric: &Metric,
    observed: Option<&Observation>,
    spec: &Spec,
    memory: &Memory,
    snapshot: &Snapshot,
    before: &[Reading],
    now: Timestamp,
) -> Reading {
    if is_of_target(metric, spec) && snapshot.current() == 0 {
        return Reading::NotApplicable;
    }
    if let Some(observed) = observed {
        return match observed {
            Observation::Value(value) if value.is_finite() => Reading::Value(*value),
            Observation::Value(_) | Observation::Missing => Reading::Missing,
            Observation::Failed => Reading::Failed,
        };
    }
    match &metric.origin {
        Origin::Source => Reading::Missing,
        Origin::Cron(window) => Reading::Value(f64::from(u8::from(is_active(window, now)))),
        Origin::Target(metric) => {
            let readiness = Readiness { warm_up: spec.warm_up, delay: spec.readiness_delay };
            aggregate(*metric, snapshot, readiness, now)
        }
        Origin::Trend { of, kind } => {
            let base = before.get(of.0).copied().unwrap_or(Reading::Missing);
            let recent = spec.metrics.get(of.0).and_then(|it| memory.trends.get(&*it.name));
            trend::reading(*kind, recent, base, now)
        }
        Origin::Formula(formula) => {
            let of = |index: usize| before.get(formula.reads.get(index)?.0).copied();
            let growing = formula.expr.eval_number(&|index| of(index)?.for_growing());
            let shrinking = formula.expr.eval_number(&|index| of(index)?.for_shrinking());
            match (growing, shrinking) {
                (Some(_), Some(value)) => Reading::Value(value),
                (Some(value), None) => Reading::Partial(value),
                (None, _) => excuse(formula.reads.iter().filter_map(|it| before.get(it.0)).copied()),
            }
        }
    }
}

/// Is it measured of the target's replicas, now or over the last minutes? Without a replica it says nothing.
fn is_of_target(metric: &Metric, spec: &Spec) -> bool {
    match metric.origin {
        Origin::Target(_) => true,
        Origin::Trend { of, .. } => {
            spec.metrics.get(of.0).is_some_and(|it| matches!(it.origin, Origin::Target(_)))
        }
        Origin::Source | Origin::Cron(_) | Origin::Formula(_) => false,
    }
}

/// Why something computed from these has no value: the worst of their reasons.
fn excuse(readings: impl Iterator<Item = Reading>) -> Reading {
    let rank = |reading: &Reading| match reading {
        Reading::Failed => 4,
        Reading::Missing => 3,
        Reading::WarmingUp => 2,
        Reading::NotApplicable => 1,
        Reading::Value(_) | Reading::Partial(_) => 0,
    };
    match readings.max_by_key(rank) {
        Some(worst) if worst.for_growing().is_none() => worst,
        // All are there, and the result is not finite.
        _ => Reading::Missing,
    }
}

/// When a replica counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// A replica younger than this does not count in averages.
    pub warm_up: Duration,
    /// How long after its start a replica without health check is taken for ready.
    pub delay: Duration,
}

/// Is it able to work? Its health check says so, or it has none and has run for `delay`.
/// A replica whose start is not known has run for long enough.
#[must_use]
pub fn is_ready(replica: &Replica, delay: Duration, now: Timestamp) -> bool {
    replica.phase == ReplicaPhase::Running
        && match replica.health {
            Health::Healthy => true,
            Health::NoCheck => age(replica, now).is_none_or(|age| age >= delay),
            Health::Starting | Health::Unhealthy => false,
        }
}

/// For how long it has run; unknown where nobody said when it started.
#[must_use]
pub fn age(replica: &Replica, now: Timestamp) -> Option<Duration> {
    replica.started_at.or(replica.created_at).map(|start| now.since(start))
}

fn warmed_up(replica: &Replica, readiness: Readiness, now: Timestamp) -> bool {
    is_ready(replica, readiness.delay, now) && is_old_enough(replica, readiness, now)
}

fn is_old_enough(replica: &Replica, readiness: Readiness, now: Timestamp) -> bool {
    age(replica, now).is_none_or(|age| age >= readiness.warm_up)
}

/// The value of a metric of the target over the replicas that count.
#[must_use]
pub fn aggregate(metric: TargetMetric, snapshot: &Snapshot, readiness: Readiness, now: Timestamp) -> Reading {
    if snapshot.current() == 0 {
        return Reading::NotApplicable;
    }
    if snapshot.replicas.is_empty() {
        // Most workloads have no limit on tasks; a trace without replicas that says nothing of one has none.
        let optional = metric.resource == Resource::Tasks && metric.aggregate == Aggregate::Utilization;
        return if optional { Reading::NotApplicable } else { Reading::Missing };
    }
    let (mut values, mut limits) = (Vec::with_capacity(snapshot.replicas.len()), 0.0);
    let (mut counted, mut unlimited) = (0usize, 0usize);
    for replica in snapshot.replicas.iter().filter(|it| has_part(metric, it, readiness, now)) {
        counted += 1;
        let limit = limit(metric, &replica.limits);
        match (value(metric.resource, &replica.samples), limit) {
            (_, None) => unlimited += 1,
            (Some(value), Some(limit)) => {
                values.extend(metric.told(value, Some(limit)));
                limits += limit;
            }
            (None, Some(_)) => {}
        }
    }
    if counted == 0 {
        return Reading::WarmingUp;
    }
    if unlimited == counted {
        return Reading::NotApplicable;
    }
    let complete = values.len() == counted;
    match fold(metric, &mut values, limits) {
        Some(value) if complete => Reading::Value(value),
        Some(value) => Reading::Partial(value),
        None => Reading::Missing,
    }
}

/// Does the replica count in the value? A kill for want of memory is one, however young the replica is that comes
/// after it.
fn has_part(metric: TargetMetric, replica: &Replica, readiness: Readiness, now: Timestamp) -> bool {
    match metric.resource {
        Resource::OomKills => replica.phase == ReplicaPhase::Running,
        _ => warmed_up(replica, readiness, now),
    }
}

impl TargetMetric {
    /// What one replica uses, as the metric tells it. Utilization is told of all together, not of each.
    fn told(self, used: f64, limit: Option<f64>) -> Option<f64> {
        match (self.scale, self.aggregate) {
            (Scale::Own, _) | (_, Aggregate::Utilization) => Some(used),
            (Scale::LimitOrCore | Scale::LimitOrHost, _) => Some(used * 100.0 / limit?),
        }
    }
}

fn fold(metric: TargetMetric, values: &mut [f64], limits: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let sum = || values.iter().sum::<f64>();
    let value = match metric.aggregate {
        Aggregate::Avg => sum() / values.len() as f64,
        Aggregate::Absolute if metric.resource == Resource::Cpu => sum() / 100.0,
        Aggregate::Sum | Aggregate::Absolute => sum(),
        Aggregate::Utilization => sum() * 100.0 / limits,
        Aggregate::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregate::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Aggregate::P50 => percentile(values, 0.50)?,
        Aggregate::P95 => percentile(values, 0.95)?,
    };
    value.is_finite().then_some(value)
}

/// The smallest value that at least this share of them does not exceed (nearest rank).
fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

/// A replica's value over the window; `None` where no sample has it.
fn value(resource: Resource, samples: &[Sample]) -> Option<f64> {
    let mut values = samples.iter().filter_map(|it| field(resource, it));
    let value = match resource {
        // The kernel's averages reach back by themselves.
        Resource::Pressure(Pressure { over: Over::Avg10 | Over::Avg60, .. }) => values.next_back(),
        Resource::OomKills => values.reduce(|sum, it| sum + it),
        _ => mean(values),
    };
    value.filter(|it| it.is_finite())
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

fn field(resource: Resource, it: &Sample) -> Option<f64> {
    match resource {
        Resource::Cpu => it.cpu,
        Resource::Memory => it.memory,
        Resource::MemoryUsage => it.memory_usage,
        Resource::OomKills => it.oom_kills,
        Resource::Tasks => it.tasks,
        Resource::Network => Some(it.network_rx? + it.network_tx?),
        Resource::NetworkReceived => it.network_rx,
        Resource::NetworkSent => it.network_tx,
        Resource::Io => Some(it.io_read? + it.io_write?),
        Resource::IoRead => it.io_read,
        Resource::IoWritten => it.io_write,
        Resource::Pressure(pressure) => waited(pressure, it),
    }
}

fn waited(Pressure { on, stall, over }: Pressure, it: &Sample) -> Option<f64> {
    let stalls = match on {
        Contended::Cpu => it.pressure_cpu,
        Contended::Memory => it.pressure_memory,
        Contended::Io => it.pressure_io,
    };
    let waiting = match stall {
        Stall::Some => stalls.some,
        Stall::Full => stalls.full,
    };
    match over {
        Over::Window => waiting.since,
        Over::Avg10 => waiting.avg10,
        Over::Avg60 => waiting.avg60,
    }
}

/// What the value of a replica is told against, in the unit of its samples; 1 for what is told in its own unit, `None`
/// where there is neither a limit nor a known host. A CPU of which not even the host's cores are known is one core.
fn limit(metric: TargetMetric, it: &Limits) -> Option<f64> {
    let cores = match metric.scale {
        Scale::Own => return Some(1.0),
        Scale::LimitOrCore => it.cpus,
        Scale::LimitOrHost => it.cpus.or(it.host.cpus),
    };
    let limit = match metric.resource {
        Resource::Cpu => Some(cores.unwrap_or(1.0) * 100.0),
        Resource::Memory => it.memory.or(it.host.memory),
        Resource::Tasks => it.tasks.or(it.host.tasks),
        _ => None,
    };
    limit.filter(|it| it.is_finite() && *it > 0.0)
}

/// Each replica as target tracking wants it, for a metric that replicas have. Failed and draining ones
/// are left out. `was_ready` says which have been ready since they were started: one that was, and is not any more, may
/// well be so for its load, so it counts.
#[must_use]
pub fn measured(
    metric: TargetMetric,
    snapshot: &Snapshot,
    readiness: Readiness,
    was_ready: impl Fn(&ReplicaId) -> bool,
    now: Timestamp,
) -> Vec<Measured> {
    let counting = snapshot.replicas.iter().filter(|it| it.counts());
    counting
        .map(|replica| {
            let limit = limit(metric, &replica.limits);
            let request = match metric.aggregate {
                Aggregate::Utilization => limit.unwrap_or(0.0),
                _ => 1.0,
            };
            if replica.phase == ReplicaPhase::Pending {
                return Measured::NotReady { request };
            }
            let used = value(metric.resource, &replica.samples);
            let Some(usage) = used.and_then(|used| metric.told(used, limit)) else {
                return Measured::Missing { request };
            };
            // What a replica uses of the CPU while it starts says nothing of the load; its other values do.
            let warm = is_old_enough(replica, readiness, now)
                && (is_ready(replica, readiness.delay, now) || was_ready(&replica.id));
            if metric.resource == Resource::Cpu && !warm {
                return Measured::NotReady { request };
            }
            Measured::Counted { usage, request }
        })
        .collect()
}
