//! Where the ticks of axes stand, and what they say.

use jiff::tz::TimeZone;

use crate::units::Timestamp;

/// Seconds between two ticks of time, as people count it.
const TIME_STEPS: [i64; 22] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
];
const DAY: i64 = 86_400;
/// Most ticks of time.
const MAX_TIME_TICKS: i64 = 9;
/// Seconds of a trace above this are a date; below, time since its beginning. It is in 1973.
const FIRST_DATE: i64 = 100_000_000;

/// Of a division.
const ROUNDING: f64 = 1e-9;

/// How moments are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// As hours and minutes since the trace's zero.
    Elapsed,
    /// As dates and times of day.
    Utc,
}

impl Clock {
    pub(super) const fn of(first: Timestamp) -> Self {
        if first.as_millis() < FIRST_DATE * 1_000 { Self::Elapsed } else { Self::Utc }
    }
}

/// A tick of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) at: Timestamp,
    pub(super) text: String,
    /// The date, where it is another than that of the tick before.
    pub(super) date: Option<String>,
}

/// Ticks of time between these moments.
pub(super) fn ticks(from: Timestamp, to: Timestamp, clock: Clock) -> Vec<Tick> {
    let (first, last) = (from.as_millis().div_euclid(1_000), to.as_millis().div_euclid(1_000));
    let wide = |step: &i64| (last - first) / step < MAX_TIME_TICKS;
    let step = TIME_STEPS.into_iter().find(wide).unwrap_or((last - first) / MAX_TIME_TICKS + 1);
    let start = first.div_euclid(step) * step;
    let moments = (0..=MAX_TIME_TICKS + 1).map(|n| start.saturating_add(n * step));
    let moments = moments.filter(|it| (first..=last).contains(it) && Timestamp::from_secs(*it) >= from);
    let mut ticks: Vec<Tick> = Vec::new();
    let mut day = None;
    for second in moments {
        let at = Timestamp::from_secs(second);
        let tick = match clock {
            Clock::Elapsed => Tick { at, text: elapsed(second, step), date: None },
            Clock::Utc => {
                let date = civil(at, "%Y-%m-%d");
                if step >= DAY {
                    ticks.push(Tick { at, text: date, date: None });
                    continue;
                }
                let date = (day.as_ref() != Some(&date)).then_some(date);
                day = date.clone().or(day);
                Tick { at, text: time_of_day(at, step), date }
            }
        };
        ticks.push(tick);
    }
    ticks
}

/// What the axis with these ticks counts.
pub(super) fn caption(clock: Clock, ticks: &[Tick]) -> &'static str {
    let text = ticks.first().map_or("", |it| &*it.text);
    match clock {
        Clock::Utc => "UTC",
        Clock::Elapsed if text.ends_with('d') => "days",
        Clock::Elapsed if text.matches(':').count() == 2 => "h:mm:ss",
        Clock::Elapsed => "h:mm",
    }
}

fn elapsed(second: i64, step: i64) -> String {
    let (sign, second) = if second < 0 { ("-", -second) } else { ("", second) };
    match step {
        DAY.. => format!("{sign}{}d", second / DAY),
        60.. => format!("{sign}{}:{:02}", second / 3_600, second / 60 % 60),
        _ => format!("{sign}{}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60),
    }
}

fn time_of_day(at: Timestamp, step: i64) -> String {
    civil(at, if step < 60 { "%H:%M:%S" } else { "%H:%M" })
}

fn civil(at: Timestamp, form: &str) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.as_millis());
    moment.map(|it| it.to_zoned(TimeZone::UTC).strftime(form).to_string()).unwrap_or_default()
}

/// Round numbers between `low` and `high`, three to six of them.
pub(super) fn round_numbers(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let power = 10f64.powf((span / 4.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|it| it * power).find(|it| span / it <= 5.0);
    let step = step.unwrap_or(span);
    // The last digit of a division is no reason to leave out an end.
    let first = (low / step - ROUNDING).ceil();
    let count = ((high / step + ROUNDING).floor() - first) as u32;
    (0..=count.min(10)).map(|n| (first + f64::from(n)) * step).collect()
}

/// A number in few characters: `0.25`, `75`, `12k`, `3.4M`.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let (scaled, unit) = match size {
        1e12.. => (value / 1e12, "T"),
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        100.0.. => 0,
        1.0.. => 1,
        _ => 3,
    };
    let text = format!("{scaled:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{}{unit}", if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(from: i64, to: i64) -> Vec<String> {
        let (from, to) = (Timestamp::from_secs(from), Timestamp::from_secs(to));
        let said = |it: Tick| it.text + &it.date.map(|date| format!("|{date}")).unwrap_or_default();
        ticks(from, to, Clock::of(from)).into_iter().map(said).collect()
    }

    #[test]
    fn ticks_of_time_are_round_and_few() {
        assert_eq!(texts(0, 20), ["0:00:00", "0:00:05", "0:00:10", "0:00:15", "0:00:20"]);
        assert_eq!(texts(0, 7_200), ["0:00", "0:15", "0:30", "0:45", "1:00", "1:15", "1:30", "1:45", "2:00"]);
        assert_eq!(texts(0, 9 * DAY), ["0d", "2d", "4d", "6d", "8d"]);
        let day = 1_795_305_600;
        assert_eq!(texts(day, day + 7_200)[..2], ["00:00|2026-11-22", "00:15"]);
        assert_eq!(texts(day + 80_000, day + DAY + 10_000).last().unwrap(), "02:00");
        assert_eq!(texts(day, day + 3 * DAY)[1..3], ["12:00", "00:00|2026-11-23"]);
        assert_eq!(texts(day, day + 20 * DAY)[..2], ["2026-11-26", "2026-12-03"]);
        assert_eq!(texts(7, 7), ["0:00:07"]);
        for length in [1, 59, 60, 61, 3_599, DAY, 9 * DAY, 4_000 * DAY, 3_000_000 * DAY] {
            let count = texts(day, day + length).len();
            assert!((1..=10).contains(&count), "{length}: {count}");
        }
    }

    #[test]
    fn round_numbers_lie_between_the_ends() {
        assert_eq!(round_numbers(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(round_numbers(0.0, 0.3).len(), 4);
        assert_eq!(round_numbers(-3.0, 7.0), [-2.0, 0.0, 2.0, 4.0, 6.0]);
        assert_eq!(round_numbers(5.0, 5.0), [5.0]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.25, "0.25"),
            (75.0, "75"),
            (2_500.0, "2500"),
            (12_000.0, "12k"),
            (3.4e6, "3.4M"),
            (-0.0, "0"),
            (6.0, "6"),
            (110.0, "110"),
            (5.12e8, "512M"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
