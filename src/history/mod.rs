//! History: what was observed and decided, in SQLite (`history.db` in the state folder).
//!
//! A pass hands an [`Entry`] to a [`Recorder`], which costs a send on a bounded channel; one thread writes. Readers go
//! through an [`Archive`], each with a connection of its own. Nothing here can hold up or stop control: what cannot be
//! written is counted and left out, and a file that is deleted, damaged or locked only makes the past shorter.

pub mod entry;
mod recorder;
pub mod since;
#[cfg(not(feature = "history"))]
mod none;
#[cfg(feature = "history")]
mod sqlite;
pub mod trace;

use std::fmt;
use std::str::FromStr;

#[cfg(not(feature = "history"))]
pub use self::none::{Archive, Past, start};
#[cfg(feature = "history")]
pub use self::sqlite::{Archive, Past, start};
pub use entry::Entry;
pub use recorder::Recorder;
pub use since::Since;

use crate::api::policy::Mode;
use crate::api::status::DecisionRecord;
use crate::model::key::Generation;
use crate::units::{Duration, Timestamp};

/// The database's name in the state folder.
pub const FILE: &str = "history.db";
/// What a five-minute mean is taken over.
pub const BUCKET: Duration = Duration::from_secs(300);
/// How long five-minute means are kept.
pub const MEANS_KEPT: Duration = Duration::from_secs(15 * 86_400);
/// How long decisions are kept.
pub const DECISIONS_KEPT: Duration = Duration::from_secs(400 * 86_400);
/// The shortest time for which single samples can be kept.
const SHORTEST_RETENTION: Duration = Duration::from_secs(600);

/// For how long single samples are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// No history at all.
    Off,
    /// So long; then five-minute means stand for them.
    For(Duration),
}

/// A decision as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDecision {
    /// The policy's name.
    pub policy: String,
    /// The spec that was decided by.
    pub generation: Generation,
    /// The mode in force.
    pub mode: Mode,
    /// Was its action begun?
    pub acted: bool,
    /// What was decided and why.
    pub record: DecisionRecord,
}

/// One value of the past.
pub type PastValue = (Timestamp, f64);

/// Why the past cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A newer docktor has made the file.
    #[error(
        "{FILE} is of a newer docktor (version {found} of the tables, this one knows {known}); it is left alone"
    )]
    Newer {
        /// The version of its tables.
        found: i64,
        /// The newest version that this docktor knows.
        known: i64,
    },
    /// What is in the file makes no sense.
    #[error("{FILE} is damaged")]
    Damaged {
        /// What was found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file cannot be reached or written at present: locked, read-only, a full disk.
    #[error("{FILE} cannot be used at present")]
    Unavailable {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was to be written does not fit the tables.
    #[error("{FILE} does not take an entry")]
    Unfit {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Default for Retention {
    fn default() -> Self {
        Self::For(Duration::from_secs(86_400))
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        if text == "none" {
            return Ok(Self::Off);
        }
        let kept: Duration = text.parse().map_err(|_| RetentionError)?;
        if kept < SHORTEST_RETENTION || kept > MEANS_KEPT { Err(RetentionError) } else { Ok(Self::For(kept)) }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("none"),
            Self::For(kept) => kept.fmt(f),
        }
    }
}

/// Why a text is no retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write {SHORTEST_RETENTION} to {MEANS_KEPT}, as in `24h`, or `none`")]
pub struct RetentionError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_length_of_time_within_bounds_or_none() {
        for text in ["10m", "1d", "15d", "none"] {
            assert_eq!(text.parse::<Retention>().unwrap().to_string(), text);
        }
        for text in ["", "24", "9m", "16d", "None", "-1h"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
        assert_eq!(Retention::default(), "24h".parse().unwrap());
    }
}
