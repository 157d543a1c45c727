//! What a real manager tells unasked.

use docktor::api::target::SystemdManager;
use docktor::clients::systemd::{Event, Events, Manager};

use super::unit::{PATIENCE, Unit};

async fn until(events: &mut Events, wanted: Option<&Event>) {
    let seen = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = events.next().await;
            if event.as_ref() == wanted {
                return;
            }
            assert!(event.is_some(), "the connection ended");
        }
    });
    assert!(seen.await.is_ok(), "never told: {wanted:?}");
}

#[tokio::test]
async fn what_happens_to_a_unit_is_told_by_both_managers() {
    for (kind, unit) in [
        (SystemdManager::System, Unit::service("exec sleep 3600")),
        (SystemdManager::User, Unit::user_service("exec sleep 3600")),
    ] {
        let manager = Manager::new(kind);
        let mut events = manager.events().await.unwrap();
        unit.systemctl(&["stop", &unit.name]);
        until(&mut events, Some(&Event::Unit(unit.name.clone()))).await;
    }
}

#[tokio::test]
async fn a_reload_may_change_anything_and_a_new_execution_ends_the_connection() {
    let manager = Manager::new(SystemdManager::System);
    let mut events = manager.events().await.unwrap();
    super::unit::systemctl(&["daemon-reload"]);
    until(&mut events, Some(&Event::Anything)).await;
    super::unit::systemctl(&["daemon-reexec"]);
    until(&mut events, None).await;
    assert!(manager.events().await.is_ok(), "and there is a new one");
}
