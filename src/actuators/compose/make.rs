//! New replicas: the donor cloned, several at once, each verified before it is started.

use std::collections::BTreeSet;
use std::ops::Range;

use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;

use super::clone::{self, CloneRequest, Identity};
use super::facts::Facts;
use super::{ComposeService, donor, labels};
use crate::actuators::ActuatorError;
use crate::clients::docker::{AnonymousVolumes, ApiVersion, EngineError};
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::ReplicaId;

/// Replicas that are made at once. Engines start containers in parallel, which is where the time goes.
const PARALLEL_CLONES: usize = 8;

/// How often numbers are given out anew because somebody else took a name.
const NAME_TRIES: usize = 3;

/// One scale-up: what every clone of it has in common.
pub(super) struct Growth<'a> {
    pub service: &'a ComposeService,
    pub facts: &'a Facts,
    pub separator: char,
    pub api: ApiVersion,
    pub policy: &'a PolicyKey,
    pub change: &'a ChangeId,
}

/// Why one replica could not be made.
enum MakeError {
    /// Somebody else has its name.
    NameTaken(EngineError),
    Other(ActuatorError),
}

impl Growth<'_> {
    /// Makes and starts `count` clones, numbered from `first` on; past names that somebody else has.
    pub async fn make(&self, count: u32, first: u32) -> Result<Vec<ReplicaId>, ActuatorError> {
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
