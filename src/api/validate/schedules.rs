//! Times: IANA zones and five-field cron expressions.

use std::collections::HashSet;

use croner::Cron;

use super::amounts::{YEAR, some_time};
use super::findings::Findings;
use crate::api::behavior::Schedule;
use crate::api::path::Path;
use crate::api::read::hint::{guess, shorten};
use crate::units::{Duration, MAX_REPLICAS};

pub(super) fn check(schedules: &[Schedule], path: &Path, findings: &mut Findings) {
    let mut names = HashSet::new();
    for (index, schedule) in schedules.iter().enumerate() {
        let path = path.index(index);
        if schedule.name.trim().is_empty() {
            findings.add(path.key("name"), "found nothing; expected a name");
        } else if !names.insert(&schedule.name) {
            let message =
                format!("the name `{}` is used twice; each schedule has its own", shorten(&schedule.name));
            findings.add(path.key("name"), message);
        }
        let window = Window {
            timezone: &schedule.timezone,
            start: &schedule.start,
            end: schedule.end.as_deref(),
            duration: schedule.duration,
        };
        window.check(&path, findings);
        bounds(schedule, &path, findings);
    }
}

fn bounds(schedule: &Schedule, path: &Path, findings: &mut Findings) {
    let Schedule { min, max, .. } = *schedule;
    if min.is_none() && max.is_none() {
        findings.add(path.clone(), "found neither `min` nor `max`; a schedule sets at least one of them");
    }
    if max == Some(0) {
        findings.add(
            path.key("max"),
            "found `0`; expected 1 or more: a workload is turned off with `mode: Disabled`",
        );
    }
    for (field, value) in [("min", min), ("max", max)] {
        if value.is_some_and(|value| value > MAX_REPLICAS) {
            findings.add(path.key(field), format!("expected at most {MAX_REPLICAS}"));
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
        && max > 0
    {
        findings.add(path.key("min"), format!("min {min} is above max {max}"));
    }
}

/// A time that comes again, as schedules, cron sources and quiet hours have it.
pub(super) struct Window<'a> {
    pub timezone: &'a str,
    pub start: &'a str,
    pub end: Option<&'a str>,
    pub duration: Option<Duration>,
}

impl Window<'_> {
    pub fn check(&self, path: &Path, findings: &mut Findings) {
        zone(self.timezone, path.key("timezone"), findings);
        let start = cron(self.start, path.key("start"), findings);
        let end = self.end.and_then(|end| cron(end, path.key("end"), findings));
        if let (Some(start), Some(end)) = (start, end)
            && start.pattern == end.pattern
        {
            findings
                .add(path.key("end"), "`start` and `end` are the same; the time between them would be empty");
        }
        match (self.end, self.duration) {
            (Some(_), Some(_)) => {
                findings.add(path.key("duration"), "found `end` and `duration` together; keep one");
            }
            (None, None) => {
                findings.add(path.clone(), "found neither `end` nor `duration`; expected one of them")
            }
            _ => some_time(self.duration, YEAR, path.key("duration"), findings),
        }
    }
}

fn zone(name: &str, path: Path, findings: &mut Findings) {
    // Upper and lower case matter to other programs that read the zone, so they do here.
    let known = jiff::tz::TimeZone::get(name).ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    match known {
        Some(right) if right == name => {}
        Some(right) => findings.add(path, format!("found `{}`; write `{right}`", shorten(name))),
        None => {
            let zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
            let guess = guess(name, zones.iter().map(String::as_str));
            let name = shorten(name);
            let message = match guess {
                Some(guess) => format!("unknown time zone `{name}`; did you mean `{guess}`?"),
                None => {
                    format!(
                        "unknown time zone `{name}`; expected an IANA name, as in `Europe/Berlin` or `UTC`"
                    )
                }
            };
            findings.add(path, message);
        }
    }
}

fn cron(text: &str, path: Path, findings: &mut Findings) -> Option<Cron> {
    const FORM: &str = "minute, hour, day of month, month and day of week, as in `0 8 * * 1-5`";
    let fields = text.split_whitespace().count();
    if fields != 5 {
        findings.add(
            path,
            format!("found {fields} fields in `{}`; a cron expression has five: {FORM}", shorten(text)),
        );
        return None;
    }
    match crate::api::cron::parse(text) {
        Ok(cron) => Some(cron),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.trim_end_matches('.').trim_start_matches("Component error: ").to_lowercase();
            let message = format!("`{}` is no cron expression ({reason}); expected {FORM}", shorten(text));
            findings.add(path, message);
            None
        }
    }
}
