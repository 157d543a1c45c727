//! Combine: several recommendations become one. The largest wins; what shrinks must be allowed to.

use super::recommend::Proposal;
use crate::api::behavior::Step;
use crate::model::decision::Limitation;
use crate::strategies::step;

/// What stands between the largest recommendation and a smaller count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shrinking {
    /// A metric that a recommender needs is missing, and no fallback decides.
    pub lacking: bool,
    /// scaleDown rules are declared and are not satisfied.
    pub refused: bool,
}

/// The largest of several; `None` where nobody has an opinion.
#[must_use]
pub fn largest(proposals: &[Proposal]) -> Option<&Proposal> {
    // The first of equals, in the order in which they are written.
    proposals.iter().reduce(|most, it| if it.replicas > most.replicas { it } else { most })
}

/// `wanted`, unless it is fewer than `from` and may not be; and what kept it. A written `step` bounds one
/// scale-down.
#[must_use]
pub fn shrink(wanted: u32, from: u32, shrinking: Shrinking, step: Option<Step>) -> (u32, Option<Limitation>) {
    if wanted >= from {
        return (wanted, None);
    }
    if shrinking.lacking {
        return (from, Some(Limitation::MissingMetrics));
    }
    if shrinking.refused {
        return (from, Some(Limitation::ScaleDownRules));
    }
    match step.map(|it| step::apply(it, from)) {
        Some(bound) if bound > wanted => (bound, Some(Limitation::ScaleDownStep)),
        _ => (wanted, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::Why;

    #[test]
    fn the_largest_recommendation_wins() {
        let proposals = [3, 7, 5].map(|replicas| Proposal { replicas, why: Why::Steady });
        assert_eq!(largest(&proposals).map(|it| it.replicas), Some(7));
        assert_eq!(largest(&[]), None);
    }

    #[test]
    fn what_shrinks_is_refused_while_metrics_are_missing_or_rules_do_not_hold() {
        let free = Shrinking::default();
        let lacking = Shrinking { lacking: true, refused: false };
        let refused = Shrinking { lacking: false, refused: true };
        for (wanted, shrinking, step, after) in [
            (3, free, None, 3),
            (3, lacking, None, 5),
            (3, refused, None, 5),
            (8, lacking, None, 8),
            (5, refused, None, 5),
            (1, free, Some(Step::By(-1)), 4),
            (4, free, Some(Step::By(-3)), 4),
        ] {
            assert_eq!(shrink(wanted, 5, shrinking, step).0, after, "{wanted} {shrinking:?} {step:?}");
        }
    }
}
