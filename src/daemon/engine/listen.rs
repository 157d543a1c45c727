//! Events of the engine as wake-ups. What is missed, the controller's slow pass over all policies finds.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

use crate::actuators::compose::Compose;
use crate::clients::docker::{Action, Engine};
use crate::controller::Wake;
use crate::controller::backoff;

/// How long a connection without events must last to end an outage.
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// Wakes the policies of services that something happened to; all of them when events may have been lost.
pub(super) async fn listen(engine: &Engine, compose: &Compose, wakes: &mpsc::Sender<Wake>) {
    let mut outage = Outage::default();
    loop {
        let end = follow(engine, compose, wakes, &mut outage).await;
        if outage.fails() == Telling::Due {
            tracing::warn!(error = format!("{end:#}"), "no events of the engine");
        }
        tokio::time::sleep(backoff::delay(outage.failures, fastrand::f64())).await;
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
            () = &mut sound, if outage.failures > 0 => {
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

/// Failures in a row to hear events. An engine that ends them at once each time stays in one outage.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
}

/// Whether the log has to hear of a failure.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    Due,
    Done,
}

impl Outage {
    fn fails(&mut self) -> Telling {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 { Telling::Due } else { Telling::Done }
    }

    fn ends(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("the engine tells its events again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_the_next_one_again() {
        let mut outage = Outage::default();
        for _ in 0..2 {
            assert_eq!(
                [outage.fails(), outage.fails(), outage.fails()],
                [Telling::Due, Telling::Done, Telling::Done]
            );
            assert_eq!(outage.failures, 3);
            outage.ends();
            assert_eq!(outage.failures, 0, "so the next pause is the shortest");
        }
    }
}
