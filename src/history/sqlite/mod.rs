//! The history in SQLite: one writer, any number of readers, in WAL mode.

mod database;
mod decisions;
mod retention;
mod samples;
mod schema;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::trace::PastRow;
use super::{FILE, HistoryError, PastValue, Recorder, Retention, StoredDecision};
use crate::telemetry::metrics::Metrics;
use crate::units::Timestamp;
use writer::{Pace, Writer};

/// How long a reader waits for a lock.
const READER_WAITS: Duration = Duration::from_secs(2);

/// Starts the thread that writes `history.db` in the state folder. What goes wrong there is told and counted, never
/// given back.
#[must_use]
pub fn start(state: &Path, retention: Retention, metrics: &Arc<Metrics>) -> (Recorder, Archive) {
    let Retention::For(kept) = retention else { return (Recorder::off(), Archive::none()) };
    begin(state, Pace::keeping(kept), metrics)
}

fn begin(state: &Path, pace: Pace, metrics: &Arc<Metrics>) -> (Recorder, Archive) {
    let (recorder, messages) = Recorder::new(Arc::clone(metrics));
    let writer = Writer::new(state.join(FILE), pace, Arc::clone(metrics));
    let thread = std::thread::Builder::new().name("history".to_owned());
    match thread.spawn(move || writer.run(&messages)) {
        Ok(_) => (recorder, Archive::at(state)),
        Err(error) => {
            tracing::error!(%error, "no thread for the history; nothing is kept");
            (Recorder::off(), Archive::none())
        }
    }
}

/// The past, for readers. Every call opens the file anew, so it may come, go and be replaced between them. All of
/// them block.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    file: Option<PathBuf>,
}

/// A policy's past on its way to a reader.
#[derive(Debug)]
pub struct Past {
    pages: samples::Pages,
}

impl Archive {
    /// Where no history is kept.
    #[must_use]
    pub const fn none() -> Self {
        Self { file: None }
    }

    /// The history in this state folder. It need not be there yet.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { file: Some(state.join(FILE)) }
    }

    /// Is a history kept?
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.file.is_some()
    }

    /// The newest decisions from `since` on, at most `limit`, oldest first; of one policy or of all.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn decisions(
        &self,
        policy: Option<&str>,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<StoredDecision>, HistoryError> {
        match self.open()? {
            Some(connection) => decisions::read(&connection, policy, since, limit),
            None => Ok(Vec::new()),
        }
    }

    /// The values of one metric of a policy from `since` on, oldest first: single samples as far as there are any,
    /// and before them five-minute means, each at the end of its five minutes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn samples(
        &self,
        policy: &str,
        metric: &str,
        since: Timestamp,
    ) -> Result<Vec<PastValue>, HistoryError> {
        match self.open()? {
            Some(connection) => samples::of_metric(&connection, policy, metric, since),
            None => Ok(Vec::new()),
        }
    }

    /// The past of a policy from `since` on; `None` where nothing is known of such a policy.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn past(&self, policy: &str, since: Timestamp) -> Result<Option<Past>, HistoryError> {
        let Some(connection) = self.open()? else { return Ok(None) };
        Ok(samples::Pages::of(connection, policy, since)?.map(|pages| Past { pages }))
    }

    /// A connection that only reads; `None` where there is no file yet.
    fn open(&self) -> Result<Option<Connection>, HistoryError> {
        let Some(file) = self.file.as_deref().filter(|it| it.exists()) else { return Ok(None) };
        let connection = match read_only(file) {
            // Where nothing can be written, the log's index cannot be made. Without a log there is no writer either.
            Err(_) if !log_of(file).exists() => unchanging(file)?,
            other => other?,
        };
        let empty = schema::version(&connection)? == 0;
        Ok((!empty).then_some(connection))
    }
}

impl Past {
    /// From when on there are single samples; before that, rows are five-minute means.
    #[must_use]
    pub const fn raw_since(&self) -> Option<Timestamp> {
        self.pages.raw_since()
    }

    /// The next rows, oldest first; none at the end. Between two pages nothing of the file is held.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn page(&mut self) -> Result<Vec<PastRow>, HistoryError> {
        self.pages.next()
    }
}

fn read_only(file: &Path) -> Result<Connection, HistoryError> {
    let connection = Connection::open_with_flags(file, flags())?;
    connection.busy_timeout(READER_WAITS)?;
    schema::version(&connection)?;
    Ok(connection)
}

fn unchanging(file: &Path) -> Result<Connection, HistoryError> {
    let mut escaped = String::new();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                escaped.push(char::from(*byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags())?)
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// The one question that is asked of an error of SQLite: what would help.
impl From<rusqlite::Error> for HistoryError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let source = error.into();
        match code {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { source },
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted,
            ) => Self::Unavailable { source },
            _ => Self::Unfit { source },
        }
    }
}

#[cfg(test)]
mod tests;
