//! Use of units of systemd, from the kernel's files of their control groups.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::cgroup::{Cgroup, CgroupGauge};
use super::host;
use super::reading::{Gauge, Meter, MeterError};
use crate::clients::systemd::Managers;
use crate::clock::Clock;
use crate::model::observation::ReplicaId;

/// What measures units.
#[derive(Debug)]
pub struct UnitMeter {
    clock: Clock,
    managers: Managers,
}

impl UnitMeter {
    /// The units of these managers.
    #[must_use]
    pub const fn new(clock: Clock, managers: Managers) -> Self {
        Self { clock, managers }
    }

    async fn attach(&self, replica: &ReplicaId) -> Result<Box<dyn Gauge>, MeterError> {
        let gone = || MeterError::Gone { replica: replica.clone() };
        let (manager, name) = replica.unit().ok_or_else(gone)?;
        let unit = self.managers.of(manager).unit(name).await;
        let unit =
            unit.map_err(|error| MeterError::Unreadable { replica: replica.clone(), source: error.into() })?;
        // The control group of a unit that does not run is empty.
        let group = unit.text("ControlGroup").filter(|it| !it.is_empty()).ok_or_else(gone)?;
        let cgroup = Cgroup::of_group(self.clock, group, host::capacity());
        let cgroup = cgroup.map_err(|error| error.of_replica(replica))?;
        Ok(Box::new(CgroupGauge::new(replica.clone(), cgroup)))
    }
}

impl Meter for UnitMeter {
    fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>> {
        self.attach(replica).boxed()
    }
}
