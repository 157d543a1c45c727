//! Events of the engine as wake-ups. What is missed, the controller's slow pass over all policies finds.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

use super::outage::Outage;
use crate::actuators::compose::Compose;
use crate::clients::docker::{Action, Engine};
use crate::controller::Wake;
use crate::controller::backoff;

/// How long a connection without events must last to end an outage.
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// Wakes the policies of services that something happened to; all of them when events may have been lost.
pub(super) async fn listen(engine: &Engine, compose: &Compose, wakes: &mpsc::Sender<Wake>) {
    let mut outage = Outage::new("the engine");
    loop {
        let end = follow(engine, compose, wakes, &mut outage).await;
        outage.fails(&format!("{end:#}"));
        tokio::time::sleep(backoff::delay(outage.failures(), fastrand::f64())).await;
    }
}

/// Wakes by events until they end, and gives why they did.
async fn follow(
    engine: &Engine,
    compose: &Compose,
    wakes: &mpsc::Sender<Wake>,
    outage: &mut Outage,
) -> anyhow::Error {
    let mut events = match engine.events().await {
        Ok(events) => events,
        Err(error) => return error.into(),
    };
    compose.forget_all();
    let _ = wakes.send(Wake::Everything).await;
    let mut sound = pin!(tokio::time::sleep(SOUND_AFTER));
    let end = loop {
        let next = tokio::select! {
            next = events.next() => next,
            () = &mut sound, if outage.lasts() => {
                outage.ends();
                continue;
            }
        };
        match next {
            Some(Ok(event)) => {
                outage.ends();
                if matches!(event.action, Action::Update | Action::Start) {
                    compose.forget(&event.project, &event.service, &event.container);
                }
                let wake = Wake::Compose { project: event.project, service: event.service };
                let _ = wakes.send(wake).await;
            }
            Some(Err(error)) => break error.into(),
            None => break anyhow::anyhow!("the engine ended them"),
        }
    };
    let _ = wakes.send(Wake::Everything).await;
    end
}
