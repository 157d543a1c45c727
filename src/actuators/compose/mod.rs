//! Compose services: found by their labels, grown by cloning a replica, shrunk by stopping and removing some.
//!
//! The engine knows nothing of Compose; a service is the set of containers with its labels. A clone bears the
//! same ones as its donor, so Compose takes it for its own: `docker compose ps`, `down` and `up --scale` do
//! what one expects of them. No Compose file is needed, and nothing is ever pulled or built.

mod labels;
mod find;
mod donor;
mod clone;
mod traps;
mod declared;
mod facts;
mod limits;
mod survey;
mod make;
mod grow;
mod depend;
mod retire;
mod resize;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::BoxFuture;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use self::survey::Seen;
use super::{Actuator, ActuatorError, Afterwards, Observed, Resizing};
use crate::api::target::ComposeTarget;
use crate::clients::docker::{Engine, EngineError};
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::ReplicaId;

/// What all services of one engine have in common.
#[derive(Debug)]
pub struct Compose {
    engine: Arc<Engine>,
    /// One writer per project: names and numbers are given out to one change at a time.
    projects: Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>,
    /// One start at a time where host ports are published: the engine gives out those of a range without a lock.
    starts: AsyncMutex<()>,
    /// What each service has seen, so that it can be told what to forget.
    services: Mutex<Vec<(ComposeTarget, Weak<Mutex<Seen>>)>>,
}

impl Compose {
    /// Compose on that engine. One value serves all its services.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Arc<Self> {
        let (projects, starts, services) = Default::default();
        Arc::new(Self { engine, projects, starts, services })
    }

    /// The actuator of one service.
    #[must_use]
    pub fn service(self: &Arc<Self>, target: ComposeTarget) -> ComposeService {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut services = lock(&self.services);
        services.retain(|(_, it)| it.strong_count() > 0);
        services.push((target.clone(), Arc::downgrade(&seen)));
        drop(services);
        ComposeService { compose: self.clone(), target, seen, making: Mutex::default() }
    }

    /// Somebody changed a container in a way that its entry in a list does not show: it is to be looked at afresh.
    pub fn forget(&self, project: &str, service: &str, container: &str) {
        self.tell(
            |target| target.project == project && target.service == service,
            |seen| seen.forget(container),
        );
    }

    /// Anything may have changed unheard: everything is to be looked at afresh.
    pub fn forget_all(&self) {
        self.tell(|_| true, Seen::forget_all);
    }

    fn tell(&self, concerns: impl Fn(&ComposeTarget) -> bool, what: impl Fn(&mut Seen)) {
        let services = lock(&self.services);
        let concerned = services.iter().filter(|(target, _)| concerns(target));
        concerned.filter_map(|(_, seen)| seen.upgrade()).for_each(|seen| what(&mut lock(&seen)));
    }

    /// Waits until nobody else changes the project.
    async fn turn(&self, project: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut projects = lock(&self.projects);
            projects.retain(|_, it| Arc::strong_count(it) > 1);
            projects.entry(project.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}

/// A service of a Compose project as a scale target.
///
/// A container that has exited counts as failed, save one named in `retiring`: that is how the caller, who
/// alone remembers, tells which replica rests at zero. One that docktor made and never started is `Pending`
/// while the change that makes it runs in this process, and `Stopped` after, until it is swept.
#[derive(Debug)]
pub struct ComposeService {
    compose: Arc<Compose>,
    target: ComposeTarget,
    seen: Arc<Mutex<Seen>>,
    making: Mutex<BTreeSet<ChangeId>>,
}

impl ComposeService {
    fn engine(&self) -> &Engine {
        &self.compose.engine
    }

    fn not_found(&self) -> ActuatorError {
        ActuatorError::NotFound { target: format!("compose/{}/{}", self.target.project, self.target.service) }
    }

    /// An error of the engine while `action` was tried.
    fn failed(&self, action: &str, error: EngineError) -> ActuatorError {
        if error.is_silence() {
            let endpoint = self.engine().address().to_string();
            return ActuatorError::Unreachable { endpoint, source: error.into() };
        }
        ActuatorError::Failed { action: action.to_owned(), source: error.into() }
    }
}

impl Actuator for ComposeService {
    fn observe<'a>(&'a self, retiring: &'a [ReplicaId]) -> BoxFuture<'a, Result<Observed, ActuatorError>> {
        Box::pin(self.survey_for(retiring))
    }

    fn grow<'a>(
        &'a self,
        policy: &'a PolicyKey,
        change: &'a ChangeId,
        count: u32,
    ) -> BoxFuture<'a, Result<Vec<ReplicaId>, ActuatorError>> {
        Box::pin(self.grow_by(policy, change, count))
    }

    fn retire<'a>(
        &'a self,
        replicas: &'a [ReplicaId],
        afterwards: Afterwards,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(self.retire_all(replicas, afterwards))
    }

    fn resize<'a>(&'a self, resizing: &'a Resizing) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(self.resize_all(resizing))
    }

    fn sweep(&self) -> BoxFuture<'_, Result<u32, ActuatorError>> {
        Box::pin(self.sweep_half_made())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
