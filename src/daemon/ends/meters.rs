//! What measures a replica, by what it is: a container or a unit.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::model::observation::ReplicaId;
use crate::sources::reading::{Gauge, Meter, MeterError};

/// The meters of this process, none where its end is not built in.
pub(super) struct Meters {
    pub containers: Option<Arc<dyn Meter>>,
    pub units: Option<Arc<dyn Meter>>,
}

impl Meter for Meters {
    fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>> {
        let meter = if replica.unit().is_some() { &self.units } else { &self.containers };
        match meter {
            Some(meter) => meter.attach(replica),
            None => Box::pin(std::future::ready(Err(MeterError::Gone { replica: replica.clone() }))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds nothing, and tells its name by the error.
    struct Named(&'static str);

    impl Meter for Named {
        fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>> {
            let source = self.0.into();
            Box::pin(std::future::ready(Err(MeterError::Unreadable { replica: replica.clone(), source })))
        }
    }

    #[tokio::test]
    async fn a_unit_is_measured_as_a_unit_and_all_else_as_a_container() {
        let meters =
            Meters { containers: Some(Arc::new(Named("containers"))), units: Some(Arc::new(Named("units"))) };
        for (id, name) in
            [("system/worker.service", "units"), ("user/worker@1.service", "units"), ("c0ffee", "containers")]
        {
            let Err(MeterError::Unreadable { source, .. }) = meters.attach(&ReplicaId::new(id)).await else {
                panic!("{id}")
            };
            assert_eq!(source.to_string(), name, "{id}");
        }
    }
}
