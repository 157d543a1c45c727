//! A replica that is read through its cgroup, be it a container or a unit.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Cgroup, CgroupError};
use crate::model::observation::ReplicaId;
use crate::sources::pressure::{Alarm, Trigger};
use crate::sources::reading::{Gauge, GaugeSource, MeterError, Reading};

/// Reads a replica's cgroup.
#[derive(Debug)]
pub struct CgroupGauge {
    replica: ReplicaId,
    cgroup: Cgroup,
}

impl CgroupGauge {
    /// Reads that cgroup as the use of that replica.
    #[must_use]
    pub const fn new(replica: ReplicaId, cgroup: Cgroup) -> Self {
        Self { replica, cgroup }
    }
}

impl Gauge for CgroupGauge {
    fn read(&mut self) -> BoxFuture<'_, Result<Reading, MeterError>> {
        async { self.cgroup.read().map_err(|error| error.of_replica(&self.replica)) }.boxed()
    }

    fn source(&self) -> GaugeSource {
        GaugeSource::Cgroup
    }

    fn alarm(&self, triggers: &[Trigger]) -> Alarm {
        self.cgroup.alarm(triggers)
    }
}

impl CgroupError {
    /// The same as a meter tells it.
    #[must_use]
    pub fn of_replica(self, replica: &ReplicaId) -> MeterError {
        let replica = replica.clone();
        match self {
            Self::Gone { .. } => MeterError::Gone { replica },
            other => MeterError::Unreadable { replica, source: Box::new(other) },
        }
    }
}
