//! Sums over made-up decisions.

use super::*;
use crate::api::policy::PolicySpec;
use crate::simulation::replay::Replay;
use crate::simulation::trace::Reader;

#[test]
fn every_row_holds_until_the_next_and_turning_back_soon_is_a_flap() {
    let text = "
target: {compose: {project: shop, service: web}}
replicas: {max: 6}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleDown: {stabilizationWindow: 200s}
";
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    let spec = crate::api::effective::Spec::effective(&policy, None).unwrap();
    let (mut reader, mut replay, mut summing) = (Reader::new(), Replay::new(spec), Summing::default());
    // 2 → 6 where 10 are wanted, for 100s; then 1 is, and the window keeps 6: for 50s, and after a row without
    // a value, which keeps what runs, again until 3800s.
    for line in ["at,current,queue.backlog", "0,2,1000", "100,,100", "150,,", "200,,100", "3800,,100"] {
        if let Some(row) = reader.row(line).unwrap() {
            summing.add(&replay.decide(&row));
        }
    }
    let report = summing.report(None);
    assert_eq!((report.rows, report.seconds), (5, 3_800.0));
    assert_eq!((report.fewest, report.most), (1, 6), "{report:?}");
    assert_eq!((report.seconds_under_provisioned, report.seconds_over_provisioned), (100.0, 3_650.0));
    assert!((report.replica_hours - 6.0 * 3_800.0 / 3_600.0).abs() < 1e-9, "{report:?}");
    assert_eq!((report.actions, report.scale_ups, report.scale_downs, report.flaps), (2, 1, 1, 0));
    assert_eq!(report.rows_with_missing_metrics, 1);
}

#[test]
fn a_change_of_direction_within_ten_minutes_is_a_flap() {
    let flaps = |turns: &[(i64, bool)]| {
        let mut summing = Summing::default();
        for (seconds, up) in turns {
            summing.change(Timestamp::from_secs(*seconds), *up);
        }
        summing.report.flaps
    };
    assert_eq!(flaps(&[(0, true), (599, false), (600, true)]), 2);
    assert_eq!(flaps(&[(0, true), (600, false), (1_300, true)]), 0);
    assert_eq!(flaps(&[(0, true), (10, true), (20, true)]), 0);
}
