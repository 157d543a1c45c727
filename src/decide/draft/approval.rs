//! A change that needs a person's approval.

use super::super::approve::{Said, ask};
use super::Draft;
use crate::api::effective::Spec;
use crate::api::status::{Action, Stage};
use crate::model::approval::{Plan, Proposal};
use crate::model::decision::{Limitation, Note, Resize};
use crate::model::memory::Memory;
use crate::units::Timestamp;

impl Draft {
    /// Whatever it would change waits for a person. `waiting` is what has waited so far.
    pub(in crate::decide) fn approve(
        &mut self,
        waiting: Option<Proposal>,
        memory: &mut Memory,
        spec: &Spec,
        now: Timestamp,
    ) {
        if self.action() == Action::None {
            return;
        }
        match ask(spec.policy.as_deref(), self.plan(), &self.why, waiting, &mut memory.approvals, now) {
            Said::Approved(answer) => {
                self.say(
                    Stage::Gate,
                    Some(self.wanted),
                    Note::Approved { id: answer.id.clone(), by: answer.by },
                );
                self.approval = Some(answer.id);
            }
            Said::Rejected(answer) => self.keep_all(Limitation::Rejected(answer.until)),
            Said::Nothing(proposal) => {
                self.keep_all(Limitation::Approval);
                self.wait(Some(proposal.until));
            }
        }
    }

    fn plan(&self) -> Plan {
        let resize: Option<&Resize> = self.resize.as_deref().filter(|it| it.changes());
        Plan {
            from: self.from,
            to: self.wanted,
            limits_before: resize.map(Resize::before),
            limits: resize.map(Resize::after),
        }
    }

    fn keep_all(&mut self, limitation: Limitation) {
        self.keep_back(Stage::Gate, self.from, Some(limitation));
        if let Some(resize) = &mut self.resize {
            resize.to = resize.from;
        }
    }
}
