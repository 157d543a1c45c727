//! A manager of systemd (PID 1, or the one of a user) over D-Bus: the few calls that docktor makes, each with a
//! deadline, over one connection that is made when it is first needed and made anew when it broke.

mod address;
mod error;
mod link;
mod path;
mod private;
mod properties;
mod proxy;
mod signal;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, Notify, broadcast};
use zbus::zvariant::OwnedObjectPath;
pub use zbus::zvariant::Value;

pub use self::address::Address;
pub use self::error::SystemdError;
use self::link::Link;
pub use self::properties::{Properties, UNSET};
use self::signal::Signal;
use crate::api::target::SystemdManager;

/// Longest wait for an answer. A manager answers nobody while it reads its unit files again, and polkit may ask around.
const DEADLINE: Duration = Duration::from_secs(25);
/// The new job takes the place of one that is queued for the same unit.
const REPLACE: &str = "replace";

/// A manager. One value serves all of its units.
#[derive(Debug)]
pub struct Manager {
    addresses: Vec<Address>,
    /// Held while a connection is made, so that only one is.
    link: Mutex<Option<Arc<Link>>>,
    used: Notify,
    deadline: Duration,
}

/// Both managers that this process can reach.
#[derive(Debug, Clone)]
pub struct Managers {
    system: Arc<Manager>,
    user: Arc<Manager>,
}

impl Managers {
    /// These two.
    #[must_use]
    pub fn new(system: Manager, user: Manager) -> Self {
        Self { system: Arc::new(system), user: Arc::new(user) }
    }

    /// PID 1, and the manager of the user of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::new(Manager::new(SystemdManager::System), Manager::new(SystemdManager::User))
    }

    /// The one of that kind.
    #[must_use]
    pub const fn of(&self, kind: SystemdManager) -> &Arc<Manager> {
        match kind {
            SystemdManager::System => &self.system,
            SystemdManager::User => &self.user,
        }
    }
}

/// What is done to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
}

impl Verb {
    /// The verb, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// Where a change of a unit's properties is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Below `/run`, until the host boots again.
    Runtime,
    /// Below `/etc`, or the user's configuration folder.
    Persistent,
}

/// Something that happened at a manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something of this unit changed.
    Unit(String),
    /// Anything may have changed: unit files were read again, or events were lost.
    Anything,
}

/// The events of a manager, from when it was asked for them until the connection ends.
#[derive(Debug)]
pub struct Events {
    signals: broadcast::Receiver<Signal>,
}

impl Events {
    /// The next event; none when the connection has ended.
    pub async fn next(&mut self) -> Option<Event> {
        match self.signals.recv().await {
            Ok(Signal::Changed { unit } | Signal::JobRemoved { unit, .. }) => Some(Event::Unit(unit)),
            Ok(Signal::Reloaded) | Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Anything),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Manager {
    /// The manager of that kind for the user of this process. Nothing is asked of it yet.
    #[must_use]
    pub fn new(manager: SystemdManager) -> Self {
        Self::at(address::addresses(manager))
    }

    /// The manager that the first of these addresses that works leads to.
    #[must_use]
    pub fn at(addresses: Vec<Address>) -> Self {
        Self { addresses, link: Mutex::default(), used: Notify::new(), deadline: DEADLINE }
    }

    /// The same with another deadline, so that a test need not wait it out.
    #[cfg(test)]
    pub(crate) fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Returns once somebody has asked something of it.
    pub async fn used(&self) {
        self.used.notified().await;
    }

    /// All properties of a unit. One that is not loaded is loaded for the moment; of one that does not exist,
    /// `LoadState` is `not-found`.
    ///
    /// # Errors
    /// When the manager does not answer, or the name is none.
    pub async fn unit(&self, name: &str) -> Result<Properties, SystemdError> {
        let answer = self.ask(|link| async move { link.properties(name).await?.get_all("").await }.boxed());
        answer.await.map(Properties::new)
    }

    /// The control group below which the manager has its units; that of PID 1 may be empty.
    ///
    /// # Errors
    /// When the manager does not answer.
    pub async fn control_group(&self) -> Result<String, SystemdError> {
        const INTERFACE: &str = "org.freedesktop.systemd1.Manager";
        let group = self.ask(|link| {
            async move { link.own_properties().await?.get(INTERFACE, "ControlGroup").await }.boxed()
        });
        String::try_from(group.await?).map_err(|error| SystemdError::Garbled(error.into()))
    }

    /// The names of loaded units that match a pattern as of glob(7).
    ///
    /// # Errors
    /// When the manager does not answer.
    pub async fn names(&self, pattern: &str) -> Result<Vec<String>, SystemdError> {
        let listed = self
            .ask(|link| async move { link.manager.list_units_by_patterns(&[], &[pattern]).await }.boxed());
        Ok(listed.await?.into_iter().map(|unit| unit.0).collect())
    }

    /// Sets properties of a unit, all of them or none. Takes effect at once where the unit runs.
    ///
    /// # Errors
    /// When the manager does not answer, forbids it, or refuses a value.
    pub async fn set(
        &self,
        unit: &str,
        kept: Kept,
        properties: &[(&str, Value<'_>)],
    ) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let set = link.manager.set_unit_properties(unit, kept == Kept::Runtime, properties);
        self.within(&link, set).await
    }

    /// Starts, stops or restarts a unit, and waits until that is done; no longer than `limit`.
    ///
    /// # Errors
    /// When the manager does not answer or forbids it, and [`SystemdError::Job`] when it could not be done.
    pub async fn carry_out(&self, verb: Verb, unit: &str, limit: Duration) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let mut signals = link.signals().ok_or_else(lost)?;
        let job = match verb {
            Verb::Start => self.within(&link, link.manager.start_unit(unit, REPLACE)).await,
            Verb::Stop => self.within(&link, link.manager.stop_unit(unit, REPLACE)).await,
            Verb::Restart => self.within(&link, link.manager.restart_unit(unit, REPLACE)).await,
        }?;
        let result = tokio::time::timeout(limit, result_of(&job, &mut signals));
        match result.await.map_err(|_| SystemdError::TooSlow(limit))?? {
            result if result == "done" => Ok(()),
            result => Err(SystemdError::Job { result }),
        }
    }

    /// Makes the manager forget that a unit failed. One that did not, or is not loaded, is fine.
    ///
    /// # Errors
    /// When the manager does not answer or forbids it.
    pub async fn reset_failed(&self, unit: &str) -> Result<(), SystemdError> {
        let link = self.link().await?;
        match self.within(&link, link.manager.reset_failed_unit(unit)).await {
            Err(SystemdError::NoSuchUnit { .. }) => Ok(()),
            other => other,
        }
    }

    /// What happens at the manager from now on.
    ///
    /// # Errors
    /// When the manager does not answer.
    pub async fn events(&self) -> Result<Events, SystemdError> {
        let signals = self.link().await?.signals().ok_or_else(lost)?;
        Ok(Events { signals })
    }

    /// The connection, made anew where there is none that works.
    async fn link(&self) -> Result<Arc<Link>, SystemdError> {
        self.used.notify_one();
        let mut held = self.link.lock().await;
        if let Some(link) = held.as_ref().filter(|it| it.is_alive()) {
            return Ok(Arc::clone(link));
        }
        *held = None;
        let mut tried = Vec::new();
        for address in &self.addresses {
            match tokio::time::timeout(self.deadline, Link::open(address)).await {
                Ok(Ok(link)) => return Ok(Arc::clone(held.insert(Arc::new(link)))),
                Ok(Err(error)) => tried.push((address.clone(), crate::telemetry::chain(&error))),
                // Who is silent here is silent everywhere.
                Err(_) => return Err(SystemdError::TooSlow(self.deadline)),
            }
        }
        Err(SystemdError::unreachable(tried))
    }

    /// The answer to a question. It is asked again where the connection had ended unnoticed, as it does when the
    /// manager executes itself anew or the bus is restarted.
    async fn ask<'a, T>(
        &self,
        question: impl Fn(Arc<Link>) -> BoxFuture<'a, zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        let link = self.link().await?;
        match self.within(&link, question(Arc::clone(&link))).await {
            Err(SystemdError::Broken(_)) => {
                let link = self.link().await?;
                self.within(&link, question(Arc::clone(&link))).await
            }
            answer => answer,
        }
    }

    /// The answer to a call, if it comes in time. A connection that gives none is not used again.
    async fn within<T>(
        &self,
        link: &Arc<Link>,
        call: impl Future<Output = zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        let answer = match tokio::time::timeout(self.deadline, call).await {
            Ok(answer) => answer.map_err(SystemdError::from),
            Err(_) => Err(SystemdError::TooSlow(self.deadline)),
        };
        if answer.as_ref().is_err_and(SystemdError::is_silence) {
            let mut held = self.link.lock().await;
            held.take_if(|it| Arc::ptr_eq(it, link));
        }
        answer
    }
}

/// How a job ended.
async fn result_of(
    job: &OwnedObjectPath,
    signals: &mut broadcast::Receiver<Signal>,
) -> Result<String, SystemdError> {
    loop {
        match signals.recv().await {
            Ok(Signal::JobRemoved { job: ended, result, .. }) if ended == *job => return Ok(result),
            // Signals that were lost may have been of this job: then the wait ends at its limit.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return Err(lost()),
        }
    }
}

/// The connection ended while something was waited for.
fn lost() -> SystemdError {
    let ended = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    SystemdError::Broken(zbus::Error::from(ended))
}
