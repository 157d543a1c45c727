//! What is known of a metric's future: values that a decision can look at, made elsewhere.

use std::fmt;
use std::sync::Arc;

use crate::units::{Duration, Timestamp};

/// What is known of the future.
#[derive(Debug, Clone, PartialEq)]
pub enum Forecast {
    /// Nothing yet.
    Learning {
        /// So much of the past is known without a longer gap.
        has: Duration,
        /// So much must be.
        needs: Duration,
    },
    /// A prediction; shared, for it is looked at often and made seldom.
    Known(Arc<Prediction>),
}

/// How a prediction was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// What was one season before; without a season, what was last.
    SeasonalNaive,
    /// Holt-Winters: level, damped trend and additive season, exponentially smoothed.
    HoltWinters,
    /// Seasonal-trend decomposition, with exponential smoothing of the trend.
    Mstl,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeasonalNaive => "seasonal-naive",
            Self::HoltWinters => "holt-winters",
            Self::Mstl => "mstl",
        })
    }
}

/// Values expected of the future, in steps of equal length. All are finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Up to when the past was known; the first step begins here.
    pub made_at: Timestamp,
    /// How it was made.
    pub model: Model,
    /// Length of a step.
    pub step: Duration,
    /// The mean expected in each step.
    pub expected: Vec<f64>,
    /// What it stays below with the confidence that was asked for.
    pub upper: Vec<f64>,
    /// Mean absolute error of the model over the horizon, in the back-test.
    pub error: f64,
}

impl Prediction {
    /// The highest upper value of the steps that touch `now` to `now` + `horizon`; `None` where the prediction says
    /// nothing of that time.
    #[must_use]
    pub fn highest(&self, now: Timestamp, horizon: Duration) -> Option<f64> {
        let step = self.step.as_millis().max(1);
        let place = |at: Timestamp| at.as_millis().saturating_sub(self.made_at.as_millis()).div_euclid(step);
        let end = usize::try_from(place(now.plus(horizon))).ok()?.min(self.upper.len().checked_sub(1)?);
        let start = usize::try_from(place(now).max(0)).ok()?;
        self.upper.get(start..=end)?.iter().copied().reduce(f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_is_that_of_the_steps_from_now_to_the_horizon() {
        let prediction = Prediction {
            made_at: Timestamp::from_secs(1_000),
            model: Model::SeasonalNaive,
            step: Duration::from_secs(60),
            expected: vec![0.0; 5],
            upper: vec![9.0, 1.0, 2.0, 3.0, 8.0],
            error: 0.0,
        };
        for (now, horizon, highest) in [
            (1_000, 0, Some(9.0)),
            (1_059, 0, Some(9.0)),
            (1_060, 60, Some(2.0)),
            (1_060, 10_000, Some(8.0)),
            (1_299, 60, Some(8.0)),
            (1_300, 60, None),
            (900, 50, None),
            (900, 100, Some(9.0)),
            (i64::MAX, i64::MAX, None),
            (i64::MIN, 0, None),
        ] {
            let horizon = Duration::from_secs(u64::try_from(horizon).unwrap());
            assert_eq!(prediction.highest(Timestamp::from_secs(now), horizon), highest, "{now} {horizon}");
        }
    }
}
