//! Limits of real units: set live, enforced by the kernel, refused where they would kill.

use std::sync::Arc;

use docktor::actuators::systemd::Units;
use docktor::actuators::{Actuator, ActuatorError, Lasts, NewLimit, Observed, Resizing};
use docktor::api::condition::Reason;
use docktor::api::limits::LimitKind;
use docktor::api::resources::Apply;
use docktor::api::target::{SystemdManager, SystemdTarget};
use docktor::clients::systemd::Managers;
use docktor::model::observation::{Health, Limits, ReplicaId, ReplicaPhase};
use tempfile::TempDir;

use super::unit::Unit;

const MIB: f64 = 1_048_576.0;

/// What moves a unit, and where it keeps what it knows.
pub struct Moved {
    pub actuator: Arc<dyn Actuator>,
    pub id: ReplicaId,
    _state: TempDir,
}

impl Moved {
    pub fn new(manager: SystemdManager, unit: &str) -> Self {
        let state = TempDir::new().unwrap();
        let units = Units::new(Managers::of_this_process(), state.path());
        let target = SystemdTarget { unit: unit.to_owned(), manager: Some(manager) };
        Self { actuator: units.unit(&target), id: ReplicaId::of_unit(manager, unit), _state: state }
    }

    pub fn of(unit: &Unit) -> Self {
        Self::new(unit.manager, &unit.name)
    }

    pub async fn seen(&self) -> Observed {
        self.actuator.observe(&[]).await.unwrap()
    }

    async fn limits(&self) -> Limits {
        self.seen().await.replicas[0].limits
    }

    pub async fn give(&self, limits: &[(LimitKind, Option<f64>)]) -> Result<(), ActuatorError> {
        self.give_by(limits, Apply::Live, Lasts::UntilReboot).await
    }

    async fn give_by(
        &self,
        limits: &[(LimitKind, Option<f64>)],
        apply: Apply,
        lasts: Lasts,
    ) -> Result<(), ActuatorError> {
        let limits = limits.iter().map(|(kind, value)| NewLimit { kind: *kind, value: *value }).collect();
        let replicas = [(self.id.clone(), limits)].into();
        self.actuator.resize(&Resizing { replicas, apply, lasts }).await
    }
}

fn refusal(outcome: Result<(), ActuatorError>) -> (Reason, String) {
    match outcome {
        Err(ActuatorError::Refused(obstacle)) => (obstacle.reason, obstacle.message),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn limits_of_a_service_are_raised_and_lowered_while_it_runs() {
    let unit = Unit::service("exec sleep 3600");
    let moved = Moved::of(&unit);
    let pid = unit.main_pid();
    let seen = moved.seen().await;
    assert_eq!((seen.blocked, seen.remarks), (None, vec![]));
    let replica = &seen.replicas[0];
    assert_eq!((replica.phase, replica.health), (ReplicaPhase::Running, Health::NoCheck));
    assert!(replica.started_at.is_some() && replica.limits.cpus.is_none() && replica.limits.memory.is_none());

    for (quota, memory, tasks) in [(200.0, 256.0, 250.0), (300.0, 384.0, 375.0), (180.0, 230.0, 225.0)] {
        moved
            .give(&[
                (LimitKind::CpuQuota, Some(quota)),
                (LimitKind::MemoryMax, Some(memory * MIB)),
                (LimitKind::TasksMax, Some(tasks)),
            ])
            .await
            .unwrap();
        assert_eq!(unit.cgroup("cpu.max"), format!("{} 100000", quota * 1_000.0));
        assert_eq!(unit.cgroup("memory.max"), format!("{}", memory * MIB));
        assert_eq!(unit.cgroup("pids.max"), format!("{tasks}"));
        assert_eq!(unit.cgroup("memory.high"), "max", "room was made under one, and it is gone");
        let limits = moved.limits().await;
        assert_eq!((limits.cpus, limits.memory), (Some(quota / 100.0), Some(memory * MIB)));
        assert_eq!(unit.main_pid(), pid);
    }

    unit.systemctl(&["daemon-reload"]);
    assert_eq!(unit.cgroup("memory.max"), format!("{}", 230.0 * MIB), "it outlives a reload");
    moved.give(&[(LimitKind::CpuQuota, None), (LimitKind::MemoryMax, None)]).await.unwrap();
    assert_eq!((unit.cgroup("cpu.max"), unit.cgroup("memory.max")), ("max 100000".into(), "max".into()));
    assert_eq!(unit.cgroup("pids.max"), "225", "what is not named stays");
}

#[tokio::test]
async fn every_kind_of_limit_reaches_the_kernel() {
    let unit = Unit::service("exec sleep 3600");
    let moved = Moved::of(&unit);
    moved
        .give(&[
            (LimitKind::MemoryHigh, Some(128.0 * MIB)),
            (LimitKind::CpuWeight, Some(250.0)),
            (LimitKind::IoWeight, Some(300.0)),
            (LimitKind::AllowedCpus, Some(1.0)),
        ])
        .await
        .unwrap();
    assert_eq!(unit.cgroup("memory.high"), format!("{}", 128.0 * MIB));
    assert_eq!((unit.cgroup("cpu.weight"), unit.cgroup("io.weight")), ("250".into(), "default 300".into()));
    assert_eq!(unit.cgroup("cpuset.cpus"), "0");
    let limits = moved.limits().await;
    assert_eq!(
        (limits.cpu_weight, limits.io_weight, limits.allowed_cpus),
        (Some(250.0), Some(300.0), Some(1.0))
    );

    let kinds = [LimitKind::MemoryHigh, LimitKind::CpuWeight, LimitKind::IoWeight, LimitKind::AllowedCpus];
    moved.give(&kinds.map(|kind| (kind, None))).await.unwrap();
    assert_eq!((unit.cgroup("memory.high"), unit.cgroup("cpu.weight")), ("max".into(), "100".into()));
    let all = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    assert_eq!(unit.cgroup("cpuset.cpus.effective"), all.trim_end(), "systemd alone would leave it at one");
    let limits = moved.limits().await;
    assert_eq!((limits.cpu_weight, limits.io_weight, limits.allowed_cpus), (None, None, None));
}

#[tokio::test]
async fn memory_is_not_taken_below_what_a_unit_uses() {
    let hog = "exec python3 -c 'x = b\"x\" * (100 << 20); print(len(x)); import time; time.sleep(3600)'";
    let unit = Unit::service(hog);
    let moved = Moved::of(&unit);
    let end = std::time::Instant::now() + super::unit::PATIENCE;
    while unit.cgroup("memory.current").parse::<f64>().unwrap() < 100.0 * MIB {
        assert!(std::time::Instant::now() < end, "it never used its memory");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    moved
        .give(&[(LimitKind::MemoryMax, Some(300.0 * MIB)), (LimitKind::TasksMax, Some(100.0))])
        .await
        .unwrap();

    let tight = [(LimitKind::MemoryMax, Some(105.0 * MIB)), (LimitKind::TasksMax, Some(50.0))];
    let (reason, message) = refusal(moved.give(&tight).await);
    assert_eq!(reason, Reason::LimitInUse);
    assert!(message.contains("memoryMax 105MiB would be less than 1.1 times that"), "{message}");
    assert_eq!(unit.cgroup("memory.max"), format!("{}", 300.0 * MIB));
    assert_eq!((unit.cgroup("memory.high"), unit.cgroup("pids.max")), ("max".into(), "100".into()));
    assert_eq!(unit.property("ActiveState"), "active");

    moved.give(&[(LimitKind::MemoryMax, Some(140.0 * MIB))]).await.unwrap();
    assert_eq!(unit.cgroup("memory.max"), format!("{}", 140.0 * MIB));
    assert_eq!(unit.property("ActiveState"), "active");
}

#[tokio::test]
async fn page_cache_gives_way_to_a_smaller_maximum() {
    let unit = Unit::service("dd if=/dev/zero of=/var/tmp/$$.cache bs=1M count=64; exec sleep 3600");
    let moved = Moved::of(&unit);
    let cache = format!("/var/tmp/{}.cache", unit.main_pid());
    let end = std::time::Instant::now() + super::unit::PATIENCE;
    while unit.cgroup("memory.current").parse::<f64>().unwrap() < 60.0 * MIB {
        assert!(std::time::Instant::now() < end, "it never filled the cache");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let pid = unit.main_pid();
    let done = moved.give(&[(LimitKind::MemoryMax, Some(32.0 * MIB))]).await;
    let _ = std::fs::remove_file(cache);
    done.unwrap();
    assert!(unit.cgroup("memory.current").parse::<f64>().unwrap() <= 32.0 * MIB);
    assert_eq!((unit.main_pid(), unit.cgroup("memory.high")), (pid, "max".to_owned()));
}

#[tokio::test]
async fn slices_and_scopes_have_limits_too() {
    let scope = Unit::scope();
    let moved = Moved::of(&scope);
    assert_eq!(moved.seen().await.replicas[0].phase, ReplicaPhase::Running);
    moved.give(&[(LimitKind::TasksMax, Some(40.0)), (LimitKind::CpuQuota, Some(50.0))]).await.unwrap();
    assert_eq!((scope.cgroup("pids.max"), scope.cgroup("cpu.max")), ("40".into(), "50000 100000".into()));

    let slice = Unit::of_file("slice", "[Slice]\n");
    slice.systemctl(&["start", &slice.name]);
    let moved = Moved::of(&slice);
    moved
        .give(&[(LimitKind::MemoryMax, Some(512.0 * MIB)), (LimitKind::CpuQuota, Some(150.0))])
        .await
        .unwrap();
    assert_eq!(slice.cgroup("memory.max"), format!("{}", 512.0 * MIB));
    assert_eq!(slice.cgroup("cpu.max"), "150000 100000");
}

#[tokio::test]
async fn a_slice_that_allows_less_than_its_unit_is_told() {
    let slice = Unit::of_file("slice", "[Slice]\nTasksMax=30\n");
    let text = format!("[Service]\nExecStart=sleep 3600\nSlice={}\n", slice.name);
    let unit = Unit::of_file("service", &text);
    unit.systemctl(&["start", &unit.name]);
    let moved = Moved::of(&unit);
    moved.give(&[(LimitKind::TasksMax, Some(50.0))]).await.unwrap();
    let remarks = moved.seen().await.remarks;
    assert_eq!(remarks[0].reason, Reason::SliceLimit);
    let expected = format!("{} has tasksMax 30, less than the 50 of {} in it", slice.name, unit.name);
    assert_eq!(remarks[0].message, expected);
}

#[tokio::test]
async fn what_a_person_sets_is_seen() {
    let unit = Unit::service("exec sleep 3600");
    let moved = Moved::of(&unit);
    moved.give(&[(LimitKind::TasksMax, Some(100.0))]).await.unwrap();
    unit.systemctl(&["set-property", "--runtime", &unit.name, "TasksMax=77", "CPUQuota=30%"]);
    let limits = moved.limits().await;
    assert_eq!((limits.tasks, limits.cpus), (Some(77.0), Some(0.3)));
}

#[tokio::test]
async fn limits_may_come_with_a_restart_and_may_last() {
    let unit = Unit::of_file("service", "[Service]\nExecStart=sleep 3600\n");
    let moved = Moved::of(&unit);
    let limits = [(LimitKind::TasksMax, Some(60.0))];
    moved.give_by(&limits, Apply::Restart, Lasts::UntilReboot).await.unwrap();
    assert_eq!(unit.property("ActiveState"), "inactive", "what does not run is not started");
    assert_eq!(moved.seen().await.replicas[0].phase, ReplicaPhase::Stopped);

    unit.systemctl(&["start", &unit.name]);
    assert_eq!(unit.cgroup("pids.max"), "60", "it was stored");
    let pid = unit.main_pid();
    moved.give_by(&[(LimitKind::TasksMax, Some(90.0))], Apply::Restart, Lasts::Forever).await.unwrap();
    assert_ne!(unit.main_pid(), pid);
    assert_eq!(unit.cgroup("pids.max"), "90");
    let drop_in = format!("/etc/systemd/system.control/{}.d/50-TasksMax.conf", unit.name);
    assert!(std::fs::read_to_string(drop_in).unwrap().contains("TasksMax=90"));
}

#[tokio::test]
async fn a_restart_that_fails_says_how() {
    let text = "[Service]\nType=notify\nTimeoutStartSec=3\nNotifyAccess=all\n\
                ExecStart=sh -c 'test -e /run/%n.fail || systemd-notify --ready; exec sleep 3600'\n";
    let unit = Unit::of_file("service", text);
    unit.systemctl(&["start", &unit.name]);
    let moved = Moved::of(&unit);
    assert_eq!(moved.seen().await.replicas[0].health, Health::Healthy);
    let marker = format!("/run/{}.fail", unit.name);
    std::fs::write(&marker, "").unwrap();
    let limits = [(LimitKind::TasksMax, Some(60.0))];
    let error = moved.give_by(&limits, Apply::Restart, Lasts::UntilReboot).await.unwrap_err();
    std::fs::remove_file(marker).unwrap();
    let words = docktor::telemetry::chain(&error);
    assert_eq!(words, format!("cannot restart {}: its job ended as `failed`", unit.name));
    assert_eq!(moved.seen().await.replicas[0].phase, ReplicaPhase::Failed);
}

#[tokio::test]
async fn a_users_manager_is_served_in_the_same_way() {
    let unit = Unit::user_service("exec sleep 3600");
    let moved = Moved::of(&unit);
    let pid = unit.main_pid();
    moved
        .give(&[
            (LimitKind::CpuQuota, Some(150.0)),
            (LimitKind::MemoryMax, Some(96.0 * MIB)),
            (LimitKind::TasksMax, Some(64.0)),
        ])
        .await
        .unwrap();
    assert_eq!((unit.cgroup("cpu.max"), unit.cgroup("pids.max")), ("150000 100000".into(), "64".into()));
    assert_eq!(unit.cgroup("memory.max"), format!("{}", 96.0 * MIB));
    assert_eq!(unit.main_pid(), pid);

    let (reason, message) = refusal(moved.give(&[(LimitKind::IoWeight, Some(50.0))]).await);
    assert_eq!(reason, Reason::NotDelegated);
    assert!(message.contains("the kernel's controller `io` is not delegated"), "{message}");
}

#[tokio::test]
async fn a_unit_that_cannot_be_used_says_why() {
    let look = async |name: &str| match Moved::new(SystemdManager::System, name).actuator.observe(&[]).await {
        Err(ActuatorError::Refused(obstacle)) => obstacle,
        Ok(seen) => seen.blocked.expect("nothing is wrong with it"),
        Err(other) => panic!("{other}"),
    };
    let missing = look("unit-that-is-not.service").await;
    assert_eq!(missing.reason, Reason::TargetNotFound);
    assert_eq!(missing.message, "systemd's system manager has no unit unit-that-is-not.service");
    let bad = Unit::of_file("service", "[Service]\nType=oneshot\nRestart=always\n");
    assert_eq!(look(&bad.name).await.reason, Reason::UnitNotUsable);
    let masked = Unit::of_file("service", "[Service]\nExecStart=true\n");
    masked.systemctl(&["mask", "--quiet", &masked.name]);
    let found = look(&masked.name).await;
    masked.systemctl(&["unmask", "--quiet", &masked.name]);
    assert!(found.message.contains("is masked"), "{found:?}");
    let alias = look("dbus-org.freedesktop.login1.service").await;
    assert_eq!(
        alias.message,
        "dbus-org.freedesktop.login1.service is another name of systemd-logind.service; name systemd-logind.service"
    );
}

#[tokio::test]
async fn control_goes_on_after_a_new_execution_of_the_manager() {
    let unit = Unit::service("exec sleep 3600");
    let moved = Moved::of(&unit);
    moved.give(&[(LimitKind::TasksMax, Some(40.0))]).await.unwrap();
    unit.systemctl(&["daemon-reexec"]);
    assert_eq!(moved.limits().await.tasks, Some(40.0));
    moved.give(&[(LimitKind::TasksMax, Some(60.0))]).await.unwrap();
    assert_eq!(unit.cgroup("pids.max"), "60");
}
