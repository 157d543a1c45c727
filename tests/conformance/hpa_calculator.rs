//! The cases of the HPA's replica calculator, each put through both doors: a policy and a trace, and the public
//! function.
//!
//! A replica is written as what it uses in percent of one core, with `/2` for a limit of two cores, and a letter for
//! what is wrong with it: `u` is not ready, `y` is younger than `warmUp`, `p` is pending, `m` has no sample, `f` has
//! failed, `d` is draining. Use of two equal containers in one pod is the use of one, as only the ratio counts.

use docktor::strategies::target_tracking::{
    Measured, Tolerance, average_value, per_replica, utilization, value,
};

use super::{SOURCES, last};

const MOST: u32 = 2_147_483_647;
/// What a metric of 2^63 − 1 thousandths is worth.
const HUGE: f64 = 9_223_372_036_854_775.0;
/// Both ends of the HPA's tolerance.
const TENTH: Tolerance = Tolerance { up: 0.1, down: 0.1 };

/// One replica of a case.
struct Written {
    usage: f64,
    cores: f64,
    flaw: Option<char>,
}

fn replicas(text: &str) -> Vec<Written> {
    text.split_whitespace().map(written).collect()
}

fn written(word: &str) -> Written {
    let flaw = word.chars().last().filter(char::is_ascii_alphabetic);
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (usage, cores) = number.split_once('/').unwrap_or((number, "1"));
    Written { usage: usage.parse().unwrap_or(0.0), cores: cores.parse().unwrap(), flaw }
}

impl Written {
    /// As a trace has it.
    fn row(&self) -> String {
        let cpu = format!("\"cpu\": {}, \"cpuOneCore\": {}", self.usage / self.cores, self.usage);
        let rest = match self.flaw {
            None => return format!("{{{cpu}}}"),
            Some('m') => return "{\"cpu\": null}".to_owned(),
            Some('p') => return "{\"phase\": \"pending\"}".to_owned(),
            Some('u') => "\"ready\": false",
            Some('y') => "\"ready\": true, \"age\": 0",
            Some('f') => "\"phase\": \"failed\"",
            Some('d') => "\"phase\": \"draining\"",
            Some(other) => panic!("no flaw is written {other}"),
        };
        format!("{{{cpu}, {rest}}}")
    }

    /// As the function has it; nothing of what does not run.
    fn measured(&self) -> Option<Measured> {
        let request = self.cores * 100.0;
        match self.flaw {
            None => Some(Measured::Counted { usage: self.usage, request }),
            Some('m') => Some(Measured::Missing { request }),
            Some('u' | 'y' | 'p') => Some(Measured::NotReady { request }),
            _ => None,
        }
    }
}

/// The count that a policy decides for these replicas where `current` are asked for.
fn through_a_trace(goal: &str, tolerance: Tolerance, current: u32, all: &[Written]) -> u32 {
    let spec = format!(
        "  replicas: {{min: 1, max: {MOST}}}\n  track: [{{{goal}}}]\n  \
         scaleUp: {{tolerance: {}, limits: [{{replicas: {MOST}, period: 1s}}]}}\n  \
         scaleDown: {{tolerance: {}, stabilizationWindow: 0s}}\n",
        tolerance.up, tolerance.down
    );
    let named: Vec<_> =
        all.iter().zip(1..).map(|(it, number)| format!("\"web-{number}\": {}", it.row())).collect();
    last(&spec, &format!("{{\"at\": 0, \"current\": {current}, \"replicas\": {{{}}}}}", named.join(", ")))
}

fn check_utilization(name: &str, text: &str, current: u32, target: f64, tolerance: Tolerance, wanted: u32) {
    let all = replicas(text);
    let measured: Vec<_> = all.iter().filter_map(Written::measured).collect();
    assert_eq!(utilization(&measured, current, target, tolerance), Some(wanted), "{name}, by the function");
    let goal = format!("metric: cpu.utilization, target: {target}");
    assert_eq!(through_a_trace(&goal, tolerance, current, &all), wanted.max(1), "{name}, by a trace");
}

#[test]
fn utilization_over_replicas_in_every_state() {
    for (name, text, current, target, wanted) in [
        ("scale up", "30 50 70", 3, 30.0, 5),
        ("scale up, unready ones damp", "30u 50 70", 3, 30.0, 4),
        ("scale up, young ones damp", "30y 50 70", 3, 30.0, 4),
        ("no change, unready ones damp", "40 50u 70u", 3, 30.0, 3),
        ("no change, young and unready ones damp", "40 50y 70y", 3, 30.0, 3),
        ("scale up, failed ones are ignored", "50 70 0f 0f", 2, 30.0, 4),
        ("scale up, those on their way out are ignored", "50 70 0d 0d", 2, 30.0, 4),
        ("scale down", "10 30 50 25 25", 5, 50.0, 3),
        ("scale down, unready ones are left out", "10 30 50 25u 25u", 5, 50.0, 2),
        ("scale down, unscheduled ones are left out", "10 p p p p", 5, 50.0, 1),
        ("scale down, young ones are left out", "10 30 50 25y 25y", 5, 50.0, 2),
        ("scale down, failed ones are ignored", "10 30 50 25 25 0f 0f", 5, 50.0, 3),
        ("scale down, those on their way out are ignored", "10 30 50 25 25 0d 0d", 5, 50.0, 3),
        ("no change by default, uneven limits", "101/0.9 103/1 102/1.1", 3, 100.0, 3),
        ("missing, scale down", "40 9.5 m m", 4, 100.0, 3),
        ("missing, on target", "100 m", 2, 100.0, 2),
        ("missing, above", "190 m", 2, 100.0, 2),
        ("missing, below", "60 m", 2, 100.0, 2),
        ("missing and unready, no change", "10u 45 m", 3, 50.0, 3),
        ("missing and young, no change", "10y 45 m", 3, 50.0, 3),
        ("missing and unready, scale up", "10u 200 m", 3, 50.0, 4),
        ("missing and young, scale up", "10y 200 m", 3, 50.0, 4),
        ("missing and unready, scale down", "10u 10 10 m", 4, 50.0, 3),
        ("a surplus replica of a roll-out without a sample", "10 10 m", 2, 50.0, 2),
        ("more run than are asked for", "50 50 50 50 50", 4, 50.0, 4),
        ("more run than are asked for, three of them unready", "50 50 50u 50u 50u", 3, 50.0, 3),
        ("one of four has a sample", "100/0.2 m m m", 4, 50.0, 4),
        // Of replicas that nobody lists nothing is known, not even that a sample is missing.
        ("one of four is listed", "20/0.2", 4, 50.0, 2),
        ("the average is just at its target", "60/1 60/1", 2, 60.0, 2),
        ("all idle", "0 0 0", 3, 50.0, 0),
    ] {
        check_utilization(name, text, current, target, TENTH, wanted);
    }
}

#[test]
fn what_a_trace_cannot_tell_the_function_takes() {
    // Without a sample nobody knows the limit, so a trace gives such a replica one core.
    let all = [
        Measured::NotReady { request: 200.0 },
        Measured::Counted { usage: 20.0, request: 200.0 },
        Measured::Counted { usage: 20.0, request: 400.0 },
        Measured::Missing { request: 400.0 },
    ];
    assert_eq!(utilization(&all, 4, 300.0, TENTH), Some(2), "scale down, target over 100");
    // A sample of a replica that is not known is no replica's.
    let known: Vec<_> = replicas("400 950 300 700").iter().filter_map(Written::measured).collect();
    assert_eq!(utilization(&known, 4, 100.0, TENTH), Some(24), "superfluous samples");
    assert_eq!(utilization(&[], 4, 100.0, TENTH), None, "no samples at all");
    assert_eq!(
        utilization(&[Measured::NotReady { request: 100.0 }], 1, 100.0, TENTH),
        None,
        "none that counts"
    );
    let without_limit = [Measured::Counted { usage: 20.0, request: 0.0 }];
    assert_eq!(utilization(&without_limit, 1, 100.0, TENTH), None, "no limit to be a share of");
}

#[test]
fn tolerance_differs_by_direction() {
    for (name, text, down, up, wanted) in [
        ("outside of none", "90.9/0.9 101/1 111.1/1.1", 0.0, 0.0, 4),
        ("within 200 % up", "189/0.9 191/1 190/1.1", 0.1, 2.0, 3),
        ("outside of 8 % up, whatever it is down", "110/0.9 108/1 109/1.1", 2.0, 0.08, 4),
        ("within 36 % down", "66/0.9 64/1 65/1.1", 0.36, 0.1, 3),
        ("outside of 34 % down", "66/0.9 64/1 65/1.1", 0.34, 0.1, 2),
    ] {
        check_utilization(name, text, 3, 100.0, Tolerance { up, down }, wanted);
    }
    let even = "15/0.4 15/0.2 15/0.31 15/0.29 15/0.302 15/0.298 15/0.301 15/0.299 15/0.3 15/0.3";
    check_utilization("just outside of the tolerance", even, 10, 56.0, TENTH, 9);
    check_utilization("just within the tolerance", even, 10, 55.0, TENTH, 10);
}

#[test]
fn a_value_of_each_replica() {
    let one = Tolerance { up: 0.01, down: 0.1 };
    for (name, text, current, target, tolerance, wanted) in [
        ("scale up", "20 10 30", 3, 15.0, TENTH, 4),
        ("scale down", "12 12 12 12 12", 5, 20.0, TENTH, 3),
        ("within the tolerance", "20 21 21", 3, 20.0, TENTH, 3),
        ("outside of 1 %", "20 21 21", 3, 20.0, one, 4),
        ("missing, on target", "20 19 21 m m", 5, 20.0, TENTH, 5),
        ("a surplus replica of a roll-out without a sample", "10 10 m", 2, 17.0, TENTH, 2),
    ] {
        let all = replicas(text);
        let measured: Vec<_> = all.iter().filter_map(Written::measured).collect();
        assert_eq!(
            per_replica(&measured, current, target, tolerance),
            Some(wanted),
            "{name}, by the function"
        );
        let goal = format!("metric: cpu.avg, target: {target}");
        assert_eq!(through_a_trace(&goal, tolerance, current, &all), wanted, "{name}, by a trace");
    }
    // Other values than the CPU of replicas that are not ready count.
    for (text, wanted) in [("50 10 30", 6), ("50 15 30", 7)] {
        let measured: Vec<_> = replicas(text).iter().filter_map(Written::measured).collect();
        assert_eq!(per_replica(&measured, 3, 15.0, TENTH), Some(wanted), "{text}");
    }
}

#[test]
fn the_average_of_a_value_has_thousandths_and_no_more() {
    // 1100 + 1100 + 1101 thousandths over three are 1100, which is just within the tolerance.
    let measured: Vec<_> = replicas("1.100 1.100 1.101").iter().filter_map(Written::measured).collect();
    assert_eq!(per_replica(&measured, 3, 1.0, TENTH), Some(3));
    let measured: Vec<_> = replicas("1.101 1.101 1.101").iter().filter_map(Written::measured).collect();
    assert_eq!(per_replica(&measured, 3, 1.0, TENTH), Some(4));
}

/// The policy of one source's metric with that goal.
fn of_source(goal: &str, tolerance: Tolerance) -> String {
    format!(
        "{SOURCES}  replicas: {{min: 1, max: {MOST}}}\n  track: [{{{goal}}}]\n  \
         scaleUp: {{tolerance: {}, limits: [{{replicas: {MOST}, period: 1s}}]}}\n  \
         scaleDown: {{tolerance: {}, stabilizationWindow: 0s}}\n",
        tolerance.up, tolerance.down
    )
}

#[test]
fn a_value_of_the_whole() {
    let one = Tolerance { up: 0.01, down: 0.1 };
    for (name, observed, target, current, ready, tolerance, wanted) in [
        ("scale up", 20.0, 15.0, 3, 3, TENTH, 4),
        ("beyond the most replicas", HUGE, 0.001, 3, 3, TENTH, MOST),
        ("scale up, only ready ones count", 50.0, 10.0, 3, 1, TENTH, 5),
        ("scale down", 12.0, 20.0, 5, 5, TENTH, 3),
        ("scale down, only ready ones count", 8.6, 4.4, 3, 1, TENTH, 2),
        ("scale down, of a source", 8.6, 14.334, 5, 5, TENTH, 3),
        ("within the tolerance", 20.666, 20.0, 3, 3, TENTH, 3),
        ("outside of 1 %", 20.666, 20.0, 3, 3, one, 4),
        ("within the tolerance, of a source", 8.6, 8.888, 3, 3, TENTH, 3),
        ("outside of 1 %, of a source", 8.9, 8.8, 3, 3, one, 4),
        ("as large as its target", HUGE, HUGE, 3, 3, TENTH, 3),
    ] {
        assert_eq!(
            value(observed, target, current, ready, tolerance),
            Some(wanted),
            "{name}, by the function"
        );
        let spec = of_source(&format!("metric: latency, target: {target}"), tolerance);
        let listed = (0..current).map(|it| format!("\"web-{it}\": {{\"ready\": {}}}", it < ready));
        let listed = listed.collect::<Vec<_>>().join(", ");
        let row =
            format!("{{\"at\": 0, \"metrics\": {{\"latency\": {observed}}}, \"replicas\": {{{listed}}}}}");
        assert_eq!(last(&spec, &row), wanted, "{name}, by a trace");
    }
    for (name, observed, target, wanted) in
        [("from zero", 20.0, 15.0, 2), ("from zero without tolerance", 1.0, 1.0, 1), ("at zero", 0.0, 1.0, 0)]
    {
        assert_eq!(value(observed, target, 0, 0, TENTH), Some(wanted), "{name}");
    }
}

#[test]
fn a_value_of_the_whole_for_each_replica() {
    let one = Tolerance { up: 0.01, down: 0.1 };
    for (name, total, target, current, tolerance, wanted) in [
        ("beyond the most replicas", HUGE, 0.001, 1, TENTH, MOST),
        ("as large as its target", HUGE, HUGE, 1, TENTH, 1),
        ("scale up", 8.6, 2.15, 3, TENTH, 4),
        ("scale up, of an object", 20.0, 5.0, 3, TENTH, 4),
        ("scale down", 8.6, 2.867, 5, TENTH, 3),
        ("scale down, of an object", 6.0, 2.0, 5, TENTH, 3),
        ("within the tolerance", 8.6, 2.9, 3, TENTH, 3),
        ("outside of 1 %", 8.6, 2.8, 3, one, 4),
        ("within the tolerance, of an object", 20.166, 5.0, 4, TENTH, 4),
        ("outside of 1 %, of an object", 20.208, 5.0, 4, one, 5),
    ] {
        assert_eq!(average_value(total, target, current, tolerance), Some(wanted), "{name}, by the function");
        let spec = of_source(&format!("metric: queue.backlog, averageValue: {target}"), tolerance);
        let row =
            format!("{{\"at\": 0, \"current\": {current}, \"metrics\": {{\"queue.backlog\": {total}}}}}");
        assert_eq!(last(&spec, &row), wanted, "{name}, by a trace");
    }
    for (name, total, wanted) in [("from zero", 20.0, 4), ("at zero", 0.0, 0)] {
        assert_eq!(average_value(total, 5.0, 0, TENTH), Some(wanted), "{name}");
    }
}

#[test]
fn a_replica_that_was_ready_and_is_not_any_more_counts_and_one_that_never_was_does_not() {
    let spec = format!(
        "  replicas: {{max: 50}}\n  track: [{{metric: cpu.utilization, target: 50}}]\n{}",
        super::FREE
    );
    let row = |at: u32, ready: bool, age: u32| {
        format!(
            "{{\"at\": {at}, \"replicas\": {{\"a\": {{\"cpu\": 90}}, \
             \"b\": {{\"cpu\": 90, \"ready\": {ready}, \"age\": {age}}}}}}}\n"
        )
    };
    for (name, trace, wanted) in [
        ("never ready", row(0, false, 600), 2),
        ("ready, and then not", row(0, true, 600) + &row(10, false, 610), 4),
        ("ready within 30s of its start alone", row(0, true, 20) + &row(580, false, 600), 2),
        ("ready, and then started again", row(0, true, 600) + &row(300, false, 200), 2),
        ("ready, and then not, but young", row(0, true, 40) + &row(10, false, 50), 2),
    ] {
        assert_eq!(last(&spec, &trace), wanted, "{name}");
    }
}
