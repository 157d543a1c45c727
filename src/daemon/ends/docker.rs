//! The engine that this docktor was started with.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::engine_events::listen;
use crate::actuators::Actuator;
use crate::actuators::compose::Compose;
use crate::api::target::ComposeTarget;
use crate::clients::docker::{Address, Engine};
use crate::clock::Clock;
use crate::controller::Wake;
use crate::sources::docker::{Containers, Way};
use crate::sources::reading::Meter;
use crate::store::Store;

/// How long to wait at start for the engine's id. Without it, two addresses of one engine count as two.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// The one engine that docktor was started with.
#[derive(Clone)]
pub(super) struct DockerEnd {
    engine: Arc<Engine>,
    compose: Arc<Compose>,
    clock: Clock,
}

impl DockerEnd {
    /// The engine at `address`, in the notation of `DOCKER_HOST`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(address: Option<&str>, clock: Clock) -> anyhow::Result<Self> {
        let address: Address = match address {
            Some(text) => text.parse().context("the engine's address")?,
            None => Address::default(),
        };
        let engine = Arc::new(Engine::new(address));
        Ok(Self { compose: Compose::new(Arc::clone(&engine)), engine, clock })
    }

    /// Tells the store which engine it is, so that targets are known by engine and not by address.
    pub async fn introduce(&self, store: &mut Store, address: Option<&str>) {
        if let Ok(Ok(info)) = tokio::time::timeout(INTRODUCTION, self.engine.info()).await {
            store.learn_engine(None, &info.id);
            store.learn_engine(address, &info.id);
        }
    }

    /// Listens to events, until `stop`.
    pub fn run(&self, tasks: &TaskTracker, wakes: &mpsc::Sender<Wake>, stop: &CancellationToken) {
        let (engine, compose) = (Arc::clone(&self.engine), Arc::clone(&self.compose));
        let (wakes, stop) = (wakes.clone(), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(listen(&engine, &compose, &wakes)).await });
    }

    /// What moves a Compose service of this engine.
    pub fn service(&self, target: &ComposeTarget) -> Option<Arc<dyn Actuator>> {
        Some(Arc::new(self.compose.service(target.clone())))
    }

    /// What measures its containers.
    pub fn meter(&self) -> Option<Arc<dyn Meter>> {
        Some(Arc::new(Containers::new(self.clock, Arc::clone(&self.engine), Way::Best)))
    }
}
