//! The recent values of one metric, for its means and its slope. Bounded, and durable with the rest of the
//! memory; moved on by evaluations alone.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::units::{Duration, Timestamp};

/// How far back values are kept: the longest window of a trend.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// Values within this time of a bucket's first share it.
const BUCKET: Duration = Duration::from_secs(10);
/// Most buckets: those of [`KEPT`].
const MAX_BUCKETS: usize = 90;
/// After so many intervals without a value, and no less than so long, a window begins anew.
const MISSED_INTERVALS: i64 = 3;
const MISSED_TIME: Duration = Duration::from_secs(5 * 60);

/// The values of one metric at the evaluations of the last fifteen minutes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recent {
    /// Since when there has been a value without a longer break.
    since: Option<Timestamp>,
    /// When there last was one.
    last: Option<Timestamp>,
    /// Oldest first.
    buckets: VecDeque<Bucket>,
}

/// The values of ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    /// When the first of them was seen.
    at: Timestamp,
    sum: f64,
    count: u32,
}

impl Recent {
    /// Notes the value of an evaluation; `interval` is the time between two of them. A clock that was set back
    /// makes what lies ahead of it unknown; a value beyond all measure counts as none.
    pub fn note(&mut self, value: f64, at: Timestamp, interval: Duration) {
        self.forget(at);
        let shared = self.buckets.back_mut().filter(|it| at.since(it.at) < BUCKET);
        let sum = shared.as_ref().map_or(0.0, |it| it.sum) + value;
        if !sum.is_finite() {
            return;
        }
        match shared {
            Some(bucket) => {
                bucket.sum = sum;
                bucket.count = bucket.count.saturating_add(1);
            }
            None => {
                self.buckets.push_back(Bucket { at, sum, count: 1 });
                if self.buckets.len() > MAX_BUCKETS {
                    self.buckets.pop_front();
                }
            }
        }
        let longest = interval.as_millis().saturating_mul(MISSED_INTERVALS).max(MISSED_TIME.as_millis());
        let goes_on = self.last.is_some_and(|last| at.since(last).as_millis() <= longest);
        self.since = self.since.filter(|_| goes_on).or(Some(at));
        self.last = Some(at);
    }

    fn forget(&mut self, now: Timestamp) {
        while self.buckets.front().is_some_and(|it| now.since(it.at) >= KEPT) {
            self.buckets.pop_front();
        }
        while self.buckets.back().is_some_and(|it| it.at > now) {
            self.buckets.pop_back();
        }
        for moment in [&mut self.since, &mut self.last].into_iter().flatten() {
            *moment = (*moment).min(now);
        }
    }

    /// Since when there has been a value without a longer break.
    #[must_use]
    pub const fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Has there been a value for all of `window`?
    #[must_use]
    pub fn covers(&self, window: Duration, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now.since(since) >= window)
    }

    /// The mean of the values of `window`; `None` where there is none. A value exactly as old no longer counts.
    #[must_use]
    pub fn mean(&self, window: Duration, now: Timestamp) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for bucket in self.within(window, now) {
            sum += bucket.sum;
            count += f64::from(bucket.count);
        }
        let mean = sum / count;
        mean.is_finite().then_some(mean)
    }

    /// How the values of `window` change, per minute: the slope of the line with the least squares of distances.
    /// `None` where there are not two moments to compare.
    #[must_use]
    pub fn slope(&self, window: Duration, now: Timestamp) -> Option<f64> {
        let minutes = |it: &Bucket| -now.since(it.at).as_secs_f64() / 60.0;
        let (mut weight, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
        for bucket in self.within(window, now) {
            let count = f64::from(bucket.count);
            weight += count;
            x_sum += count * minutes(bucket);
            y_sum += bucket.sum;
        }
        let (x_mean, y_mean) = (x_sum / weight, y_sum / weight);
        let (mut together, mut spread) = (0.0, 0.0);
        for bucket in self.within(window, now) {
            let (count, x) = (f64::from(bucket.count), minutes(bucket) - x_mean);
            together += x * (bucket.sum - count * y_mean);
            spread += count * x * x;
        }
        let slope = together / spread;
        slope.is_finite().then_some(slope)
    }

    fn within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = &Bucket> {
        self.buckets.iter().filter(move |it| it.at <= now && now.since(it.at) < window)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIVE_MINUTES: Duration = Duration::from_secs(300);
    const INTERVAL: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn of(values: impl IntoIterator<Item = (i64, f64)>) -> Recent {
        let mut recent = Recent::default();
        values.into_iter().for_each(|(seconds, value)| recent.note(value, at(seconds), INTERVAL));
        recent
    }

    #[test]
    fn the_mean_is_over_values_younger_than_the_window() {
        let recent = of((0..=60).map(|n| (n * 10, n as f64)));
        // Those of 310 to 600 seconds: 31 to 60.
        assert_eq!(recent.mean(FIVE_MINUTES, at(600)), Some(45.5));
        assert_eq!(recent.mean(FIVE_MINUTES, at(2_000)), None);
        assert_eq!(Recent::default().mean(FIVE_MINUTES, at(0)), None);
    }

    #[test]
    fn the_slope_is_the_change_per_minute() {
        let rising = of((0..30).map(|n| (n * 10, 5.0 + n as f64)));
        let slope = rising.slope(FIVE_MINUTES, at(290)).unwrap();
        assert!((slope - 6.0).abs() < 1e-9, "{slope}");
        assert_eq!(of([(0, 3.0)]).slope(FIVE_MINUTES, at(0)), None, "one moment has no slope");
        let level = of((0..30).map(|n| (n * 10, 7.0))).slope(FIVE_MINUTES, at(290)).unwrap();
        assert!(level.abs() < 1e-12, "{level}");
    }

    #[test]
    fn a_window_is_covered_once_there_were_values_for_all_of_it_without_a_break() {
        let whole = of((0..=30).map(|n| (n * 10, 1.0)));
        assert!(whole.covers(FIVE_MINUTES, at(300)) && !whole.covers(FIVE_MINUTES, at(299)));
        let with_a_break = |length| of((0..=60).filter(|n| !(1..length).contains(n)).map(|n| (n * 10, 1.0)));
        assert!(with_a_break(30).covers(FIVE_MINUTES, at(590)), "five minutes are no break");
        assert!(!with_a_break(31).covers(FIVE_MINUTES, at(600)), "more than that is one");
    }

    #[test]
    fn a_clock_set_back_forgets_what_lies_ahead_and_goes_on() {
        let mut recent = of((0..30).map(|n| (n * 10, 100.0)));
        recent.note(4.0, at(-5_000), INTERVAL);
        assert_eq!(recent.mean(FIVE_MINUTES, at(-5_000)), Some(4.0));
        assert!(!recent.covers(FIVE_MINUTES, at(-5_000)));
    }

    proptest! {
        #[test]
        fn no_clock_and_no_value_breaks_it(
            values in prop::collection::vec((-100_000_000_000_000..100_000_000_000_000i64, any::<f64>(), 0..3u8), 1..200),
        ) {
            let mut recent = Recent::default();
            let mut now = 0i64;
            for (jump, value, kind) in values {
                now = match kind {
                    0 => now.saturating_add(jump.rem_euclid(30_000)),
                    1 => now,
                    _ => jump,
                };
                let now = Timestamp::from_millis(now);
                recent.note(value, now, INTERVAL);
                prop_assert!(recent.buckets.len() <= MAX_BUCKETS);
                let text = serde_json::to_string(&recent).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Recent>(&text).unwrap(), &recent);
                for trend in [recent.mean(KEPT, now), recent.slope(FIVE_MINUTES, now)].into_iter().flatten() {
                    prop_assert!(trend.is_finite());
                }
            }
        }
    }
}
