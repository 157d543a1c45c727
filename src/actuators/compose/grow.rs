//! More replicas: resting ones are started, then the donor is cloned.

use std::collections::BTreeSet;
use std::ops::Range;

use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;

use super::clone::{self, CloneRequest, Identity};
use super::donor::{self, Naming};
use super::facts::Facts;
use super::find::{ComposeContainer, State};
use super::{ComposeService, labels, lock, traps};
use crate::actuators::{ActuatorError, Obstacle};
use crate::api::condition::Reason;
use crate::clients::docker::{AnonymousVolumes, ApiVersion, EngineError};
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::ReplicaId;

/// Replicas that are made at once. Engines start containers in parallel, which is where the time goes.
const PARALLEL_CLONES: usize = 8;

/// How often numbers are given out anew because somebody else took a name.
const NAME_TRIES: usize = 3;

/// What engines say when a host port is not free, each in its own time.
const PORT_TAKEN: [&str; 4] = [
    "port is already allocated",
    "all ports are allocated",
    "address already in use",
    "failed to bind host port",
];

/// Why one replica could not be made.
enum MakeError {
    /// Somebody else has its name.
    NameTaken(EngineError),
    Other(ActuatorError),
}

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

/// One scale-up: what every clone of it has in common.
struct Growth<'a> {
    service: &'a ComposeService,
    facts: &'a Facts,
    separator: char,
    api: ApiVersion,
    policy: &'a PolicyKey,
    change: &'a ChangeId,
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
        let donor = donor::choose(&containers).ok_or_else(|| self.not_found())?;
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
    async fn start(&self, facts: &Facts, id: &str, name: &str) -> Result<(), ActuatorError> {
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

impl Growth<'_> {
    /// Makes and starts `count` clones, numbered from `first` on; past names that somebody else has.
    async fn make(&self, count: u32, first: u32) -> Result<Vec<ReplicaId>, ActuatorError> {
        let mut made = Vec::new();
        let (mut first, mut missing) = (first, count);
        for tries_left in (0..NAME_TRIES).rev() {
            let end = first.saturating_add(missing);
            let Some((taken, error)) = self.make_numbered(first..end, &mut made).await? else {
                return Ok(made);
            };
            if tries_left == 0 {
                return Err(self.service.failed("find a free name", error));
            }
            missing = taken;
            first = donor::next_number(&self.service.containers().await?).max(end);
        }
        Ok(made)
    }

    /// Makes a clone of each number, a few at a time. After a failure none is begun, but all begun are
    /// finished. Gives how many names were taken, and what the engine said of one.
    async fn make_numbered(
        &self,
        mut numbers: Range<u32>,
        made: &mut Vec<ReplicaId>,
    ) -> Result<Option<(u32, EngineError)>, ActuatorError> {
        let mut running = FuturesUnordered::new();
        let (mut taken, mut failure) = (None, None);
        loop {
            while failure.is_none() && running.len() < PARALLEL_CLONES {
                let Some(number) = numbers.next() else { break };
                running.push(self.make_one(number));
            }
            match running.next().await {
                None => break,
                Some(Ok(id)) => made.push(id),
                Some(Err(MakeError::NameTaken(error))) => {
                    taken = Some((taken.map_or(1, |(count, _)| count + 1), error));
                }
                Some(Err(MakeError::Other(error))) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(taken), Err)
    }

    /// Makes and starts one clone; removes it again when that fails half-way.
    async fn make_one(&self, number: u32) -> Result<ReplicaId, MakeError> {
        let name = donor::replica_name(&self.service.target, self.separator, number);
        let identity = Identity {
            name: &name,
            number,
            image: &self.facts.image,
            policy: self.policy,
            change: self.change,
        };
        let request = clone::clone(&self.facts.donor, identity, self.api);
        let engine = self.service.engine();
        let created = engine.create(&name, request.platform.as_deref(), request.body.clone()).await;
        let id = created.map_err(|error| {
            if error.is_conflict() {
                return MakeError::NameTaken(error);
            }
            MakeError::Other(self.service.failed(&format!("create {name}"), error))
        })?;
        match self.complete(&id, &name, &request).await {
            Ok(()) => Ok(ReplicaId::new(&id)),
            Err(error) => {
                // A failure here is left to the sweep; the first one says more.
                let _ = engine.remove(&id, AnonymousVolumes::Delete).await;
                Err(MakeError::Other(error))
            }
        }
    }

    async fn complete(&self, id: &str, name: &str, request: &CloneRequest) -> Result<(), ActuatorError> {
        let engine = self.service.engine();
        let failed = |error| self.service.failed(&format!("finish {name}"), error);
        for (network, endpoint) in &request.connect {
            engine.connect(id, network, endpoint.clone()).await.map_err(failed)?;
        }
        let made = engine.inspect(id).await.map_err(failed)?;
        if let Some(difference) = difference(&self.facts.donor, &made, name) {
            let source = format!("the engine made it with another {difference} than its donor has").into();
            return Err(ActuatorError::Failed { action: format!("finish {name}"), source });
        }
        self.service.start(self.facts, id, name).await
    }
}

/// What of a clone is not as it should be, of all that Compose will look at.
fn difference(donor: &Value, made: &Value, name: &str) -> Option<&'static str> {
    let label = |of: &Value, key: &str| of["Config"]["Labels"][key].clone();
    let same = |key: &str| label(donor, key) == label(made, key);
    let networks = |of: &Value| -> BTreeSet<String> {
        of["NetworkSettings"]["Networks"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let expected = [
        ("name", made["Name"].as_str().map(|it| it.trim_start_matches('/')) == Some(name)),
        ("project", same(labels::PROJECT)),
        ("service", same(labels::SERVICE)),
        ("configuration", same(labels::CONFIG_HASH) && same(labels::IMAGE)),
        ("image", donor["Image"] == made["Image"]),
        ("set of networks", networks(donor) == networks(made)),
    ];
    expected.into_iter().find(|(_, holds)| !holds).map(|(what, _)| what)
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

    #[test]
    fn a_clone_must_be_what_compose_expects() {
        let container = |name: &str, hash: &str, network: &str| {
            json!({
                "Name": format!("/{name}"), "Image": "sha256:1",
                "Config": {"Labels": {labels::CONFIG_HASH: hash}},
                "NetworkSettings": {"Networks": {network: {}}},
            })
        };
        let donor = container("shop-web-1", "h1", "shop_default");
        let differs = |made: Value| difference(&donor, &made, "shop-web-2");
        assert_eq!(differs(container("shop-web-2", "h1", "shop_default")), None);
        assert_eq!(differs(container("shop-web-3", "h1", "shop_default")), Some("name"));
        assert_eq!(differs(container("shop-web-2", "h2", "shop_default")), Some("configuration"));
        assert_eq!(differs(container("shop-web-2", "h1", "bridge")), Some("set of networks"));
    }
}
