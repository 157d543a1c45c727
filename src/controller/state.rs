//! The live state of one policy: what is on disk of it, its binding, and the actions that run.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::act::Running;
use super::bind::{Binding, bind};
use super::forecast::Foresight;
use super::reconcile::Parts;
use crate::actuators::{ActuatorError, Obstacle};
use crate::admin::order::{AdminError, Order};
use crate::admin::view::AnswerRequest;
use crate::api::condition::Condition;
use crate::api::policy::Mode;
use crate::api::status::DecisionRecord;
use crate::model::key::{Generation, PolicyKey};
use crate::model::memory::{Hold, HoldDirection, Memory};
use crate::model::observation::{ReplicaId, ReplicaPhase};
use crate::store::PolicyEntry;
use crate::telemetry::event::Event;
use crate::units::{Duration, Timestamp};

/// Most decisions that are kept for `explain`.
pub const KEPT_DECISIONS: usize = 50;
/// The longest hold that a person can ask for.
const LONGEST_HOLD: Duration = Duration::from_secs(30 * 86_400);

/// What is on disk of one policy, besides its text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Durable {
    /// The past that decisions look at.
    pub memory: Memory,
    /// The conditions, for the times of their transitions.
    pub conditions: Vec<Condition>,
    /// The generation that the memory speaks of.
    pub generation: Generation,
    /// The target that the memory speaks of.
    pub target: Option<String>,
    /// The replica that rests stopped while the workload is at zero.
    pub kept: Option<ReplicaId>,
    /// Decisions that changed something or were kept from it, oldest first.
    pub decisions: VecDeque<DecisionRecord>,
}

/// The live state of one policy.
pub struct Policy {
    /// Its text, as the folder has it.
    pub entry: PolicyEntry,
    /// What became of the text.
    pub binding: Binding,
    /// What is on disk.
    pub durable: Durable,
    /// Actions that run, as far as the last pass knew.
    pub running: Vec<Running>,
    /// Actions that ended, with how; to be accounted for once the target is seen.
    pub ended: Vec<(Running, Result<(), ActuatorError>)>,
    /// Changes that a former process left open are taken up.
    pub recovered: bool,
    /// Failures in a row to change the target; a success resets them.
    pub failures: u32,
    /// Failures in a row to see the target; a success resets them.
    pub failed_looks: u32,
    /// No action before this moment, after a failed one.
    pub retry_at: Option<Timestamp>,
    /// The failed action or look that `AbleToScale` tells of.
    pub obstacle: Option<Obstacle>,
    /// The replicas as they have been since then; looked at until what a former process left is taken up.
    pub stillness: Option<(Timestamp, Vec<(ReplicaId, ReplicaPhase)>)>,
    /// What an operator should know of the target, though it stops nothing.
    pub remarks: Vec<Obstacle>,
    /// The file `STOP` was there at the last pass.
    pub stopped: bool,
    /// It was evaluated at least once since this process knows it; before, no window is full.
    pub evaluated: bool,
    /// When the next evaluation is due.
    pub next_evaluation: Option<Timestamp>,
    /// Its replicas are under pressure: the next evaluation may come early.
    pub pressed: bool,
    /// The last evaluation came early; the next one will not.
    pub was_early: bool,
    /// The forecast, where the text asks for one.
    pub foresight: Option<Foresight>,
}

impl Policy {
    /// The policy with what is on disk of it.
    #[must_use]
    pub fn load(entry: PolicyEntry, parts: &Parts) -> Self {
        let durable = parts.memories.get(&entry.key).unwrap_or_default();
        let mut policy = Self {
            binding: bind(&entry, &*parts.actuators),
            entry,
            durable,
            running: Vec::new(),
            ended: Vec::new(),
            recovered: false,
            failures: 0,
            failed_looks: 0,
            retry_at: None,
            obstacle: None,
            stillness: None,
            remarks: Vec::new(),
            stopped: false,
            evaluated: false,
            next_evaluation: None,
            pressed: false,
            was_early: false,
            foresight: None,
        };
        policy.settle_in();
        policy
    }

    /// Lays a newer text under it.
    pub fn renew(&mut self, entry: PolicyEntry, parts: &Parts) {
        self.binding = bind(&entry, &*parts.actuators);
        self.entry = entry;
        self.settle_in();
    }

    /// A new text ends the mode that a person set; another target makes the memory meaningless.
    fn settle_in(&mut self) {
        if self.durable.generation != self.entry.generation {
            self.durable.generation = self.entry.generation;
            self.durable.memory.set_mode(None);
        }
        let Binding::Bound(bound) = &self.binding else { return };
        let target = bound.spec.target.to_string();
        if self.durable.target.as_ref().is_some_and(|it| *it != target) {
            let hold = self.durable.memory.hold.take();
            self.durable.memory = Memory { hold, ..Memory::default() };
            self.next_evaluation = None;
            self.foresight = None;
        }
        self.durable.target = Some(target);
        self.foresight = Foresight::of(&bound.spec, self.foresight.take());
        self.retry_at = None;
        self.obstacle = None;
        self.failures = 0;
        self.failed_looks = 0;
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &PolicyKey {
        &self.entry.key
    }

    /// The mode in force.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let written = match &self.binding {
            Binding::Bound(bound) => bound.spec.mode,
            _ => self.entry.policy.as_ref().and_then(|it| it.spec.mode).unwrap_or_default(),
        };
        self.durable.memory.mode.unwrap_or(written)
    }

    /// Replicas that docktor is stopping, and the one that it keeps stopped.
    #[must_use]
    pub fn retiring(&self) -> Vec<ReplicaId> {
        let going = self.durable.memory.intents.iter().flat_map(|it| &it.retire);
        going.chain(&self.durable.kept).cloned().collect()
    }

    /// Changes whose outcome is not known.
    #[must_use]
    pub const fn open_changes(&self) -> usize {
        self.durable.memory.intents.len()
    }

    /// Carries out a person's order. It is on disk when this returns.
    pub fn obey(&mut self, order: &Order, parts: &Parts) -> Result<(), AdminError> {
        let before = self.durable.clone();
        let event = self.apply(order, parts.clock.now())?;
        if let Err(error) = parts.memories.save(self.key(), &self.durable) {
            self.durable = before;
            return Err(AdminError::NotDurable { reason: error.to_string() });
        }
        parts.events.emit(&event);
        Ok(())
    }

    fn apply(&mut self, order: &Order, now: Timestamp) -> Result<Event, AdminError> {
        let policy = self.key().clone();
        let memory = &mut self.durable.memory;
        match order {
            Order::Hold { request, by, .. } => {
                if request.hold_for.is_zero() || request.hold_for > LONGEST_HOLD {
                    let reason = format!("found for: {}; write 1ms to {LONGEST_HOLD}", request.hold_for);
                    return Err(AdminError::Refused { reason });
                }
                let until = now.plus(request.hold_for);
                let direction = request.direction.unwrap_or(HoldDirection::Both);
                memory.hold(Hold { direction, until, reason: request.reason.clone(), by: by.clone() });
                Ok(Event::Hold { policy, until, by: by.clone(), why: request.reason.clone() })
            }
            Order::Resume { by, .. } => {
                let was_held = memory.hold.is_some();
                memory.resume();
                self.retry_at = None;
                self.failures = 0;
                Ok(if was_held {
                    Event::HoldEnded { policy }
                } else {
                    Event::Resumed { policy, by: by.clone() }
                })
            }
            Order::Answer { request: AnswerRequest { id, verdict, reason }, by, .. } => {
                let answer = memory.approvals.answer(id, *verdict, by, reason.as_deref(), now)?;
                Ok(Event::ApprovalAnswered { policy, verdict: *verdict, answer: Box::new(answer) })
            }
            Order::SetMode { mode, by, .. } => {
                memory.set_mode(Some(*mode));
                Ok(Event::ModeChanged { policy, mode: *mode, by: by.clone() })
            }
            Order::HoldAll { .. } | Order::ResumeAll { .. } => {
                Err(AdminError::Refused { reason: "an order for all policies is given to each".to_owned() })
            }
        }
    }
}
