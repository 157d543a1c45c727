//! Metrics of systemd units: percent of their limits. And kills and pressure, which containers have too.

use super::*;
use crate::api::target::{SystemdTarget, Target};
use crate::api::target_metric::TargetMetric;
use crate::decide::observe::{Readiness, Reading, aggregate, measured};
use crate::model::observation::{HostCapacity, Stalls, Waiting};
use crate::strategies::target_tracking::Measured;

const GIB: f64 = 1_073_741_824.0;
const READINESS: Readiness = Readiness { warm_up: Duration::from_secs(60), delay: Duration::ZERO };
const HOST: HostCapacity = HostCapacity { cpus: Some(8.0), memory: Some(16.0 * GIB), tasks: Some(1_000.0) };

/// Uses a core and a half, 3 GiB and 50 tasks.
fn busy(number: u32, limits: Limits) -> Replica {
    let sample = Sample {
        at: at(0),
        cpu: Some(150.0),
        memory: Some(3.0 * GIB),
        tasks: Some(50.0),
        ..Sample::default()
    };
    Replica { samples: vec![sample], limits: Limits { host: HOST, ..limits }, ..replica(number, None) }
}

fn limited(cpus: f64, memory: f64, tasks: f64) -> Limits {
    Limits { cpus: Some(cpus), memory: Some(memory), tasks: Some(tasks), ..Limits::default() }
}

fn read(name: &str, target: &Target, replicas: Vec<Replica>) -> Reading {
    let metric = TargetMetric::of(name, target).unwrap();
    aggregate(metric, &Snapshot { replicas, ..Snapshot::default() }, READINESS, at(0))
}

fn unit() -> Target {
    Target::Systemd(SystemdTarget { unit: "worker.service".to_owned(), manager: None })
}

fn container() -> Target {
    spec(RULES).target
}

#[test]
fn a_unit_is_told_in_percent_of_its_limits_and_of_the_host_where_it_has_none() {
    let tight = || vec![busy(1, limited(2.0, 4.0 * GIB, 100.0))];
    let free = || vec![busy(1, Limits::default())];
    for (name, of_limit, of_host) in [
        ("cpu.avg", 75.0, 18.75),
        ("cpu.max", 75.0, 18.75),
        ("cpu.utilization", 75.0, 18.75),
        ("memory.avg", 75.0, 18.75),
        ("memory.utilization", 75.0, 18.75),
        ("tasks.p95", 50.0, 5.0),
        ("cpu.cores", 1.5, 1.5),
        ("memory.bytes", 3.0 * GIB, 3.0 * GIB),
        ("tasks.count", 50.0, 50.0),
    ] {
        assert_eq!(read(name, &unit(), tight()), Reading::Value(of_limit), "{name}");
        assert_eq!(read(name, &unit(), free()), Reading::Value(of_host), "{name} without a limit");
    }
}

#[test]
fn a_container_is_told_as_docker_stats_tells_it_and_its_utilization_in_percent_of_one_core() {
    let free = || vec![busy(1, Limits::default())];
    for (name, value) in
        [("cpu.avg", 150.0), ("cpu.utilization", 150.0), ("memory.avg", 3.0 * GIB), ("tasks.avg", 50.0)]
    {
        assert_eq!(read(name, &container(), free()), Reading::Value(value), "{name}");
    }
}

#[test]
fn of_several_instances_each_counts_by_its_own_limit() {
    let both = || vec![busy(1, limited(2.0, 4.0 * GIB, 100.0)), busy(2, limited(6.0, 4.0 * GIB, 100.0))];
    for (name, value) in [("cpu.avg", 50.0), ("cpu.min", 25.0), ("cpu.sum", 100.0), ("cpu.utilization", 37.5)]
    {
        assert_eq!(read(name, &unit(), both()), Reading::Value(value), "{name}");
    }
}

#[test]
fn target_tracking_takes_the_average_of_a_unit_in_percent() {
    let metric = TargetMetric::of("cpu.avg", &unit()).unwrap();
    let replicas = vec![busy(1, limited(2.0, GIB, 1.0)), busy(2, Limits::default())];
    let snapshot = Snapshot { replicas, ..Snapshot::default() };
    let usage = |usage| Measured::Counted { usage, request: 1.0 };
    assert_eq!(measured(metric, &snapshot, READINESS, |_| true, at(0)), [usage(75.0), usage(18.75)]);
}

#[test]
fn kills_for_want_of_memory_are_those_within_the_window_of_all_replicas_the_youngest_included() {
    let killed = |number, kills: &[Option<f64>]| {
        let samples = kills.iter().map(|&oom_kills| Sample { oom_kills, ..Sample::default() });
        Replica { samples: samples.collect(), ..replica(number, None) }
    };
    let old = killed(1, &[None, Some(0.0), Some(2.0)]);
    let young = Replica { started_at: Some(at(-5)), ..killed(2, &[Some(1.0)]) };
    let name = "memory.oomKills";
    assert_eq!(read(name, &unit(), vec![old.clone(), young]), Reading::Value(3.0));
    assert_eq!(read(name, &unit(), vec![killed(1, &[Some(0.0)])]), Reading::Value(0.0));
    assert_eq!(read(name, &unit(), vec![old, killed(2, &[None])]), Reading::Partial(2.0));
    assert_eq!(
        read(name, &unit(), vec![killed(1, &[])]),
        Reading::Missing,
        "a kernel that does not count them"
    );
}

#[test]
fn pressure_over_the_window_is_a_mean_and_the_kernels_averages_are_the_latest() {
    let sample = |since, average| {
        let waiting = Waiting { since: Some(since), avg10: Some(average), avg60: Some(average / 2.0) };
        let full = Waiting { since: Some(since / 4.0), ..Waiting::default() };
        Sample { pressure_cpu: Stalls { some: waiting, full }, ..Sample::default() }
    };
    let waiting =
        || vec![Replica { samples: vec![sample(20.0, 8.0), sample(60.0, 16.0)], ..replica(1, None) }];
    for (name, value) in [
        ("pressure.cpu", Reading::Value(40.0)),
        ("pressure.cpuFull", Reading::Value(10.0)),
        ("pressure.cpuAvg10", Reading::Value(16.0)),
        ("pressure.cpuAvg60", Reading::Value(8.0)),
        ("pressure.cpuFullAvg10", Reading::Missing),
        ("pressure.io", Reading::Missing),
    ] {
        assert_eq!(read(name, &container(), waiting()), value, "{name}");
    }
}
