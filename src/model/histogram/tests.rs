//! Cases after the tests of the Vertical Pod Autoscaler.

use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
/// As small as doubles tell apart near 1.
const TINY: f64 = 1e-15;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_secs(1_234_567_890 + hours * 3_600)
}

fn linear() -> Histogram {
    Histogram::with(Buckets::linear(10.0, 1.0), HOUR, TINY)
}

/// A histogram of these (value, weight, hours).
fn of(samples: &[(f64, f64, i64)]) -> Histogram {
    let mut histogram = linear();
    samples.iter().for_each(|&(value, weight, hours)| histogram.add(value, weight, at(hours)));
    histogram
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

fn alike(one: &Histogram, other: &Histogram) -> bool {
    one.reference == other.reference
        && one.weights.iter().zip(&other.weights).all(|(one, other)| close(*one, *other))
}

#[test]
fn buckets_grow_by_their_ratio_and_the_last_has_no_end() {
    let buckets = Buckets::exponential(500.0, 40.0, 1.5);
    assert_eq!(buckets.count(), 6);
    for (index, start) in [0.0, 40.0, 100.0, 190.0, 325.0, 527.5].into_iter().enumerate() {
        assert!(close(buckets.start(index), start), "{index}");
    }
    for (value, index) in [(-1.0, 0), (39.99, 0), (40.0, 1), (100.0, 2), (900.0, 5), (f64::NAN, 0)] {
        assert_eq!(buckets.find(value), index, "{value}");
    }
    let linear = Buckets::linear(5.0, 0.3);
    assert_eq!((linear.count(), linear.find(1.3), linear.find(100.0), linear.find(-1.0)), (18, 4, 17, 0));
    assert!(close(linear.start(17), 5.1));
}

#[test]
fn cpu_and_memory_have_as_many_buckets_as_the_vpa_gives_them() {
    for (buckets, count, second) in
        [(Buckets::cpu(), 176, 0.01), (Buckets::memory(), 176, 1e7), (Buckets::tasks(), 253, 1.0)]
    {
        assert_eq!(buckets.count(), count);
        assert!(close(buckets.start(1), second));
    }
    assert!(Buckets::cpu().start(175) >= 1_000.0 && Buckets::memory().start(175) >= 1e12);
}

#[test]
fn a_percentile_is_the_end_of_the_bucket_that_reaches_it() {
    let histogram = of(&[(1.0, 1.0, 0), (2.0, 2.0, 0), (3.0, 3.0, 0), (4.0, 4.0, 0)]);
    for (share, value) in [
        (0.0, 2.0),
        (0.1, 2.0),
        (0.2, 3.0),
        (0.3, 3.0),
        (0.4, 4.0),
        (0.5, 4.0),
        (0.6, 4.0),
        (0.7, 5.0),
        (0.9, 5.0),
        (1.0, 5.0),
        (-0.1, 2.0),
        (1.1, 5.0),
    ] {
        assert!(close(histogram.percentile(share), value), "{share}: {}", histogram.percentile(share));
    }
}

#[test]
fn beyond_its_ends_a_percentile_is_the_least_or_the_most_and_of_the_last_bucket_its_start() {
    let mut histogram = Histogram::with(Buckets::linear(1.0, 0.1), HOUR, TINY);
    histogram.add(0.1, 0.1, at(0));
    histogram.add(0.2, 0.2, at(0));
    assert!(close(histogram.percentile(-0.1), 0.2) && close(histogram.percentile(1.1), 0.3));
    histogram.add(0.0, 0.1, at(0));
    histogram.add(1.0, 0.2, at(0));
    assert!(close(histogram.percentile(-0.1), 0.1) && close(histogram.percentile(1.1), 1.0));
}

#[test]
fn nothing_is_empty_and_its_percentiles_are_zero() {
    for share in [-0.5, 0.0, 0.5, 1.0, 1.5] {
        assert_eq!(linear().percentile(share), 0.0);
    }
    let mut histogram = Histogram::with(Buckets::linear(1.0, 0.1), HOUR, 1.0);
    let now = Timestamp::from_secs(7_200);
    assert!(histogram.is_empty());
    histogram.add(0.1, 2.5, now);
    assert!(!histogram.is_empty());
    histogram.subtract(0.1, 1.0, now);
    assert!(!histogram.is_empty());
    histogram.subtract(0.1, 1.0, now);
    assert!(histogram.is_empty(), "half of what counts is left");
    histogram.add(0.9, 3.0, now);
    histogram.add(0.1, 0.3, now);
    assert!(!histogram.is_empty());
}

#[test]
fn old_samples_decay_almost_away() {
    let histogram = of(&[(2.0, 1_000.0, 0), (1.0, 1.0, 20)]);
    assert!(close(histogram.percentile(0.999), 2.0) && close(histogram.percentile(1.0), 3.0));
    let histogram = of(&[(2.0, 1.0, 0), (1.0, 1.0, 101)]);
    assert!(close(histogram.percentile(1.0), 2.0), "2^101 times lighter is empty");
    let histogram = of(&[(1.0, 1.0, 0), (2.0, 2.0, 1), (3.0, 3.0, 2), (4.0, 4.0, 3)]);
    for (share, value) in
        [(0.0, 2.0), (0.02, 2.0), (0.03, 3.0), (0.1, 3.0), (0.11, 4.0), (0.34, 4.0), (0.35, 5.0), (1.0, 5.0)]
    {
        assert!(close(histogram.percentile(share), value), "{share}");
    }
}

#[test]
fn the_reference_is_a_multiple_of_the_half_life() {
    for (hours, wanted) in [(0, 0), (100, 100)] {
        let histogram = of(&[(1.0, 1.0, hours)]);
        let reference = histogram.checkpoint().reference.unwrap();
        assert_eq!(reference.as_millis() % HOUR.as_millis(), 0);
        assert!((reference.as_millis() - at(wanted).as_millis()).abs() <= HOUR.as_millis() / 2);
    }
}

#[test]
fn merging_is_as_if_all_samples_had_come_to_one() {
    let mut one = of(&[(1.0, 1.0, 0), (2.0, 1.0, 1)]);
    one.merge(of(&[(2.0, 1.0, 2), (3.0, 1.0, 1)]));
    let all = of(&[(2.0, 1.0, 2), (2.0, 1.0, 1), (3.0, 1.0, 1), (1.0, 1.0, 0)]);
    assert!(alike(&one, &all), "{one:?}\n{all:?}");
    let mut nothing = linear();
    nothing.merge(all.clone());
    assert!(alike(&nothing, &all));
    nothing.merge(linear());
    assert!(alike(&nothing, &all));
}

#[test]
fn a_checkpoint_scales_the_heaviest_to_ten_thousand_and_drops_what_rounds_to_nothing() {
    let now = Timestamp::from_secs(7_200);
    let saved = |samples: &[(f64, f64)]| {
        let mut histogram = linear();
        samples.iter().for_each(|(value, weight)| histogram.add(*value, *weight, now));
        histogram.checkpoint()
    };
    for (samples, total, weights) in [
        (&[][..], 0.0, &[][..]),
        (&[(1.0, 1.0)], 1.0, &[(1, 10_000)]),
        (&[(1.0, 1.0), (2.0, 100_000.0)], 100_001.0, &[(2, 10_000)]),
        (&[(1.0, 1.0), (2.0, 10_000.0), (3.0, 50.0)], 10_051.0, &[(1, 1), (2, 10_000), (3, 50)]),
    ] {
        let checkpoint = saved(samples);
        assert_eq!((checkpoint.total, &checkpoint.weights), (total, &weights.iter().copied().collect()));
    }
}

#[test]
fn loading_spreads_the_total_over_the_buckets() {
    let reference = Some(Timestamp::from_secs(1_514_862_245));
    let mut histogram = linear();
    let weights: BTreeMap<usize, u32> = [(0, 1), (1, 2)].into();
    histogram.load(&Checkpoint { reference, total: 6.0, weights: weights.clone() }).unwrap();
    assert_eq!(
        (&histogram.weights[..2], histogram.total, histogram.reference),
        (&[2.0, 4.0][..], 6.0, reference)
    );
    for (total, bucket) in [(-1.0, 0), (f64::NAN, 0), (1.0, 99)] {
        let checkpoint = Checkpoint { reference, total, weights: [(bucket, 1)].into() };
        let mut histogram = linear();
        assert!(histogram.load(&checkpoint).is_err(), "{checkpoint:?}");
        assert!(histogram.is_empty());
    }
}

#[test]
fn what_was_not_empty_does_not_look_empty_once_it_is_loaded() {
    let now = Timestamp::from_secs(86_400);
    let mut histogram = Histogram::new(Buckets::memory());
    // The heaviest is just not empty; the others round up at its cost.
    histogram.add(1e9, EMPTY_BELOW, now);
    for value in [2e9, 3e9, 4e9, 5e9] {
        histogram.add(value, EMPTY_BELOW * 0.777_75, now);
    }
    let mut loaded = Histogram::new(Buckets::memory());
    loaded.load(&histogram.checkpoint()).unwrap();
    assert!(!histogram.is_empty() && !loaded.is_empty());
    assert_eq!(loaded.percentile(0.0), histogram.percentile(0.0));
}

proptest! {
    #[test]
    fn a_checkpoint_loads_as_nearly_the_same(
        samples in prop::collection::vec((0.0..12.0f64, 0.01..9.0f64, 0..200i64), 1..60), share in 0.0..=1.0f64,
    ) {
        let histogram = of(&samples);
        let json = serde_json::to_string(&histogram.checkpoint()).unwrap();
        let mut loaded = linear();
        loaded.load(&serde_json::from_str(&json).unwrap()).unwrap();
        prop_assert!(!loaded.is_empty());
        // Within one in a thousand of the weight: buckets are rounded to one in ten thousand of the heaviest.
        let (low, high) = (histogram.percentile(share - 1e-3), histogram.percentile(share + 1e-3));
        prop_assert!((low..=high).contains(&loaded.percentile(share)), "{json}");
    }

    #[test]
    fn more_use_never_lowers_a_percentile(
        samples in prop::collection::vec((0.0..9.0f64, 0.01..9.0f64, 0..99i64), 1..30), more in 0.0..9.0f64,
        share in 0.0..=1.0f64,
    ) {
        let raised: Vec<_> = samples.iter().map(|(value, weight, at)| (value + more, *weight, *at)).collect();
        prop_assert!(of(&raised).percentile(share) >= of(&samples).percentile(share) - 1e-9);
    }

    #[test]
    fn no_number_makes_it_panic(value in any::<f64>(), weight in any::<f64>(), at in any::<i64>(), share in any::<f64>()) {
        let mut histogram = Histogram::new(Buckets::cpu());
        for moment in [0, at] {
            histogram.add(value, weight, Timestamp::from_millis(moment));
            histogram.subtract(value, weight, Timestamp::from_millis(moment));
        }
        histogram.merge(histogram.clone());
        let _ = histogram.percentile(share);
        let _ = histogram.checkpoint();
    }
}
