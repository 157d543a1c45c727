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
#[derive(Debug, Clone, Default)]
pub struct Archive;

/// A policy's past, of which there is none.
#[derive(Debug)]
pub enum Past {}

impl Archive {
    /// No past.
    #[must_use]
    pub const fn none() -> Self {
        Self
    }

    /// No past either.
    #[must_use]
    pub const fn at(_state: &Path) -> Self {
        Self
    }

    /// Is a history kept?
    #[must_use]
    pub const fn is_on(&self) -> bool {
        false
    }

    /// None.
    ///
    /// # Errors
    /// None.
    pub const fn decisions(
        &self,
        _policy: Option<&str>,
        _since: Timestamp,
        _limit: usize,
    ) -> Result<Vec<StoredDecision>, HistoryError> {
        Ok(Vec::new())
    }

    /// None.
    ///
    /// # Errors
    /// None.
    pub const fn samples(
        &self,
        _policy: &str,
        _metric: &str,
        _since: Timestamp,
    ) -> Result<Vec<PastValue>, HistoryError> {
        Ok(Vec::new())
    }

    /// None.
    ///
    /// # Errors
    /// None.
    pub const fn past(&self, _policy: &str, _since: Timestamp) -> Result<Option<Past>, HistoryError> {
        Ok(None)
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
