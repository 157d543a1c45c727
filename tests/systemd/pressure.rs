//! What the kernel tells of a unit's cgroup: pressure, at once and over time, and kills for want of memory.

use std::process::Command;
use std::time::Duration;

use docktor::api::target_metric::{Contended, Stall};
use docktor::clock::Clock;
use docktor::model::observation::HostCapacity;
use docktor::sources::cgroup::{Cgroup, CgroupError};
use docktor::sources::pressure::{Alarm, Trigger};
use docktor::sources::reading::Reading;
use docktor::units::{self, Timestamp};

/// How long anything may take; the machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Two processes that never rest.
const BUSY: &str = "while :; do :; done & while :; do :; done";
/// Waits until it is read for the first time, then fills memory in a process of its own, and goes on.
const HUNGRY: &str = "sleep 5; head -c 200000000 /dev/zero | tail >/dev/null; sleep 1000";

/// A transient service, stopped when it is dropped.
struct Unit(String);

impl Unit {
    fn run(name: &str, properties: &[&str], program: &str) -> Self {
        let unit = Self(format!("kernel-{name}-{}.service", std::process::id()));
        let mut command = Command::new("systemd-run");
        command.args(["--quiet", "--collect", "--unit", &unit.0]);
        command.args(properties.iter().map(|it| format!("--property={it}")));
        let status = command.args(["sh", "-c", program]).status().unwrap();
        assert!(status.success(), "systemd-run: {status}");
        unit
    }

    fn cgroup(&self) -> Cgroup {
        let show = ["show", "--property=ControlGroup", "--value", &self.0];
        let output = Command::new("systemctl").args(show).output().unwrap();
        let path = String::from_utf8(output.stdout).unwrap();
        Cgroup::of_group(Clock::system(), path.trim_end(), HostCapacity::default()).unwrap()
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        for words in [["kill", "--signal=SIGKILL", &self.0].as_slice(), &["stop", &self.0]] {
            // It may have ended by itself.
            let _ = Command::new("systemctl").args(words).output();
        }
    }
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Reads until that holds.
async fn read_until(cgroup: &Cgroup, holds: impl Fn(&Reading) -> bool) -> Reading {
    let waiting = async {
        loop {
            let reading = cgroup.read().unwrap();
            if holds(&reading) {
                return reading;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it holds in time")
}

#[tokio::test]
async fn pressure_over_the_window_is_what_the_kernel_makes_of_it_and_limits_are_those_of_the_unit() {
    let properties = ["CPUQuota=10%", "MemoryMax=64M", "TasksMax=20"];
    let unit = Unit::run("busy", &properties, BUSY);
    let cgroup = unit.cgroup();
    // The kernel's average takes three times its span to get within a twentieth of what is.
    seconds(25).await;
    let before = cgroup.read().unwrap();
    seconds(10).await;
    let reading = cgroup.read().unwrap();
    let sample = reading.sample(Timestamp::default(), Some(&before));
    let limits = reading.limits;
    assert_eq!((limits.cpus, limits.memory, limits.tasks), (Some(0.1), Some(67_108_864.0), Some(20.0)));
    for (stall, waiting) in [("some", sample.pressure_cpu.some), ("full", sample.pressure_cpu.full)] {
        println!("{stall} {waiting:?}");
        let (window, kernel) = (waiting.since.unwrap(), waiting.avg10.unwrap());
        assert!(kernel > 40.0 && (window - kernel).abs() < 10.0, "{stall} {waiting:?}");
    }
    assert!(sample.cpu.unwrap() < 15.0, "{sample:?}");
}

#[tokio::test]
async fn a_trigger_rings_under_pressure_and_not_without() {
    let window = units::Duration::from_secs(2);
    let threshold = units::Duration::from_secs(1);
    let triggers = [Trigger { on: Contended::Cpu, stall: Stall::Some, threshold, window }];
    let (busy, idle) = (Unit::run("pressed", &["CPUQuota=10%"], BUSY), Unit::run("idle", &[], "sleep 1000"));
    let hears = async |unit: &Unit, wait: Duration| {
        let alarm: Alarm = unit.cgroup().alarm(&triggers);
        let began = std::time::Instant::now();
        while began.elapsed() < wait {
            if alarm.take() {
                return Some(began.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    };
    let rang = hears(&busy, PATIENCE).await;
    println!("rang after {rang:?}");
    assert!(rang.is_some());
    assert_eq!(hears(&idle, Duration::from_secs(8)).await, None);
}

#[tokio::test]
async fn a_kill_for_want_of_memory_is_counted_and_a_unit_that_ends_of_it_is_gone() {
    let properties = |policy| ["MemoryMax=32M", "MemorySwapMax=0", policy];
    let goes_on = Unit::run("goes-on", &properties("OOMPolicy=continue"), HUNGRY);
    let cgroup = goes_on.cgroup();
    let before = cgroup.read().unwrap();
    assert_eq!(before.oom_kills, Some(0));
    let reading = read_until(&cgroup, |it| it.oom_kills != Some(0)).await;
    let sample = reading.sample(Timestamp::default(), Some(&before));
    println!("{:?} {:?}", sample.oom_kills, sample.pressure_memory);
    assert_eq!(sample.oom_kills, Some(1.0));

    let ends = Unit::run("ends", &properties("OOMPolicy=stop"), HUNGRY);
    let cgroup = ends.cgroup();
    let ending = async {
        while cgroup.read().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cgroup.read().unwrap_err()
    };
    let error = tokio::time::timeout(PATIENCE, ending).await.expect("it ends in time");
    assert!(matches!(error, CgroupError::Gone { .. }), "{error}");
}
