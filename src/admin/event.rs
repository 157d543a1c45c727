//! What happened to a policy, read off two looks at it: decisions made, conditions turned.
//!
//! Events are for people who watch. The log and the metrics have their own, more detailed ones.

use serde::{Deserialize, Serialize};

use super::view::{PolicyView, word};
use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::status::{Action, DecisionRecord};
use crate::units::Timestamp;

/// Something that happened to a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// Whether a person should look.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// What, in one word: an action, or a condition's reason.
    pub reason: String,
    /// The policy's name.
    pub policy: String,
    /// What, for people.
    pub message: String,
}

/// Whether a person should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// All in a day's work.
    Normal,
    /// A person should look.
    Warning,
}

/// What happened between two looks at one policy; `before` is absent at the first one.
#[must_use]
pub fn between(before: Option<&PolicyView>, now: &PolicyView) -> Vec<Event> {
    let name = &now.metadata.name;
    let told_until = before.and_then(|it| it.decisions.last()).map(|it| it.time);
    let fresh = now.decisions.iter().filter(|it| told_until.is_none_or(|until| it.time > until));
    let decisions = fresh.map(|it| of_decision(name, it));

    let known = before.map_or(&[][..], |it| &it.status.conditions);
    let conditions = now.status.conditions.iter().filter_map(|it| of_condition(name, known, it));

    let mut events: Vec<_> = decisions.chain(conditions).collect();
    events.sort_by_key(|it| it.time);
    events
}

fn of_decision(policy: &str, decision: &DecisionRecord) -> Event {
    let DecisionRecord { time, action, from, to, reason, limited_by, .. } = decision;
    let limit = limited_by.as_ref().map(|it| format!(" (limited by {it})")).unwrap_or_default();
    let message = match action {
        Action::None => format!("kept at {from}: {reason}{limit}"),
        Action::ScaleUp | Action::ScaleDown => format!("{from} to {to} replicas: {reason}{limit}"),
    };
    let reason = if *action == Action::None { "Kept".to_owned() } else { word(action) };
    Event { time: *time, kind: EventKind::Normal, reason, policy: policy.to_owned(), message }
}

/// A condition that turned. At first sight only what is amiss is worth an event.
fn of_condition(policy: &str, known: &[Condition], now: &Condition) -> Option<Event> {
    let kind = kind_of(now)?;
    let before = known.iter().find(|it| it.kind == now.kind);
    let turned = match before {
        None => kind == EventKind::Warning,
        Some(before) if before.status != now.status => true,
        Some(before) => kind == EventKind::Warning && before.reason != now.reason,
    };
    turned.then(|| Event {
        time: now.last_transition_time,
        kind,
        reason: word(&now.reason),
        policy: policy.to_owned(),
        message: now.message.clone(),
    })
}

/// How a condition is told; not at all where the decisions say the same.
fn kind_of(condition: &Condition) -> Option<EventKind> {
    let amiss = match condition.kind {
        ConditionType::Ready | ConditionType::ScalingActive | ConditionType::AbleToScale => {
            condition.status == ConditionStatus::False
        }
        ConditionType::Fallback | ConditionType::Drifted | ConditionType::Stalled => {
            condition.status == ConditionStatus::True
        }
        ConditionType::ScaledToZero => false,
        ConditionType::ScalingLimited | ConditionType::Reconciling => return None,
    };
    Some(if amiss { EventKind::Warning } else { EventKind::Normal })
}
