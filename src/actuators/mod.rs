//! Actuators: what sees a scale target and changes its replicas. A file or folder per kind.
//!
//! An actuator only does what it is told. Which replica goes, and how many come, is decided before
//! (`actuators::plan`) and on disk before it is called.

#[cfg(feature = "docker")]
pub mod compose;
#[cfg(feature = "systemd")]
pub mod systemd;

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::api::condition::Reason;
pub use crate::api::limits::NewLimit;
use crate::api::resources::Apply;
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::{Replica, ReplicaId};

/// What an actuator saw of its target.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// Every replica, in every state, without samples.
    pub replicas: Vec<Replica>,
    /// Most replicas that the target can have at all (a fixed host port: 1), and why.
    pub ceiling: Option<Ceiling>,
    /// Why no change can be made at present, though the target is there (a roll-out is under way, …).
    pub blocked: Option<Obstacle>,
    /// What an operator should know, though it stops nothing (a moved image, a shared volume).
    pub remarks: Vec<Obstacle>,
}

/// Most replicas that a target can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// That many.
    pub replicas: u32,
    /// Why.
    pub why: Obstacle,
}

/// Something in the way, as a reason and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// For programs.
    pub reason: Reason,
    /// For people: what was found, and what would help.
    pub message: String,
}

/// Why an actuator could not see or change its target.
#[derive(Debug, thiserror::Error)]
pub enum ActuatorError {
    /// Nobody answers.
    #[error("cannot reach {endpoint}")]
    Unreachable {
        /// Who was asked.
        endpoint: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such target.
    #[error("{target} has no replica and docktor has not seen one before")]
    NotFound {
        /// Which.
        target: String,
    },
    /// The change cannot be made as things are.
    #[error("{}", .0.message)]
    Refused(Obstacle),
    /// The engine said no.
    #[error("cannot {action}")]
    Failed {
        /// What was tried.
        action: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ActuatorError {
    /// The reason that a condition bears.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unreachable { .. } => Reason::EngineUnreachable,
            Self::NotFound { .. } => Reason::TargetNotFound,
            Self::Refused(obstacle) => obstacle.reason,
            Self::Failed { .. } => Reason::ActionFailed,
        }
    }
}

/// What becomes of a replica once it has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It is removed.
    Remove,
    /// It rests, to be started again: the last one at scale to zero.
    Keep,
}

/// Limits that replicas are to have from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Resizing {
    /// The limits of each replica. Kinds that are not named stay as they are.
    pub replicas: BTreeMap<ReplicaId, Vec<NewLimit>>,
    /// Live, or by a restart.
    pub apply: Apply,
    /// How long they last.
    pub lasts: Lasts,
}

/// How long limits last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Until the host boots again.
    UntilReboot,
    /// For good.
    Forever,
}

/// What sees a scale target and changes its replicas. One value serves one target.
pub trait Actuator: Send + Sync {
    /// Every replica as it is now. `retiring` are those that docktor is stopping, which makes them `Draining`.
    fn observe<'a>(&'a self, retiring: &'a [ReplicaId]) -> BoxFuture<'a, Result<Observed, ActuatorError>>;

    /// Makes and starts `count` more replicas, each marked with the policy and the change; does not wait
    /// until they are ready. Starts kept, stopped replicas before it makes new ones. Gives the ids started,
    /// fewer than `count` where the ceiling is below. What it cannot start it removes again; after an error,
    /// those already started run on, and the next observation shows them.
    fn grow<'a>(
        &'a self,
        policy: &'a PolicyKey,
        change: &'a ChangeId,
        count: u32,
    ) -> BoxFuture<'a, Result<Vec<ReplicaId>, ActuatorError>>;

    /// Stops these replicas, each with its own signal and grace period. One that is gone already counts as
    /// done.
    fn retire<'a>(
        &'a self,
        replicas: &'a [ReplicaId],
        afterwards: Afterwards,
    ) -> BoxFuture<'a, Result<(), ActuatorError>>;

    /// Gives each of these replicas its limits, all kinds of a replica in one step, and makes sure that they have them.
    /// Memory is never taken below present use: then it is [`ActuatorError::Refused`], and nothing has changed. After
    /// any other error, some may have their new limits and some not.
    fn resize<'a>(&'a self, resizing: &'a Resizing) -> BoxFuture<'a, Result<(), ActuatorError>>;

    /// Removes what an interrupted change left behind: replicas marked by docktor that never started.
    /// Gives how many.
    fn sweep(&self) -> BoxFuture<'_, Result<u32, ActuatorError>>;
}
