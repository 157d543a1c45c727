//! Rules: votes, groups, bands and steps, after the Nomad Autoscaler; and the built-in profiles.

use super::{SOURCES, decisions, desired, last};

const DOWN_NOW: &str = "stabilizationWindow: 0s, step: '-1'";

#[test]
fn up_beats_none_and_none_beats_down_unless_a_group_makes_it_silent() {
    let rule = |metric: &str, op: &str, value: u32, group: &str| {
        format!("{{metric: {metric}, op: '{op}', value: {value}{group}}}")
    };
    let spec = |group: &str| {
        format!(
            "{SOURCES}  replicas: {{max: 50}}\n  scaleUp: {{rules: [{}, {}]}}\n  \
             scaleDown: {{rules: [{}, {}], {DOWN_NOW}}}\n",
            rule("queue.backlog", ">", 100, group),
            rule("latency", ">", 100, group),
            rule("queue.backlog", "<", 10, group),
            rule("latency", "<", 10, group),
        )
    };
    for (backlog, latency, alone, grouped) in [
        ("200", "200", 6, 6),
        ("200", "50", 6, 6),
        ("200", "5", 6, 6),
        ("50", "50", 5, 5),
        ("50", "5", 5, 4),
        ("5", "5", 4, 4),
        ("5", "", 5, 5),
    ] {
        let trace = format!("at,current,queue.backlog,latency\n0,5,{backlog},{latency}");
        assert_eq!(last(&spec(""), &trace), alone, "{backlog} {latency}");
        assert_eq!(last(&spec(", group: g"), &trace), grouped, "{backlog} {latency} in a group");
    }
}

#[test]
fn a_band_needs_its_points_and_ends_below_its_upper_end() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 50}}\n  \
         scaleUp: {{rules: [{{metric: latency, within: {{lower: 10, upper: 20, points: 5}}}}], step: '+3'}}\n"
    );
    let trace = |values: [&str; 7]| {
        let rows = values.iter().zip(0..).map(|(value, row)| format!("{},2,{value}\n", row * 10));
        format!("at,current,latency\n{}", rows.collect::<String>())
    };
    assert_eq!(desired(&spec, &trace(["10", "11", "12", "13", "19.9", "20", "12"])), [2, 2, 2, 2, 5, 2, 2]);
    assert_eq!(desired(&spec, &trace(["9", "10", "10", "10", "10", "10", "9"])), [2, 2, 2, 2, 2, 5, 2]);
}

#[test]
fn steps_round_up_and_move_by_at_least_one() {
    let spec = |up: &str, down: &str| {
        format!(
            "{SOURCES}  replicas: {{max: 50}}\n  \
             scaleUp: {{rules: [{{metric: latency, op: '>', value: 1}}], step: '{up}'}}\n  \
             scaleDown: {{rules: [{{metric: latency, op: '<', value: 1}}], step: '{down}', stabilizationWindow: 0s}}\n"
        )
    };
    for (up, down, current, bigger, smaller) in [
        ("+2", "-2", 5, 7, 3),
        ("x1.5", "x0.6", 5, 8, 3),
        ("+10%", "-20%", 5, 6, 4),
        ("x1.1", "x0.9", 2, 3, 1),
        ("+50%", "-50%", 5, 8, 3),
    ] {
        let trace = format!("at,current,latency\n0,{current},2\n10,{current},0");
        assert_eq!(desired(&spec(up, down), &trace), [bigger, smaller], "{up} {down}");
    }
}

#[test]
fn every_row_is_an_evaluation_and_a_row_on_which_the_rules_fail_starts_anew() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 50}}\n  \
         scaleUp: {{rules: [{{metric: latency, op: '>', value: 1}}], consecutive: 3}}\n"
    );
    let trace = "at,current,latency\n0,2,5\n1,2,5\n2,2,0\n3,2,5\n4,2,5\n5,2,5\n6,2,\n7,2,5";
    assert_eq!(desired(&spec, trace), [2, 2, 2, 2, 2, 3, 2, 2]);
}

#[test]
fn scale_down_rules_without_a_step_only_permit() {
    let rules = "  scaleDown: {rules: [{metric: latency, op: '<', value: 1}], stabilizationWindow: 0s}\n";
    let up = "  scaleUp: {rules: [{metric: latency, op: '>', value: 9}]}\n";
    let alone = format!("{SOURCES}  replicas: {{max: 50}}\n{up}{rules}");
    assert_eq!(last(&alone, "at,current,latency\n0,5,0"), 5);
    let track = "  track: [{metric: queue.backlog, averageValue: 10}]\n";
    let permit = format!("{SOURCES}  replicas: {{max: 50}}\n{track}{rules}");
    let trace = "at,current,latency,queue.backlog\n0,5,0,10\n1,5,2,10\n2,5,0,50";
    assert_eq!(desired(&permit, trace), [1, 5, 5]);
    let stepped = permit.replace("{rules", "{step: '-2', rules");
    assert_eq!(desired(&stepped, trace), [3, 5, 5]);
}

#[test]
fn an_expression_that_touches_a_missing_value_never_fires() {
    let spec = format!(
        "{SOURCES}  replicas: {{max: 50}}\n  \
         scaleUp: {{rules: [{{expr: 'queue.rate_in > 2.0 * queue.rate_out'}}]}}\n"
    );
    let trace = "at,current,queue.rate_in,queue.rate_out\n0,2,9,4\n1,2,9,5\n2,2,9,\n3,2,,0";
    assert_eq!(desired(&spec, trace), [3, 2, 2, 2]);
}

#[test]
fn the_built_in_profiles_act_on_their_numbers() {
    for (profile, cpu, rows, from, up) in
        [("conservative", 91, 5, 4, 6), ("balanced", 86, 3, 4, 6), ("aggressive", 76, 2, 4, 8)]
    {
        let spec = format!("  profile: {profile}\n  replicas: {{max: 50}}\n");
        let row = |(at, cpu): (u32, u32)| format!("{at},{from},{cpu},60\n");
        let busy: String = (0..rows).map(|it| row((it * 30, cpu))).collect();
        let found = desired(&spec, &format!("at,current,cpu.utilization,memory.utilization\n{busy}"));
        assert_eq!(found[..found.len() - 1], vec![from; rows as usize - 1], "{profile}");
        assert_eq!(*found.last().unwrap(), up, "{profile}");
    }
    // Ten rows below everything, and 5m without a higher recommendation; then x0.6.
    let spec = "  profile: balanced\n  replicas: {max: 50}\n";
    let idle: String = (0..21).map(|it| format!("{},5,10,10\n", it * 30)).collect();
    let found = desired(spec, &format!("at,current,cpu.utilization,memory.utilization\n{idle}"));
    let first = found.iter().position(|it| *it == 3);
    assert_eq!(
        first,
        Some(18),
        "9 rows keep 5, and the last of them, at 240s, leaves the window at 540s: {found:?}"
    );
    let missing: String = (0..21).map(|it| format!("{},5,10,\n", it * 30)).collect();
    let blind = desired(spec, &format!("at,current,cpu.utilization,memory.utilization\n{missing}"));
    assert_eq!(blind, [5; 21], "missing data never shrinks");
}

#[test]
fn the_trail_tells_what_each_stage_made_of_it() {
    let spec =
        format!("{SOURCES}  replicas: {{max: 3}}\n  track: [{{metric: queue.backlog, averageValue: 10}}]\n");
    let decision = decisions(&spec, "at,current,queue.backlog\n2026-11-22T06:29:00+01:00,2,90").remove(0);
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(json["at"], "2026-11-22T06:29:00+01:00");
    assert_eq!(
        (&json["current"], &json["desired"], &json["action"]),
        (&2.into(), &3.into(), &"ScaleUp".into())
    );
    assert_eq!(json["limitedBy"], "the maximum of 3");
    let stages: Vec<_> =
        decision.trail.iter().map(|it| format!("{:?} {:?}", it.stage, it.replicas)).collect();
    assert_eq!(stages, ["Observe Some(2)", "Recommend Some(9)", "Limit Some(6)", "Bound Some(3)"]);
}
