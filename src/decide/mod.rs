//! `decide`: from what is known to how many replicas there should be. Pure and deterministic: the same
//! spec, memory, snapshot, constraints and moment give the same decision and the same memory.

use crate::api::condition::Reason;
use crate::api::effective::Spec;
use crate::model::decision::Decision;
use crate::model::memory::Memory;
use crate::model::observation::Snapshot;
use crate::units::Timestamp;

/// What else stands in the way of this pass, as plain values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Constraints {
    /// The file `STOP` is in the policy folder.
    pub stopped: bool,
    /// Another policy owns the target.
    pub conflict: bool,
    /// Most replicas that the target can have.
    pub ceiling: Option<u32>,
    /// Why the target cannot be changed at present, though it can be seen.
    pub blocked: Option<Reason>,
    /// A scale-up of docktor's own is still making replicas, so `current` may be below `Memory::desired`.
    pub growing: bool,
    /// Why the target could not be seen; then the snapshot's replicas mean nothing.
    pub unreadable: Option<Reason>,
}

/// One pass of the pipeline. `memory` moves on with it; whoever only asks passes a copy.
#[must_use]
pub fn decide(
    spec: &Spec,
    memory: &mut Memory,
    snapshot: &Snapshot,
    constraints: &Constraints,
    now: Timestamp,
) -> Decision {
    let _ = (spec, memory, snapshot, constraints, now);
    unimplemented!("being built")
}
