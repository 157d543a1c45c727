//! The engine that this docktor was started with.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listen::listen;
use super::not_supported;
use crate::actuators::Actuator;
use crate::actuators::compose::Compose;
use crate::api::target::Target;
use crate::clients::docker::{Address, Engine};
use crate::clock::Clock;
use crate::controller::Wake;
use crate::controller::bind::Actuators;
use crate::controller::observe::Usage;
use crate::sources::docker::{Containers, Way};
use crate::sources::sampler::Sampler;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// How long to wait at start for the engine's id. Without it, two addresses of one engine count as two.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// The one engine that docktor was started with.
pub struct Engines {
    engine: Arc<Engine>,
    compose: Arc<Compose>,
    sampler: Arc<Sampler>,
}

impl Engines {
    /// The engine at `address`, in the notation of `DOCKER_HOST`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(address: Option<&str>, clock: Clock, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let address: Address = match address {
            Some(text) => text.parse().context("the engine's address")?,
            None => Address::default(),
        };
        let engine = Arc::new(Engine::new(address));
        let meter = Containers::new(clock, Arc::clone(&engine), Way::Best);
        let sampler = Arc::new(Sampler::new(clock, Arc::new(meter), Arc::clone(metrics)));
        Ok(Self { compose: Compose::new(Arc::clone(&engine)), engine, sampler })
    }

    /// Tells the store which engine it is, so that targets are known by engine and not by address.
    pub async fn introduce(&self, store: &mut Store, address: Option<&str>) {
        if let Ok(Ok(info)) = tokio::time::timeout(INTRODUCTION, self.engine.info()).await {
            store.learn_engine(None, &info.id);
            store.learn_engine(address, &info.id);
        }
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
        let (engine, compose) = (Arc::clone(&self.engine), Arc::clone(&self.compose));
        let (wakes, stop) = (wakes.clone(), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(listen(&engine, &compose, &wakes)).await });
    }

    /// What moves targets of this engine.
    #[must_use]
    pub fn actuators(&self) -> Box<Actuators> {
        let compose = Arc::clone(&self.compose);
        Box::new(move |target| match target {
            Target::Compose(target) => {
                let service: Arc<dyn Actuator> = Arc::new(compose.service(target.clone()));
                Ok(service)
            }
            Target::Swarm(_) | Target::Systemd(_) => Err(not_supported(target)),
        })
    }

    /// What samples replicas of this engine.
    #[must_use]
    pub fn usage(&self) -> Arc<dyn Usage> {
        Arc::clone(&self.sampler) as Arc<dyn Usage>
    }
}
