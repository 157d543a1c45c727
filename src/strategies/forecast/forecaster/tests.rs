//! From values as they come to a prediction.

use proptest::prelude::*;

use super::super::samples::{Noise, Wave, wave};
use super::*;
use crate::model::forecast::Model;

const STEP: i64 = 60;
const DAY: usize = 24;

/// A day of 24 steps of a minute each.
fn question() -> Question {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    Question { season: Some(minutes(24)), horizon: minutes(3), interval: minutes(1), confidence: 0.9 }
}

fn after(values: &[f64]) -> (Forecaster, Timestamp) {
    let mut forecaster = Forecaster::new(question());
    for (place, value) in values.iter().enumerate() {
        forecaster.observe(Timestamp::from_secs(place as i64 * STEP), *value);
    }
    (forecaster, Timestamp::from_secs(values.len() as i64 * STEP))
}

fn prediction(values: &[f64]) -> Arc<Prediction> {
    let (mut forecaster, now) = after(values);
    match forecaster.prediction(now) {
        Forecast::Known(prediction) => prediction,
        Forecast::Learning { has, needs } => panic!("{has} of {needs}"),
    }
}

#[test]
fn it_learns_until_there_is_a_season_and_a_horizon() {
    let day = wave(Wave { period: DAY, trend: 0.0, noise: 0.0 }, DAY + 3);
    let (mut forecaster, now) = after(&day[..DAY + 2]);
    let minutes = |count: u64| Duration::from_secs(60 * count);
    assert_eq!(forecaster.prediction(now), Forecast::Learning { has: minutes(26), needs: minutes(27) });
    assert_eq!(prediction(&day).model, Model::SeasonalNaive);
    let (mut empty, _) = after(&[]);
    assert_eq!(empty.forecast(), Forecast::Learning { has: Duration::ZERO, needs: minutes(27) });
    assert_eq!(empty.prediction(now), Forecast::Learning { has: Duration::ZERO, needs: minutes(27) });
}

#[test]
fn a_prediction_begins_where_the_past_ends_and_says_what_comes() {
    let all = wave(Wave { period: DAY, trend: 0.0, noise: 2.0 }, DAY * 6 + 5);
    let made = prediction(&all[..DAY * 6]);
    assert_eq!(made.made_at, Timestamp::from_secs(DAY as i64 * 6 * STEP));
    assert_eq!(made.expected.len(), made.upper.len());
    for (came, expected) in all[DAY * 6..].iter().zip(&made.expected) {
        assert!((came - expected).abs() < 6.0, "{came} {made:?}");
    }
    assert!(made.upper.iter().zip(&made.expected).all(|(upper, expected)| upper > expected));
    assert!(made.error > 0.0 && made.error < 4.0, "{}", made.error);
}

#[test]
fn it_is_made_anew_only_now_and_then() {
    let all = wave(Wave { period: DAY, trend: 0.0, noise: 2.0 }, DAY * 4);
    let (mut forecaster, now) = after(&all);
    assert!(forecaster.due(now).is_some());
    let first = forecaster.prediction(now);
    let later = |seconds| now.plus(Duration::from_secs(seconds));
    assert!(forecaster.due(later(59)).is_none());
    assert_eq!(forecaster.prediction(later(59)), first);
    assert!(forecaster.due(later(60)).is_some());
    assert!(forecaster.due(now.minus(Duration::from_secs(1))).is_some(), "a clock that was set back");
}

#[test]
fn what_is_recalled_counts_as_seen() {
    let all = wave(Wave { period: DAY, trend: 0.0, noise: 2.0 }, DAY * 4);
    let (mut whole, now) = after(&all);
    let mut recalling = Forecaster::new(question());
    let at = |place: usize| Timestamp::from_secs(place as i64 * STEP);
    for (place, value) in all.iter().enumerate().skip(DAY * 3) {
        recalling.observe(at(place), *value);
    }
    assert!(matches!(recalling.prediction(now), Forecast::Learning { .. }));
    recalling.recall(all.iter().copied().enumerate().map(|(place, value)| (at(place), value)));
    assert_eq!(recalling.prediction(now), whole.prediction(now));
}

#[test]
fn a_long_gap_begins_anew() {
    let mut forecaster = Forecaster::new(question());
    for place in (0..DAY as i64 * 4).filter(|place| !(80..86).contains(place)) {
        forecaster.observe(Timestamp::from_secs(place * STEP), 5.0);
    }
    let known = forecaster.prediction(Timestamp::from_secs(DAY as i64 * 4 * STEP));
    assert!(matches!(known, Forecast::Learning { has, .. } if has == Duration::from_secs(600)), "{known:?}");
}

#[test]
fn strange_series_are_predicted_without_strange_numbers() {
    let mut noise = Noise(5);
    let count = DAY * 6;
    let series: [(&str, Vec<f64>); 9] = [
        ("constant", vec![7.0; count]),
        ("zero", vec![0.0; count]),
        ("spikes", (0..count).map(|it| if it % 31 == 0 { 1e9 } else { 0.0 }).collect()),
        ("huge", (0..count).map(|it| 1e300 * (it % DAY) as f64).collect()),
        ("largest", (0..count).map(|it| if it % 2 == 0 { f64::MAX } else { f64::MIN }).collect()),
        ("tiny", (0..count).map(|it| f64::MIN_POSITIVE * (it % DAY) as f64).collect()),
        ("noise", (0..count).map(|_| noise.next()).collect()),
        ("step", (0..count).map(|it| if it > count / 2 { 1e6 } else { 1.0 }).collect()),
        ("explosive", (0..count).map(|it| (it as f64).exp().min(1e90)).collect()),
    ];
    for (name, values) in series {
        let made = prediction(&values);
        for value in made.expected.iter().chain(&made.upper).chain([&made.error]) {
            assert!(value.is_finite(), "{name}: {made:?}");
            assert!(*value >= 0.0 || values.iter().any(|it| *it < 0.0), "{name}: {made:?}");
        }
    }
    assert_eq!(prediction(&vec![7.0; count]).upper[0], 7.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_series_makes_it_panic(
        values in prop::collection::vec(prop_oneof![0.0..1e3f64, any::<f64>(), Just(0.0)], 0..200),
        jumps in prop::collection::vec((0..200usize, any::<i64>()), 0..3),
    ) {
        let mut forecaster = Forecaster::new(question());
        for (place, value) in values.iter().enumerate() {
            let jump = jumps.iter().find(|(at, _)| *at == place).map(|(_, to)| *to);
            let now = Timestamp::from_millis(jump.unwrap_or(place as i64 * STEP * 1_000));
            forecaster.observe(now, *value);
            if place % 40 == 0 && let Forecast::Known(made) = forecaster.prediction(now) {
                prop_assert!(made.expected.iter().chain(&made.upper).all(|it| it.is_finite()));
            }
        }
        if let Forecast::Known(made) = forecaster.prediction(Timestamp::from_secs(values.len() as i64 * STEP)) {
            prop_assert!(made.expected.iter().chain(&made.upper).all(|it| it.is_finite()));
        }
    }
}
