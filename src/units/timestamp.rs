//! The only notion of "when" that the pure code has.

use std::fmt;
use std::str::FromStr;

use super::{Duration, UnitError, text_form};

const EXPECTED: &str = "a time is written as in RFC 3339: `2026-11-22T06:29:00Z`";

/// The first and the last moment, in milliseconds, that can be written: the years -9999 to 9999, less a day for zones.
const FIRST: i64 = -377_705_023_201_000;
const LAST: i64 = 253_402_207_200_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

text_form!(Timestamp, "Timestamp", r"^\d{4}-\d{2}-\d{2}T", "A moment as in RFC 3339");

impl Timestamp {
    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` after the epoch.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Does it lie in the years that a calendar has, up to 9999?
    #[must_use]
    pub fn is_in_calendar(self) -> bool {
        jiff::Timestamp::from_millisecond(self.0).is_ok()
    }

    /// How long ago `earlier` was, seen from here; nothing when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment `after` later; the last that can be written, where that is later still.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after.as_millis()).min(LAST))
    }

    /// The moment `before` earlier; the first that can be written, where that is earlier still.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(before.as_millis()).max(FIRST))
    }
}

impl FromStr for Timestamp {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.parse::<jiff::Timestamp>()
            .map(|moment| Self(moment.as_millisecond()))
            .map_err(|_| UnitError::new(text, EXPECTED))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_was_written() {
        let moment: Timestamp = "2026-11-22T06:29:00.123Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-22T06:29:00.123Z");
        assert_eq!(moment.plus(Duration::from_secs(60)).since(moment), Duration::from_secs(60));
        assert_eq!(moment.since(moment.plus(Duration::from_secs(1))), Duration::ZERO);
    }

    #[test]
    fn arithmetic_ends_where_moments_can_no_longer_be_written_and_read_back() {
        let ages = Duration::from_millis(u64::MAX);
        for end in [Timestamp::default().plus(ages), Timestamp::default().minus(ages)] {
            assert_eq!(end.to_string().parse(), Ok(end));
        }
        for beyond in [FIRST - 1_000, LAST + 1_000] {
            assert!(jiff::Timestamp::from_millisecond(beyond).is_err(), "there are moments beyond {beyond}");
        }
        assert_eq!(Timestamp::from_millis(i64::MAX).plus(ages).as_millis(), LAST);
        assert!(!Timestamp::from_millis(i64::MAX).to_string().is_empty());
    }
}
