//! In place of the managers of systemd, in a build without the feature `systemd`: nothing is moved or measured.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actuators::Actuator;
use crate::api::target::SystemdTarget;
use crate::clock::Clock;
use crate::controller::Wake;
use crate::sources::reading::Meter;

/// No manager at all.
#[derive(Clone)]
pub(super) struct SystemdEnd;

impl SystemdEnd {
    pub const fn new(_state_dir: &Path, _clock: Clock) -> Self {
        Self
    }

    pub fn run(&self, _: &TaskTracker, _: &mpsc::Sender<Wake>, _: &CancellationToken) {}

    pub fn unit(&self, _: &SystemdTarget) -> Option<Arc<dyn Actuator>> {
        None
    }

    pub fn meter(&self) -> Option<Arc<dyn Meter>> {
        None
    }
}
