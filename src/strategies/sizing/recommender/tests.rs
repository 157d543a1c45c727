//! Cases after the tests of the Vertical Pod Autoscaler.

use proptest::prelude::*;

use super::*;
use crate::model::histogram::{Buckets, Histogram};

const MIB: f64 = 1_048_576.0;
/// 2017-04-18T17:35:05Z.
const START: i64 = 1_492_536_905;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_secs(START + hours * 3_600)
}

fn cpu() -> History {
    History::new(Buckets::cpu())
}

fn memory() -> History {
    History::new(Buckets::memory())
}

/// A histogram of these peaks, at the ends of the intervals that many hours after the start.
fn peaks(of: &[(f64, i64)]) -> Histogram {
    let mut histogram = Histogram::new(Buckets::memory());
    of.iter().for_each(|&(value, hours)| histogram.add(value, PEAK_WEIGHT, at(hours)));
    histogram
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

#[test]
fn every_cpu_sample_counts_and_one_that_is_not_newer_or_below_zero_does_not() {
    let mut history = cpu();
    let taken: Vec<_> = [(3.2, 0), (6.4, 12), (1.6, 24), (1.0, 24), (1.0, 23), (-1.0, 48), (f64::NAN, 49)]
        .iter()
        .map(|(cores, hours)| add_sample(&mut history, *cores, at(*hours)))
        .collect();
    assert_eq!(taken, [true, true, true, false, false, false, false]);
    let mut expected = Histogram::new(Buckets::cpu());
    for (cores, hours) in [(3.2, 0), (6.4, 12), (1.6, 24)] {
        expected.add(cores, CPU_WEIGHT, at(hours));
    }
    assert_eq!(history.histogram, expected);
    assert_eq!(history.span, Span { first: Some(at(0)), last: Some(at(24)), samples: 3 });
}

#[test]
fn of_each_day_the_peak_counts_at_the_days_end() {
    let mut history = memory();
    for (value, hours) in [(5e8, 0), (10e8, 12), (9e8, 13), (2e8, 24)] {
        assert!(add_peak(&mut history, value, at(hours)));
    }
    assert_eq!(history.histogram.checkpoint(), peaks(&[(10e8, 24), (2e8, 48)]).checkpoint());
    assert!(!add_peak(&mut history, 9e9, at(23)) && !add_peak(&mut history, -1.0, at(25)));
    // Days in which nothing was seen have no peak.
    add_peak(&mut history, 3e8, at(24 * 4 + 1));
    assert_eq!(history.interval.end, Some(at(24 * 5)));
}

#[test]
fn a_peak_above_nothing_counts_too() {
    let mut history = memory();
    add_peak(&mut history, 0.0, at(0));
    add_peak(&mut history, 5e8, at(1));
    assert_eq!(history.histogram.checkpoint().weights, peaks(&[(5e8, 24)]).checkpoint().weights);
}

#[test]
fn after_a_kill_a_hundred_mebibytes_or_a_fifth_more_is_needed() {
    for (used, needed) in [(1_000.0, 1_200.0), (1.0, 101.0), (500.0, 600.0), (3_000.0, 3_600.0)] {
        assert!(close(after_oom(used * MIB), needed * MIB), "{used}");
    }
}

#[test]
fn kills_for_want_of_memory_raise_the_peak_and_do_not_run_away() {
    let mut history = memory();
    assert!(add_oom(&mut history, 1_000.0 * MIB, at(0), at(0)));
    let first = peaks(&[(1_200.0 * MIB, 24)]);
    assert_eq!(history.histogram, first);
    for _ in 0..2 {
        assert!(add_oom(&mut history, 999.0 * MIB, at(0), at(0)));
    }
    assert_eq!(history.histogram, first, "a smaller one never lowers it");
    assert!(add_oom(&mut history, 2_000.0 * MIB, at(0), at(0)));
    assert_eq!(history.histogram.checkpoint(), peaks(&[(2_400.0 * MIB, 24)]).checkpoint());
}

#[test]
fn a_kill_counts_from_the_larger_of_what_was_allowed_and_the_recent_peak() {
    let mut history = memory();
    add_peak(&mut history, 3_000.0 * MIB, at(0));
    add_oom(&mut history, 1_000.0 * MIB, at(0), at(0));
    assert_eq!(history.histogram.checkpoint(), peaks(&[(3_600.0 * MIB, 24)]).checkpoint());
}

#[test]
fn a_kill_in_a_later_interval_begins_it() {
    let mut history = memory();
    add_peak(&mut history, 2_000.0 * MIB, at(0));
    add_oom(&mut history, 1_000.0 * MIB, at(48), at(48));
    let expected = peaks(&[(2_000.0 * MIB, 24), (2_400.0 * MIB, 72)]);
    assert_eq!(history.histogram, expected);
}

#[test]
fn the_age_of_a_kill_goes_by_the_clock_and_not_by_the_intervals_end() {
    let mut history = memory();
    add_peak(&mut history, 1_000.0 * MIB, at(0));
    let before = history.clone();
    assert!(!add_oom(&mut history, 1_000.0 * MIB, at(-30), at(0)), "a day is the most");
    assert_eq!(history, before);
    // The interval has just moved on to its end at 48h; the kill was seconds before that.
    add_peak(&mut history, 1_000.0 * MIB, at(24));
    let just_before = Timestamp::from_secs(START + 24 * 3_600 - 5);
    assert!(add_oom(&mut history, 2_000.0 * MIB, just_before, at(24)));
    assert!(history.histogram.percentile(1.0) > 2_400.0 * MIB);
    let raised = history.clone();
    assert!(add_oom(&mut history, 10.0 * MIB, just_before, at(25)));
    assert_eq!(history.histogram, raised.histogram, "a late, smaller one lowers nothing");
}

#[test]
fn history_is_forgotten_after_eight_days_of_nothing() {
    let mut history = memory();
    add_peak(&mut history, 1e9, at(0));
    add_peak(&mut history, 2e8, at(24 * 8 - 1));
    assert!(history.histogram.percentile(0.0) < 3e8 && history.span.samples == 2);
    add_peak(&mut history, 2e8, at(24 * 16 - 1));
    assert_eq!((history.span.samples, history.span.first), (1, Some(at(24 * 16 - 1))));
}

#[test]
fn confidence_is_days_of_history_and_less_where_samples_are_rare() {
    let of = |samples, minutes: i64| {
        let last = Timestamp::from_secs(START + minutes * 60);
        confidence(Span { first: Some(at(0)), last: Some(last), samples })
    };
    assert_eq!(of(9, 16), 0.006_25, "nine samples, sixteen minutes");
    assert_eq!(of(14_400, 1_440), 1.0);
    assert_eq!(of(1_440, 14_400), 1.0);
    assert_eq!(confidence(Span::default()), 0.0);
}

#[test]
fn the_range_is_as_wide_as_the_history_is_short() {
    let of_use = Estimate { lower: 1.0, target: 2.0, upper: 4.0 };
    for (confidence, lower, upper) in [
        (0.0, 0.0, f64::INFINITY),
        (5.0 / 1_440.0, 1.15 * 0.602_7, 4.6 * 289.0),
        (0.5, 1.15 * 0.996_007_98, 13.8),
        (1.0, 1.15 * 0.998_002_996, 9.2),
        (7.0, 1.15 * 0.999_714_4, 4.6 * 8.0 / 7.0),
    ] {
        let it = widened(of_use, confidence, 0.0);
        let near = |one: f64, other: f64| one == other || (one - other).abs() < 1e-3 * other;
        assert!(near(it.lower, lower) && near(it.upper, upper), "{confidence}: {it:?}");
        assert!(close(it.target, 2.3));
    }
}

#[test]
fn no_recommendation_is_below_the_least() {
    let mut history = cpu();
    add_sample(&mut history, 0.001, at(0));
    let it = estimate(&history, LEAST_CPU).unwrap();
    assert_eq!((it.lower, it.target, it.upper), (LEAST_CPU, LEAST_CPU, f64::INFINITY));
    let mut history = memory();
    add_peak(&mut history, 1e6, at(0));
    assert_eq!(estimate(&history, LEAST_MEMORY).unwrap().target, 262_144_000.0);
    assert_eq!(estimate(&cpu(), LEAST_CPU), None, "without history there is no opinion");
}

#[test]
fn percentiles_lie_within_a_bucket_of_the_samples() {
    let mut cores = Histogram::new(Buckets::cpu());
    let mut bytes = Histogram::new(Buckets::memory());
    for value in [1.0, 2.0, 3.0] {
        cores.add(value, 1.0, at(0));
        bytes.add(value * 1e9, 1.0, at(0));
    }
    assert!((cores.percentile(0.2) - 1.0).abs() < 0.06, "{}", cores.percentile(0.2));
    assert!((bytes.percentile(0.5) / 2e9 - 1.0).abs() < 0.06);
}

#[test]
fn a_limit_moves_when_it_is_outside_or_off_for_long_or_after_a_kill() {
    let estimate = Estimate { lower: 1.0, target: 5.0, upper: 6.0 };
    let hours = |count: u64| Duration::from_secs(count * 3_600);
    let minutes = |count: u64| Some(Duration::from_secs(count * 60));
    for (present, rested, oom, wanted) in [
        (8.0, hours(0), None, Some(Trigger::Outside)),
        (0.5, hours(0), None, Some(Trigger::Outside)),
        (6.0, hours(11), None, None),
        (6.0, hours(12), None, Some(Trigger::Drifted)),
        (4.8, hours(13), None, None),
        (4.0, hours(1), minutes(3), Some(Trigger::OutOfMemory)),
        (4.0, hours(1), minutes(10), None),
        (5.0, hours(13), minutes(3), None),
    ] {
        let off = off(present, estimate.target);
        assert_eq!(trigger(present, estimate, off, rested, oom), wanted, "{present} {rested} {oom:?}");
    }
}

proptest! {
    #[test]
    fn more_use_never_means_a_smaller_target(
        uses in prop::collection::vec((0.0..900.0f64, 1..3_000i64), 1..40), more in 0.0..50.0f64,
    ) {
        let of = |more: f64| {
            let (mut history, mut now) = (cpu(), START);
            for (cores, after) in &uses {
                now += after;
                add_sample(&mut history, cores + more, Timestamp::from_secs(now));
            }
            estimate(&history, LEAST_CPU).unwrap().target
        };
        prop_assert!(of(more) >= of(0.0) * (1.0 - 1e-9));
    }

    #[test]
    fn lower_is_never_above_target_nor_target_above_upper(
        uses in prop::collection::vec((0.0..1e13f64, 1..100_000i64, any::<bool>()), 1..40),
    ) {
        let (mut history, mut now) = (memory(), START);
        for (bytes, after, killed) in uses {
            now += after;
            let moment = Timestamp::from_secs(now);
            if killed {
                add_oom(&mut history, bytes, moment, moment);
            } else {
                add_peak(&mut history, bytes, moment);
            }
            let it = estimate(&history, LEAST_MEMORY).unwrap();
            prop_assert!(it.lower <= it.target && it.target <= it.upper, "{it:?}");
        }
    }
}
