//! What becomes of a change when the manager is not what it should be.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::Units;
use super::fake::{Fake, Mood};
use crate::actuators::{Actuator, ActuatorError, Lasts, NewLimit, Resizing};
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::api::resources::Apply;
use crate::api::target::SystemdTarget;
use crate::clients::systemd::{Managers, UNSET, Value};
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::{ReplicaId, ReplicaPhase};
use crate::telemetry::chain;

const MIB: u64 = 1 << 20;
/// Far longer than the fake takes when it answers at all.
const DEADLINE: Duration = Duration::from_millis(700);

struct Moved {
    fake: Fake,
    actuator: Arc<dyn Actuator>,
    _state: TempDir,
}

impl Moved {
    fn new(target: &str, unit: &[(&str, Value<'static>)]) -> Self {
        let (fake, state) = (Fake::serve(unit), TempDir::new().unwrap());
        let managers = Managers::new(fake.manager().with_deadline(DEADLINE), fake.manager());
        let target = SystemdTarget { unit: target.to_owned(), manager: None };
        Self { actuator: Units::new(managers, state.path()).unit(&target), fake, _state: state }
    }

    /// A service that runs, with a maximum of memory.
    fn service() -> Self {
        Self::new("a.service", &service("a.service", "active"))
    }

    async fn give(&self, limits: &[(LimitKind, f64)], apply: Apply) -> Result<(), ActuatorError> {
        let limits = limits.iter().map(|&(kind, value)| NewLimit { kind, value: Some(value) }).collect();
        let replicas = [(ReplicaId::new("system/a.service"), limits)].into();
        self.actuator.resize(&Resizing { replicas, apply, lasts: Lasts::UntilReboot }).await
    }

    async fn give_tasks(&self) -> Result<(), ActuatorError> {
        self.give(&[(LimitKind::TasksMax, 90.0)], Apply::Live).await
    }
}

fn service(name: &'static str, state: &'static str) -> Vec<(&'static str, Value<'static>)> {
    vec![
        ("Id", Value::from(name)),
        ("LoadState", Value::from("loaded")),
        ("ActiveState", Value::from(state)),
        ("ControlGroup", Value::from("/nowhere/at/all/a.service")),
        ("TasksMax", Value::from(60_u64)),
        ("MemoryMax", Value::from(512 * MIB)),
        ("MemoryHigh", Value::from(UNSET)),
        ("MemoryCurrent", Value::from(100 * MIB)),
    ]
}

fn told(outcome: Result<(), ActuatorError>) -> (Reason, String) {
    let error = outcome.expect_err("nothing went wrong");
    (error.reason(), chain(&error))
}

#[tokio::test]
async fn limits_are_set_in_one_call() {
    let moved = Moved::service();
    let limits = [(LimitKind::TasksMax, 90.0), (LimitKind::CpuQuota, 150.0), (LimitKind::MemoryMax, 1e9)];
    moved.give(&limits, Apply::Live).await.unwrap();
    assert_eq!(
        moved.fake.calls(),
        ["set a.service runtime TasksMax=90 CPUQuotaPerSecUSec=1500000 MemoryMax=1000000000"]
    );
}

#[tokio::test]
async fn memory_shrinks_under_a_high_that_is_gone_after() {
    let moved = Moved::service();
    moved.give(&[(LimitKind::MemoryMax, (200 * MIB) as f64)], Apply::Live).await.unwrap();
    assert_eq!(
        moved.fake.calls(),
        [
            format!("set a.service runtime MemoryHigh={}", 200 * MIB),
            format!("set a.service runtime MemoryMax={} MemoryHigh={UNSET}", 200 * MIB),
        ]
    );
}

#[tokio::test]
async fn memory_in_use_is_refused_before_anything_is_changed() {
    let moved = Moved::service();
    let limits = [(LimitKind::MemoryMax, (109 * MIB) as f64), (LimitKind::TasksMax, 90.0)];
    let (reason, message) = told(moved.give(&limits, Apply::Live).await);
    assert_eq!(reason, Reason::LimitInUse);
    assert_eq!(
        message,
        "a.service uses 100MiB of memory, page cache aside; memoryMax 109MiB would be less than 1.1 times that"
    );
    assert_eq!(moved.fake.calls(), [""; 0]);
}

#[tokio::test]
async fn each_fault_has_its_reason_and_its_words() {
    for (mood, reason, words) in [
        (
            Mood::Forgetful,
            Reason::ActionFailed,
            "cannot give a.service its limits: tasksMax was set to 90 and is 60",
        ),
        (
            Mood::Strict,
            Reason::PermissionDenied,
            "docktor may not change the limits of a.service: Interactive authentication required. To grant it, \
             run docktor as root, or install the polkit rule of manifests/systemd for docktor's user.",
        ),
        (
            Mood::Picky,
            Reason::ActionFailed,
            "cannot change the limits of a.service: org.freedesktop.DBus.Error.InvalidArgs: TasksMax= is out of range",
        ),
        (
            Mood::Hung,
            Reason::EngineUnreachable,
            "cannot reach systemd's system manager: no answer within 0 s",
        ),
        (
            Mood::Mortal,
            Reason::EngineUnreachable,
            "cannot reach systemd's system manager: the connection broke: ",
        ),
    ] {
        let moved = Moved::service();
        moved.fake.feel(mood);
        let (found, message) = told(moved.give_tasks().await);
        assert_eq!(found, reason, "{mood:?}");
        assert!(message.starts_with(words), "{mood:?}: {message}");

        moved.fake.feel(Mood::Well);
        moved.give_tasks().await.unwrap_or_else(|error| panic!("after {mood:?}: {}", chain(&error)));
    }
}

#[tokio::test]
async fn memory_high_is_put_back_when_the_change_is_refused() {
    let moved = Moved::service();
    let shrink = [(LimitKind::MemoryMax, (200 * MIB) as f64)];
    moved.fake.feel(Mood::Picky);
    told(moved.give(&shrink, Apply::Live).await);
    let calls = moved.fake.calls();
    assert_eq!(calls.len(), 1, "the first call was refused already: {calls:?}");

    moved.fake.feel(Mood::Forgetful);
    told(moved.give(&shrink, Apply::Live).await);
    assert!(moved.fake.calls().last().unwrap().ends_with(&format!("MemoryHigh={UNSET}")));
}

#[tokio::test]
async fn a_restart_that_does_not_end_well_says_how() {
    for (mood, words) in [
        (Mood::Unlucky, "cannot restart a.service: its job ended as `failed`"),
        (Mood::Fleeting, "cannot reach systemd's system manager: the connection broke: "),
    ] {
        let moved = Moved::service();
        moved.fake.feel(mood);
        let (_, message) = told(moved.give(&[(LimitKind::TasksMax, 90.0)], Apply::Restart).await);
        assert!(message.starts_with(words), "{mood:?}: {message}");
    }
}

#[tokio::test]
async fn an_instance_that_does_not_come_up_is_cleared_away() {
    let moved = Moved::new("w@.service", &service("w@1.service", "failed"));
    moved.fake.feel(Mood::Unlucky);
    let change = ChangeId::new("c1");
    let grown = moved.actuator.grow(&PolicyKey::new("p"), &change, 1).await;
    let message = chain(&grown.unwrap_err());
    assert_eq!(message, "cannot start w@1.service: its job ended as `failed`");
    assert_eq!(
        moved.fake.calls(),
        ["StartUnit w@1.service", "StopUnit w@1.service", "ResetFailedUnit w@1.service"]
    );
    let seen = moved.actuator.observe(&[]).await.unwrap();
    assert_eq!((seen.replicas[0].phase, &seen.replicas[0].change), (ReplicaPhase::Failed, &None));
}

#[tokio::test]
async fn without_a_manager_every_way_that_was_tried_is_named() {
    let moved = Moved::service();
    let socket = moved.fake.manager();
    drop(moved);
    let error = socket.unit("a.service").await.unwrap_err();
    let message = chain(&error);
    assert!(message.starts_with("no way leads there: /") && message.contains("private: "), "{message}");
}
