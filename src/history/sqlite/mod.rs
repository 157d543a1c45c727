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
/// Besides reading or writing.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_URI.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

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
    match thread.spawn(move || writer.run(messages)) {
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
    reader: Reader,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reader {
    /// The process that also writes.
    #[default]
    Controller,
    /// Another, which may have no right to write.
    Client,
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
        Self { file: None, reader: Reader::Controller }
    }

    /// The history in this state folder, for the controller itself. It need not be there yet.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { file: Some(state.join(FILE)), reader: Reader::Controller }
    }

    /// The same for another program, which leaves everything as it is. A controller may run meanwhile.
    #[must_use]
    pub fn offline(state: &Path) -> Self {
        Self { reader: Reader::Client, ..Self::at(state) }
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
    /// and before them five-minute means, each at the beginning of its five minutes.
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
        let connection = match self.reader {
            // The last one to close a file in WAL mode cleans up after the log, which only a writer may.
            Reader::Controller => {
                Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | FLAGS)?
            }
            Reader::Client if log_of(file).exists() => {
                Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | FLAGS)?
            }
            // Nobody has it open. To read it as it is needs no right to write beside it.
            Reader::Client => {
                Connection::open_with_flags(unchanging(file), OpenFlags::SQLITE_OPEN_READ_ONLY | FLAGS)?
            }
        };
        connection.busy_timeout(READER_WAITS)?;
        connection.pragma_update(None, "query_only", true)?;
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

/// The URI of a file that does not change while it is read.
fn unchanging(file: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?immutable=1"
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
