//! What becomes known of proposals between two passes: each is told once when it begins to wait, and once when it is
//! wanted no more.

use crate::model::approval::Proposal;
use crate::model::key::PolicyKey;
use crate::telemetry::event::Event;

/// The event for what waited before a pass and what waits after it; none where that is the same.
#[must_use]
pub fn event(policy: &PolicyKey, before: Option<&Proposal>, now: Option<&Proposal>) -> Option<Event> {
    let policy = policy.clone();
    match (before, now) {
        (Some(before), Some(now)) if before.id == now.id => None,
        (before, Some(now)) => Some(Event::ApprovalRequested {
            policy,
            proposal: Box::new(now.clone()),
            replaces: before.map(|it| it.id.clone()),
        }),
        (Some(before), None) => Some(Event::ApprovalWithdrawn { policy, id: before.id.clone() }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::approval::Plan;
    use crate::units::Timestamp;

    #[test]
    fn a_proposal_is_told_once_and_so_is_its_end() {
        let proposal = |id: &str| Proposal {
            id: id.to_owned(),
            plan: Plan { from: 2, to: 4, limits_before: None, limits: None },
            reason: "cpu.avg 90 > 75".to_owned(),
            since: Timestamp::from_secs(0),
            until: Timestamp::from_secs(3_600),
        };
        let (one, other) = (proposal("web-7f3k"), proposal("web-a2b3"));
        for (before, now, told) in [
            (None, None, None),
            (
                None,
                Some(&one),
                Some(
                    "web-7f3k asks for approval until 1970-01-01T01:00:00Z: 2 -> 4 replicas, because cpu.avg 90 > 75",
                ),
            ),
            (Some(&one), Some(&one), None),
            (
                Some(&one),
                Some(&other),
                Some(
                    "web-a2b3 asks for approval until 1970-01-01T01:00:00Z, in place of web-7f3k: 2 -> 4 replicas, because cpu.avg 90 > 75",
                ),
            ),
            (Some(&one), None, Some("web-7f3k is wanted no more")),
        ] {
            let event = event(&PolicyKey::new("web"), before, now);
            assert_eq!(event.map(|it| it.message()).as_deref(), told);
        }
    }
}
