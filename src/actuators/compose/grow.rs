//! More replicas: resting ones are started, then the donor is cloned.

use super::donor::{self, Naming};
use super::facts::Facts;
use super::find::{ComposeContainer, State};
use super::make::Growth;
use super::{ComposeService, lock, traps};
use crate::actuators::{ActuatorError, Obstacle};
use crate::api::condition::Reason;
use crate::clients::docker::EngineError;
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::ReplicaId;

/// What engines say when a host port is not free, each in its own time.
const PORT_TAKEN: [&str; 4] = [
    "port is already allocated",
    "all ports are allocated",
    "address already in use",
    "failed to bind host port",
];

/// While it lives, replicas of the change that are not started yet are being made; after, they are leftovers.
struct Making<'a> {
    service: &'a ComposeService,
    change: &'a ChangeId,
}

impl<'a> Making<'a> {
    fn begin(service: &'a ComposeService, change: &'a ChangeId) -> Self {
        lock(&service.making).insert(change.clone());
        Self { service, change }
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        lock(&self.service.making).remove(self.change);
    }
}

impl ComposeService {
    /// Starts `count` more replicas, fewer where the ceiling is below. After an error, those already started
    /// run on; the next observation shows them.
    pub(super) async fn grow_by(
        &self,
        policy: &PolicyKey,
        change: &ChangeId,
        count: u32,
    ) -> Result<Vec<ReplicaId>, ActuatorError> {
        let _turn = self.compose.turn(&self.target.project).await;
        let _making = Making::begin(self, change);
        self.grow_alone(policy, change, count).await
    }

    async fn grow_alone(
        &self,
        policy: &PolicyKey,
        change: &ChangeId,
        count: u32,
    ) -> Result<Vec<ReplicaId>, ActuatorError> {
        let containers = self.containers().await?;
        let looks = self.looks(&containers).await?;
        let donor = donor::choose(&containers, &looks).ok_or_else(|| self.not_found())?;
        if let Some(obstacle) = self.obstacle(&containers) {
            return Err(ActuatorError::Refused(obstacle));
        }
        let facts = self.examine(donor).await?.ok_or_else(|| self.not_found())?;
        if let Some(obstacle) = &facts.obstacle {
            return Err(ActuatorError::Refused(obstacle.clone()));
        }
        self.check_dependencies(&facts).await?;
        let count = room(&facts, &containers, count)?;

        let mut started = self.start_resting(&facts, &containers, count).await?;
        let missing = count.saturating_sub(u32::try_from(started.len()).unwrap_or(u32::MAX));
        let Naming::Numbered(separator) = facts.naming else { return Ok(started) };
        let api = self.engine().version().await.map_err(|it| self.failed("agree on an API version", it))?;
        let growth = Growth { service: self, facts: &facts, separator, api, policy, change };
        started.extend(growth.make(missing, donor::next_number(&containers)).await?);
        Ok(started)
    }
}

/// How many of `count` the ceiling leaves room for; at least one.
fn room(facts: &Facts, containers: &[ComposeContainer], count: u32) -> Result<u32, ActuatorError> {
    let Some(ceiling) = &facts.ceiling else { return Ok(count) };
    let up = u32::try_from(containers.iter().filter(|it| it.is_up()).count()).unwrap_or(u32::MAX);
    match ceiling.replicas.saturating_sub(up) {
        0 => Err(ActuatorError::Refused(ceiling.why.clone())),
        room => Ok(count.min(room)),
    }
}

impl ComposeService {
    /// Starts replicas of the current configuration that have stopped, lowest number first.
    async fn start_resting(
        &self,
        facts: &Facts,
        containers: &[ComposeContainer],
        count: u32,
    ) -> Result<Vec<ReplicaId>, ActuatorError> {
        let current = donor::current(containers);
        let resting = containers.iter().filter(|it| {
            let stopped = it.state == State::Exited || it.state == State::Created && !it.is_half_made();
            stopped && Some(it.configuration()) == current
        });
        let mut started = Vec::new();
        for container in resting.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            self.start(facts, &container.id, &container.name).await?;
            started.push(ReplicaId::new(&container.id));
        }
        Ok(started)
    }

    /// Starts a container; alone, where host ports are given out.
    pub(super) async fn start(&self, facts: &Facts, id: &str, name: &str) -> Result<(), ActuatorError> {
        let alone =
            if traps::publishes_ports(&facts.donor) { Some(self.compose.starts.lock().await) } else { None };
        let started = self.engine().start(id).await;
        drop(alone);
        started.map_err(|error| {
            port_taken(&error).unwrap_or_else(|| self.failed(&format!("start {name}"), error))
        })
    }
}

/// The refusal in an engine's complaint about a host port.
fn port_taken(error: &EngineError) -> Option<ActuatorError> {
    let EngineError::Refused { message, .. } = error else { return None };
    PORT_TAKEN.iter().any(|it| message.contains(it)).then(|| {
        ActuatorError::Refused(Obstacle {
            reason: Reason::HostPort,
            message: format!("no host port is free for one more replica: {message}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actuators::Ceiling;
    use crate::actuators::compose::find::sample;

    fn facts(ceiling: Option<u32>) -> Facts {
        let why = Obstacle { reason: Reason::HostPort, message: "fixed".to_owned() };
        Facts {
            donor: json!({}),
            naming: Naming::Numbered('-'),
            image: "web".to_owned(),
            ceiling: ceiling.map(|replicas| Ceiling { replicas, why }),
            obstacle: None,
            remarks: Vec::new(),
        }
    }

    #[test]
    fn growth_ends_at_the_ceiling() {
        let stopped = ComposeContainer { state: State::Exited, ..sample(3) };
        let containers = [sample(1), sample(2), stopped];
        for (ceiling, wanted, room_for) in
            [(None, 9, Some(9)), (Some(3), 9, Some(1)), (Some(5), 2, Some(2)), (Some(2), 1, None)]
        {
            assert_eq!(room(&facts(ceiling), &containers, wanted).ok(), room_for, "{ceiling:?}");
        }
    }

    #[test]
    fn a_busy_host_port_is_told_from_other_failures() {
        let says =
            |message: &str| port_taken(&EngineError::Refused { status: 500, message: message.to_owned() });
        assert_eq!(
            says("Bind for 0.0.0.0:80 failed: port is already allocated").unwrap().reason(),
            Reason::HostPort
        );
        assert!(says("exec: \"web\": executable file not found in $PATH").is_none());
    }
}
