//! In place of SQLite, in a build without the feature `history`: nothing is kept, and there is no past.

use std::path::Path;
use std::sync::Arc;

use super::trace::PastRow;
use super::{HistoryError, PastValue, Recorder, Retention, StoredDecision};
use crate::telemetry::metrics::Metrics;
use crate::units::Timestamp;

/// Keeps nothing, and says so where something was asked for.
#[must_use]
pub fn start(_state: &Path, retention: Retention, _metrics: &Arc<Metrics>) -> (Recorder, Archive) {
    if retention != Retention::Off {
        tracing::info!("this build keeps no history");
    }
    (Recorder::off(), Archive::none())
}

/// The past, of which there is none.
#[derive(Debug, Clone, Copy, Default)]
pub enum Archive {
    /// Nobody asked for one.
    #[default]
    None,
    /// A file that this build cannot read.
    Unreadable,
}

/// A policy's past, of which there is none.
#[derive(Debug)]
pub enum Past {}

impl Archive {
    /// No past.
    #[must_use]
    pub const fn none() -> Self {
        Self::None
    }

    /// No past either.
    #[must_use]
    pub const fn at(_state: &Path) -> Self {
        Self::None
    }

    /// A past that this build cannot read.
    #[must_use]
    pub const fn offline(_state: &Path) -> Self {
        Self::Unreadable
    }

    /// Is a history kept?
    #[must_use]
    pub const fn is_on(&self) -> bool {
        false
    }

    /// None.
    ///
    /// # Errors
    /// When a file was asked for.
    pub fn decisions(
        &self,
        _policy: Option<&str>,
        _since: Timestamp,
        _limit: usize,
    ) -> Result<Vec<StoredDecision>, HistoryError> {
        self.nothing().map(|()| Vec::new())
    }

    /// None.
    ///
    /// # Errors
    /// When a file was asked for.
    pub fn samples(
        &self,
        _policy: &str,
        _metric: &str,
        _since: Timestamp,
    ) -> Result<Vec<PastValue>, HistoryError> {
        self.nothing().map(|()| Vec::new())
    }

    /// None.
    ///
    /// # Errors
    /// When a file was asked for.
    pub fn past(&self, _policy: &str, _since: Timestamp) -> Result<Option<Past>, HistoryError> {
        self.nothing().map(|()| None)
    }
}

impl Archive {
    fn nothing(self) -> Result<(), HistoryError> {
        match self {
            Self::None => Ok(()),
            Self::Unreadable => Err(HistoryError::Unavailable { source: "this build has no SQLite".into() }),
        }
    }
}

impl Past {
    /// Never asked.
    #[must_use]
    pub const fn raw_since(&self) -> Option<Timestamp> {
        match *self {}
    }

    /// Never asked.
    ///
    /// # Errors
    /// None.
    pub const fn page(&mut self) -> Result<Vec<PastRow>, HistoryError> {
        match *self {}
    }
}
