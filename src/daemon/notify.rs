//! What the service manager hears of docktor, by systemd's notification protocol: that it is ready, that its loop
//! turns, how policies fare, that it reloads or stops. Where no manager listens, nothing happens.

use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::admin::view::PolicyView;
use crate::api::status::Phase;
use crate::controller::Wake;
use crate::controller::supervise::Supervisor;

/// Time between two signs of life where the watchdog does not want them more often.
const EVERY: Duration = Duration::from_secs(5);
/// A third of the watchdog's time, so that one sign may be late.
const SIGNS_PER_WATCHDOG: u32 = 3;
/// Policies that fail and are named in the status line; of more only the number is told.
const NAMED: usize = 3;

/// The service manager that started this process.
pub struct ServiceManager {
    admin: Admin,
    every: Duration,
    status: String,
}

/// What it can be told.
enum State<'a> {
    Ready,
    Alive,
    Reloading,
    Stopping,
    Status(&'a str),
}

impl ServiceManager {
    /// The one of this process, if one listens.
    pub fn of_this_process(admin: Admin) -> Option<Self> {
        let every = watchdog().map_or(EVERY, |time| EVERY.min(time / SIGNS_PER_WATCHDOG));
        listens().then(|| Self { admin, every, status: String::new() })
    }

    /// Tells it when docktor is ready, and that it stops at `stop`.
    pub async fn attend(admin: Admin, stop: CancellationToken) {
        if stop.run_until_cancelled(admin.ready()).await.is_some() {
            tell(&[State::Ready, State::Status(&status(&admin))]);
        }
        stop.cancelled().await;
        tell(&[State::Stopping]);
    }

    /// Asks the controller to read the policy folder again at each SIGHUP.
    pub async fn reload_on(mut hangup: Signal, wakes: mpsc::Sender<Wake>) {
        while hangup.recv().await.is_some() {
            tell(&[State::Reloading]);
            if wakes.send(Wake::Reload).await.is_err() {
                return;
            }
        }
    }
}

impl Supervisor for ServiceManager {
    fn every(&self) -> Duration {
        self.every
    }

    fn alive(&mut self) {
        let status = status(&self.admin);
        if status == self.status {
            return tell(&[State::Alive]);
        }
        tell(&[State::Alive, State::Status(&status)]);
        self.status = status;
    }

    fn reloaded(&mut self) {
        // Before the first passes are done, this would call docktor ready too early.
        if self.admin.is_ready() {
            tell(&[State::Ready]);
        }
    }
}

/// How policies fare, in a line.
fn status(admin: &Admin) -> String {
    let policies = admin.policies();
    if !admin.is_ready() {
        return "first look at the policies".to_owned();
    }
    let fails = |it: &PolicyView| matches!(it.status.phase, Phase::Invalid | Phase::Failed | Phase::Degraded);
    let failing: Vec<_> =
        policies.iter().filter(|it| fails(it)).map(|it| it.metadata.name.as_str()).collect();
    summary(policies.len(), &failing)
}

fn summary(policies: usize, failing: &[&str]) -> String {
    let policies = match policies {
        0 => return "no policies".to_owned(),
        1 => "1 policy".to_owned(),
        many => format!("{many} policies"),
    };
    if failing.is_empty() {
        return format!("{policies}, none fails");
    }
    let mut named = failing[..failing.len().min(NAMED)].join(", ");
    if failing.len() > NAMED {
        named.push_str(", …");
    }
    let verb = if failing.len() == 1 { "fails" } else { "fail" };
    format!("{policies}, {} {verb}: {named}", failing.len())
}

#[cfg(feature = "systemd")]
fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

#[cfg(feature = "systemd")]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(feature = "systemd")]
fn tell(states: &[State<'_>]) {
    use sd_notify::NotifyState;

    let mut message = Vec::new();
    for state in states {
        match state {
            State::Ready => message.push(NotifyState::Ready),
            State::Alive => message.push(NotifyState::Watchdog),
            State::Reloading => {
                message.push(NotifyState::Reloading);
                message.extend(NotifyState::monotonic_usec_now().ok());
            }
            State::Stopping => message.push(NotifyState::Stopping),
            State::Status(text) => message.push(NotifyState::Status(text)),
        }
    }
    if let Err(error) = sd_notify::notify(&message) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(not(feature = "systemd"))]
const fn listens() -> bool {
    false
}

#[cfg(not(feature = "systemd"))]
const fn watchdog() -> Option<Duration> {
    None
}

#[cfg(not(feature = "systemd"))]
const fn tell(_: &[State<'_>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_counts_policies_and_names_a_few_that_fail() {
        assert_eq!(summary(0, &[]), "no policies");
        assert_eq!(summary(1, &[]), "1 policy, none fails");
        assert_eq!(summary(2, &["web"]), "2 policies, 1 fails: web");
        assert_eq!(summary(9, &["a", "b", "c", "d"]), "9 policies, 4 fail: a, b, c, …");
    }
}
