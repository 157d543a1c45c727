//! What an operator may order: one closed list, given through [`super::Admin::order`], carried out by the
//! controller alone.

use tokio::sync::oneshot;

use super::view::{AnswerRequest, HoldRequest};
use crate::api::policy::Mode;
use crate::model::approval::Unanswerable;
use crate::model::key::PolicyKey;

/// An order to the controller. `by` says who gave it, as the socket or the token told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Keep the count of one policy for a while.
    Hold {
        /// Which policy.
        key: PolicyKey,
        /// For how long, which direction, and why.
        request: HoldRequest,
        /// Who.
        by: String,
    },
    /// End a hold, and try again where docktor stopped trying.
    Resume {
        /// Which policy.
        key: PolicyKey,
        /// Who.
        by: String,
    },
    /// `Hold` for every policy that is there now.
    HoldAll {
        /// For how long, which direction, and why.
        request: HoldRequest,
        /// Who.
        by: String,
    },
    /// `Resume` for every policy that is there now.
    ResumeAll {
        /// Who.
        by: String,
    },
    /// Approve or reject what waits.
    Answer {
        /// Of which policy.
        key: PolicyKey,
        /// To what, yes or no, and why.
        request: AnswerRequest,
        /// Who.
        by: String,
    },
    /// Another mode until the policy's text changes.
    SetMode {
        /// Which policy.
        key: PolicyKey,
        /// The mode.
        mode: Mode,
        /// Who.
        by: String,
    },
}

/// An order under way, with the way back to who gave it.
#[derive(Debug)]
pub struct Submission {
    /// What to do.
    pub order: Order,
    reply: oneshot::Sender<Result<(), AdminError>>,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// There is no such policy.
    #[error("there is no policy `{name}`")]
    NotFound {
        /// As it was asked for.
        name: String,
    },
    /// Nothing waits for an approval.
    #[error(transparent)]
    NothingWaits(Unanswerable),
    /// The policy's state does not allow it.
    #[error("{reason}")]
    Refused {
        /// What stands in the way, and what would help.
        reason: String,
    },
    /// It could not be made durable, so it was not done.
    #[error("the order could not be written down: {reason}")]
    NotDurable {
        /// What went wrong.
        reason: String,
    },
    /// Too many orders wait already.
    #[error("too many orders wait for the controller; try again in a moment")]
    Busy,
    /// The controller is gone.
    #[error("the controller is stopping")]
    Stopping,
}

impl From<Unanswerable> for AdminError {
    fn from(error: Unanswerable) -> Self {
        match error {
            Unanswerable::NothingWaits { .. } => Self::NothingWaits(error),
            other => Self::Refused { reason: other.to_string() },
        }
    }
}

impl Submission {
    pub(super) const fn new(order: Order, reply: oneshot::Sender<Result<(), AdminError>>) -> Self {
        Self { order, reply }
    }

    /// An order whose answer nobody waits for.
    #[must_use]
    pub fn unasked(order: Order) -> Self {
        Self::new(order, oneshot::channel().0)
    }

    /// Tell how it went. One dropped without an answer counts as `Stopping`.
    pub fn answer(self, outcome: Result<(), AdminError>) {
        // An error means that who asked went away; the order stands all the same.
        let _ = self.reply.send(outcome);
    }
}
