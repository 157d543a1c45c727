//! A regular grid out of values that come when they come: each step has the mean of its values.

use std::collections::VecDeque;

use crate::units::Timestamp;

/// Values are kept within this; no metric means more, and sums and squares stay finite.
const LARGEST: f64 = 1e100;

/// The past of one metric on a regular grid, bounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Milliseconds.
    step: i64,
    capacity: usize,
    longest_gap: usize,
    /// The place of the first bucket: so many steps after the epoch.
    first: i64,
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bucket {
    sum: f64,
    count: u32,
}

impl Bucket {
    fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// A stretch of the past without a longer gap, the latest there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The mean of each step; shorter gaps are filled by straight lines.
    pub values: Vec<f64>,
    /// When its last step ended.
    pub end: Timestamp,
}

impl Series {
    /// An empty series of at most `capacity` steps of `step` milliseconds. Gaps of up to `longest_gap` steps are
    /// filled.
    #[must_use]
    pub fn new(step: i64, capacity: usize, longest_gap: usize) -> Self {
        Self { step: step.max(1), capacity: capacity.max(1), longest_gap, first: 0, buckets: VecDeque::new() }
    }

    /// Takes a value. One that lies further back than a short gap shows that the clock was set back: what lies ahead
    /// of it is forgotten, or the clock would have to come to it again before anything new is learnt.
    pub fn observe(&mut self, at: Timestamp, value: f64) {
        if !value.is_finite() {
            return;
        }
        let place = at.as_millis().div_euclid(self.step);
        let end = self.first.saturating_add(self.len());
        if place < end.saturating_sub(1).saturating_sub(self.gap()) {
            let kept = usize::try_from(place.saturating_sub(self.first).saturating_add(1)).unwrap_or(0);
            self.buckets.truncate(kept);
        } else if place.saturating_sub(end) >= i64::try_from(self.capacity).unwrap_or(i64::MAX) {
            self.buckets.clear();
        }
        if self.buckets.is_empty() {
            self.first = place;
        }
        while self.first.saturating_add(self.len()) <= place {
            self.buckets.push_back(Bucket::default());
        }
        while self.buckets.len() > self.capacity {
            self.buckets.pop_front();
            self.first = self.first.saturating_add(1);
        }
        // What is a little late and before all that is kept is of no use.
        let index = usize::try_from(place.saturating_sub(self.first));
        if let Some(bucket) = index.ok().and_then(|index| self.buckets.get_mut(index)) {
            bucket.sum += value.clamp(-LARGEST, LARGEST);
            bucket.count = bucket.count.saturating_add(1);
        }
    }

    /// Puts what was before the first value before it.
    pub fn recall(&mut self, past: impl IntoIterator<Item = (Timestamp, f64)>) {
        let mut whole = Self::new(self.step, self.capacity, self.longest_gap);
        let start = if self.buckets.is_empty() { i64::MAX } else { self.first };
        for (at, value) in past {
            if at.as_millis().div_euclid(self.step) < start {
                whole.observe(at, value);
            }
        }
        for (place, bucket) in (self.first..).zip(&self.buckets) {
            if let Some(mean) = bucket.mean() {
                whole.observe(Timestamp::from_millis(place.saturating_mul(self.step)), mean);
            }
        }
        *self = whole;
    }

    /// The latest stretch of steps that have ended at `now`.
    #[must_use]
    pub fn latest(&self, now: Timestamp) -> Stretch {
        let ended = now.as_millis().div_euclid(self.step).saturating_sub(self.first);
        let ended = usize::try_from(ended).unwrap_or(0).min(self.buckets.len());
        let means: Vec<Option<f64>> = self.buckets.iter().take(ended).map(|it| it.mean()).collect();
        let last = means.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let start = self.start_of_latest(&means[..last]);
        let end = self.first.saturating_add(i64::try_from(last).unwrap_or(0)).saturating_mul(self.step);
        Stretch { values: filled(&means[start..last]), end: Timestamp::from_millis(end) }
    }

    fn start_of_latest(&self, means: &[Option<f64>]) -> usize {
        let mut start = means.len();
        for (index, mean) in means.iter().enumerate().rev() {
            if mean.is_some() {
                start = index;
            } else if start - index > self.longest_gap {
                break;
            }
        }
        start
    }

    fn len(&self) -> i64 {
        i64::try_from(self.buckets.len()).unwrap_or(i64::MAX)
    }

    fn gap(&self) -> i64 {
        i64::try_from(self.longest_gap).unwrap_or(i64::MAX)
    }
}

/// Gaps filled by straight lines. Both ends are there.
fn filled(means: &[Option<f64>]) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::with_capacity(means.len());
    for (index, mean) in means.iter().enumerate() {
        let Some(value) = *mean else { continue };
        let missing = index - values.len();
        let before = values.last().copied().unwrap_or(value);
        for place in 1..=missing {
            values.push(before + (value - before) * place as f64 / (missing + 1) as f64);
        }
        values.push(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[(i64, f64)]) -> Series {
        let mut series = Series::new(10_000, 100, 2);
        values.iter().for_each(|(at, value)| series.observe(Timestamp::from_secs(*at), *value));
        series
    }

    fn latest(values: &[(i64, f64)], now: i64) -> (Vec<f64>, i64) {
        let stretch = of(values).latest(Timestamp::from_secs(now));
        (stretch.values, stretch.end.as_millis() / 1_000)
    }

    #[test]
    fn each_step_that_ended_has_the_mean_of_its_values() {
        assert_eq!(latest(&[(0, 1.0), (5, 3.0), (10, 4.0), (20, 9.0)], 25), (vec![2.0, 4.0], 20));
        assert_eq!(latest(&[(0, 1.0), (20, 9.0)], 1_000), (vec![1.0, 5.0, 9.0], 30));
        assert_eq!(latest(&[], 25).0, Vec::<f64>::new());
    }

    #[test]
    fn short_gaps_are_filled_and_a_long_one_begins_anew() {
        assert_eq!(latest(&[(0, 1.0), (30, 4.0), (40, 5.0)], 50).0, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(latest(&[(0, 1.0), (40, 4.0), (50, 5.0)], 60).0, [4.0, 5.0]);
    }

    #[test]
    fn a_clock_that_jumps_costs_only_what_it_jumped_over() {
        let there_and_back = [(0, 1.0), (10, 2.0), (500, 7.0), (20, 3.0), (30, 4.0)];
        assert_eq!(latest(&there_and_back, 40).0, [1.0, 2.0, 3.0, 4.0]);
        let far = [(0, 1.0), (10, 2.0), (9_000_000, 7.0), (20, 3.0), (30, 4.0)];
        assert_eq!(latest(&far, 40).0, [3.0, 4.0]);
        assert_eq!(
            latest(&[(100, 1.0), (110, 2.0), (105, 4.0), (120, 0.0)], 120).0,
            [2.5, 2.0],
            "a little late"
        );
    }

    #[test]
    fn what_was_before_is_put_before() {
        let mut series = of(&[(100, 10.0), (110, 11.0)]);
        series.recall([(80, 8.0), (90, 9.0), (105, 99.0)].map(|(at, it)| (Timestamp::from_secs(at), it)));
        assert_eq!(series.latest(Timestamp::from_secs(120)).values, [8.0, 9.0, 10.0, 11.0]);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_grow_or_panic(
            values in prop::collection::vec((prop_oneof![any::<i64>(), -1_000..5_000_000i64], any::<f64>()), 0..200),
            now in any::<i64>(),
        ) {
            let mut series = Series::new(10_000, 50, 3);
            for (at, value) in values {
                series.observe(Timestamp::from_millis(at), value);
                prop_assert!(series.buckets.len() <= 50);
                let stretch = series.latest(Timestamp::from_millis(now));
                prop_assert!(stretch.values.iter().all(|it| it.is_finite()));
            }
        }
    }
}
