//! Signals: the first asks for a stop in good order, a second ends the process at once. A service manager's SIGHUP
//! asks for a reload.

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// After the controller has stopped, servers and samplers have this long to end.
const GRACE: Duration = Duration::from_secs(3);
/// The exit code of a process that a second signal ended.
const IMPATIENT: i32 = 130;

/// Cancels `stop` at SIGTERM or SIGINT.
///
/// # Errors
/// When the kernel refuses the handlers.
pub fn on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    tokio::spawn(async move {
        for patience in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !patience {
                std::process::exit(IMPATIENT);
            }
            stop.cancel();
        }
    });
    Ok(())
}

/// SIGHUPs from now on. Without this call they end the process, as of a terminal that is closed.
///
/// # Errors
/// When the kernel refuses the handler.
pub fn hangup() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("SIGHUP cannot be handled")
}

/// Waits for `end`, but not for ever.
pub async fn within_grace(end: impl Future<Output = ()>) {
    if tokio::time::timeout(GRACE, end).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}
