//! From a policy of the folder to one that can be controlled: its effective spec and its actuator, all or nothing.

use std::sync::Arc;

use crate::actuators::{Actuator, Obstacle};
use crate::api::condition::Reason;
use crate::api::effective::{self, Spec, built_in};
use crate::api::policy::PolicySpec;
use crate::api::target::Target;
use crate::store::PolicyEntry;

/// Gives the actuator of a target, or says what stands in the way.
pub type Actuators = dyn Fn(&Target) -> Result<Arc<dyn Actuator>, Obstacle> + Send + Sync;

/// What became of a policy's text.
pub enum Binding {
    /// No text of it was ever good.
    Invalid,
    /// It is good, and cannot be controlled: a conflict, or a part that this build does not have.
    Refused(Obstacle),
    /// It can be controlled.
    Bound(Bound),
}

/// A policy that can be controlled.
#[derive(Clone)]
pub struct Bound {
    /// The effective spec.
    pub spec: Arc<Spec>,
    /// What moves its target.
    pub actuator: Arc<dyn Actuator>,
}

/// Binds the text that is in force.
#[must_use]
pub fn bind(entry: &PolicyEntry, actuators: &Actuators) -> Binding {
    let Some(policy) = &entry.policy else { return Binding::Invalid };
    if let Some(conflict) = &entry.conflict {
        return refused(Reason::Conflict, conflict.to_string());
    }
    let spec = match Spec::effective(&policy.spec, profile(entry).as_ref()) {
        Ok(spec) => Arc::new(spec.named(entry.key.as_str())),
        Err(error) => return refused(Reason::InvalidPolicy, error.to_string()),
    };
    let unsupported = effective::unsupported(&spec);
    if !unsupported.is_empty() {
        let parts: Vec<_> = unsupported.iter().map(|it| format!("{} ({})", it.what, it.path)).collect();
        let message = format!("not supported by this build yet: {}", parts.join(", "));
        return refused(Reason::NotSupportedYet, message);
    }
    match actuators(&spec.target) {
        Ok(actuator) => Binding::Bound(Bound { spec, actuator }),
        Err(obstacle) => Binding::Refused(obstacle),
    }
}

/// The profile that the policy's text names, as it is in force: one of the folder, or a built-in one.
#[must_use]
pub fn profile(entry: &PolicyEntry) -> Option<PolicySpec> {
    let named = || built_in(entry.policy.as_ref()?.spec.profile.as_deref()?);
    entry.profile.as_ref().map(|it| it.spec.clone()).or_else(named)
}

fn refused(reason: Reason, message: String) -> Binding {
    Binding::Refused(Obstacle { reason, message })
}
