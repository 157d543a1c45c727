//! Limit: the most change per period, then the least time between changes.

use std::collections::VecDeque;

use crate::api::behavior::Select;
use crate::api::effective::{Amount, RateLimit};
use crate::model::memory::Change;
use crate::strategies::step::round_up;
use crate::units::{Duration, MAX_REPLICAS, Timestamp};

/// The most that `current` may grow to now. `changes` are docktor's own; one exactly as old as the period no
/// longer counts. Never below `current`.
#[must_use]
pub fn most(
    current: u32,
    limits: &[RateLimit],
    select: Select,
    changes: &VecDeque<Change>,
    now: Timestamp,
) -> u32 {
    let each = limits.iter().map(|limit| {
        let start = at_period_start(current, limit.period, changes, now);
        match limit.amount {
            Amount::Replicas(count) => start.saturating_add(i64::from(count)),
            Amount::Percent(percent) => i64::from(round_up(start.max(0) as f64 * (1.0 + percent / 100.0))),
        }
    });
    let bound = match select {
        Select::Disabled => return current,
        Select::Max => each.max(),
        Select::Min => each.min(),
    };
    bound.map_or(MAX_REPLICAS, |it| saturate(it).max(current))
}

/// The least that `current` may shrink to now; never above `current`.
#[must_use]
pub fn least(
    current: u32,
    limits: &[RateLimit],
    select: Select,
    changes: &VecDeque<Change>,
    now: Timestamp,
) -> u32 {
    let each = limits.iter().map(|limit| {
        let start = at_period_start(current, limit.period, changes, now);
        match limit.amount {
            Amount::Replicas(count) => start.saturating_sub(i64::from(count)),
            Amount::Percent(percent) => round_down(start.max(0) as f64 * (1.0 - percent / 100.0)),
        }
    });
    // The largest change down leads to the smallest count.
    let bound = match select {
        Select::Disabled => return current,
        Select::Max => each.min(),
        Select::Min => each.max(),
    };
    bound.map_or(0, |it| saturate(it).min(current))
}

/// How many there would have been at the period's start, but for docktor's own changes since.
fn at_period_start(current: u32, period: Duration, changes: &VecDeque<Change>, now: Timestamp) -> i64 {
    let own: i64 = changes
        .iter()
        .filter(|it| now.since(it.at) < period)
        .map(|it| i64::from(it.to) - i64::from(it.from))
        .sum();
    i64::from(current) - own
}

/// The fraction is dropped; what is below a whole number only by the error of binary fractions counts as it.
fn round_down(value: f64) -> i64 {
    let nearest = value.round();
    if (value - nearest).abs() <= nearest.abs() * 1e-12 { nearest as i64 } else { value.floor() as i64 }
}

fn saturate(replicas: i64) -> u32 {
    replicas.clamp(0, i64::from(MAX_REPLICAS)) as u32
}

/// When the cooldown that began at `last` ends; `None` once it has. After exactly `cooldown` it has.
#[must_use]
pub fn cooling_until(last: Option<Timestamp>, cooldown: Duration, now: Timestamp) -> Option<Timestamp> {
    let until = last?.plus(cooldown);
    (now < until).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(10_000);

    fn percent(percent: f64, seconds: u64) -> RateLimit {
        RateLimit { amount: Amount::Percent(percent), period: Duration::from_secs(seconds) }
    }

    fn replicas(count: u32, seconds: u64) -> RateLimit {
        RateLimit { amount: Amount::Replicas(count), period: Duration::from_secs(seconds) }
    }

    /// Changes by so much, so many seconds ago.
    fn changes(of: &[(i64, i64)]) -> VecDeque<Change> {
        of.iter()
            .map(|&(ago, by)| Change {
                at: Timestamp::from_secs(10_000 - ago),
                from: 1_000,
                to: u32::try_from(1_000 + by).unwrap(),
            })
            .collect()
    }

    #[test]
    fn growing_is_limited_by_percent_and_by_count_over_their_periods() {
        let default = &[percent(100.0, 15), replicas(4, 15)][..];
        for (current, limits, past, wanted) in [
            (10, default, &[][..], 20),
            (1, default, &[], 5),
            (10, &[replicas(100, 60), percent(100.0, 60)], &[], 110),
            (6, &[percent(300.0, 300)], &[(10, 4), (5, -2)], 16),
            (100, &[replicas(5, 120)], &[(60, 15)], 100),
            (4, &[percent(50.0, 60)], &[(60, 2)], 6),
            (4, &[percent(50.0, 60)], &[(59, 2)], 4),
            (7, &[], &[], MAX_REPLICAS),
        ] {
            assert_eq!(
                most(current, limits, Select::Max, &changes(past), NOW),
                wanted,
                "{current} {limits:?}"
            );
        }
        assert_eq!(most(10, default, Select::Min, &VecDeque::new(), NOW), 14);
        assert_eq!(most(10, default, Select::Disabled, &VecDeque::new(), NOW), 10);
    }

    #[test]
    fn shrinking_is_limited_likewise() {
        for (current, limits, past, wanted) in [
            (10, &[percent(100.0, 15)][..], &[][..], 0),
            (100, &[percent(50.0, 120)], &[(90, -2), (60, -4), (30, -6)], 56),
            (10, &[replicas(3, 60)], &[], 7),
            (10, &[replicas(3, 60)], &[(30, -3)], 10),
            (10, &[replicas(3, 60), percent(50.0, 60)], &[], 5),
            (5, &[percent(50.0, 60)], &[], 2),
            (10, &[percent(10.0, 60)], &[], 9),
            (7, &[], &[], 0),
        ] {
            assert_eq!(
                least(current, limits, Select::Max, &changes(past), NOW),
                wanted,
                "{current} {limits:?}"
            );
        }
        let both = [replicas(3, 60), percent(50.0, 60)];
        assert_eq!(least(10, &both, Select::Min, &VecDeque::new(), NOW), 7);
        assert_eq!(least(10, &both, Select::Disabled, &VecDeque::new(), NOW), 10);
    }

    #[test]
    fn a_cooldown_of_twenty_minutes_begun_ten_ago_has_ten_to_go() {
        let cooldown = Duration::from_secs(1_200);
        let ago = |seconds| Some(NOW.minus(Duration::from_secs(seconds)));
        assert_eq!(cooling_until(ago(600), cooldown, NOW), Some(NOW.plus(Duration::from_secs(600))));
        assert_eq!(cooling_until(ago(1_500), cooldown, NOW), None);
        assert_eq!(cooling_until(ago(1_200), cooldown, NOW), None);
        assert_eq!(cooling_until(None, cooldown, NOW), None);
    }

    proptest::proptest! {
        #[test]
        fn no_limit_pushes_past_the_present_count(
            current in 0..=MAX_REPLICAS, count in proptest::prelude::any::<u32>(), by in -1_000..1_000_000i64,
            share in 0.0..1e300f64,
        ) {
            let limits = [replicas(count, 60), percent(share, 60)];
            for select in [Select::Max, Select::Min, Select::Disabled] {
                proptest::prop_assert!(most(current, &limits, select, &changes(&[(1, by)]), NOW) >= current);
                proptest::prop_assert!(least(current, &limits, select, &changes(&[(1, by)]), NOW) <= current);
            }
        }
    }
}
