//! Instances of a real template as replicas.

use std::time::Duration;

use docktor::actuators::{Afterwards, Lasts, NewLimit, Resizing};
use docktor::api::limits::LimitKind;
use docktor::api::resources::Apply;
use docktor::model::change::ChangeId;
use docktor::model::key::PolicyKey;
use docktor::model::observation::{Health, ReplicaPhase};
use docktor::telemetry::chain;

use super::limits::Moved;
use super::unit::Unit;

const READY: &str = "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=60\n\
                     ExecStart=sh -c 'systemd-notify --ready; exec sleep 3600'\n";

impl Moved {
    /// Number, phase and change of each replica.
    async fn replicas(&self) -> Vec<(u32, ReplicaPhase, Option<ChangeId>)> {
        self.seen().await.replicas.into_iter().map(|it| (it.number, it.phase, it.change)).collect()
    }

    async fn grow(&self, change: &str, count: u32) -> Result<Vec<String>, String> {
        let grown = self.actuator.grow(&PolicyKey::new("unit"), &ChangeId::new(change), count).await;
        grown.map(|ids| ids.iter().map(ToString::to_string).collect()).map_err(|error| chain(&error))
    }
}

#[tokio::test]
async fn instances_come_with_the_lowest_free_numbers_and_go() {
    let template = Unit::of_file("@.service", READY);
    let moved = Moved::of(&template);
    let id = |number: u32| format!("system/{}", template.instance(&number.to_string()));
    assert_eq!(moved.replicas().await, [], "the template is there, and nothing of it runs");

    assert_eq!(moved.grow("c1", 2).await.unwrap(), [id(1), id(2)]);
    template.systemctl(&["start", &template.instance("4"), &template.instance("blue")]);
    assert_eq!(moved.grow("c2", 2).await.unwrap(), [id(3), id(5)]);
    let running = |number, change: Option<&str>| (number, ReplicaPhase::Running, change.map(ChangeId::new));
    assert_eq!(
        moved.replicas().await,
        [
            running(1, Some("c1")),
            running(2, Some("c1")),
            running(3, Some("c2")),
            running(4, None),
            running(5, Some("c2"))
        ],
        "`blue` is nobody's replica"
    );
    let seen = moved.seen().await.replicas;
    assert!(seen.iter().all(|it| it.health == Health::Healthy && it.started_at.is_some()));

    let limits = vec![NewLimit { kind: LimitKind::TasksMax, value: Some(33.0) }];
    let replicas = seen.iter().map(|it| (it.id.clone(), limits.clone())).collect();
    let resizing = Resizing { replicas, apply: Apply::Live, lasts: Lasts::UntilReboot };
    moved.actuator.resize(&resizing).await.unwrap();
    assert!(moved.seen().await.replicas.iter().all(|it| it.limits.tasks == Some(33.0)));

    let going: Vec<_> = seen.iter().filter(|it| it.number > 2).map(|it| it.id.clone()).collect();
    moved.actuator.retire(&going, Afterwards::Remove).await.unwrap();
    assert_eq!(moved.replicas().await, [running(1, Some("c1")), running(2, Some("c1"))]);
    let last: Vec<_> = moved.seen().await.replicas.into_iter().map(|it| it.id).collect();
    moved.actuator.retire(&last, Afterwards::Keep).await.unwrap();
    assert_eq!(moved.replicas().await, []);
    assert_eq!(template.property_of(&template.instance("blue"), "ActiveState"), "active");
    assert_eq!(moved.grow("c3", 1).await.unwrap(), [id(1)], "from zero");
    assert_eq!(moved.replicas().await, [running(1, Some("c3"))]);
}

#[tokio::test]
async fn an_instance_that_does_not_start_leaves_nothing_and_says_how() {
    let template = Unit::of_file("@.service", "[Service]\nType=exec\nExecStart=/nowhere/at/all\n");
    let moved = Moved::of(&template);
    let error = moved.grow("c1", 1).await.unwrap_err();
    assert_eq!(error, format!("cannot start {}: its job ended as `failed`", template.instance("1")));
    assert_eq!(moved.replicas().await, []);
    assert_eq!(template.property_of(&template.instance("1"), "ActiveState"), "inactive");
}

#[tokio::test]
async fn one_that_dies_is_seen_as_failed_and_its_number_is_used_again() {
    let template = Unit::of_file("@.service", READY);
    let moved = Moved::of(&template);
    moved.grow("c1", 2).await.unwrap();
    let two = template.instance("2");
    template.systemctl(&["kill", "--signal=KILL", &two]);
    while template.property_of(&two, "ActiveState") != "failed" {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let phases: Vec<_> = moved.replicas().await.into_iter().map(|it| it.1).collect();
    assert_eq!(phases, [ReplicaPhase::Running, ReplicaPhase::Failed]);
    assert_eq!(moved.grow("c2", 1).await.unwrap(), [format!("system/{two}")]);
    assert_eq!(moved.replicas().await[1], (2, ReplicaPhase::Running, Some(ChangeId::new("c2"))));
}

#[tokio::test]
async fn a_template_that_is_not_there_is_told() {
    let moved = Moved::new(docktor::api::target::SystemdManager::System, "unit-that-is-not@.service");
    let error = chain(&moved.actuator.observe(&[]).await.unwrap_err());
    assert_eq!(error, "systemd's system manager has no unit unit-that-is-not@1.service");
}
