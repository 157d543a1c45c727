//! The Docker engine's parts: actuators, samples, and events that wake. Without the feature `docker` there are
//! none, and policies that need them say so.

#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "docker")]
mod listen;
#[cfg(not(feature = "docker"))]
mod none;

#[cfg(feature = "docker")]
pub use self::docker::Engines;
#[cfg(not(feature = "docker"))]
pub use self::none::Engines;
use crate::actuators::Obstacle;
use crate::api::condition::Reason;
use crate::api::target::Target;

/// A target that this build has no actuator for.
fn not_supported(target: &Target) -> Obstacle {
    let message = format!("this build has no actuator for {} targets", target.kind());
    Obstacle { reason: Reason::NotSupportedYet, message }
}
