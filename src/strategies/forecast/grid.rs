//! How a season, a horizon and an interval are cut into steps.

use crate::units::{Duration, Timestamp};

/// Steps of a season, unless the interval is longer than such a step.
const STEPS: i64 = 288;
/// Seasons that are kept.
const SEASONS: usize = 14;
/// Without a season, so many horizons stand in its place.
const HORIZONS: i64 = 24;
/// A new prediction is made so often in a season.
const REFITS: i64 = 48;
/// The longest gap that is filled, as a part of a season; and always so many steps.
const GAP_PART: usize = 12;
const SHORTEST_GAP: usize = 3;
/// Most steps that are predicted, in seasons.
const MAX_AHEAD: usize = 2;

/// Lengths in steps, but for `step` itself and `refit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grid {
    /// Length of a step in milliseconds.
    pub step: i64,
    /// Steps of a season; 1 where there is none.
    pub period: usize,
    /// Steps of a season, or of what stands in its place.
    pub span: usize,
    /// Steps that the horizon touches.
    pub lead: usize,
    /// Steps that are predicted: the horizon, and until the next prediction.
    pub ahead: usize,
    /// Steps that must be known for a prediction.
    pub needs: usize,
    /// Steps that are kept.
    pub capacity: usize,
    /// Steps of the longest gap that is filled.
    pub longest_gap: usize,
    /// A prediction older than this is made anew.
    pub refit: Duration,
}

impl Grid {
    /// The grid of these; none of its lengths is 0.
    #[must_use]
    pub fn new(season: Option<Duration>, horizon: Duration, interval: Duration) -> Self {
        let (horizon, interval) = (horizon.as_millis().max(1), interval.as_millis().max(1));
        let length = season.map_or(horizon.saturating_mul(HORIZONS), Duration::as_millis).max(1);
        let steps = (length / (length / STEPS).max(interval)).clamp(1, STEPS);
        let step = (length / steps).max(interval);
        let span = usize::try_from(steps).unwrap_or(1);
        let refit = (length / REFITS).max(step);
        let most = span.saturating_mul(MAX_AHEAD).max(SHORTEST_GAP);
        let in_steps = |millis: i64| usize::try_from(millis.saturating_add(step - 1) / step).unwrap_or(most);
        let lead = (in_steps(horizon) + 1).min(most);
        Self {
            step,
            period: if season.is_some() { span } else { 1 },
            span,
            lead,
            ahead: (lead + in_steps(refit) + 1).min(most + SHORTEST_GAP),
            needs: span + in_steps(horizon).min(most),
            capacity: span * SEASONS,
            longest_gap: (span / GAP_PART).max(SHORTEST_GAP),
            refit: Duration::from_millis(u64::try_from(refit).unwrap_or(1)),
        }
    }

    /// So many steps as a length of time.
    #[must_use]
    pub fn length(&self, steps: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.step).unwrap_or(1).saturating_mul(steps as u64))
    }

    /// Since when the past is worth knowing.
    #[must_use]
    pub fn reaches_back_to(&self, now: Timestamp) -> Timestamp {
        now.minus(self.length(self.capacity))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(season: Option<&str>, horizon: &str, interval: &str) -> Grid {
        let time = |text: &str| text.parse().unwrap();
        Grid::new(season.map(time), time(horizon), time(interval))
    }

    #[test]
    fn a_day_has_steps_of_five_minutes() {
        let day = grid(Some("1d"), "10m", "10s");
        assert_eq!((day.step, day.period, day.span, day.capacity), (300_000, 288, 288, 4_032));
        assert_eq!((day.lead, day.ahead, day.needs), (3, 10, 290));
        assert_eq!(day.length(day.needs).to_string(), "1d10m");
        assert_eq!(day.refit.to_string(), "30m");
    }

    #[test]
    fn no_step_is_shorter_than_the_interval_and_without_a_season_horizons_stand_in_its_place() {
        assert_eq!(grid(Some("10m"), "1m", "10s").step, 10_000);
        assert_eq!(grid(Some("10m"), "1m", "10s").period, 60);
        let none = grid(None, "10m", "10s");
        assert_eq!((none.step, none.period, none.span), (50_000, 1, 288));
        assert_eq!(grid(Some("1m"), "1m", "1h").period, 1, "a season shorter than the interval is not seen");
    }

    proptest! {
        #[test]
        fn its_lengths_are_bounded_and_none_is_zero(
            season in prop::option::of(any::<u64>()), horizon in any::<u64>(), interval in any::<u64>(),
        ) {
            let length = Duration::from_millis;
            let it = Grid::new(season.map(length), length(horizon), length(interval));
            prop_assert!(it.step > 0 && it.lead > 0 && it.ahead >= it.lead && it.needs > it.span.min(it.needs - 1));
            prop_assert!(it.span <= 288 && it.capacity <= 4_032 && it.ahead <= 600, "{it:?}");
            prop_assert!(it.needs <= it.capacity);
        }
    }
}
