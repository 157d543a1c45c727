//! Who follows whom; and that a replay is nothing but `decide`, row by row.

use proptest::prelude::*;

use super::super::trace::Reader;
use super::*;
use crate::api::policy::PolicySpec;
use crate::model::observation::{Observation, Snapshot};

const POLICY: &str = "
target: {compose: {project: shop, service: web}}
mode: Disabled
replicas: {min: 1, max: 50}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleUp: {cooldown: 30s}
scaleDown: {stabilizationWindow: 60s}
";

fn spec() -> Spec {
    let value: serde_json::Value = serde_yaml::from_str(POLICY).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    Spec::effective(&policy, None).unwrap()
}

/// The replay after these rows, and the last decision.
fn after(trace: &str) -> (Replay, Decision) {
    let (mut reader, mut replay) = (Reader::new(), Replay::new(spec()));
    let rows: Vec<Row> = trace.lines().filter_map(|line| reader.row(line).unwrap()).collect();
    let decisions: Vec<_> = rows.iter().map(|row| replay.decide(row)).collect();
    (replay, decisions.last().unwrap().clone())
}

fn changes(trace: &str) -> Vec<(i64, u32, u32)> {
    let (replay, _) = after(trace);
    replay.memory().changes.iter().map(|it| (it.at.as_millis() / 1_000, it.from, it.to)).collect()
}

#[test]
fn a_decision_is_docktors_own_change_once_the_next_row_shows_that_it_was_followed() {
    for (what, trace, wanted) in [
        ("silent", "at,current,queue.backlog\n0,2,300\n5,,300", &[(0, 2, 3)][..]),
        ("followed", "at,current,queue.backlog\n0,2,300\n5,3,300", &[(0, 2, 3)]),
        ("not followed", "at,current,queue.backlog\n0,2,300\n5,2,200", &[]),
        ("another count", "at,current,queue.backlog\n0,2,300\n5,4,400", &[]),
        (
            "told",
            "{\"at\":0,\"current\":2,\"metrics\":{\"queue.backlog\":300},\"scaled\":{\"from\":1,\"to\":2}}\n\
             {\"at\":5,\"current\":3,\"metrics\":{\"queue.backlog\":300}}",
            &[(0, 1, 2)],
        ),
        (
            "told by the next row",
            "{\"at\":0,\"current\":2,\"metrics\":{\"queue.backlog\":300}}\n\
             {\"at\":5,\"scaled\":{\"from\":2,\"to\":3},\"metrics\":{\"queue.backlog\":300}}",
            &[(5, 2, 3)],
        ),
    ] {
        assert_eq!(changes(trace), wanted, "{what}");
    }
}

#[test]
fn a_trace_that_never_says_how_many_run_begins_at_the_minimum() {
    assert_eq!(after("at,queue.backlog\n0,100").1.current, 1);
}

#[test]
fn metrics_that_no_row_gives_are_told() {
    let (replay, _) = after("at,current,cpu.avg\n0,2,10");
    assert_eq!(replay.never_given().collect::<Vec<_>>(), ["queue.backlog"]);
}

proptest! {
    #[test]
    fn a_replay_and_a_plain_loop_over_decide_agree(
        backlogs in prop::collection::vec((1..120i64, prop::option::of(0.0..9_000.0f64)), 1..60),
    ) {
        let (mut replay, spec) = (Replay::new(spec()), Spec { mode: Mode::Auto, ..spec() });
        let mut reader = Reader::new();
        let _ = reader.row("at,queue.backlog");
        let (mut memory, mut seconds, mut current) = (Memory::default(), 0, 1);
        for (step, backlog) in backlogs {
            seconds += step;
            let cell = backlog.map(|it| it.to_string()).unwrap_or_default();
            let row = reader.row(&format!("{seconds},{cell}")).unwrap().unwrap();
            let observed = backlog.map_or(Observation::Missing, Observation::Value);
            let snapshot = Snapshot {
                current: Some(current),
                metrics: [("queue.backlog".to_owned(), observed)].into(),
                evaluation: true,
                ..Snapshot::default()
            };
            let now = Timestamp::from_secs(seconds);
            let plain = decide(&spec, &mut memory, &snapshot, &Constraints::default(), now);
            if plain.action != Action::None {
                memory.record_change(plain.from, plain.desired, plain.purpose, now);
            }
            current = plain.desired;
            prop_assert_eq!(replay.decide(&row), plain);
        }
    }
}

const HOURLY: &str = "
target: {compose: {project: shop, service: web}}
interval: 60s
replicas: {min: 1, max: 50}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.rate_in, averageValue: 50}]
scaleDown: {stabilizationWindow: 60s}
";
const FORECAST: &str = "forecast: {metric: queue.rate_in, horizon: 5m, season: 1h, averageValue: 50}\n";

/// The desired count of each minute: a rush from minute 30 to 45 of every hour.
fn hourly(text: &str, hours: i64) -> Vec<u32> {
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    let (mut reader, mut replay) = (Reader::new(), Replay::new(Spec::effective(&policy, None).unwrap()));
    let _ = reader.row("at,queue.rate_in");
    let minutes = (0..hours * 60).map(|minute| {
        let rate = if (30..45).contains(&(minute % 60)) { 1_000 } else { 40 + minute % 7 };
        let row = reader.row(&format!("{},{rate}", minute * 60)).unwrap().unwrap();
        replay.decide(&row).desired
    });
    minutes.collect()
}

#[test]
fn a_rush_that_comes_every_hour_is_met_before_it_comes_once_it_was_seen() {
    let (with, without) = (hourly(&format!("{HOURLY}{FORECAST}"), 5), hourly(HOURLY, 5));
    assert_eq!(with[..64], without[..64], "while it learns, nothing changes");
    assert!(with.iter().zip(&without).all(|(with, without)| with >= without));
    for hour in 2..5 {
        let rush = hour * 60 + 30;
        assert_eq!(without[rush - 1], 1);
        assert!(with[rush - 1] >= 20, "hour {hour}: {:?}", &with[rush - 10..=rush]);
        assert!(with[rush - 15] <= 3, "and not long before: {:?}", &with[rush - 20..=rush]);
    }
}
