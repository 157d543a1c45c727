//! The ends at which docktor touches the world: what moves targets, what samples replicas, and whose events wake.
//! Without the feature of an end, policies that need it say so.

#[cfg(feature = "docker")]
mod docker;
#[cfg(not(feature = "docker"))]
#[path = "no_docker.rs"]
mod docker;
#[cfg(feature = "docker")]
mod engine_events;
#[cfg(feature = "systemd")]
mod systemd;
#[cfg(not(feature = "systemd"))]
#[path = "no_systemd.rs"]
mod systemd;
#[cfg(feature = "systemd")]
mod unit_events;
#[cfg(any(feature = "docker", feature = "systemd"))]
mod outage;
mod meters;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::docker::DockerEnd;
use self::meters::Meters;
use self::systemd::SystemdEnd;
use crate::actuators::Obstacle;
use crate::api::condition::Reason;
use crate::api::target::Target;
use crate::clock::Clock;
use crate::controller::Wake;
use crate::controller::bind::Actuators;
use crate::controller::observe::Usage;
use crate::sources::sampler::Sampler;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// All ends of this process.
pub struct Ends {
    docker: DockerEnd,
    systemd: SystemdEnd,
    sampler: Arc<Sampler>,
}

impl Ends {
    /// The engine at `docker`, in the notation of `DOCKER_HOST`, and the managers of systemd. Nothing is asked of
    /// them yet.
    ///
    /// # Errors
    /// When the engine's address is none.
    pub fn new(
        docker: Option<&str>,
        state_dir: &Path,
        clock: Clock,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let docker = DockerEnd::new(docker, clock)?;
        let systemd = SystemdEnd::new(state_dir, clock);
        let meters = Meters { containers: docker.meter(), units: systemd.meter() };
        let sampler = Arc::new(Sampler::new(clock, Arc::new(meters), Arc::clone(metrics)));
        Ok(Self { docker, systemd, sampler })
    }

    /// Tells the store which engine it is, so that targets are known by engine and not by address.
    pub async fn introduce(&self, store: &mut Store, docker: Option<&str>) {
        self.docker.introduce(store, docker).await;
    }

    /// Samples replicas and listens to events, until `stop`.
    pub fn run(&self, tasks: &TaskTracker, wakes: &mpsc::Sender<Wake>, stop: &CancellationToken) {
        let pressed = wakes.clone();
        self.sampler.on_pressure(move |policy| {
            // Where so much wakes already, the next evaluation is soon enough.
            let _ = pressed.try_send(Wake::Pressure(policy.clone()));
        });
        let (sampler, sampling) = (Arc::clone(&self.sampler), stop.clone());
        tasks.spawn(async move { sampler.run(sampling).await });
        self.docker.run(tasks, wakes, stop);
        self.systemd.run(tasks, wakes, stop);
    }

    /// What moves targets.
    #[must_use]
    pub fn actuators(&self) -> Box<Actuators> {
        let (docker, systemd) = (self.docker.clone(), self.systemd.clone());
        Box::new(move |target| match target {
            Target::Compose(service) => docker.service(service).ok_or_else(|| not_supported(target)),
            Target::Systemd(unit) => systemd.unit(unit).ok_or_else(|| not_supported(target)),
            Target::Swarm(_) => Err(not_supported(target)),
        })
    }

    /// What samples replicas.
    #[must_use]
    pub fn usage(&self) -> Arc<dyn Usage> {
        Arc::clone(&self.sampler) as Arc<dyn Usage>
    }
}

/// A target that this build has no actuator for.
fn not_supported(target: &Target) -> Obstacle {
    let message = format!("this build has no actuator for {} targets", target.kind());
    Obstacle { reason: Reason::NotSupportedYet, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_is_refused_only_where_its_end_is_not_built_in() {
        let metrics = Arc::new(Metrics::new("test"));
        let ends = Ends::new(None, Path::new("/nowhere"), Clock::system(), &metrics).unwrap();
        let actuators = ends.actuators();
        for (target, built_in) in [
            (r#"{"compose": {"project": "shop", "service": "web"}}"#, cfg!(feature = "docker")),
            (r#"{"systemd": {"unit": "worker.service"}}"#, cfg!(feature = "systemd")),
            (r#"{"swarm": {"service": "web"}}"#, false),
        ] {
            let refused = actuators(&serde_json::from_str(target).unwrap()).err();
            assert_eq!(refused.is_none(), built_in, "{target}");
            assert!(refused.is_none_or(|it| it.reason == Reason::NotSupportedYet), "{target}");
        }
    }
}
