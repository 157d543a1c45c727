//! The cases of the HPA's rate limits and stabilization windows, each put through both doors: a policy and a trace,
//! and the public functions.

use std::collections::VecDeque;

use docktor::api::behavior::Select;
use docktor::api::condition::Reason;
use docktor::api::effective::{Amount, RateLimit};
use docktor::decide::limit;
use docktor::decide::stabilize::{Window, stabilize};
use docktor::model::memory::{Change, Past};
use docktor::units::{Duration, Timestamp};

use super::{SOURCES, outcomes};

/// So many replicas per so many seconds, and so many percent per so many; zero for none.
type Limits = (u32, u64, f64, u64);
/// No limit is written, so the defaults hold.
const DEFAULT: Limits = (0, 0, 0.0, 0);

/// A case: what docktor did in the last 120 s, spread evenly, and what becomes of `wanted`.
struct Case {
    ups: &'static [u32],
    downs: &'static [u32],
    bounds: (u32, u32),
    limits: Limits,
    current: u32,
    wanted: u32,
}

/// The middle of each of that many parts of the last 120 s, as seconds from their beginning.
fn spread(changes: &[u32]) -> Vec<u64> {
    let part = 120.0 / changes.len() as f64;
    // The HPA's tests cut the age to whole seconds.
    (0..changes.len()).map(|it| 120 - (120.0 - part * (it as f64 + 1.0) + part / 2.0) as u64).collect()
}

impl Case {
    /// docktor's changes in their order: when, before, after.
    fn changes(&self) -> Vec<(u64, u32, u32)> {
        let ups = spread(self.ups).into_iter().zip(self.ups.iter().map(|it| i64::from(*it)));
        let downs = spread(self.downs).into_iter().zip(self.downs.iter().map(|it| -i64::from(*it)));
        let mut all: Vec<_> = ups.chain(downs).collect();
        all.sort_unstable();
        let mut count = i64::from(self.current) - all.iter().map(|(_, by)| by).sum::<i64>();
        let changes = all.into_iter().map(|(at, by)| {
            let from = count;
            count += by;
            (at, u32::try_from(from).unwrap(), u32::try_from(count).unwrap())
        });
        changes.collect()
    }

    fn limits(&self) -> Vec<RateLimit> {
        let (count, count_period, percent, percent_period) = self.limits;
        let (count, percent) = (Amount::Replicas(count), Amount::Percent(percent));
        let of = |amount, seconds| RateLimit { amount, period: Duration::from_secs(seconds) };
        match self.limits {
            DEFAULT if self.wanted > self.current => {
                vec![of(Amount::Percent(100.0), 15), of(Amount::Replicas(4), 15)]
            }
            DEFAULT => vec![of(Amount::Percent(100.0), 15)],
            (_, _, 0.0, _) => vec![of(count, count_period)],
            (0, ..) => vec![of(percent, percent_period)],
            _ => vec![of(count, count_period), of(percent, percent_period)],
        }
    }

    fn by_functions(&self) -> u32 {
        let now = Timestamp::from_secs(120);
        let at = |seconds: u64| Timestamp::from_secs(i64::try_from(seconds).unwrap());
        let changes: VecDeque<_> = self
            .changes()
            .into_iter()
            .map(|(seconds, from, to)| Change { at: at(seconds), from, to })
            .collect();
        let allowed = if self.wanted > self.current {
            self.wanted.min(limit::most(self.current, &self.limits(), Select::Max, &changes, now))
        } else {
            self.wanted.max(limit::least(self.current, &self.limits(), Select::Max, &changes, now))
        };
        allowed.clamp(self.bounds.0, self.bounds.1)
    }

    fn by_a_trace(&self) -> (u32, Reason) {
        let (min, max) = self.bounds;
        let written: Vec<_> = self
            .limits()
            .iter()
            .map(|it| match it.amount {
                Amount::Replicas(count) => format!("{{replicas: {count}, period: {}}}", it.period),
                Amount::Percent(percent) => format!("{{percent: {percent}, period: {}}}", it.period),
            })
            .collect();
        let limits = match self.limits {
            DEFAULT => String::new(),
            _ => format!(", limits: [{}]", written.join(", ")),
        };
        let spec = format!(
            "{SOURCES}  replicas: {{min: {min}, max: {max}}}\n  track: [{{metric: queue.backlog, averageValue: 1}}]\n  \
             scaleUp: {{tolerance: 0{limits}}}\n  scaleDown: {{tolerance: 0, stabilizationWindow: 0s{limits}}}\n"
        );
        let changes = self.changes().into_iter().map(|(at, from, to)| {
            format!("{{\"at\": {at}, \"current\": {to}, \"scaled\": {{\"from\": {from}, \"to\": {to}}}}}\n")
        });
        let row = format!(
            "{{\"at\": 120, \"current\": {}, \"metrics\": {{\"queue.backlog\": {}}}}}",
            self.current, self.wanted
        );
        *outcomes(&spec, &(changes.collect::<String>() + &row)).last().unwrap()
    }
}

/// What changes, bounds and limits there are; the present count, the one that is wanted, what comes of it, and why.
type Row = (&'static str, &'static [u32], &'static [u32], (u32, u32), Limits, (u32, u32), u32, Reason);

fn check(rows: &[Row]) {
    for &(name, ups, downs, bounds, limits, (current, wanted), expected, reason) in rows {
        let case = Case { ups, downs, bounds, limits, current, wanted };
        assert_eq!(case.by_functions(), expected, "{name}, by the functions");
        assert_eq!(case.by_a_trace(), (expected, reason), "{name}, by a trace");
    }
}

use Reason::{DesiredWithinRange, ScaleDownLimit, ScaleUpLimit, TooFewReplicas, TooManyReplicas};

#[test]
fn bounds_and_default_limits() {
    check(&[
        ("within the bounds", &[], &[], (3, 8), DEFAULT, (5, 7), 7, DesiredWithinRange),
        ("below the minimum", &[], &[], (2, 8), DEFAULT, (3, 1), 2, TooFewReplicas),
        ("to zero where that is the minimum", &[], &[], (0, 10), DEFAULT, (1, 0), 0, DesiredWithinRange),
        ("above the maximum", &[], &[], (100, 150), DEFAULT, (100, 1000), 150, TooManyReplicas),
        (
            "as the limit is the maximum, the maximum has it",
            &[],
            &[],
            (1, 20),
            DEFAULT,
            (10, 50),
            20,
            TooManyReplicas,
        ),
        ("by default", &[], &[], (1, 1000), DEFAULT, (10, 50), 20, ScaleUpLimit),
        // The HPA without `behavior` goes from 3 to 6; docktor's defaults are those of an empty `behavior`.
        ("by default, few", &[], &[], (1, 1000), DEFAULT, (3, 24), 7, ScaleUpLimit),
        (
            "down by default, after changes",
            &[],
            &[1, 5, 9],
            (1, 1000),
            DEFAULT,
            (10, 5),
            5,
            DesiredWithinRange,
        ),
        // A count that is already above the maximum goes there without asking anybody, so nothing is limited.
        ("from above the maximum", &[], &[], (1, 10), DEFAULT, (20, 1000), 10, DesiredWithinRange),
    ]);
}

#[test]
fn limits_of_growth() {
    let most = (1, 1000);
    check(&[
        ("1 %", &[], &[], (1, 2000), (0, 0, 1.0, 60), (3, 1000), 4, ScaleUpLimit),
        ("the count is larger", &[], &[], most, (100, 60, 100.0, 60), (10, 500), 110, ScaleUpLimit),
        ("the share is larger", &[], &[], most, (2, 60, 100.0, 60), (10, 500), 20, ScaleUpLimit),
        ("a large count", &[], &[], most, (100, 60, 0.0, 0), (10, 50), 50, DesiredWithinRange),
        ("a very large count", &[], &[], most, (10_000, 60, 0.0, 0), (10, 50), 50, DesiredWithinRange),
        ("a count", &[], &[], most, (30, 60, 0.0, 0), (10, 50), 40, ScaleUpLimit),
        ("a share", &[], &[], most, (0, 0, 200.0, 60), (10, 50), 30, ScaleUpLimit),
        (
            "a large count after changes",
            &[1, 5, 9],
            &[],
            (1, 200),
            (300, 60, 0.0, 0),
            (100, 500),
            200,
            TooManyReplicas,
        ),
        (
            "a large share after changes",
            &[1, 5, 9],
            &[],
            (1, 200),
            (0, 0, 10_000.0, 60),
            (100, 500),
            200,
            TooManyReplicas,
        ),
        (
            "never below the present count",
            &[1, 5, 9],
            &[],
            most,
            (5, 120, 0.0, 0),
            (100, 500),
            100,
            ScaleUpLimit,
        ),
        ("a count after changes", &[1, 5, 9], &[], most, (150, 120, 0.0, 0), (100, 500), 235, ScaleUpLimit),
        ("a share after changes", &[1, 5, 9], &[], most, (0, 0, 200.0, 120), (100, 500), 255, ScaleUpLimit),
        ("a share after changes both ways", &[4], &[2], most, (0, 0, 300.0, 300), (6, 24), 16, ScaleUpLimit),
        ("one period", &[8, 12, 9, 11], &[], most, (1000, 60, 0.0, 0), (100, 200), 200, DesiredWithinRange),
        (
            "a longer period",
            &[8, 12, 9, 11],
            &[],
            most,
            (1000, 120, 100.0, 60),
            (100, 200),
            200,
            DesiredWithinRange,
        ),
        (
            "a shorter period",
            &[8, 12, 9, 11],
            &[],
            most,
            (1000, 30, 100.0, 60),
            (100, 200),
            200,
            DesiredWithinRange,
        ),
    ]);
}

#[test]
fn limits_of_shrinking() {
    let most = (1, 1000);
    check(&[
        ("the count is larger", &[], &[], most, (20, 60, 1.0, 60), (100, 2), 80, ScaleDownLimit),
        ("the share is smaller", &[], &[], most, (2, 60, 1.0, 60), (100, 2), 98, ScaleDownLimit),
        ("a large count", &[], &[], most, (100, 60, 0.0, 0), (10, 0), 1, TooFewReplicas),
        ("all of it", &[], &[], (5, 1000), (0, 0, 100.0, 60), (10, 2), 5, TooFewReplicas),
        (
            "as the limit is the minimum, the minimum has it",
            &[],
            &[],
            (5, 1000),
            (5, 60, 0.0, 0),
            (10, 2),
            5,
            TooFewReplicas,
        ),
        ("a count", &[], &[], most, (5, 60, 0.0, 0), (10, 2), 5, ScaleDownLimit),
        ("a share", &[], &[], most, (0, 0, 50.0, 60), (10, 5), 5, DesiredWithinRange),
        (
            "a large count after changes",
            &[],
            &[1, 5, 9],
            most,
            (115, 120, 0.0, 0),
            (100, 0),
            1,
            TooFewReplicas,
        ),
        (
            "a larger count after changes",
            &[],
            &[1, 5, 9],
            (5, 1000),
            (130, 120, 0.0, 0),
            (100, 0),
            5,
            TooFewReplicas,
        ),
        (
            "all of it after changes",
            &[],
            &[1, 5, 9],
            (5, 1000),
            (0, 0, 100.0, 120),
            (100, 2),
            5,
            TooFewReplicas,
        ),
        (
            "never above the present count",
            &[],
            &[1, 5, 9],
            most,
            (5, 120, 0.0, 0),
            (100, 2),
            100,
            ScaleDownLimit,
        ),
        ("a share after changes", &[], &[2, 4, 6], most, (0, 0, 50.0, 120), (100, 0), 56, ScaleDownLimit),
        ("a share after changes both ways", &[2], &[4], most, (0, 0, 50.0, 180), (10, 1), 6, ScaleDownLimit),
        ("too many changes", &[], &[10, 10, 10], most, (0, 0, 10.0, 120), (100, 0), 100, ScaleDownLimit),
        (
            "more than all of it",
            &[],
            &[10, 10, 10],
            most,
            (0, 0, 1000.0, 120),
            (10, 5),
            5,
            DesiredWithinRange,
        ),
        ("one period", &[], &[8, 12, 9, 11], most, (1000, 60, 0.0, 0), (100, 5), 5, DesiredWithinRange),
        (
            "a longer period",
            &[],
            &[8, 12, 9, 11],
            most,
            (1000, 120, 100.0, 60),
            (100, 5),
            5,
            DesiredWithinRange,
        ),
        (
            "a shorter period",
            &[],
            &[8, 12, 9, 11],
            most,
            (1000, 30, 100.0, 60),
            (100, 5),
            5,
            DesiredWithinRange,
        ),
    ]);
}

#[test]
fn the_smallest_of_two_changes() {
    let limits = [
        RateLimit { amount: Amount::Replicas(2), period: Duration::from_secs(60) },
        RateLimit { amount: Amount::Percent(50.0), period: Duration::from_secs(60) },
    ];
    let now = Timestamp::from_secs(0);
    assert_eq!(limit::most(1, &limits, Select::Min, &VecDeque::new(), now), 2);
    assert_eq!(limit::least(5, &limits, Select::Min, &VecDeque::new(), now), 3);
}

#[test]
fn changes_of_the_last_minute() {
    for (ago, by, counts) in [
        (&[61][..], &[7][..], 0),
        (&[58], &[7], 7),
        (&[61, 59], &[7, 6], 6),
        (&[29, 59, 61, 61], &[8, 6, 7, 9], 14),
        (&[58, 59], &[7, 6], 13),
    ] {
        let mut changes: Vec<_> = ago.iter().zip(by).collect();
        changes.sort_unstable_by(|one, other| other.cmp(one));
        let change =
            |(ago, by): (&i64, &u32)| Change { at: Timestamp::from_secs(100 - ago), from: 10, to: 10 + by };
        let changes = changes.into_iter().map(change).collect();
        let limits = [RateLimit { amount: Amount::Replicas(1000), period: Duration::from_secs(60) }];
        let most = limit::most(100, &limits, Select::Max, &changes, Timestamp::from_secs(100));
        assert_eq!(most, 1100 - counts, "{ago:?} {by:?}");
    }
}

/// Recommendations of so many minutes ago; the present count, what is recommended now, and what comes of it with so
/// many seconds of windows up and down.
type Stabilized = (&'static str, &'static [(i64, u32)], (u32, u32), (u64, u64), u32);

#[test]
fn windows() {
    let cases: &[Stabilized] = &[
        ("nothing is known, down", &[], (100, 5), (0, 0), 5),
        ("down", &[(2, 4), (1, 5)], (100, 3), (0, 180), 5),
        ("up", &[(2, 4), (1, 5)], (1, 7), (300, 0), 4),
        ("down, all lower", &[(2, 1), (1, 2)], (100, 3), (300, 0), 3),
        ("up, all higher", &[(2, 4), (1, 5)], (1, 3), (0, 300), 3),
        ("down, all too old", &[(10, 10), (9, 9)], (100, 3), (0, 0), 3),
        ("up, all too old", &[(10, 10), (9, 9)], (1, 100), (0, 0), 100),
        ("down, some too old", &[(10, 10), (9, 9), (2, 5), (1, 4)], (100, 3), (0, 180), 5),
        ("up, some too old", &[(100, 10), (3, 9), (2, 5), (1, 6)], (1, 100), (300, 0), 5),
        ("both, a fall does not grow", &[(100, 2), (3, 3)], (2, 1), (300, 300), 2),
        ("both, a rise does not shrink", &[(100, 2), (3, 1)], (2, 3), (300, 300), 2),
        ("the default, one lower", &[(2, 4), (1, 5)], (6, 3), (0, 300), 5),
        ("the default, all lower", &[(2, 1), (1, 2)], (6, 3), (0, 300), 3),
        ("the default, all too old", &[(10, 10), (9, 9)], (6, 3), (0, 300), 3),
    ];
    for &(name, past, (current, recommended), (up, down), wanted) in cases {
        let now = 12_000;
        let kept: VecDeque<_> = past
            .iter()
            .map(|&(minutes, replicas)| Past { at: Timestamp::from_secs(now - minutes * 60), replicas })
            .collect();
        let window = |seconds| Window { past: &kept, length: Duration::from_secs(seconds) };
        let found = stabilize(recommended, current, window(up), window(down), Timestamp::from_secs(now));
        assert_eq!(found, wanted, "{name}, by the function");

        let spec = format!(
            "{SOURCES}  replicas: {{max: 1000}}\n  track: [{{metric: queue.backlog, averageValue: 1}}]\n  \
             scaleUp: {{tolerance: 0, stabilizationWindow: {up}s, limits: [{{replicas: 1000, period: 1s}}]}}\n  \
             scaleDown: {{tolerance: 0, stabilizationWindow: {down}s}}\n"
        );
        let row = |at: i64, count: u32| {
            format!("{{\"at\": {at}, \"current\": {current}, \"metrics\": {{\"queue.backlog\": {count}}}}}\n")
        };
        let rows = past.iter().map(|&(minutes, replicas)| row(now - minutes * 60, replicas));
        // The first row of a trace is also the first that docktor sees, long before.
        let trace = row(0, current) + &rows.collect::<String>() + &row(now, recommended);
        assert_eq!(outcomes(&spec, &trace).last().unwrap().0, wanted, "{name}, by a trace");
    }
}
