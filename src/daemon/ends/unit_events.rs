//! Events of a manager of systemd as wake-ups. What is missed, the controller's slow pass over all policies finds.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;

use super::outage::Outage;
use crate::api::target::SystemdManager;
use crate::clients::systemd::{Event, Manager, SystemdError};
use crate::controller::{Wake, backoff};
use crate::telemetry::chain;

/// How long a connection without events must last to end an outage.
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// Wakes the policies of units that something happened to; all of them when events may have been lost. Begins when
/// the manager is needed for the first time.
pub(super) async fn listen(kind: SystemdManager, manager: &Manager, wakes: &mpsc::Sender<Wake>) {
    manager.used().await;
    let mut outage = Outage::new(match kind {
        SystemdManager::System => "systemd's system manager",
        SystemdManager::User => "systemd's user manager",
    });
    loop {
        let end = follow(kind, manager, wakes, &mut outage).await;
        let _ = wakes.send(Wake::Everything).await;
        // A manager that executes itself anew ends its connections, and is there again in a moment.
        if let Err(error) = end {
            outage.fails(&chain(&error));
        }
        tokio::time::sleep(backoff::delay(outage.failures(), fastrand::f64())).await;
    }
}

/// Wakes by events until the connection ends.
async fn follow(
    kind: SystemdManager,
    manager: &Manager,
    wakes: &mpsc::Sender<Wake>,
    outage: &mut Outage,
) -> Result<(), SystemdError> {
    let mut events = manager.events().await?;
    let mut sound = pin!(tokio::time::sleep(SOUND_AFTER));
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut sound, if outage.lasts() => {
                outage.ends();
                continue;
            }
        };
        let wake = match event {
            Some(Event::Unit(unit)) => Wake::Unit { manager: kind, unit },
            Some(Event::Anything) => Wake::Everything,
            None => return Ok(()),
        };
        outage.ends();
        let _ = wakes.send(wake).await;
    }
}
