//! Schedules across clock changes in Europe/Berlin: 2026-03-29 skips 02:00-03:00, 2026-10-25 repeats it.

use super::last;

/// The effective minimum at that moment: one replica runs, and only a schedule asks for more.
fn at(schedules: &str, moment: &str) -> u32 {
    let spec = format!("  replicas: {{max: 10}}\n  schedules: [{schedules}]\n");
    last(&spec, &format!("at,current\n{moment},1"))
}

fn berlin(start: &str, rest: &str) -> String {
    format!("{{name: office, timezone: Europe/Berlin, start: '{start}', {rest}, min: 4}}")
}

#[test]
fn a_window_contains_its_start_and_not_its_end_whatever_the_clock_does() {
    let night = berlin("30 2 * * *", "end: '0 5 * * *'");
    let until_gap = berlin("0 1 * * *", "end: '30 2 * * *'");
    let hours = berlin("0 1 * * *", "duration: 3h");
    for (schedule, moment, wanted) in [
        (berlin("0 8 * * 1-5", "end: '0 18 * * 1-5'"), "2026-07-06T05:59:59Z", 1),
        (berlin("0 8 * * 1-5", "end: '0 18 * * 1-5'"), "2026-07-06T06:00:00Z", 4),
        (berlin("0 8 * * 1-5", "end: '0 18 * * 1-5'"), "2026-07-06T17:59:59+02:00", 4),
        (berlin("0 8 * * 1-5", "end: '0 18 * * 1-5'"), "2026-07-06T16:00:00Z", 1),
        (berlin("0 8 * * 1-5", "end: '0 18 * * 1-5'"), "2026-07-05T10:00:00Z", 1),
        // The start is skipped: not active the day before, and from the first instant after the gap on.
        (night.clone(), "2026-03-28T12:00:00Z", 1),
        (night.clone(), "2026-03-29T00:59:59Z", 1),
        (night.clone(), "2026-03-29T01:00:00Z", 4),
        (night.clone(), "2026-03-29T03:00:00Z", 1),
        // The end is skipped: the window is not lost.
        (until_gap.clone(), "2026-03-29T00:30:00Z", 4),
        (until_gap.clone(), "2026-03-29T01:00:00Z", 1),
        // Both are repeated: a start fires at the first, an end at the first after it.
        (night.clone(), "2026-10-25T00:30:00Z", 4),
        (night.clone(), "2026-10-25T01:29:59Z", 4),
        (until_gap.clone(), "2026-10-25T00:29:59Z", 4),
        (until_gap, "2026-10-25T01:00:00Z", 1),
        // Three hours are three hours on either night.
        (hours.clone(), "2026-03-29T02:59:59Z", 4),
        (hours.clone(), "2026-03-29T03:00:00Z", 1),
        (hours.clone(), "2026-10-25T01:59:59Z", 4),
        (hours, "2026-10-25T02:00:00Z", 1),
        // What goes wrong by the rule of the next end: ranges, and ends more frequent than starts.
        (berlin("30-33 10 * * *", "end: '0 11 * * *'"), "2026-07-06T08:32:30Z", 4),
        (berlin("0 8 * * 1", "end: '0 18 * * *'"), "2026-07-08T10:00:00Z", 1),
        (berlin("0 22 * * *", "end: '0 6 * * *'"), "2026-07-06T23:00:00Z", 4),
        (berlin("0 8 1 * 1", "end: '0 9 * * *'"), "2026-07-01T06:30:00Z", 4),
    ] {
        assert_eq!(at(&schedule, moment), wanted, "{schedule} {moment}");
    }
}

#[test]
fn overlapping_schedules_go_by_priority_and_may_lower_or_raise_the_maximum() {
    let all_day = |name: &str, rest: &str| {
        format!("{{name: {name}, timezone: UTC, start: '0 0 * * *', duration: 24h, {rest}}}")
    };
    let noon = "2026-07-06T12:00:00Z";
    let two = [all_day("a", "min: 6"), all_day("b", "min: 3, priority: 5")].join(", ");
    assert_eq!(at(&two, noon), 3);
    let equal = [all_day("a", "min: 6"), all_day("b", "min: 3")].join(", ");
    assert_eq!(at(&equal, noon), 6);
    let spec = |schedule: &str| {
        format!(
            "  metrics: {{load: {{push: {{}}}}}}\n  replicas: {{max: 10}}\n  \
             track: [{{metric: load, averageValue: 1}}]\n  scaleUp: {{limits: [{{replicas: 100, period: 1s}}]}}\n  \
             schedules: [{schedule}]\n"
        )
    };
    let trace = format!("at,current,load\n{noon},8,50");
    assert_eq!(last(&spec(&all_day("a", "max: 20")), &trace), 20);
    assert_eq!(last(&spec(&all_day("a", "max: 5")), &trace), 5);
}
