//! From a row of a trace to the snapshot that `decide` looks at.

use std::collections::BTreeMap;

use super::trace::{Row, TracedReplica};
use crate::api::effective::{Name, Origin, Spec};
use crate::api::metric::MetricSource;
use crate::api::target::Target;
use crate::api::target_metric::{Aggregate, Resource};
use crate::decide::observe::reported;
use crate::model::observation::{
    Health, Limits, Observation, Replica, ReplicaId, ReplicaPhase, Sample, Snapshot,
};
use crate::units::{Duration, Timestamp};

/// Percent of its limit are given; so the limit is a hundred of them.
const ALL: f64 = 100.0;

/// Makes `snapshot` what the row shows of a workload of `current` replicas. Every row is an evaluation. What the row
/// before left in it is used again or goes.
pub fn show(spec: &Spec, row: &Row, current: u32, snapshot: &mut Snapshot) {
    let listed = row.replicas.iter().flatten().zip(1..);
    snapshot.replicas.clear();
    snapshot.replicas.extend(listed.map(|(it, number)| replica(spec, it, number, row.at)));
    snapshot.current = Some(current);
    snapshot.evaluation = true;
    (snapshot.limits, snapshot.forecast) = (None, None);
    metrics(spec, row, &mut snapshot.metrics);
}

/// Gives the workload these limits; what the row tells in percent is percent of them.
pub fn limited(spec: &Spec, snapshot: &mut Snapshot, row: &Row, limits: Limits) {
    // Without a quota, percent are of all of the host's cores.
    let unlimited = if matches!(spec.target, Target::Systemd(_)) { limits.host.cpus } else { None };
    for (replica, told) in snapshot.replicas.iter_mut().zip(row.replicas.iter().flatten()) {
        let cpus = limits.cpus.or(replica.limits.cpus).or(unlimited);
        for sample in &mut replica.samples {
            if let (Some(percent), Some(cores), None) =
                (told.cpu.flatten(), cpus, told.cpu_one_core.flatten())
            {
                sample.cpu = Some(percent * cores);
            }
            if let Some(bytes) = limits.memory {
                sample.memory = sample.memory.map(|percent| percent / ALL * bytes);
            }
        }
        replica.limits = Limits { cpus, memory: limits.memory.or(replica.limits.memory), ..limits };
    }
    snapshot.limits = Some(limits);
}

fn metrics(spec: &Spec, row: &Row, metrics: &mut BTreeMap<String, Observation>) {
    if row.replicas.is_some() {
        metrics.clear();
        for name in untold(spec) {
            metrics.insert(name.to_string(), Observation::Missing);
        }
    }
    given(spec, row, metrics);
    if row.replicas.is_none() && metrics.len() != row.metrics.len() {
        // Something of the row before is left that this one does not give.
        metrics.clear();
        given(spec, row, metrics);
    }
    if !row.failed.is_empty() {
        for metric in &spec.metrics {
            // Of a trend it is the metric itself that could not be read.
            let observed = !matches!(metric.origin, Origin::Trend { .. });
            let failed = |it: &String| it == source_name(&metric.name) || **it == *metric.name;
            if observed && row.failed.iter().any(failed) {
                metrics.insert(metric.name.to_string(), Observation::Failed);
            }
        }
    }
}

fn given(spec: &Spec, row: &Row, metrics: &mut BTreeMap<String, Observation>) {
    for (name, value) in &row.metrics {
        let observed = reported(source(spec, name), *value);
        match metrics.get_mut(&**name) {
            Some(known) => *known = observed,
            None => {
                metrics.insert(name.to_string(), observed);
            }
        }
    }
}

/// `queue` of `queue.backlog`.
fn source_name(metric: &str) -> &str {
    metric.split_once('.').map_or(metric, |(source, _)| source)
}

fn source<'a>(spec: &'a Spec, metric: &str) -> Option<&'a MetricSource> {
    let found = spec.sources.iter().find(|(name, _)| **name == *source_name(metric));
    found.map(|(_, source)| source)
}

/// A trace tells the memory of replicas in percent of their limits, so it does not tell how many bytes that is.
fn untold(spec: &Spec) -> impl Iterator<Item = &Name> {
    let percent = matches!(spec.target, Target::Systemd(_));
    spec.metrics.iter().filter_map(move |metric| match &metric.origin {
        Origin::Target(it) if it.resource == Resource::Memory => {
            let told =
                it.aggregate == Aggregate::Utilization || (percent && it.aggregate != Aggregate::Absolute);
            (!told).then_some(&metric.name)
        }
        _ => None,
    })
}

fn replica(spec: &Spec, it: &TracedReplica, number: u32, now: Timestamp) -> Replica {
    let age = it.age.map(|seconds| Duration::from_millis((seconds * 1_000.0) as u64));
    let young = age.is_some_and(|it| it < spec.warm_up);
    let phase = it.phase.map_or(ReplicaPhase::Running, Into::into);
    let health = match (it.ready, phase) {
        (Some(true), ReplicaPhase::Running) => Health::Healthy,
        (None, ReplicaPhase::Running) => Health::NoCheck,
        // Whether it is still starting or fails its check makes no difference to a decision.
        _ => Health::Unhealthy,
    };
    let (cpu, limit) = cpu(it);
    // Of a replica that does not work yet nobody expects a sample; only `null` says that one should be there.
    let idle = it.cpu.or(it.cpu_one_core).is_none() && (it.ready == Some(false) || young);
    let sample = Sample {
        at: now,
        cpu: if idle { Some(0.0) } else { cpu },
        memory: it.memory.flatten(),
        ..Sample::default()
    };
    let started_at = age.map(|age| now.minus(age));
    Replica {
        restarts: 0,
        id: ReplicaId::new(&it.name),
        name: it.name.clone(),
        number,
        phase,
        health,
        created_at: started_at,
        started_at,
        change: None,
        outdated: false,
        samples: vec![sample],
        limits: Limits { cpus: limit, memory: Some(ALL), ..Limits::default() },
    }
}

/// CPU in percent of one core, and the limit in cores that follows from both ways to tell it.
fn cpu(it: &TracedReplica) -> (Option<f64>, Option<f64>) {
    match (it.cpu.flatten(), it.cpu_one_core.flatten()) {
        (Some(utilization), Some(one_core)) if utilization > 0.0 && one_core > 0.0 => {
            (Some(one_core), Some(one_core / utilization))
        }
        (utilization, one_core) => (one_core.or(utilization), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilization_is_percent_of_one_core_unless_the_trace_says_otherwise() {
        let some = |value: f64| Some(Some(value));
        for (utilization, one_core, cpu_and_limit) in [
            (some(87.2), None, (Some(87.2), None)),
            (None, some(150.0), (Some(150.0), None)),
            (some(50.0), some(100.0), (Some(100.0), Some(2.0))),
            (some(0.0), some(0.0), (Some(0.0), None)),
            (Some(None), None, (None, None)),
            (None, None, (None, None)),
        ] {
            let it = TracedReplica { cpu: utilization, cpu_one_core: one_core, ..TracedReplica::default() };
            assert_eq!(cpu(&it), cpu_and_limit, "{it:?}");
        }
    }
}
