//! The floor of a forecast.

use proptest::prelude::*;

use super::*;
use crate::model::forecast::{Forecast, Model, Prediction};

const FORECAST: &str = "
replicas: {min: 1, max: 20}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleUp: {limits: []}
scaleDown: {stabilizationWindow: 0s, limits: []}
forecast: {metric: queue.rate_in, horizon: 10m, season: 1d, averageValue: 50}
";

/// So much is predicted from the beginning of time on.
fn predicted(upper: f64) -> Option<Forecast> {
    Some(Forecast::Known(Arc::new(Prediction {
        made_at: at(0),
        model: Model::HoltWinters,
        step: Duration::from_secs(300),
        expected: vec![upper; 10],
        upper: vec![upper; 10],
        error: 1.0,
    })))
}

fn seen(current: u32, backlog: Option<f64>, forecast: Option<Forecast>) -> Snapshot {
    let metrics = [("queue.backlog", backlog), ("queue.rate_in", Some(1.0))];
    Snapshot { forecast, ..row(current, &metrics) }
}

fn decided(text: &str, snapshot: &Snapshot) -> Decision {
    World::new(text).decide(snapshot, 0)
}

fn lines(decision: &Decision) -> Vec<String> {
    let line = |it: &crate::model::decision::Line| {
        let it = it.render();
        format!("{:?} {:?} {}", it.stage, it.replicas, it.message)
    };
    decision.trail.iter().map(line).collect()
}

#[test]
fn it_raises_and_keeps_others_from_going_below_it_and_never_lowers() {
    for (what, current, backlog, upper, desired, limited_by) in [
        ("it raises", 2, 150.0, 620.0, 13, None),
        ("others want more", 2, 1_500.0, 620.0, 15, None),
        ("others want less", 18, 150.0, 620.0, 13, Some(Limitation::Forecast(13))),
        ("others would leave", 13, 150.0, 620.0, 13, Some(Limitation::Forecast(13))),
        ("it is low", 5, 150.0, 10.0, 2, None),
        ("it is above the maximum", 5, 150.0, 1e9, 20, Some(Limitation::Max(20))),
    ] {
        let decision = decided(FORECAST, &seen(current, Some(backlog), predicted(upper)));
        assert_eq!((decision.desired, decision.limited_by), (desired, limited_by), "{what}: {decision:?}");
    }
}

#[test]
fn it_tells_its_story_and_shows_its_value() {
    let decision = decided(FORECAST, &seen(2, Some(150.0), predicted(620.0)));
    let story = "forecast: queue.rate_in reaches 620 within 10m (holt-winters, 90 %): 13 replicas";
    assert_eq!(decision.reason(), story);
    let lines = lines(&decision);
    assert!(lines.contains(&format!("Recommend Some(13) {story}")), "{lines:?}");
    assert!(lines.contains(&"Combine Some(13) the largest of 2".to_owned()), "{lines:?}");
    assert!(decision.metrics.iter().any(|(name, it)| &**name == "queue.rate_in.forecast" && *it == 620.0));
    let kept = decided(FORECAST, &seen(18, Some(150.0), predicted(620.0)));
    assert!(kept.record().limited_by.unwrap().contains("the forecast, which needs 13"));
}

#[test]
fn while_it_learns_or_is_stale_it_has_no_opinion() {
    let learning =
        Forecast::Learning { has: Duration::from_secs(5 * 3_600), needs: Duration::from_secs(87_000) };
    let decision = decided(FORECAST, &seen(5, Some(150.0), Some(learning)));
    assert_eq!(decision.desired, 2);
    let told = "Recommend None forecast: learning, has 5h of 1d10m".to_owned();
    assert!(lines(&decision).contains(&told), "{:?}", lines(&decision));
    let mut world = World::new(FORECAST);
    assert_eq!(
        world.decide(&seen(5, Some(150.0), predicted(620.0)), 3_000).desired,
        2,
        "50 minutes are over"
    );
    assert_eq!(world.decide(&seen(5, Some(150.0), None), 3_000).desired, 2);
}

#[test]
fn it_is_no_opinion_to_shrink_and_has_no_part_in_what_is_missing() {
    let alone = FORECAST.replace("track: [{metric: queue.backlog, averageValue: 100}]\n", "");
    assert_eq!(decided(&alone, &seen(9, None, predicted(100.0))).desired, 9);
    assert_eq!(decided(&alone, &seen(1, None, predicted(100.0))).desired, 2);
    let blind = decided(FORECAST, &seen(9, None, predicted(100.0)));
    assert_eq!((blind.desired, &*blind.missing), (9, &["queue.backlog".into()][..]));
    assert_eq!(decided(FORECAST, &seen(1, None, predicted(620.0))).desired, 13, "what raises still acts");
}

#[test]
fn a_workload_at_zero_is_woken_by_what_is_to_come_but_not_by_its_own_use() {
    let zero = FORECAST.replace("min: 1", "min: 0");
    let mut world = World::new(&zero);
    let woken = world.decide(&seen(0, Some(0.0), predicted(120.0)), 0);
    assert_eq!((woken.desired, woken.limited_by), (3, None), "{:?}", lines(&woken));
    assert!(woken.reason().starts_with("forecast: queue.rate_in reaches 120"), "{}", woken.reason());
    let quiet = world.decide(&seen(0, Some(0.0), predicted(0.0)), 10);
    assert_eq!(quiet.desired, 0);
    let own = zero.replace("queue.rate_in", "cpu.sum");
    assert_eq!(decided(&own, &seen(0, Some(0.0), predicted(120.0))).desired, 0);
    let mut working = World::new(&zero);
    let rests = |forecast| seen(2, Some(0.0), forecast);
    assert_eq!(working.decide(&rests(predicted(40.0)), 0).desired, 1, "kept from rest");
    assert_eq!(World::new(&zero).decide(&rests(predicted(0.0)), 0).desired, 0);
}

#[test]
fn observing_shows_it_and_changes_nothing() {
    let observing = format!("mode: Observe\n{FORECAST}");
    let decision = decided(&observing, &seen(2, Some(150.0), predicted(620.0)));
    assert!(!decision.act && decision.desired == 13, "{decision:?}");
    assert!(decision.metrics.iter().any(|(name, _)| &**name == "queue.rate_in.forecast"));
}

proptest! {
    #[test]
    fn with_a_forecast_there_are_never_fewer_and_never_more_than_the_maximum(
        rows in prop::collection::vec((1..300i64, 0..25u32, prop::option::of(0.0..5_000.0f64), -10.0..2_000.0f64), 1..30),
        zero in any::<bool>(),
    ) {
        let text = if zero { FORECAST.replace("min: 1", "min: 0") } else { FORECAST.to_owned() };
        let (mut with, mut without) = (World::new(&text), World::new(&text));
        let mut now = 0;
        for (after, current, backlog, upper) in rows {
            now += after;
            with.memory.clone_from(&without.memory);
            let raised = with.decide(&seen(current, backlog, predicted(upper)), now);
            let plain = without.decide(&seen(current, backlog, None), now);
            prop_assert!(raised.desired >= plain.desired, "{:?} {:?}", raised, plain);
            prop_assert!(raised.desired <= 20 || raised.desired == current);
            if raised.action == Action::ScaleDown && current <= 20 {
                prop_assert!(plain.action == Action::ScaleDown, "it never lowers: {:?}", raised);
            }
        }
    }
}
