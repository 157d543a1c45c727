//! Cron expressions, after the tests of robfig/cron, and windows of KEDA's cron scaler and of the Nomad Autoscaler. An
//! expression fires where a schedule that lasts a minute has just begun.

use docktor::api::behavior::Schedule;
use docktor::api::effective::ScheduleSpec;
use docktor::decide::schedule::is_active;
use docktor::units::Duration;

use super::last;

fn lasting_a_minute(zone: &str, start: &str) -> Schedule {
    Schedule {
        name: "minute".to_owned(),
        timezone: zone.to_owned(),
        start: start.to_owned(),
        end: None,
        duration: Some(Duration::from_secs(60)),
        min: Some(4),
        max: None,
        priority: None,
    }
}

/// Does the expression fire at that moment? By the function, and by a policy and a trace.
fn fires(zone: &str, expression: &str, moment: &str) -> bool {
    let schedule = lasting_a_minute(zone, expression);
    let schedule = ScheduleSpec::compile(&schedule, "start").unwrap_or_else(|_| panic!("{expression}"));
    let by_function = is_active(&schedule, moment.parse().unwrap());
    let spec = format!(
        "  replicas: {{max: 10}}\n  \
         schedules: [{{name: minute, timezone: {zone}, start: '{expression}', duration: 1m, min: 4}}]\n"
    );
    let by_trace = last(&spec, &format!("at,current\n{moment},1")) == 4;
    assert_eq!(by_function, by_trace, "{expression} at {moment}");
    by_function
}

#[test]
fn an_expression_fires_at_the_minutes_it_names() {
    for (moment, expression, wanted) in [
        ("2012-07-09T15:00", "0/15 * * * *", true),
        ("2012-07-09T15:45", "0/15 * * * *", true),
        ("2012-07-09T15:40", "0/15 * * * *", false),
        ("2012-07-09T15:05", "5/15 * * * *", true),
        ("2012-07-09T15:20", "5/15 * * * *", true),
        ("2012-07-09T15:50", "5/15 * * * *", true),
        ("2012-07-15T15:00", "0/15 * * Jul *", true),
        ("2012-07-15T15:00", "0/15 * * Jun *", false),
        ("2012-07-15T08:30", "30 08 ? Jul Sun", true),
        ("2012-07-15T08:30", "30 08 15 Jul ?", true),
        ("2012-07-16T08:30", "30 08 ? Jul Sun", false),
        ("2012-07-16T08:30", "30 08 15 Jul ?", false),
        // Where both days are set, either will do.
        ("2012-07-15T00:00", "* * 1,15 * Sun", true),
        ("2012-06-15T00:00", "* * 1,15 * Sun", true),
        ("2012-08-01T00:00", "* * 1,15 * Sun", true),
        ("2012-07-08T00:00", "* * 1,15 * Sun", true),
        ("2012-07-09T00:00", "* * 1,15 * Sun", false),
        // Where one of them begins with a star, both have to.
        ("2012-07-15T00:00", "* * * * Mon", false),
        ("2012-07-15T00:00", "* * */10 * Sun", false),
        ("2012-07-09T00:00", "* * 1,15 * *", false),
        ("2012-07-15T00:00", "* * 1,15 * *", true),
        ("2012-07-15T00:00", "* * */2 * Sun", true),
    ] {
        assert_eq!(fires("UTC", expression, &format!("{moment}:00Z")), wanted, "{expression} at {moment}");
    }
}

#[test]
fn an_expression_fires_next_where_its_fields_wrap_around() {
    for (expression, before, next) in [
        ("0/15 * * * *", "2012-07-09T14:59", "2012-07-09T15:00"),
        ("20-35/15 * * * *", "2012-07-09T15:45", "2012-07-09T16:20"),
        ("*/15 * * * *", "2012-07-09T23:46", "2012-07-10T00:00"),
        ("20-35/15 * * * *", "2012-07-09T23:45", "2012-07-10T00:20"),
        ("20-35/15 1/2 * * *", "2012-07-09T23:36", "2012-07-10T01:20"),
        ("20-35/15 10-12 * * *", "2012-07-09T23:36", "2012-07-10T10:20"),
        ("20-35/15 1/2 */2 * *", "2012-07-09T23:36", "2012-07-11T01:20"),
        ("20-35/15 * 9-20 * *", "2012-07-09T23:36", "2012-07-10T00:20"),
        ("20-35/15 * 9-20 Jul *", "2012-07-09T23:36", "2012-07-10T00:20"),
        ("0 0 9 Apr-Oct ?", "2012-07-09T23:35", "2012-08-09T00:00"),
        ("0 0 */5 Apr,Aug,Oct Mon", "2012-07-09T23:35", "2012-08-06T00:00"),
        ("0 0 */5 Oct Mon", "2012-07-09T23:35", "2012-10-01T00:00"),
        ("0 0 * Feb Mon", "2012-07-09T23:35", "2013-02-04T00:00"),
        ("0 0 * Feb Mon/2", "2012-07-09T23:35", "2013-02-01T00:00"),
        ("* * * * *", "2012-12-31T23:59", "2013-01-01T00:00"),
        ("0 0 29 Feb ?", "2012-07-09T23:35", "2016-02-29T00:00"),
    ] {
        assert!(fires("UTC", expression, &format!("{next}:00Z")), "{expression} at {next}");
        // From the one to the other it does not fire: a schedule that ends at its next start would still be active.
        let (from, to): (docktor::units::Timestamp, docktor::units::Timestamp) =
            (format!("{before}:00Z").parse().unwrap(), format!("{next}:00Z").parse().unwrap());
        let schedule = ScheduleSpec::compile(&lasting_a_minute("UTC", expression), "start").unwrap();
        let step = (to.as_millis() - from.as_millis()).div_euclid(50).max(60_000) / 60_000 * 60_000;
        let mut at = to.as_millis() - 60_000;
        while at > from.as_millis() {
            let moment = docktor::units::Timestamp::from_millis(at);
            assert!(!is_active(&schedule, moment), "{expression} at {moment}");
            at -= step;
        }
    }
    for never in ["0 0 30 Feb ?", "0 0 31 Apr ?"] {
        assert!(!fires("UTC", never, "2012-05-01T00:00:00Z"), "{never}");
    }
}

#[test]
fn a_night_with_a_change_of_the_clock_has_each_local_time_once() {
    let zone = "America/New_York";
    for (expression, moment, wanted) in [
        // 02:00 to 03:00 is skipped. The hour's start at 02:00 and that at 03:00 are one.
        ("0 * * * ?", "2012-03-11T01:00:00-05:00", true),
        ("0 * * * ?", "2012-03-11T03:00:00-04:00", true),
        ("0 * * * ?", "2012-03-11T04:00:00-04:00", true),
        ("0 1 * * ?", "2012-03-11T01:00:00-05:00", true),
        ("0 1 * * ?", "2012-03-12T01:00:00-04:00", true),
        // robfig/cron leaves such a night out. A schedule that is lost for a night is worse than one that is late.
        ("30 2 11 Mar ?", "2012-03-11T03:00:00-04:00", true),
        ("0 2 * * ?", "2012-03-11T03:00:00-04:00", true),
        ("0 2 * * ?", "2012-03-12T02:00:00-04:00", true),
        // 01:00 to 02:00 is repeated.
        ("30 2 04 Nov ?", "2012-11-04T02:30:00-05:00", true),
        ("0 1 * * ?", "2012-11-04T01:00:00-04:00", true),
        ("0 2 * * ?", "2012-11-04T02:00:00-05:00", true),
        ("0 3 * * ?", "2012-11-04T03:00:00-05:00", true),
        ("0 1 * * ?", "2012-11-05T01:00:00-05:00", true),
        // robfig/cron starts it a second time. A window has begun already.
        ("0 1 * * ?", "2012-11-04T01:00:00-05:00", false),
        ("30 1 04 Nov ?", "2012-11-04T01:30:00-05:00", false),
    ] {
        assert_eq!(fires(zone, expression, moment), wanted, "{expression} at {moment}");
    }
}

#[test]
fn what_is_no_expression_or_no_window_is_refused() {
    let valid = Schedule {
        duration: None,
        end: Some("45 * * * *".to_owned()),
        ..lasting_a_minute("Asia/Kolkata", "30 * * * *")
    };
    let of = |start: &str, end: &str| Schedule {
        start: start.to_owned(),
        end: Some(end.to_owned()),
        ..valid.clone()
    };
    let compiles = |it: &Schedule| ScheduleSpec::compile(it, "window").is_ok();
    for (window, wanted) in [
        (valid.clone(), true),
        (of("30-33 * * * *", "45 * * * *"), true),
        (of("30 * * * *", "45-50 * * * *"), true),
        (of("-30 * * * *", "45 * * * *"), false),
        (of("30 * * * *", "-50 * * * *"), false),
        (of("30 * * * *", "50 * * -3 *"), false),
        (of("0 9 * *", "0 17 * * *"), false),
        (of("xyz", "0 17 * * *"), false),
        (of("60 0 * * *", "0 17 * * *"), false),
        (of("0 60 * * *", "0 17 * * *"), false),
        (of("0 0 * * XYZ", "0 17 * * *"), false),
        (Schedule { timezone: String::new(), ..valid.clone() }, false),
        (Schedule { start: String::new(), ..valid.clone() }, false),
        (Schedule { end: None, ..valid.clone() }, false),
        (Schedule { duration: Some(Duration::from_secs(8 * 3_600)), ..valid.clone() }, false),
        (Schedule { end: None, duration: Some(Duration::from_secs(8 * 3_600)), ..valid.clone() }, true),
    ] {
        assert_eq!(compiles(&window), wanted, "{window:?}");
    }
}

/// The count that a cron source of ten replicas asks for, with that window.
fn of_source(start: &str, end: &str, moment: &str) -> u32 {
    let spec = format!(
        "  metrics:\n    office: {{cron: {{timezone: Etc/UTC, start: '{start}', end: '{end}'}}}}\n  \
         replicas: {{max: 50}}\n  track: [{{metric: office, averageValue: 0.1}}]\n{}",
        super::FREE
    );
    last(&spec, &format!("at,current\n{moment},1"))
}

#[test]
fn a_cron_source_is_one_within_its_window() {
    for (moment, wanted) in [
        ("2026-07-08T23:59:59Z", 1),
        ("2026-07-09T00:00:00Z", 10),
        ("2026-07-09T23:58:59Z", 10),
        ("2026-07-09T23:59:00Z", 1),
        ("2026-07-10T12:00:00Z", 1),
    ] {
        assert_eq!(of_source("0 0 * * Thu", "59 23 * * Thu", moment), wanted, "{moment}");
    }
    for hour in 0..24 {
        let wanted = if hour % 2 == 0 { 10 } else { 1 };
        let moment = format!("2026-07-09T{hour:02}:30:00Z");
        assert_eq!(of_source("0 */2 * * *", "0 1-23/2 * * *", &moment), wanted, "{moment}");
    }
}
