//! Schedules: times with their own minimum and maximum. As in Nomad, a schedule is active when its latest start
//! is later than its latest end.
//!
//! Clock changes: a time inside a skipped hour fires at the first instant after the gap; in a repeated hour a
//! start fires at the first occurrence, and an end at the first after that start.

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp as Instant};

use super::bound::ScheduledBounds;
use crate::api::effective::{End, Name, ScheduleSpec};
use crate::units::Timestamp;

/// Most occurrences that one question looks at; a repeated hour has sixty.
const MAX_OCCURRENCES: usize = 200;
/// How far back a clock change still matters for the order of local times.
const CLOCK_CHANGE: SignedDuration = SignedDuration::from_hours(3);

/// The minimum and maximum that the active schedules set, and which of them did. For each of the two, the
/// highest priority that sets it decides; among equals the larger number.
#[must_use]
pub fn bounds(schedules: &[ScheduleSpec], now: Timestamp) -> (ScheduledBounds, Vec<Name>) {
    let active: Vec<&ScheduleSpec> = schedules.iter().filter(|it| is_active(it, now)).collect();
    let of = |field: fn(&ScheduleSpec) -> Option<u32>| {
        let set = active.iter().filter_map(|it| Some((it.priority, field(it)?)));
        set.max().map(|(_, replicas)| replicas)
    };
    let bounds = ScheduledBounds { min: of(|it| it.min), max: of(|it| it.max) };
    (bounds, active.iter().map(|it| it.name.clone()).collect())
}

/// Is the schedule active? The window contains its start and not its end.
#[must_use]
pub fn is_active(schedule: &ScheduleSpec, now: Timestamp) -> bool {
    active(schedule, now).unwrap_or(false)
}

fn active(schedule: &ScheduleSpec, now: Timestamp) -> Option<bool> {
    let zone = &schedule.zone;
    let now = Instant::from_millisecond(now.as_millis()).ok()?;
    let started = Occurrences::before(&schedule.start, zone, now)?
        .map(|local| instants(zone, local))
        .find_map(|it| it.map(|(first, _)| first).filter(|first| *first <= now))?;
    match &schedule.end {
        End::After(duration) => {
            let lasted = now.duration_since(started);
            Some(lasted.as_millis() < i128::from(duration.as_millis()))
        }
        End::At(end) => {
            for local in Occurrences::before(end, zone, now)? {
                let (first, last) = instants(zone, local)?;
                if last <= started {
                    break;
                }
                if [first, last].iter().any(|it| started < *it && *it <= now) {
                    return Some(false);
                }
            }
            // An end at the very instant of the start leaves nothing in between.
            Some(!ends_at(end, zone, started)?)
        }
    }
}

fn ends_at(end: &Cron, zone: &TimeZone, started: Instant) -> Option<bool> {
    let local = zone.to_datetime(started).to_zoned(TimeZone::UTC).ok()?;
    end.is_time_matching(&local).ok()
}

/// The first and the last instant at which a local time is shown; the first instant after the gap where it never is.
pub(super) fn instants(zone: &TimeZone, local: DateTime) -> Option<(Instant, Instant)> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            let at = offset.to_timestamp(local).ok()?;
            Some((at, at))
        }
        AmbiguousOffset::Fold { before, after } => {
            Some((before.to_timestamp(local).ok()?, after.to_timestamp(local).ok()?))
        }
        AmbiguousOffset::Gap { before, .. } => {
            let behind_it =
                before.to_timestamp(local).ok()?.checked_add(SignedDuration::from_nanos(1)).ok()?;
            let change = zone.preceding(behind_it).next()?.timestamp();
            Some((change, change))
        }
    }
}

/// Local times of a cron expression, the latest first.
struct Occurrences<'a> {
    cron: &'a Cron,
    /// The wall clock, as if there were no clock changes.
    cursor: jiff::Zoned,
    left: usize,
}

impl<'a> Occurrences<'a> {
    /// Those that may have fired by `now`; the first few may lie ahead.
    fn before(cron: &'a Cron, zone: &TimeZone, now: Instant) -> Option<Self> {
        let earlier = now.checked_sub(CLOCK_CHANGE).ok()?;
        let set_back = zone.to_offset(earlier).seconds() - zone.to_offset(now).seconds();
        let ahead = SignedDuration::from_secs(i64::from(set_back.max(0)) + 1);
        let cursor = zone.to_datetime(now).checked_add(ahead).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(Self { cron, cursor, left: MAX_OCCURRENCES })
    }
}

impl Iterator for Occurrences<'_> {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        self.left = self.left.checked_sub(1)?;
        self.cursor = self.cron.find_previous_occurrence(&self.cursor, false).ok()?;
        Some(self.cursor.datetime())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::behavior::Schedule;
    use crate::units::Duration;

    fn schedule(timezone: &str, start: &str, end: &str) -> Schedule {
        Schedule {
            name: "office".to_owned(),
            timezone: timezone.to_owned(),
            start: start.to_owned(),
            end: Some(end.to_owned()),
            duration: None,
            min: Some(4),
            max: None,
            priority: None,
        }
    }

    #[test]
    fn a_start_that_never_comes_is_never_and_an_end_that_never_comes_is_for_ever() {
        for (start, end, is) in [("0 0 30 2 *", "0 1 * * *", false), ("0 0 * * *", "0 1 30 2 *", true)] {
            let schedule = compiled(&schedule("UTC", start, end));
            assert_eq!(is_active(&schedule, Timestamp::from_secs(1_795_327_200)), is, "{start} to {end}");
        }
    }

    fn compiled(schedule: &Schedule) -> ScheduleSpec {
        ScheduleSpec::compile(schedule, "spec.schedules[0]").unwrap()
    }

    fn check(schedule: &Schedule, cases: &[(&str, bool)]) {
        let compiled = compiled(schedule);
        for (now, expected) in cases {
            assert_eq!(is_active(&compiled, now.parse().unwrap()), *expected, "{schedule:?} at {now}");
        }
    }

    #[test]
    fn a_schedule_is_active_from_its_start_until_just_before_its_end() {
        check(
            &schedule("Europe/Berlin", "0 8 * * 1-5", "0 18 * * MON-FRI"),
            &[
                ("2026-07-06T05:59:59Z", false),
                ("2026-07-06T06:00:00Z", true),
                ("2026-07-06T15:59:59Z", true),
                ("2026-07-06T16:00:00Z", false),
                ("2026-07-05T10:00:00Z", false),
                ("2026-12-07T07:00:00Z", true),
                ("2026-12-07T06:59:59Z", false),
            ],
        );
    }

    #[test]
    fn starts_and_ends_need_not_alternate() {
        check(
            &schedule("UTC", "30-33 10 * * *", "0 11 * * *"),
            &[
                ("2026-07-06T10:32:30Z", true),
                ("2026-07-06T10:59:00Z", true),
                ("2026-07-06T11:00:00Z", false),
            ],
        );
        // Weekly start, daily end.
        check(
            &schedule("UTC", "0 8 * * 1", "0 18 * * *"),
            &[
                ("2026-07-06T12:00:00Z", true),
                ("2026-07-06T18:00:00Z", false),
                ("2026-07-07T12:00:00Z", false),
            ],
        );
        check(
            &schedule("UTC", "0 22 * * *", "0 6 * * *"),
            &[
                ("2026-07-06T23:00:00Z", true),
                ("2026-07-07T05:59:00Z", true),
                ("2026-07-07T06:00:00Z", false),
            ],
        );
    }

    #[test]
    fn a_start_or_end_in_a_skipped_hour_fires_at_the_first_instant_after_it() {
        // Berlin goes from 02:00 to 03:00 local time at 01:00 UTC on 2026-03-29.
        check(
            &schedule("Europe/Berlin", "30 2 * * *", "0 5 * * *"),
            &[
                ("2026-03-28T12:00:00Z", false),
                ("2026-03-29T00:59:59Z", false),
                ("2026-03-29T01:00:00Z", true),
                ("2026-03-29T02:59:59Z", true),
                ("2026-03-29T03:00:00Z", false),
            ],
        );
        check(
            &schedule("Europe/Berlin", "0 1 * * *", "30 2 * * *"),
            &[
                ("2026-03-29T00:59:59Z", true),
                ("2026-03-29T01:00:00Z", false),
                ("2026-03-29T12:00:00Z", false),
            ],
        );
    }

    #[test]
    fn in_a_repeated_hour_a_start_fires_first_and_an_end_at_the_first_after_it() {
        // Berlin goes from 03:00 back to 02:00 local time at 01:00 UTC on 2026-10-25.
        check(
            &schedule("Europe/Berlin", "30 2 * * *", "0 5 * * *"),
            &[
                ("2026-10-25T00:29:59Z", false),
                ("2026-10-25T00:30:00Z", true),
                ("2026-10-25T01:10:00Z", true),
                ("2026-10-25T03:59:59Z", true),
                ("2026-10-25T04:00:00Z", false),
            ],
        );
        check(
            &schedule("Europe/Berlin", "0 1 * * *", "30 2 * * *"),
            &[
                ("2026-10-25T00:29:59Z", true),
                ("2026-10-25T00:30:00Z", false),
                ("2026-10-25T01:10:00Z", false),
            ],
        );
        check(
            &schedule("Europe/Berlin", "45 2 * * *", "30 2 * * *"),
            &[
                ("2026-10-25T00:44:59Z", false),
                ("2026-10-25T00:45:00Z", true),
                ("2026-10-25T01:29:59Z", true),
                ("2026-10-25T01:30:00Z", false),
                ("2026-10-25T01:50:00Z", false),
            ],
        );
    }

    #[test]
    fn a_duration_ends_it_too() {
        let lasting = Schedule {
            end: None,
            duration: Some(Duration::from_secs(7_200)),
            ..schedule("UTC", "0 8 * * *", "")
        };
        check(
            &lasting,
            &[
                ("2026-07-06T08:00:00Z", true),
                ("2026-07-06T09:59:59Z", true),
                ("2026-07-06T10:00:00Z", false),
            ],
        );
    }

    #[test]
    fn of_several_active_ones_the_highest_priority_decides_each_bound() {
        let always = |name: &str, min, max, priority| Schedule {
            name: name.to_owned(),
            min,
            max,
            priority: Some(priority),
            ..schedule("UTC", "0 0 * * *", "59 23 * * *")
        };
        let schedules =
            [always("a", Some(4), Some(8), 0), always("b", Some(2), None, 5), always("c", Some(3), None, 5)]
                .map(|it| compiled(&it));
        let (bounds, names) = bounds(&schedules, "2026-07-06T12:00:00Z".parse().unwrap());
        assert_eq!((bounds.min, bounds.max, names.len()), (Some(3), Some(8), 3));
    }

    #[test]
    fn a_time_that_never_comes_is_never_active_and_costs_no_panic() {
        check(&schedule("UTC", "0 0 30 2 *", "0 1 * * *"), &[("2026-07-06T12:00:00Z", false)]);
        let odd = compiled(&schedule("UTC", "* * * * *", "0 1 * * *"));
        for millis in [i64::MIN, i64::MAX, 0] {
            let _ = is_active(&odd, Timestamp::from_millis(millis));
        }
    }
}
