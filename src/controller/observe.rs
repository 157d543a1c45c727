//! What one pass sees: the target through its actuator, and the samples that the background sampler has kept.

use std::time::Duration;

use crate::actuators::{Actuator, ActuatorError, Observed};
use crate::api::effective::Spec;
use crate::api::target::Target;
use crate::model::key::PolicyKey;
use crate::model::observation::{HostCapacity, Limits, Replica, ReplicaId, ReplicaPhase, Sample, Snapshot};
use crate::sources::pressure::{Trigger, triggers};
use crate::sources::sampler::Sampler;
use crate::units::{self, Timestamp};

/// A target that does not answer within this time counts as unreachable.
const DEADLINE: Duration = Duration::from_secs(10);

/// What keeps samples of replicas, so that no pass waits for one.
pub trait Usage: Send + Sync {
    /// Samples these replicas from now on, and no others for this policy.
    fn watch(
        &self,
        policy: &PolicyKey,
        replicas: Vec<ReplicaId>,
        window: units::Duration,
        interval: units::Duration,
    );
    /// Listens for such pressure on this policy's replicas from now on, and wakes it then.
    fn listen(&self, policy: &PolicyKey, triggers: &[Trigger]);
    /// Samples this policy's replicas no longer.
    fn forget(&self, policy: &PolicyKey);
    /// The samples of a replica after `from`, up to and with `to`, oldest first.
    fn window(&self, replica: &ReplicaId, from: Timestamp, to: Timestamp) -> Vec<Sample>;
    /// The limits of a replica as they were read last.
    fn limits(&self, replica: &ReplicaId) -> Option<Limits>;
}

impl Usage for Sampler {
    fn watch(
        &self,
        policy: &PolicyKey,
        replicas: Vec<ReplicaId>,
        window: units::Duration,
        interval: units::Duration,
    ) {
        Self::watch(self, policy, replicas, window, interval);
    }

    fn listen(&self, policy: &PolicyKey, triggers: &[Trigger]) {
        Self::listen(self, policy, triggers);
    }

    fn forget(&self, policy: &PolicyKey) {
        Self::forget(self, policy);
    }

    fn window(&self, replica: &ReplicaId, from: Timestamp, to: Timestamp) -> Vec<Sample> {
        Self::window(self, replica, from, to)
    }

    fn limits(&self, replica: &ReplicaId) -> Option<Limits> {
        Self::limits(self, replica)
    }
}

/// Looks at the target, under one deadline.
pub async fn look(
    target: &Target,
    actuator: &dyn Actuator,
    retiring: &[ReplicaId],
) -> Result<Observed, ActuatorError> {
    tokio::time::timeout(DEADLINE, actuator.observe(retiring)).await.unwrap_or_else(|_| {
        let message = format!("no answer about {target} within {} s", DEADLINE.as_secs());
        Err(ActuatorError::Unreachable { endpoint: target.keeper(), source: message.into() })
    })
}

/// Puts samples and limits to the replicas that were seen, and has them sampled from now on.
pub fn snapshot(
    usage: &dyn Usage,
    key: &PolicyKey,
    spec: &Spec,
    mut replicas: Vec<Replica>,
    evaluation: bool,
    now: Timestamp,
) -> Snapshot {
    let running = replicas.iter().filter(|it| it.phase == ReplicaPhase::Running).map(|it| it.id.clone());
    usage.watch(key, running.collect(), spec.window, spec.interval);
    usage.listen(key, &triggers(spec));
    let from = now.minus(spec.window);
    for replica in &mut replicas {
        replica.samples = usage.window(&replica.id, from, now);
        if let Some(sampled) = usage.limits(&replica.id) {
            replica.limits = known(replica.limits, sampled);
        }
    }
    Snapshot { replicas, evaluation, ..Snapshot::default() }
}

/// The limits that the actuator tells, which are those of this moment; where it tells none, those that were sampled
/// last. Of the host, the sampler knows more.
fn known(told: Limits, sampled: Limits) -> Limits {
    let nothing = Limits { host: told.host, ..Limits::default() };
    let limits = if told == nothing { sampled } else { told };
    let host = HostCapacity {
        cpus: sampled.host.cpus.or(told.host.cpus),
        memory: sampled.host.memory.or(told.host.memory),
        tasks: sampled.host.tasks.or(told.host.tasks),
    };
    Limits { host, ..limits }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;
    use crate::actuators::{Afterwards, Resizing};
    use crate::model::change::ChangeId;
    use crate::telemetry::chain;

    struct Silent;

    impl Actuator for Silent {
        fn observe<'a>(&'a self, _: &'a [ReplicaId]) -> BoxFuture<'a, Result<Observed, ActuatorError>> {
            std::future::pending().boxed()
        }

        fn grow<'a>(
            &'a self,
            _: &'a PolicyKey,
            _: &'a ChangeId,
            _: u32,
        ) -> BoxFuture<'a, Result<Vec<ReplicaId>, ActuatorError>> {
            std::future::pending().boxed()
        }

        fn retire<'a>(
            &'a self,
            _: &'a [ReplicaId],
            _: Afterwards,
        ) -> BoxFuture<'a, Result<(), ActuatorError>> {
            std::future::pending().boxed()
        }

        fn resize<'a>(&'a self, _: &'a Resizing) -> BoxFuture<'a, Result<(), ActuatorError>> {
            std::future::pending().boxed()
        }

        fn sweep(&self) -> BoxFuture<'_, Result<u32, ActuatorError>> {
            std::future::pending().boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_named() {
        for (target, words) in [
            (
                r#"{"systemd": {"unit": "worker.service"}}"#,
                "cannot reach systemd's system manager: no answer about systemd/worker.service within 10 s",
            ),
            (
                r#"{"compose": {"project": "p", "service": "web"}}"#,
                "cannot reach the Docker engine: no answer about compose/p/web within 10 s",
            ),
        ] {
            let target = serde_json::from_str(target).unwrap();
            let error = look(&target, &Silent, &[]).await.unwrap_err();
            assert_eq!(chain(&error), words);
        }
    }

    #[test]
    fn what_the_actuator_tells_of_limits_holds_and_else_what_was_sampled() {
        let host = HostCapacity { tasks: Some(9.0), ..HostCapacity::default() };
        let sampled = Limits { tasks: Some(64.0), memory: Some(1.0), host, ..Limits::default() };
        let told = Limits { tasks: Some(128.0), ..Limits::default() };
        assert_eq!(known(told, sampled), Limits { host, ..told });
        assert_eq!(known(Limits::default(), sampled), sampled);
    }
}
