//! The managers of systemd: the system's, and the one of docktor's user.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::unit_events::listen;
use crate::actuators::Actuator;
use crate::actuators::systemd::Units;
use crate::api::target::{SystemdManager, SystemdTarget};
use crate::clients::systemd::Managers;
use crate::clock::Clock;
use crate::controller::Wake;
use crate::sources::reading::Meter;
use crate::sources::systemd::UnitMeter;

/// Both managers, of which nothing is asked until a policy needs one.
#[derive(Clone)]
pub(super) struct SystemdEnd {
    managers: Managers,
    units: Arc<Units>,
    clock: Clock,
}

impl SystemdEnd {
    pub fn new(state_dir: &Path, clock: Clock) -> Self {
        let managers = Managers::of_this_process();
        Self { units: Arc::new(Units::new(managers.clone(), state_dir)), managers, clock }
    }

    /// Listens to events of the managers that are in use, until `stop`.
    pub fn run(&self, tasks: &TaskTracker, wakes: &mpsc::Sender<Wake>, stop: &CancellationToken) {
        for kind in [SystemdManager::System, SystemdManager::User] {
            let manager = Arc::clone(self.managers.of(kind));
            let (wakes, stop) = (wakes.clone(), stop.clone());
            tasks.spawn(async move { stop.run_until_cancelled(listen(kind, &manager, &wakes)).await });
        }
    }

    pub fn unit(&self, target: &SystemdTarget) -> Option<Arc<dyn Actuator>> {
        Some(self.units.unit(target))
    }

    pub fn meter(&self) -> Option<Arc<dyn Meter>> {
        Some(Arc::new(UnitMeter::new(self.clock, self.managers.clone())))
    }
}
