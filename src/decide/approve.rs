//! Approve: in mode `Approve` whatever docktor would change waits for a person. The last word of the gate.
//!
//! Undoing a change of its own that failed is no new change, and asks nobody.

use crate::api::policy::Mode;
use crate::model::approval::{Answer, Approvals, Plan, Proposal};
use crate::model::decision::Why;
use crate::units::Timestamp;

/// What a person has said to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It may be made.
    Approved(Answer),
    /// It may not.
    Rejected(Answer),
    /// Nothing yet.
    Nothing(Proposal),
}

/// Takes out of memory what waits; [`ask`] puts it back if the same is wanted still. In another mode than `Approve`
/// nothing waits, and no answer is of use.
pub fn withdraw(mode: Mode, approvals: &mut Approvals) -> Option<Proposal> {
    if mode != Mode::Approve {
        approvals.end();
    }
    approvals.proposal.take()
}

/// What a person has said to `plan`. What nobody has answered waits from now on, as it did before where `waiting` is
/// the same. `policy` is what ids begin with.
pub fn ask(
    policy: Option<&str>,
    plan: Plan,
    why: &Why,
    waiting: Option<Proposal>,
    approvals: &mut Approvals,
    now: Timestamp,
) -> Said {
    let same = |it: &&Answer| it.plan == plan && it.until > now;
    if let Some(approval) = approvals.approval.iter().find(same) {
        return Said::Approved(approval.clone());
    }
    if let Some(rejection) = approvals.rejections.iter().rfind(same) {
        return Said::Rejected(rejection.clone());
    }
    match waiting.filter(|it| it.plan == plan && it.until > now) {
        Some(waiting) => Said::Nothing(approvals.proposal.insert(waiting).clone()),
        None => Said::Nothing(approvals.propose(policy, plan, why.to_string(), now).clone()),
    }
}
