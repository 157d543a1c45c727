//! The instances of a template as replicas: started with the lowest free numbers, stopped when they go.
//!
//! An instance that does not run does not exist as far as systemd is concerned, so there is nothing to keep at zero
//! replicas and nothing half made: waking up starts `worker@1.service`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::domain::{Domain, unusable};
use super::marks::Marks;
use super::remarks;
use super::resize::{self, job_limit};
use super::seen::{self, Fate};
use super::template::Template;
use crate::actuators::{Actuator, ActuatorError, Afterwards, Observed, Resizing};
use crate::clients::systemd::{Properties, Verb};
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::{Replica, ReplicaId, ReplicaPhase};
use crate::sources::host;

/// Instances that are asked for, started or stopped at once.
const PARALLEL: usize = 8;

/// The instances of a template as a target.
#[derive(Debug)]
pub(super) struct Instances {
    domain: Domain,
    template: Template,
    marks: Marks,
    /// Numbers are given out to one change at a time.
    turn: Mutex<()>,
}

/// An instance that does not rest.
struct Instance {
    number: u32,
    name: String,
    unit: Properties,
}

impl Instances {
    pub fn new(domain: Domain, template: Template, marks: Marks) -> Self {
        Self { domain, template, marks, turn: Mutex::default() }
    }

    async fn observe(&self, retiring: &[ReplicaId]) -> Result<Observed, ActuatorError> {
        let instances = self.instances().await?;
        // Of a template without instances, the first one tells whether it could be started.
        let first = self.template.instance(1);
        let blocked = match instances.first() {
            Some(instance) => unusable(&instance.name, &instance.unit),
            None => unusable(&first, &self.domain.look(&first).await?),
        };
        let mut replicas = Vec::new();
        for instance in &instances {
            replicas.push(self.replica(instance, retiring).await);
        }
        let remarks = instances.iter().flat_map(|it| remarks::of(&it.name, &it.unit)).collect();
        Ok(Observed { replicas, ceiling: None, blocked, remarks })
    }

    async fn replica(&self, instance: &Instance, retiring: &[ReplicaId]) -> Replica {
        let Instance { number, name, unit } = instance;
        let id = self.domain.id(name);
        let fate = if retiring.contains(&id) { Fate::Retiring } else { Fate::Left };
        let change = self.marks.get(&id, unit.moment("InactiveExitTimestamp")).await;
        Replica { change, ..seen::replica(id, name, *number, unit, fate, host::capacity()) }
    }

    /// Every instance that runs, starts, stops or failed, by number.
    async fn instances(&self) -> Result<Vec<Instance>, ActuatorError> {
        let listed = self.domain.manager.names(&self.template.pattern()).await;
        let listed = listed.map_err(|error| self.domain.failed("list instances", error))?;
        let numbered = listed.into_iter().filter_map(|name| Some((self.template.number(&name)?, name)));
        let looks: Vec<_> = numbered.map(|(number, name)| self.instance(number, name)).collect();
        let mut instances: Vec<Instance> = stream::iter(looks).buffered(PARALLEL).try_collect().await?;
        instances.retain(|it| seen::phase(&it.unit, Fate::Left) != ReplicaPhase::Stopped);
        instances.sort_by_key(|it| it.number);
        Ok(instances)
    }

    async fn instance(&self, number: u32, name: String) -> Result<Instance, ActuatorError> {
        let unit = self.domain.manager.unit(&name).await;
        let unit = unit.map_err(|error| self.domain.failed(&format!("look at {name}"), error))?;
        Ok(Instance { number, name, unit })
    }

    async fn grow(&self, change: &ChangeId, count: u32) -> Result<Vec<ReplicaId>, ActuatorError> {
        let _turn = self.turn.lock().await;
        let instances = self.instances().await?;
        // One that failed gives its number back: it is started again in its own place.
        let taken = instances.iter().filter(|it| seen::phase(&it.unit, Fate::Left) != ReplicaPhase::Failed);
        let taken: Vec<u32> = taken.map(|it| it.number).collect();
        let starts: Vec<_> =
            Template::free(&taken, count).into_iter().map(|number| self.start(number, change)).collect();
        let outcomes: Vec<_> = stream::iter(starts).buffered(PARALLEL).collect().await;
        outcomes.into_iter().collect()
    }

    /// Starts an instance. One that does not come up is stopped and forgotten again.
    async fn start(&self, number: u32, change: &ChangeId) -> Result<ReplicaId, ActuatorError> {
        let name = self.template.instance(number);
        let id = self.domain.id(&name);
        let limit = job_limit(Verb::Start, &self.domain.look(&name).await?);
        let action = format!("start {name}");
        self.marks
            .set(&id, change)
            .await
            .map_err(|source| ActuatorError::Failed { action: action.clone(), source: source.into() })?;
        match self.domain.manager.carry_out(Verb::Start, &name, limit).await {
            Ok(()) => Ok(id),
            Err(error) => {
                // The error that it did not come up with says more than one of clearing up.
                let _ = self.stop(&name, limit).await;
                Err(self.domain.failed(&action, error))
            }
        }
    }

    async fn retire(&self, replicas: &[ReplicaId]) -> Result<(), ActuatorError> {
        let going: Vec<_> = self
            .instances()
            .await?
            .into_iter()
            .filter(|it| replicas.contains(&self.domain.id(&it.name)))
            .collect();
        let stops: Vec<_> =
            going.iter().map(|it| self.stop(&it.name, job_limit(Verb::Stop, &it.unit))).collect();
        let outcomes: Vec<_> = stream::iter(stops).buffer_unordered(PARALLEL).collect().await;
        outcomes.into_iter().collect()
    }

    /// Stops an instance, and leaves no trace of it at the manager.
    async fn stop(&self, name: &str, limit: Duration) -> Result<(), ActuatorError> {
        let manager = &self.domain.manager;
        let stopped = manager.carry_out(Verb::Stop, name, limit).await;
        stopped.map_err(|error| self.domain.failed(&format!("stop {name}"), error))?;
        // One that ended in failure stays listed until it is reset; that it failed on its way out is no obstacle.
        let _ = manager.reset_failed(name).await;
        self.marks.remove(&self.domain.id(name)).await;
        Ok(())
    }

    /// Forgets instances that docktor started and that failed.
    async fn sweep(&self) -> Result<u32, ActuatorError> {
        let _turn = self.turn.lock().await;
        let mut swept = 0;
        for instance in &self.instances().await? {
            let replica = self.replica(instance, &[]).await;
            if replica.phase == ReplicaPhase::Failed && replica.change.is_some() {
                self.stop(&instance.name, job_limit(Verb::Stop, &instance.unit)).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

impl Actuator for Instances {
    fn observe<'a>(&'a self, retiring: &'a [ReplicaId]) -> BoxFuture<'a, Result<Observed, ActuatorError>> {
        self.observe(retiring).boxed()
    }

    fn grow<'a>(
        &'a self,
        _: &'a PolicyKey,
        change: &'a ChangeId,
        count: u32,
    ) -> BoxFuture<'a, Result<Vec<ReplicaId>, ActuatorError>> {
        self.grow(change, count).boxed()
    }

    fn retire<'a>(
        &'a self,
        replicas: &'a [ReplicaId],
        _: Afterwards,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        self.retire(replicas).boxed()
    }

    fn resize<'a>(&'a self, resizing: &'a Resizing) -> BoxFuture<'a, Result<(), ActuatorError>> {
        resize::resize(&self.domain, resizing).boxed()
    }

    fn sweep(&self) -> BoxFuture<'_, Result<u32, ActuatorError>> {
        self.sweep().boxed()
    }
}
