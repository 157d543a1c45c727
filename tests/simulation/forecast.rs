//! A rush that is known from before: the loop meets it before it comes.

use std::sync::Arc;

use docktor::controller::forecast::Past;
use docktor::model::key::PolicyKey;
use docktor::units::Timestamp;

use super::harness::{Loop, POLICY};
use super::seconds;

/// Ten minutes, of which the fifth to the eighth are busy.
struct Rushes;

impl Past for Rushes {
    fn samples(&self, policy: &PolicyKey, metric: &str, since: Timestamp) -> Vec<(Timestamp, f64)> {
        assert_eq!((policy.as_str(), metric), ("web", "cpu.sum"));
        let start: Timestamp = "2026-11-22T06:00:00Z".parse().expect("a time");
        let known = start.since(since).get().as_secs().min(4 * 600) / 5;
        let sample = |ago: u64| {
            let at = start.minus(seconds(ago * 5));
            let busy = (300_000..480_000).contains(&(at.as_millis().rem_euclid(600_000)));
            (at, if busy { 400.0 } else { 20.0 })
        };
        (1..=known).rev().map(sample).collect()
    }
}

fn policy(mode: &str) -> String {
    let forecast = "  forecast: {metric: cpu.sum, horizon: 1m, season: 10m, averageValue: 60}\n";
    format!("{}{forecast}", POLICY.replace("mode: Auto", mode))
}

#[tokio::test(start_paused = true)]
async fn a_rush_that_is_known_from_before_is_met_before_it_comes() {
    let mut run = Loop::start_with(2, &policy("mode: Auto"), Arc::new(Rushes)).await;
    run.world.set_load(Some(20.0));
    run.pass(seconds(200)).await;
    assert_eq!(run.world.running(), 2, "not too early: {}", run.story());
    run.pass(seconds(85)).await;
    assert!(run.world.running() >= 7, "a minute before: {}", run.story());
    let decision = run.status().last_decision.expect("it decided");
    assert!(decision.reason.starts_with("forecast: cpu.sum reaches "), "{decision:?}");
}

#[tokio::test(start_paused = true)]
async fn observing_shows_what_is_to_come_and_changes_nothing() {
    let mut run = Loop::start_with(2, &policy("mode: Observe"), Arc::new(Rushes)).await;
    run.world.set_load(Some(20.0));
    run.pass(seconds(285)).await;
    assert_eq!(run.world.log(), Vec::<String>::new());
    let shown = run.status().metrics["cpu.sum.forecast"];
    assert!(shown > 350.0, "{shown}: {}", run.story());
}

#[tokio::test(start_paused = true)]
async fn without_a_past_it_learns_and_changes_nothing() {
    let mut run = Loop::start(2, &policy("mode: Auto")).await;
    run.world.set_load(Some(60.0));
    run.pass(seconds(300)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    assert!(!run.status().metrics.contains_key("cpu.sum.forecast"));
}
