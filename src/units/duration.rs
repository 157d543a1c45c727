//! Lengths of time as people write them: `30s`, `5m`, `1h30m`, `7d`.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, text_form};

const EXPECTED: &str = "a duration has a number and a unit (ms, s, m, h, d), as in `30s`, `5m` or `1h30m`";
/// A hundred years; anything longer is a mistake.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(100 * 365 * 86_400);

/// A length of time, zero included, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(std::time::Duration);

text_form!(
    Duration,
    "Duration",
    r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$",
    "A length of time: a number and a unit (ms, s, m, h, d), as in 30s, 5m or 1h30m"
);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(std::time::Duration::ZERO);

    /// `seconds` whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// The same as the standard library has it.
    #[must_use]
    pub const fn get(self) -> std::time::Duration {
        self.0
    }

    /// In milliseconds, saturating.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// In seconds, with the fraction.
    #[must_use]
    pub const fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// Is it no time at all?
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl FromStr for Duration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || UnitError::without_unit(text, "s", EXPECTED);
        let mut rest = text;
        let mut millis = 0f64;
        while !rest.is_empty() {
            let unit_at = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(refuse)?;
            let (number, tail) = rest.split_at(unit_at);
            let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                return Err(refuse());
            }
            let number: f64 = number.parse().map_err(|_| refuse())?;
            millis += number * millis_in(unit).ok_or_else(refuse)?;
            rest = tail;
        }
        let longest = LONGEST.as_millis() as f64;
        if text.is_empty() || millis > longest {
            return Err(refuse());
        }
        Ok(Self::from_millis(millis.round() as u64))
    }
}

fn millis_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    })
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations_in_these_ways() {
        for (text, millis) in [
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("0s", 0),
            ("250ms", 250),
        ] {
            assert_eq!(text.parse::<Duration>().unwrap().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "10", "s", "-5s", "5 m", "1y", "1e9s", "999999d", "NaNs", "1..2s"] {
            let error = text.parse::<Duration>().unwrap_err().to_string();
            assert!(error.contains("`30s`"), "{text}: {error}");
        }
    }

    #[test]
    fn the_text_form_reads_back_as_the_same_duration() {
        for millis in [0, 1, 999, 1_000, 61_000, 90_061_001] {
            let duration = Duration::from_millis(millis);
            assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
        }
    }
}
