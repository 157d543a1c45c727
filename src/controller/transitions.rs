//! What turned between two passes of a policy, as events: told once when it begins and once when it ends.

use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::model::decision::{Decision, Line, Note};
use crate::model::key::PolicyKey;
use crate::telemetry::event::Event;

/// Events for the conditions that turned. `decision` is that of the pass, where it came to one.
#[must_use]
pub fn events(
    policy: &PolicyKey,
    before: &[Condition],
    now: &[Condition],
    decision: Option<&Decision>,
) -> Vec<Event> {
    let mut events = Vec::new();
    let policy = policy.clone();
    match (invalid(before), invalid(now)) {
        (old, Some(new)) if old.is_none_or(|old| old.message != new.message) => {
            events.push(Event::PolicyInvalid { policy: policy.clone(), message: new.message.clone() });
        }
        (Some(_), None) => events.push(Event::PolicyRecovered { policy: policy.clone() }),
        _ => {}
    }
    match (degraded(before), degraded(now)) {
        (old, Some(new)) if old.is_none_or(|old| old.reason != new.reason) => {
            let (reason, message) = (new.reason, new.message.clone());
            events.push(Event::Degraded { policy: policy.clone(), reason, message });
        }
        (Some(_), None) => events.push(Event::Recovered { policy: policy.clone() }),
        _ => {}
    }
    let drifted = |conditions| holds(conditions, ConditionType::Drifted);
    if let (None, Some(drifted)) = (drifted(before), drifted(now)) {
        events.push(Event::Drift { policy: policy.clone(), message: drifted.message.clone() });
    }
    let adopted = |it: &&Line| matches!(it.note, Note::Adopted { .. } | Note::LimitsAdopted(_));
    if let Some(adopted) = decision.and_then(|it| it.trail.iter().find(adopted)) {
        events.push(Event::Drift { policy, message: adopted.note.to_string() });
    }
    events
}

fn invalid(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|it| it.kind == ConditionType::Ready && it.reason == Reason::InvalidPolicy)
}

/// The target first: without it there are no metrics either.
fn degraded(conditions: &[Condition]) -> Option<&Condition> {
    let lacking =
        |kind| conditions.iter().find(move |it| it.kind == kind && it.status == ConditionStatus::False);
    let refused = || {
        let refusals = [Reason::NotSupportedYet, Reason::Conflict];
        conditions.iter().find(|it| it.kind == ConditionType::Ready && refusals.contains(&it.reason))
    };
    lacking(ConditionType::AbleToScale).or_else(|| lacking(ConditionType::ScalingActive)).or_else(refused)
}

fn holds(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|it| it.kind == kind && it.status == ConditionStatus::True)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Timestamp;

    fn condition(kind: ConditionType, status: ConditionStatus, reason: Reason) -> Condition {
        let message = format!("{reason:?}");
        Condition { kind, status, reason, message, last_transition_time: Timestamp::default() }
    }

    fn words(before: &[Condition], now: &[Condition]) -> Vec<&'static str> {
        events(&PolicyKey::new("web"), before, now, None).iter().map(Event::reason).collect()
    }

    #[test]
    fn what_turns_is_told_once() {
        let gone = condition(ConditionType::AbleToScale, ConditionStatus::False, Reason::EngineUnreachable);
        let back = condition(ConditionType::AbleToScale, ConditionStatus::True, Reason::TargetFound);
        let (gone, back) = ([gone], [back]);
        assert_eq!(words(&[], &gone), ["Degraded"]);
        assert_eq!(words(&gone, &gone), [""; 0]);
        assert_eq!(words(&gone, &back), ["Recovered"]);
        assert_eq!(words(&back, &back), [""; 0]);
    }

    #[test]
    fn an_invalid_text_is_told_and_so_is_its_mending() {
        let bad = [condition(ConditionType::Ready, ConditionStatus::False, Reason::InvalidPolicy)];
        let good = [condition(ConditionType::Ready, ConditionStatus::True, Reason::Reconciled)];
        assert_eq!(words(&good, &bad), ["PolicyInvalid"]);
        assert_eq!(words(&bad, &good), ["PolicyRecovered"]);
    }
}
