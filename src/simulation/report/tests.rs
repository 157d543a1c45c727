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
scaleDown: {stabilizationWindow: 100s}
";
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    let spec = crate::api::effective::Spec::effective(&policy, None).unwrap();
    let (mut reader, mut replay, mut summing) = (Reader::new(), Replay::new(spec), Summing::default());
    // 2 → 6 and under (10 wanted) for 100s; then over (1 wanted) for 50s until the window ends; then 1.
    for line in ["at,current,queue.backlog", "0,2,1000", "100,,100", "150,,", "200,,100", "3800,,100"] {
        if let Some(row) = reader.row(line).unwrap() {
            summing.add(&replay.decide(&row));
        }
    }
    let report = summing.report();
    assert_eq!((report.rows, report.seconds), (5, 3_800.0));
    assert_eq!((report.fewest, report.most), (6, 6), "{report:?}");
}
