//! Units of systemd: limits of a service, slice or scope, and instances of a template as replicas.
//!
//! Limits are properties of the unit, set in one call and read back; systemd writes them to the unit's control group
//! at once and keeps them in a drop-in, so neither a restart of the unit nor a `daemon-reload` loses them. Nothing of
//! the unit's own files is touched. Replicas of a template are those instances whose name is a number
//! (`worker@1.service`); systemd makes and forgets them as they are started and stopped.

mod cpus;
mod setting;
mod seen;
mod kernel;
mod template;
mod marks;
mod domain;
mod remarks;
mod shrink;
mod resize;
mod single;
mod instances;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults_tests;

use std::path::Path;
use std::sync::Arc;

use self::domain::Domain;
use self::instances::Instances;
use self::marks::Marks;
use self::single::Single;
use self::template::Template;
use super::Actuator;
use crate::api::target::SystemdTarget;
use crate::clients::systemd::Managers;

/// The units of the managers that this process can reach.
#[derive(Debug)]
pub struct Units {
    managers: Managers,
    marks: Marks,
}

impl Units {
    /// The units of these managers. Below `state` is written which change started which instance.
    #[must_use]
    pub fn new(managers: Managers, state: &Path) -> Self {
        Self { managers, marks: Marks::new(state) }
    }

    /// The actuator of a unit, or of the instances of a template.
    #[must_use]
    pub fn unit(&self, target: &SystemdTarget) -> Arc<dyn Actuator> {
        let kind = target.manager.unwrap_or_default();
        let domain = Domain::new(kind, Arc::clone(self.managers.of(kind)));
        match Template::of(&target.unit) {
            Some(template) => Arc::new(Instances::new(domain, template, self.marks.clone())),
            None => Arc::new(Single::new(domain, &target.unit)),
        }
    }
}
