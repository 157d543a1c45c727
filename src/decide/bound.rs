//! Bound: the effective minimum and maximum, drift, and a person's wish. None of these are recommendations:
//! they pass without rules, limits, cooldown or metrics.

use super::drift::Drift;
use crate::model::decision::{Limitation, Why};
use crate::model::memory::{Purpose, Wish};
use crate::units::Bounds;

/// The bounds of the policy with those of a schedule and of the target laid over them. A maximum that is below
/// the minimum lowers the minimum too: what cannot be had is not asked for.
#[must_use]
pub fn effective(base: Bounds, schedule: ScheduledBounds, ceiling: Option<u32>) -> Bounds {
    let max = schedule.max.unwrap_or(base.max()).min(ceiling.unwrap_or(u32::MAX));
    let min = schedule.min.unwrap_or(base.min()).min(max);
    // `min` was just brought below `max`, so this cannot fail.
    Bounds::new(min, max).unwrap_or(base)
}

/// What the active schedules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScheduledBounds {
    /// Fewest replicas meanwhile.
    pub min: Option<u32>,
    /// Most replicas meanwhile.
    pub max: Option<u32>,
}

/// A count, and what decided it where it was none of the recommenders.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounded {
    /// How many replicas.
    pub replicas: u32,
    /// What decided it.
    pub decided: Option<(Why, Purpose)>,
    /// What kept it from what was recommended.
    pub limited_by: Option<Limitation>,
}

/// Brings `recommended` within the bounds, after drift and a person's wish. `at_rest` replicas may run below
/// the minimum while the workload is idle, and more on the way there. A person's wish is for as many as rest, or
/// within the bounds.
#[must_use]
pub fn bound(
    recommended: u32,
    from: u32,
    bounds: Bounds,
    at_rest: Option<u32>,
    drift: Drift,
    wish: Option<&Wish>,
) -> Bounded {
    let (asked, decided, limited_by) = match (wish, drift) {
        (Some(wish), _) => {
            (wish.replicas, Some((Why::Person { by: wish.by.clone() }, Purpose::Person)), None)
        }
        (None, Drift::Restore { left }) => {
            // More load than before may want even more.
            (recommended.max(left), Some((Why::Drift { left }, Purpose::RestoreDrift)), None)
        }
        (None, Drift::Settling { until, .. }) => (from, None, Some(Limitation::Settling(until))),
        (None, Drift::Held { until }) => (from, None, Some(Limitation::DriftHold(until))),
        (None, Drift::Contested { .. }) => (from, None, Some(Limitation::DriftContested)),
        (None, Drift::None | Drift::Adopted { .. }) => (recommended, None, None),
    };
    if matches!(drift, Drift::Settling { .. }) && wish.is_none() {
        // Whoever is changing it may well be about to change it back.
        return Bounded { replicas: from, decided, limited_by: limited_by.filter(|_| recommended != from) };
    }
    let rest = at_rest.filter(|rest| wish.is_none() || asked <= *rest);
    let min = rest.map_or(bounds.min(), |rest| rest.min(bounds.min()));
    let replicas = asked.max(min).min(bounds.max());
    let keeps = limited_by.filter(|_| recommended != replicas);
    if from < min && replicas == min && asked <= min {
        return Bounded { replicas, decided: Some((Why::BelowMin(min), Purpose::Bounds)), limited_by: keeps };
    }
    if from > bounds.max() && replicas == bounds.max() {
        let max = bounds.max();
        return Bounded { replicas, decided: Some((Why::AboveMax(max), Purpose::Bounds)), limited_by: keeps };
    }
    let limited_by = match asked {
        asked if asked > bounds.max() => Some(Limitation::Max(bounds.max())),
        asked if asked < min => Some(Limitation::Min(min)),
        _ => keeps,
    };
    Bounded { replicas, decided: decided.filter(|_| replicas != from), limited_by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Timestamp;

    fn bounds(min: u32, max: u32) -> Bounds {
        Bounds::new(min, max).unwrap()
    }

    #[test]
    fn a_schedule_replaces_and_a_ceiling_caps_the_bounds() {
        for (min, max, ceiling, expected) in [
            (None, None, None, bounds(2, 10)),
            (Some(4), None, None, bounds(4, 10)),
            (Some(4), Some(20), None, bounds(4, 20)),
            (None, Some(1), None, bounds(1, 1)),
            (Some(12), None, None, bounds(10, 10)),
            (Some(4), None, Some(1), bounds(1, 1)),
        ] {
            assert_eq!(effective(bounds(2, 10), ScheduledBounds { min, max }, ceiling), expected);
        }
    }

    #[test]
    fn bounds_drift_and_a_person_decide_in_place_of_recommendations() {
        let settling = Drift::Settling { left: 4, until: Timestamp::from_secs(9) };
        for (recommended, from, drift, wanted) in [
            (5, 5, Drift::None, 5),
            (12, 5, Drift::None, 10),
            (1, 5, Drift::None, 2),
            (1, 1, Drift::None, 2),
            (12, 12, Drift::None, 10),
            (3, 3, Drift::Restore { left: 6 }, 6),
            (8, 3, Drift::Restore { left: 6 }, 8),
            (3, 3, Drift::Restore { left: 60 }, 10),
            (8, 3, settling, 3),
            (1, 1, settling, 1),
            (8, 3, Drift::Contested { left: 6 }, 3),
            (1, 1, Drift::Contested { left: 6 }, 2),
            (8, 3, Drift::Held { until: Timestamp::from_secs(9) }, 3),
        ] {
            let bounded = bound(recommended, from, bounds(2, 10), None, drift, None);
            assert_eq!(bounded.replicas, wanted, "{recommended} {from} {drift:?}");
        }
    }

    #[test]
    fn a_persons_wish_is_kept_within_the_bounds_too() {
        let wish =
            |replicas| Wish { replicas, until: Timestamp::default(), reason: None, by: "ada".to_owned() };
        for (asked, wanted) in [(1, 2), (7, 7), (99, 10)] {
            let bounded = bound(5, 5, bounds(2, 10), None, Drift::None, Some(&wish(asked)));
            assert_eq!(bounded.replicas, wanted);
            assert!(matches!(bounded.decided, Some((Why::Person { .. }, Purpose::Person))));
        }
        for (asked, wanted) in [(0, 1), (1, 1), (2, 4), (3, 4), (4, 4)] {
            let bounded = bound(1, 3, bounds(4, 10), Some(1), Drift::None, Some(&wish(asked)));
            assert_eq!(bounded.replicas, wanted, "while it is idle, for {asked}");
        }
    }

    #[test]
    fn idle_replicas_may_be_fewer_than_the_minimum() {
        assert_eq!(bound(1, 4, bounds(4, 10), Some(1), Drift::None, None).replicas, 1);
        assert_eq!(bound(0, 4, bounds(4, 10), Some(1), Drift::None, None).replicas, 1);
    }
}
