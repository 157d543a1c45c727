//! In place of an engine, in a build without the feature `docker`: nothing is moved, measured or heard.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actuators::Actuator;
use crate::api::target::ComposeTarget;
use crate::clock::Clock;
use crate::controller::Wake;
use crate::sources::reading::Meter;
use crate::store::Store;

/// No engine at all.
#[derive(Clone)]
pub(super) struct DockerEnd;

impl DockerEnd {
    /// Whatever the address.
    pub fn new(_address: Option<&str>, _clock: Clock) -> anyhow::Result<Self> {
        Ok(Self)
    }

    pub async fn introduce(&self, _store: &mut Store, _address: Option<&str>) {}

    pub fn run(&self, _: &TaskTracker, _: &mpsc::Sender<Wake>, _: &CancellationToken) {}

    pub fn service(&self, _: &ComposeTarget) -> Option<Arc<dyn Actuator>> {
        None
    }

    pub fn meter(&self) -> Option<Arc<dyn Meter>> {
        None
    }
}
