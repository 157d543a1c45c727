//! From when on: a moment, or a length of time ago.

use std::str::FromStr;

use crate::units::{Duration, Timestamp};

/// From when on, as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// That moment.
    At(Timestamp),
}

/// Why a text is no beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is neither a length of time, as in `24h`, nor a moment, as in `2026-11-22T06:29:00Z`")]
pub struct SinceError {
    found: String,
}

impl Since {
    /// The moment that is meant, seen from `now`.
    #[must_use]
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(ago) => now.minus(ago),
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for Since {
    type Err = SinceError;

    fn from_str(text: &str) -> Result<Self, SinceError> {
        let ago = text.parse().map(Self::Ago);
        let at = || text.parse().map(Self::At);
        ago.or_else(|_| at()).map_err(|_| SinceError { found: text.to_owned() })
    }
}

impl std::fmt::Display for Since {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ago(ago) => ago.fmt(f),
            Self::At(moment) => moment.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_moment_or_so_long_ago() {
        let now: Timestamp = "2026-11-22T06:29:00Z".parse().unwrap();
        let since = |text: &str| text.parse::<Since>().unwrap().moment(now).to_string();
        assert_eq!(since("24h"), "2026-11-21T06:29:00Z");
        assert_eq!(since("2026-11-20T00:00:00Z"), "2026-11-20T00:00:00Z");
        assert!("yesterday".parse::<Since>().is_err());
    }
}
