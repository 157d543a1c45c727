//! In place of an engine, in a build without the feature `docker`: nothing is moved, measured or heard.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::not_supported;
use crate::clock::Clock;
use crate::controller::Wake;
use crate::controller::bind::Actuators;
use crate::controller::observe::Usage;
use crate::model::key::PolicyKey;
use crate::model::observation::{Limits, ReplicaId, Sample};
use crate::sources::pressure::Trigger;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::units::{Duration, Timestamp};

/// No engine at all.
pub struct Engines;

impl Engines {
    /// Whatever the address.
    ///
    /// # Errors
    /// None; a build with the feature `docker` has some.
    pub fn new(_address: Option<&str>, _clock: Clock, _metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        Ok(Self)
    }

    /// There is no engine to be known.
    pub async fn introduce(&self, _store: &mut Store, _address: Option<&str>) {}

    /// There is nothing to sample or hear.
    pub fn run(&self, _tasks: &TaskTracker, _wakes: &mpsc::Sender<Wake>, _stop: &CancellationToken) {}

    /// Refuses every target.
    #[must_use]
    pub fn actuators(&self) -> Box<Actuators> {
        Box::new(|target| Err(not_supported(target)))
    }

    /// Samples nothing.
    #[must_use]
    pub fn usage(&self) -> Arc<dyn Usage> {
        Arc::new(NoUsage)
    }
}

struct NoUsage;

impl Usage for NoUsage {
    fn watch(&self, _: &PolicyKey, _: Vec<ReplicaId>, _window: Duration, _interval: Duration) {}

    fn listen(&self, _: &PolicyKey, _: &[Trigger]) {}

    fn forget(&self, _: &PolicyKey) {}

    fn window(&self, _: &ReplicaId, _from: Timestamp, _to: Timestamp) -> Vec<Sample> {
        Vec::new()
    }

    fn limits(&self, _: &ReplicaId) -> Option<Limits> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::Reason;
    use crate::api::target::{ComposeTarget, Target};

    #[test]
    fn a_compose_target_is_not_supported() {
        let compose = ComposeTarget {
            project: "shop".to_owned(),
            service: "web".to_owned(),
            docker: None,
            strategy: None,
            delete_anonymous_volumes: None,
            stateful: None,
        };
        let Err(obstacle) = Engines.actuators()(&Target::Compose(compose)) else { panic!("an actuator") };
        assert_eq!(obstacle.reason, Reason::NotSupportedYet);
    }
}
