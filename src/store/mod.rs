//! Store: the policy folder as the controller sees it, and what docktor keeps on disk.
//!
//! `Store` turns the folder into a `Catalog`: which policies run, from which text, and what is wrong
//! with newer texts. It reads the whole folder afresh at every rescan; what the watcher says is only
//! a hint that it is time for one. What it must know across restarts (last good texts, generations,
//! owners of targets) is in the state folder before `rescan` returns, so a restart with the same
//! state folder gives the same catalog. It does not decide, act, or read the clock.

mod durable;
mod folder;
mod load;
mod record;
mod stop;

pub mod catalog;
pub mod lock;
pub mod memory;
pub mod sidecar;
pub mod watch;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use catalog::{Catalog, Conflict, PolicyEntry};
pub use folder::Places;
pub use stop::{StopFile, StopSign};

use crate::model::key::PolicyKey;
use crate::units::{Duration, Timestamp};
use folder::Scanner;
use record::{Journal, Record};

/// How soon to look again at what could not be read or written.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The policy folder, as of the last rescan.
#[derive(Debug)]
pub struct Store {
    scanner: Scanner,
    engines: BTreeMap<String, String>,
    record: Record,
    journal: Journal,
    catalog: Arc<Catalog>,
    stop: StopFile,
    /// The record could not be written.
    unsaved: bool,
}

/// What a rescan found to be different. Lists are in order of key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// New policies, and those of which the text, the profile, a mistake, a conflict or the place changed.
    pub changed: Vec<PolicyKey>,
    /// Policies that are no more. Their memory is kept for a while.
    pub deleted: Vec<PolicyKey>,
    /// Profiles, budgets or notifiers changed. Policies that use a changed profile are in `changed`.
    pub others_changed: bool,
    /// What an operator should know and no policy's mistakes tell; also in `Catalog::problems`.
    /// Only those that the rescan before did not have.
    pub new_problems: Vec<String>,
    /// Look again after this time, even without a hint: something could not be read, or was written so
    /// recently that a later change might not show in its times.
    pub look_again: Option<Duration>,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be made or written.
    #[error("cannot use the state folder {}", folder.display())]
    StateFolder {
        /// The state folder.
        folder: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl Store {
    /// Opens the policy folder `folder` with what the state folder `state` remembers of it, and reads it
    /// for the first time. A policy folder that is not there is no error: what ran before goes on, and
    /// `Catalog::problems` tells. Blocks on files.
    pub fn open(folder: &Path, state: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let state_error = |source| StoreError::StateFolder { folder: state.to_owned(), source };
        let (journal, record) = Journal::open(state).map_err(state_error)?;
        // File events name absolute paths; only an empty path cannot be made one.
        let folder = &std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut store = Self {
            scanner: Scanner::new(folder),
            engines: record.engines.clone(),
            record,
            journal,
            catalog: Arc::default(),
            stop: StopFile::new(folder),
            unsaved: false,
        };
        store.rescan(now);
        Ok(store)
    }

    /// Reads the folder again and says what changed. Unchanged files are only looked at, not read.
    /// Blocks on files.
    pub fn rescan(&mut self, now: Timestamp) -> Changes {
        let look = self.scanner.look(now);
        let look_again = self.scanner.look_again();
        let Some(scan) = look.or_else(|| self.is_outdated(now).then(|| self.scanner.scan())) else {
            return Changes { look_again, ..Changes::default() };
        };
        let (mut catalog, record) = catalog::resolve(&scan, &self.record, &self.engines, now);
        self.unsaved = false;
        if let Err(error) = self.journal.save(&self.record, &record) {
            catalog.problems.push(format!("cannot record the last good texts: {error}"));
            self.unsaved = true;
        }
        let look_again = if self.unsaved { Some(RETRY_AFTER) } else { look_again };
        let changes = Changes { look_again, ..self.catalog.changes_to(&catalog) };
        self.record = record;
        self.catalog = Arc::new(catalog);
        changes
    }

    /// Is there something to do, though the folder did not change?
    fn is_outdated(&self, now: Timestamp) -> bool {
        self.unsaved || self.engines != self.record.engines || self.record.has_expired(now)
    }

    /// The policy of that key.
    #[must_use]
    pub fn get(&self, key: &PolicyKey) -> Option<&PolicyEntry> {
        self.catalog.policies.get(key)
    }

    /// All policies, the invalid and the conflicting included, in order of key.
    pub fn entries(&self) -> impl Iterator<Item = &PolicyEntry> {
        self.catalog.policies.values()
    }

    /// The catalog of the last rescan. Cheap to clone and to keep while a rescan runs.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// What a watcher has to look at to notice changes; see [`watch::Watcher::arm`].
    #[must_use]
    pub fn places(&self) -> &Arc<Places> {
        self.scanner.places()
    }

    /// The file `STOP`, to be asked right before any action. Cheap to clone.
    #[must_use]
    pub fn stop_file(&self) -> &StopFile {
        &self.stop
    }

    /// The engine at `address` (`None`: the default one) has this id. Two addresses of one engine are then
    /// one, so that policies which reach a service by different addresses conflict. In force from the next
    /// rescan.
    pub fn learn_engine(&mut self, address: Option<&str>, id: &str) {
        self.engines.insert(address.unwrap_or_default().to_owned(), id.to_owned());
    }
}
