//! Seeing a service: one list call a time, and a closer look only at what is new or has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::facts::{self, Facts};
use super::find::{self, ComposeContainer, Fate};
use super::{ComposeService, donor, limits, lock};
use crate::actuators::Obstacle;
use crate::actuators::{ActuatorError, Observed};
use crate::api::condition::Reason;
use crate::api::target::ComposeStrategy;
use crate::model::observation::{HostCapacity, Limits, Replica, ReplicaId};
use crate::units::Timestamp;

/// Longest that docktor waits for one replica to stop.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a closer look is reused. A limit changed by hand is seen at once where the engine's events are heard
/// ([`Compose::forget`](super::Compose::forget)), else within as many passes.
const MOST_REUSES: u32 = 30;

/// Closer looks under way at once.
const PARALLEL_LOOKS: usize = 4;

/// The engine's grace period where the container has none of its own.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What was seen before; bounded by the service's containers.
#[derive(Debug, Default)]
pub(super) struct Seen {
    looks: Looks,
    /// Grows when something is forgotten, so that a look begun before is not kept.
    forgotten: u64,
    facts: Option<(String, u32, Facts)>,
}

/// Closer looks, by container.
pub(super) type Looks = BTreeMap<String, Look>;

impl Seen {
    /// That container is to be looked at afresh.
    pub(super) fn forget(&mut self, container: &str) {
        self.looks.remove(container);
        self.forgotten += 1;
    }

    /// Every container is to be looked at afresh.
    pub(super) fn forget_all(&mut self) {
        self.looks.clear();
        self.forgotten += 1;
    }
}

/// A closer look at a container.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    /// The words of its status then; other words ask for another look.
    status: String,
    reuses: u32,
    started_at: Option<Timestamp>,
    /// By the engine, after it had exited; a start by a person counts anew.
    restarts: u32,
    pub limits: Limits,
    pub grace: Duration,
}

impl ComposeService {
    /// Every replica as it is now, and what is in the way of more.
    pub(super) async fn survey_for(&self, retiring: &[ReplicaId]) -> Result<Observed, ActuatorError> {
        let containers = self.containers().await?;
        if containers.is_empty() {
            return Err(self.not_found());
        }
        let info = self.engine().info().await.map_err(|it| self.failed("read the engine's capacity", it))?;
        lock(&self.seen).looks.retain(|id, _| containers.iter().any(|it| it.id == *id));
        let looks = self.looks(&containers).await?;
        let mut observed = Observed { blocked: self.obstacle(&containers), ..Observed::default() };
        if let Some(facts) = self.facts(&containers, &looks).await? {
            observed.blocked = observed.blocked.or(facts.obstacle);
            observed.ceiling = facts.ceiling;
            observed.remarks = facts.remarks;
        }
        let current = donor::current(&containers);
        let seen = containers.iter().filter_map(|it| Some((it, looks.get(&it.id)?)));
        observed.replicas = seen
            .map(|(it, look)| {
                let outdated = Some(it.configuration()) != current;
                self.replica(it, look, self.fate(it, retiring), outdated, info.capacity)
            })
            .collect();
        Ok(observed)
    }

    /// The service's containers in one list call.
    pub(super) async fn containers(&self) -> Result<Vec<ComposeContainer>, ActuatorError> {
        let found = find::replicas(self.engine(), &self.target.project, &self.target.service).await;
        found.map_err(|it| self.failed("list containers", it))
    }

    /// What keeps the service from being cloned at all, told by the list and the policy alone.
    pub(super) fn obstacle(&self, containers: &[ComposeContainer]) -> Option<Obstacle> {
        if self.target.strategy.unwrap_or_default() == ComposeStrategy::Cli {
            return Some(Obstacle {
                reason: Reason::NotSupportedYet,
                message: "`strategy: Cli` is not supported yet; use `Engine`".to_owned(),
            });
        }
        donor::obstacle(containers)
    }

    /// What is known of the donor, at most a few passes old; nothing where there is no donor. What is in the way
    /// is looked at every time, so that it is seen to go.
    async fn facts(
        &self,
        containers: &[ComposeContainer],
        looks: &Looks,
    ) -> Result<Option<Facts>, ActuatorError> {
        let Some(donor) = donor::choose(containers, looks) else { return Ok(None) };
        if let Some((id, reuses, facts)) = &mut lock(&self.seen).facts
            && *id == donor.id
            && *reuses < MOST_REUSES
        {
            *reuses += 1;
            return Ok(Some(facts.clone()));
        }
        let facts = self.examine(donor).await?;
        let worth_keeping = facts.clone().filter(|it| it.obstacle.is_none());
        lock(&self.seen).facts = worth_keeping.map(|it| (donor.id.clone(), 0, it));
        Ok(facts)
    }

    /// Examines a donor afresh; nothing when it has just gone.
    pub(super) async fn examine(&self, donor: &ComposeContainer) -> Result<Option<Facts>, ActuatorError> {
        let naming = donor::naming(donor, &self.target);
        let stateful = self.target.stateful.unwrap_or(false);
        let facts = async {
            let inspected = self.engine().inspect(&donor.id).await?;
            facts::examine(self.engine(), inspected, &self.target.service, naming, stateful).await
        };
        match facts.await {
            Ok(facts) => Ok(Some(facts)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(self.failed("examine a replica", error)),
        }
    }

    /// A closer look at each container, asked of the engine where it is new or has changed. One that has gone
    /// meanwhile has none.
    pub(super) async fn looks(&self, containers: &[ComposeContainer]) -> Result<Looks, ActuatorError> {
        let forgotten = lock(&self.seen).forgotten;
        let stale = containers.iter().filter(|it| !self.reuse(it));
        let looks: Vec<_> = stale.map(|it| self.look(it)).collect();
        let fresh: Vec<_> = stream::iter(looks).buffer_unordered(PARALLEL_LOOKS).try_collect().await?;
        let mut seen = lock(&self.seen);
        let mut looks = seen.looks.clone();
        looks.extend(fresh.into_iter().flatten());
        if seen.forgotten == forgotten {
            seen.looks.clone_from(&looks);
        }
        Ok(looks)
    }

    /// That container is to be looked at afresh.
    pub(super) fn forget(&self, container: &str) {
        lock(&self.seen).forget(container);
    }

    /// Is there a look that still holds? The engine's words change with every restart, and now and then with age.
    fn reuse(&self, container: &ComposeContainer) -> bool {
        let mut seen = lock(&self.seen);
        let Some(look) = seen.looks.get_mut(&container.id) else { return false };
        look.reuses += 1;
        let holds = look.status == container.status && look.reuses <= MOST_REUSES;
        if !holds {
            seen.looks.remove(&container.id);
        }
        holds
    }

    async fn look(&self, container: &ComposeContainer) -> Result<Option<(String, Look)>, ActuatorError> {
        match self.engine().inspect(&container.id).await {
            Ok(inspected) => Ok(Some((container.id.clone(), Look::at(&inspected, container)))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(self.failed("inspect a replica", error)),
        }
    }

    fn fate(&self, container: &ComposeContainer, retiring: &[ReplicaId]) -> Fate {
        if retiring.iter().any(|it| it.as_str() == container.id) {
            return Fate::Retiring;
        }
        let being_made = container.change.as_ref().is_some_and(|it| lock(&self.making).contains(it));
        if being_made { Fate::BeingMade } else { Fate::Left }
    }

    fn replica(
        &self,
        container: &ComposeContainer,
        look: &Look,
        fate: Fate,
        outdated: bool,
        host: HostCapacity,
    ) -> Replica {
        Replica {
            restarts: look.restarts,
            id: ReplicaId::new(&container.id),
            name: container.name.clone(),
            number: container.number,
            phase: container.phase(fate),
            health: container.health,
            created_at: Some(container.created_at),
            started_at: look.started_at,
            change: container.change.clone(),
            outdated,
            samples: Vec::new(),
            limits: Limits { host, ..look.limits },
        }
    }
}

impl Look {
    pub(super) fn at(inspected: &Value, container: &ComposeContainer) -> Self {
        Self {
            status: container.status.clone(),
            reuses: 0,
            started_at: read_time(&inspected["State"]["StartedAt"]),
            restarts: inspected["RestartCount"].as_u64().and_then(|it| it.try_into().ok()).unwrap_or(0),
            limits: limits::read(&inspected["HostConfig"]),
            grace: read_grace(&inspected["Config"]["StopTimeout"]),
        }
    }
}

/// A moment, unless it is the engine's way to say never.
fn read_time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok().filter(|it| *it > Timestamp::default())
}

/// How long the engine waits after the stop signal; negative means without end.
pub(super) fn read_grace(stop_timeout: &Value) -> Duration {
    match stop_timeout.as_i64() {
        None => DEFAULT_GRACE,
        Some(seconds) => {
            u64::try_from(seconds).map_or(LONGEST_GRACE, |it| Duration::from_secs(it).min(LONGEST_GRACE))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_that_never_started_has_no_start_time() {
        assert_eq!(read_time(&json!("0001-01-01T00:00:00Z")), None);
        assert_eq!(read_time(&json!(null)), None);
        assert_eq!(read_time(&json!("1970-01-01T00:00:01.5Z")), Some(Timestamp::from_millis(1_500)));
    }

    #[test]
    fn the_grace_period_is_the_containers_own() {
        assert_eq!(read_grace(&json!(3)), Duration::from_secs(3));
        assert_eq!(read_grace(&json!(null)), DEFAULT_GRACE);
        assert_eq!(read_grace(&json!(-1)), LONGEST_GRACE);
    }
}
