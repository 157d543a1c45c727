//! One unit: its limits are what docktor moves. It is never started or stopped, save by `apply: Restart`.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::domain::{Domain, unusable};
use super::seen::{self, Fate};
use super::{remarks, resize};
use crate::actuators::{Actuator, ActuatorError, Afterwards, Observed, Obstacle, Resizing};
use crate::api::condition::Reason;
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::ReplicaId;
use crate::sources::host;

/// One unit as a target.
#[derive(Debug)]
pub(super) struct Single {
    domain: Domain,
    name: String,
}

impl Single {
    pub fn new(domain: Domain, name: &str) -> Self {
        Self { domain, name: name.to_owned() }
    }

    async fn observe(&self) -> Result<Observed, ActuatorError> {
        let unit = self.domain.look(&self.name).await?;
        let id = self.domain.id(&self.name);
        Ok(Observed {
            replicas: vec![seen::replica(id, &self.name, 1, &unit, Fate::Left, host::capacity())],
            ceiling: None,
            blocked: unusable(&self.name, &unit),
            remarks: remarks::of(&self.name, &unit),
        })
    }

    fn is_no_template(&self) -> ActuatorError {
        let message = format!("{} is one unit; only instances of a template are replicas", self.name);
        ActuatorError::Refused(Obstacle { reason: Reason::UnitNotUsable, message })
    }
}

impl Actuator for Single {
    fn observe<'a>(&'a self, _: &'a [ReplicaId]) -> BoxFuture<'a, Result<Observed, ActuatorError>> {
        self.observe().boxed()
    }

    fn grow<'a>(
        &'a self,
        _: &'a PolicyKey,
        _: &'a ChangeId,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<ReplicaId>, ActuatorError>> {
        std::future::ready(Err(self.is_no_template())).boxed()
    }

    fn retire<'a>(&'a self, _: &'a [ReplicaId], _: Afterwards) -> BoxFuture<'a, Result<(), ActuatorError>> {
        std::future::ready(Err(self.is_no_template())).boxed()
    }

    fn resize<'a>(&'a self, resizing: &'a Resizing) -> BoxFuture<'a, Result<(), ActuatorError>> {
        resize::resize(&self.domain, resizing).boxed()
    }

    fn sweep(&self) -> BoxFuture<'_, Result<u32, ActuatorError>> {
        std::future::ready(Ok(0)).boxed()
    }
}
