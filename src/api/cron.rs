//! Five-field cron expressions, as KEDA and most Go programs read them: a step may have a start alone, and both day
//! fields must match as soon as one of them begins with a star.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::date;
use jiff::tz::TimeZone;

/// The last value of each field: minute, hour, day of month, month, day of week.
const LAST: [u8; 5] = [59, 23, 31, 12, 6];

/// # Errors
/// When it is no such expression.
pub fn parse(text: &str) -> Result<Cron, CronError> {
    let fields = text.split_whitespace().zip(LAST).map(|(field, last)| with_whole_ranges(field, last));
    let fields: Vec<String> = fields.collect();
    let starred = |field: usize| fields.get(field).is_some_and(|it| it.starts_with(['*', '?']));
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .dom_and_dow(starred(2) || starred(4))
        .build();
    let surplus = text.split_whitespace().skip(LAST.len());
    let fields: Vec<&str> = fields.iter().map(String::as_str).chain(surplus).collect();
    parser.parse(&fields.join(" "))
}

/// Is there a time that it means? Of `0 0 30 2 *` there is none, and who looks for one looks for long.
#[must_use]
pub fn comes(cron: &Cron) -> bool {
    let from = date(2000, 1, 1).to_zoned(TimeZone::UTC);
    from.is_ok_and(|from| cron.find_next_occurrence(&from, true).is_ok())
}

/// `5/15` is `5-59/15`.
fn with_whole_ranges(field: &str, last: u8) -> String {
    let parts = field.split(',').map(|part| match part.split_once('/') {
        Some((start, step)) if !start.is_empty() && !start.contains(['*', '?', '-']) => {
            format!("{start}-{last}/{step}")
        }
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_with_a_start_alone_goes_on_to_the_last_value() {
        for (field, last, whole) in [
            ("5/15", 59, "5-59/15"),
            ("MON/2,0", 6, "MON-6/2,0"),
            ("*/5", 59, "*/5"),
            ("1-9/2", 31, "1-9/2"),
            ("/5", 59, "/5"),
        ] {
            assert_eq!(with_whole_ranges(field, last), whole);
        }
    }

    #[test]
    fn a_day_that_no_month_has_never_comes() {
        for (text, does) in
            [("0 0 30 2 *", false), ("0 0 31 4,6 *", false), ("0 0 29 2 *", true), ("* * * * *", true)]
        {
            assert_eq!(comes(&parse(text).unwrap()), does, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_of_five_fields_is_refused() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 0 * * *",
            "0 24 * * *",
            "0 0 * * XYZ",
            "-30 * * * *",
            "/5 * * * *",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
