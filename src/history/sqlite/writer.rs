//! The one thread that writes. Entries are collected and written together; what cannot be written now is tried again
//! later, and what cannot wait any longer is left out and counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::database::{Database, set_aside};
use super::retention::{Kept, sweep};
use crate::history::recorder::Message;
use crate::history::{Entry, HistoryError};
use crate::telemetry::chain;
use crate::telemetry::metrics::Metrics;

/// So many entries are written at once, at the latest.
const BATCH: usize = 500;
/// Entries that wait while nothing can be written; one more is left out.
const MAX_PENDING: usize = 4_096;

/// How the writer goes about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The first entry of a batch waits at most so long.
    pub(super) batch: Duration,
    /// How long to wait for a lock that somebody else has.
    pub(super) busy: Duration,
    /// After a failure, how long until it is tried again.
    pub(super) retry: Duration,
    /// Time between two rounds of retention.
    pub(super) sweep: Duration,
    /// How long rows are kept.
    pub(super) kept: Kept,
}

impl Pace {
    /// The pace of a controller that keeps single samples so long.
    pub(super) const fn keeping(samples: crate::units::Duration) -> Self {
        Self {
            batch: Duration::from_secs(5),
            busy: Duration::from_secs(2),
            retry: Duration::from_secs(30),
            sweep: Duration::from_secs(60),
            kept: Kept::new(samples),
        }
    }
}

/// What the thread owns.
pub(super) struct Writer {
    path: PathBuf,
    pace: Pace,
    metrics: Arc<Metrics>,
    database: Option<Database>,
    pending: Vec<Entry>,
    /// When what is pending is to be written.
    due: Option<Instant>,
    swept: Option<Instant>,
    health: Health,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Degraded,
}

impl Writer {
    pub(super) const fn new(path: PathBuf, pace: Pace, metrics: Arc<Metrics>) -> Self {
        Self {
            path,
            pace,
            metrics,
            database: None,
            pending: Vec::new(),
            due: None,
            swept: None,
            health: Health::Well,
        }
    }

    /// Writes until told to close, or until nobody is left who could send anything.
    pub(super) fn run(mut self, messages: Receiver<Message>) {
        loop {
            match self.next(&messages) {
                Ok(Message::Entry(entry)) => self.take(entry),
                Ok(Message::Flush(answer)) => {
                    self.commit();
                    // Nobody may wait any more.
                    let _ = answer.send(());
                }
                Ok(Message::Close(answer)) => {
                    self.commit();
                    self.database = None;
                    // From here on a recorder knows that nobody listens.
                    drop(messages);
                    let _ = answer.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => return self.commit(),
            }
        }
    }

    /// Waits for a message; without anything pending, for ever.
    fn next(&self, messages: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        match self.due {
            Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    pub(super) fn take(&mut self, entry: Entry) {
        if self.pending.len() >= MAX_PENDING {
            return self.metrics.history_dropped(1);
        }
        self.pending.push(entry);
        self.due.get_or_insert_with(|| Instant::now() + self.pace.batch);
        if self.health == Health::Well && self.pending.len() >= BATCH {
            self.commit();
        }
    }

    /// Writes what is pending. A damaged file is set aside, and a new one begun at once.
    pub(super) fn commit(&mut self) {
        let written = match self.try_commit() {
            Err(HistoryError::Damaged { source }) => {
                self.database = None;
                self.tell_damage(&*source);
                self.try_commit()
            }
            other => other,
        };
        match written {
            Ok(()) => self.well(),
            Err(error) => self.ill(error),
        }
    }

    fn try_commit(&mut self) -> Result<(), HistoryError> {
        if self.database.as_ref().is_some_and(|it| !it.is_there()) {
            tracing::warn!(file = %self.path.display(), "the history was deleted or replaced; it starts anew");
            self.database = None;
        }
        let database = match &mut self.database {
            Some(database) => database,
            none => none.insert(Database::open(&self.path, self.pace.busy)?),
        };
        let newest = self.pending.iter().map(|it| it.at).max();
        database.write(&self.pending)?;
        self.pending.clear();
        let is_time = self.swept.is_none_or(|it| it.elapsed() >= self.pace.sweep);
        if let Some(now) = newest.filter(|_| is_time) {
            self.swept = Some(Instant::now());
            sweep(database.connection(), self.pace.kept, now)?;
        }
        Ok(())
    }

    /// Lets the file grow to so many pages and no further, as a disk that is full would.
    #[cfg(test)]
    pub(super) fn limit_pages(&mut self, pages: i64) {
        let database = self.database.get_or_insert_with(|| {
            Database::open(&self.path, self.pace.busy).expect("the file can be opened")
        });
        let limited =
            database.connection().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
        limited.expect("SQLite takes a limit");
    }

    fn well(&mut self) {
        self.due = None;
        if std::mem::replace(&mut self.health, Health::Well) == Health::Degraded {
            tracing::info!(file = %self.path.display(), "the history is written again");
        }
    }

    fn ill(&mut self, error: HistoryError) {
        self.metrics.history_failed();
        self.database = None;
        self.due = Some(Instant::now() + self.pace.retry);
        if std::mem::replace(&mut self.health, Health::Degraded) == Health::Well {
            let error = chain(&error);
            tracing::warn!(file = %self.path.display(), error, "the history cannot be written; control goes on");
        }
        if matches!(error, HistoryError::Unfit { .. }) {
            // It would not fit the next time either.
            self.metrics.history_dropped(self.pending.len());
            self.pending.clear();
        }
    }

    fn tell_damage(&self, error: &dyn std::error::Error) {
        self.metrics.history_failed();
        let error = chain(error);
        match set_aside(&self.path) {
            Ok(aside) => {
                tracing::error!(error, aside = %aside.display(), "the history is damaged and set aside; it starts anew");
            }
            Err(cannot) => tracing::error!(error, %cannot, "the history is damaged and cannot be set aside"),
        }
    }
}
