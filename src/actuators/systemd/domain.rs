//! The units of one manager: their ids, and what its errors mean for a target.

use std::sync::Arc;

use crate::actuators::{ActuatorError, Obstacle};
use crate::api::condition::Reason;
use crate::api::target::SystemdManager;
use crate::clients::systemd::{Manager, Properties, SystemdError};
use crate::model::observation::ReplicaId;

/// What lets a user manage units, for people.
const HOW_TO_GRANT: &str =
    "run docktor as root, or install the polkit rule of manifests/systemd for docktor's user";

/// The units of one manager.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    kind: SystemdManager,
    pub manager: Arc<Manager>,
}

impl Domain {
    pub const fn new(kind: SystemdManager, manager: Arc<Manager>) -> Self {
        Self { kind, manager }
    }

    /// The id of one of its units as a replica.
    pub fn id(&self, unit: &str) -> ReplicaId {
        ReplicaId::of_unit(self.kind, unit)
    }

    /// The unit of a replica.
    pub fn unit<'a>(&self, id: &'a ReplicaId) -> Option<&'a str> {
        id.unit().filter(|(kind, _)| *kind == self.kind).map(|(_, unit)| unit)
    }

    /// The properties of a unit that is there.
    pub async fn look(&self, unit: &str) -> Result<Properties, ActuatorError> {
        let seen = self.manager.unit(unit).await;
        let seen = seen.map_err(|error| self.failed(&format!("look at {unit}"), error))?;
        if seen.text("LoadState") == Some("not-found") && seen.text("ActiveState") == Some("inactive") {
            return Err(self.not_found(unit));
        }
        match seen.text("Id") {
            Some(id) if id != unit => Err(ActuatorError::Refused(Obstacle {
                reason: Reason::UnitNotUsable,
                message: format!("{unit} is another name of {id}; name {id}"),
            })),
            _ => Ok(seen),
        }
    }

    /// An error of the manager while `action` was tried.
    pub fn failed(&self, action: &str, error: SystemdError) -> ActuatorError {
        match error {
            error if error.is_silence() => {
                ActuatorError::Unreachable { endpoint: self.kind.whose().to_owned(), source: error.into() }
            }
            SystemdError::Denied { message } => ActuatorError::Refused(Obstacle {
                reason: Reason::PermissionDenied,
                message: format!("docktor may not {action}: {message} To grant it, {HOW_TO_GRANT}."),
            }),
            error => ActuatorError::Failed { action: action.to_owned(), source: error.into() },
        }
    }

    /// There is no unit of that name.
    pub fn not_found(&self, unit: &str) -> ActuatorError {
        let message = format!("{} has no unit {unit}", self.kind.whose());
        ActuatorError::Refused(Obstacle { reason: Reason::TargetNotFound, message })
    }
}

/// Why a unit that is there cannot be used, if it cannot.
pub(super) fn unusable(name: &str, unit: &Properties) -> Option<Obstacle> {
    let state = unit.text("LoadState").unwrap_or("loaded");
    let message = match state {
        // A unit that still runs after its file went is as good as any.
        "loaded" | "merged" | "not-found" => return None,
        "masked" => format!("{name} is masked; `systemctl unmask {name}`"),
        "bad-setting" => format!("{name} has a setting that is wrong; see `systemctl status {name}`"),
        other => format!("{name} cannot be loaded ({other}); see `systemctl status {name}`"),
    };
    Some(Obstacle { reason: Reason::UnitNotUsable, message })
}
