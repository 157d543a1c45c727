//! Fewer replicas: each is stopped with its own signal and grace period, then removed.

use futures::stream::{self, StreamExt};
use std::time::Duration;

use super::ComposeService;
use super::find::ComposeContainer;
use crate::actuators::{ActuatorError, Afterwards};
use crate::clients::docker::{AnonymousVolumes, EngineError};
use crate::model::observation::ReplicaId;

/// Replicas that stop at once.
const PARALLEL_STOPS: usize = 8;

impl ComposeService {
    /// Stops these replicas. Ids that are not of this service are passed over: they are gone, or never were ours.
    pub(super) async fn retire_all(
        &self,
        replicas: &[ReplicaId],
        afterwards: Afterwards,
    ) -> Result<(), ActuatorError> {
        let mut leaving = self.containers().await?;
        leaving.retain(|it| replicas.iter().any(|id| id.as_str() == it.id));
        let looks = self.looks(&leaving).await?;
        let stops: Vec<_> = leaving
            .iter()
            .filter_map(|it| Some(self.retire_one(it, looks.get(&it.id)?.grace, afterwards)))
            .collect();
        let outcomes: Vec<_> = stream::iter(stops).buffer_unordered(PARALLEL_STOPS).collect().await;
        outcomes.into_iter().collect()
    }

    async fn retire_one(
        &self,
        container: &ComposeContainer,
        grace: Duration,
        afterwards: Afterwards,
    ) -> Result<(), ActuatorError> {
        if container.is_up() {
            let stopped = self.engine().stop(&container.id, grace).await;
            gone_is_done(stopped).map_err(|it| self.failed(&format!("stop {}", container.name), it))?;
        }
        match afterwards {
            Afterwards::Keep => Ok(()),
            Afterwards::Remove => self.remove(container, self.volumes()).await,
        }
    }

    /// Removes what an interrupted change left behind.
    pub(super) async fn sweep_half_made(&self) -> Result<u32, ActuatorError> {
        let _turn = self.compose.turn(&self.target.project).await;
        let mut swept = 0;
        for container in self.containers().await?.iter().filter(|it| it.is_half_made()) {
            self.remove(container, AnonymousVolumes::Delete).await?;
            swept += 1;
        }
        Ok(swept)
    }

    async fn remove(
        &self,
        container: &ComposeContainer,
        volumes: AnonymousVolumes,
    ) -> Result<(), ActuatorError> {
        let removed = self.engine().remove(&container.id, volumes).await;
        gone_is_done(removed).map_err(|it| self.failed(&format!("remove {}", container.name), it))
    }

    /// Compose leaves anonymous volumes behind; so does docktor unless the policy says otherwise.
    fn volumes(&self) -> AnonymousVolumes {
        match self.target.delete_anonymous_volumes {
            Some(true) => AnonymousVolumes::Delete,
            _ => AnonymousVolumes::Keep,
        }
    }
}

/// A container that is gone, or being removed by somebody else, is what was wanted.
fn gone_is_done(answer: Result<(), EngineError>) -> Result<(), EngineError> {
    match answer {
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
        other => other,
    }
}
