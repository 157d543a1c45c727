//! The cases of the Nomad Autoscaler's strategies, checks and cooldowns, each put through a policy and a trace, and
//! the public functions.

use docktor::decide::limit::cooling_until;
use docktor::strategies::step;
use docktor::strategies::target_tracking::{Tolerance, value};
use docktor::strategies::threshold::{Band, enough};
use docktor::units::{Bounds, Duration, Timestamp};

use super::{FREE, SOURCES, desired, last};

#[test]
fn a_threshold_acts_once_enough_points_lie_in_its_band() {
    let all = [10.0; 6];
    let one = [10.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    for (name, count, points, step, needed, wanted) in [
        ("by a number up", 1, all, "+1", 5, 2),
        ("by a number down", 1, all, "-1", 5, 0),
        ("by a share up", 10, all, "+30%", 5, 13),
        ("by a share down", 10, all, "-30%", 5, 7),
        ("not enough in the band", 1, one, "+1", 5, 1),
        ("one is enough", 1, one, "+1", 1, 2),
    ] {
        let band = Band { lower: 5.0, upper: 20.0 };
        let acts = enough(points.iter().map(|it| band.contains(*it)), needed);
        let by_functions = if acts { step::apply(step.parse().unwrap(), count) } else { count };
        assert_eq!(by_functions, wanted, "{name}, by the functions");

        let direction = if step.starts_with('-') { "scaleDown" } else { "scaleUp" };
        let spec = format!(
            "{SOURCES}  interval: 10s\n  window: 60s\n  replicas: {{max: 50}}\n  {direction}:\n    \
             rules: [{{metric: latency, within: {{lower: 5, upper: 20, points: {needed}}}}}]\n    \
             step: '{step}'\n    stabilizationWindow: 0s\n"
        );
        let rows = points.iter().zip(0..).map(|(it, row)| format!("{},{count},{it}\n", row * 10));
        let trace = format!("at,current,latency\n{}", rows.collect::<String>());
        assert_eq!(last(&spec, &trace), wanted.max(1), "{name}, by a trace");
    }
}

#[test]
fn five_points_are_enough_where_nothing_else_is_written_and_one_end_of_the_band_may_be_open() {
    for (band, values, wanted) in [
        ("lower: 5", [9, 9, 9, 9, 9], [2, 2, 2, 2, 3]),
        ("upper: 5", [1, 1, 1, 1, 1], [2, 2, 2, 2, 3]),
        ("upper: 5", [1, 1, 9, 1, 1], [2, 2, 2, 2, 2]),
    ] {
        let spec = format!(
            "{SOURCES}  window: 60s\n  replicas: {{max: 50}}\n  \
             scaleUp: {{rules: [{{metric: latency, within: {{{band}}}}}]}}\n"
        );
        let rows = values.iter().zip(0..).map(|(it, row)| format!("{},2,{it}\n", row * 10));
        let trace = format!("at,current,latency\n{}", rows.collect::<String>());
        assert_eq!(desired(&spec, &trace), wanted, "{band} {values:?}");
    }
}

#[test]
fn a_target_value_moves_the_count_by_its_factor() {
    for (name, observed, target, count, threshold, wanted) in [
        ("on target", 13.0, 13.0, 2, 0.01, 2),
        ("twice the target", 26.0, 13.0, 2, 0.01, 4),
        ("a little below it", 9.0, 10.0, 1, 0.01, 1),
        ("a very little above it", 5.00001, 5.0, 8, 0.01, 8),
        ("a very little above it, where that counts", 5.00001, 5.0, 8, 0.000_001, 9),
        ("half the target", 5.0, 10.0, 4, 0.01, 2),
        ("within the threshold", 1.0001, 1.0, 5, 0.01, 5),
        ("above the threshold", 1.02, 1.0, 5, 0.01, 6),
        ("at the lower end of the threshold", 0.99, 1.0, 5, 0.01, 5),
        ("below the threshold", 0.79, 1.0, 5, 0.01, 4),
        ("idle", 0.0, 1.0, 5, 0.01, 0),
    ] {
        let tolerance = Tolerance { up: threshold, down: threshold };
        assert_eq!(value(observed, target, count, count, tolerance), Some(wanted), "{name}, by the function");
        let spec = format!(
            "{SOURCES}  replicas: {{max: 50}}\n  track: [{{metric: latency, target: {target}}}]\n{}",
            FREE.replace("{limits", &format!("{{tolerance: {threshold}, limits"))
                .replace("{stabil", &format!("{{tolerance: {threshold}, stabil"))
        );
        let trace = format!("at,current,latency\n0,{count},{observed}");
        assert_eq!(last(&spec, &trace), wanted.max(1), "{name}, by a trace");
    }
    for (observed, target, wanted) in [(20.0, 10.0, 2), (1.0, 10.0, 1), (1.0, 1.0, 1)] {
        let none = Tolerance { up: 0.01, down: 0.01 };
        assert_eq!(value(observed, target, 0, 0, none), Some(wanted), "{observed} from zero");
    }
}

#[test]
fn most_change_at_once_is_a_limit_of_the_shortest_period() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 50}}\n  track: [{{metric: latency, target: 10}}]\n  \
         scaleUp: {{limits: [{{replicas: 3, period: 1ms}}]}}\n  \
         scaleDown: {{limits: [{{replicas: 2, period: 1ms}}], stabilizationWindow: 0s}}\n"
    );
    let trace = "at,current,latency\n0,5,100\n1,,100\n2,,0\n3,,0";
    assert_eq!(desired(&spec, trace), [8, 11, 9, 7]);
}

#[test]
fn a_value_that_is_passed_through_is_the_count() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 50}}\n  track: [{{metric: latency, averageValue: 1}}]\n{}",
        FREE
    )
    .replace("{limits", "{tolerance: 0, limits")
    .replace("{stabil", "{tolerance: 0, stabil");
    let trace = "at,current,latency\n0,5,7\n1,5,5\n2,5,2\n3,5,6.2";
    assert_eq!(desired(&spec, trace), [7, 5, 2, 7]);
}

#[test]
fn a_count_is_brought_within_its_bounds() {
    for (wanted, brought) in [(4, 5), (15, 10), (0, 5), (7, 7)] {
        assert_eq!(Bounds::new(5, 10).unwrap().clamp(wanted), brought);
        let spec = format!(
            "{SOURCES}  replicas: {{min: 5, max: 10}}\n  track: [{{metric: latency, averageValue: 1}}]\n{FREE}"
        );
        let trace = format!("at,current,latency\n0,8,{wanted}");
        assert_eq!(last(&spec, &trace), brought, "{wanted}");
    }
}

#[test]
fn a_cooldown_is_over_once_its_time_has_passed_since_the_last_change() {
    let cooldown = Duration::from_secs(20 * 60);
    let now = Timestamp::from_secs(100 * 60);
    for (minutes, left) in [(10, Some(10)), (25, None), (20, None), (0, Some(20))] {
        let ends = cooling_until(Some(Timestamp::from_secs((100 - minutes) * 60)), cooldown, now);
        assert_eq!(ends, left.map(|it| Timestamp::from_secs((100 + it) * 60)), "{minutes}");
    }
    let spec = format!(
        "{SOURCES}  replicas: {{max: 50}}\n  track: [{{metric: latency, averageValue: 1}}]\n{}",
        FREE.replace("{limits", "{cooldown: 20m, limits").replace("{stabil", "{cooldown: 20m, stabil")
    );
    let trace = "{\"at\": 0, \"current\": 5, \"scaled\": {\"from\": 4, \"to\": 5}, \"metrics\": {\"latency\": 5}}\n\
                 {\"at\": 600, \"current\": 5, \"metrics\": {\"latency\": 9}}\n\
                 {\"at\": 1199, \"current\": 5, \"metrics\": {\"latency\": 2}}\n\
                 {\"at\": 1200, \"current\": 5, \"metrics\": {\"latency\": 2}}";
    assert_eq!(desired(&spec, trace), [5, 5, 5, 2]);
}
