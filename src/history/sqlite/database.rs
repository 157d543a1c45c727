//! The writer's connection: opening the file, writing a batch, noticing that the file is gone.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{decisions, samples, schema};
use crate::history::entry::Series;
use crate::history::{Entry, HistoryError};

/// KiB of the file that the writer holds in memory; it writes at the ends of tables and reads next to nothing.
const CACHE_KIB: i64 = 512;
/// Bytes that the write-ahead log keeps on disk after a checkpoint.
const LOG_BYTES: i64 = 4 * 1024 * 1024;

/// The file, open for writing.
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    policies: HashMap<String, i64>,
    series: HashMap<Series, i64>,
    files: Option<Files>,
}

/// Which files these are: device and inode of the database and of its log.
type Files = [Option<(u64, u64)>; 2];

impl Database {
    /// Opens the file, and makes it where there is none. A damaged one is an error; see [`set_aside`].
    pub(super) fn open(path: &Path, busy: Duration) -> Result<Self, HistoryError> {
        if !path.exists() {
            // What a deleted database left would be taken for the new one's.
            remove_logs(path);
        }
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(busy)?;
        // Looked at before anything is changed: a newer docktor's file is left alone.
        schema::version(&connection)?;
        // Can only be set while there is no table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            policies: HashMap::new(),
            series: HashMap::new(),
            files: None,
        })
    }

    /// Is the file still the one that was opened? Nobody else may have deleted or replaced it.
    pub(super) fn is_there(&self) -> bool {
        self.files.is_none_or(|it| it == files(&self.path))
    }

    /// The connection, for what is no batch.
    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Writes all of these or none. After an error the database has to be opened again.
    pub(super) fn write(&mut self, entries: &[Entry]) -> Result<(), HistoryError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for entry in entries {
            let policy = policy_id(&transaction, &mut self.policies, entry.policy.as_str())?;
            for sample in &entry.samples {
                let series = series_id(&transaction, &mut self.series, &sample.series)?;
                samples::write(&transaction, policy, series, entry.at, sample.value)?;
            }
            if let Some(decided) = &entry.decision {
                decisions::write(&transaction, policy, entry.generation, decided)?;
            }
        }
        transaction.commit()?;
        self.files = Some(files(&self.path));
        Ok(())
    }
}

fn policy_id(
    transaction: &Transaction<'_>,
    known: &mut HashMap<String, i64>,
    name: &str,
) -> Result<i64, rusqlite::Error> {
    if let Some(id) = known.get(name) {
        return Ok(*id);
    }
    let found = transaction
        .prepare_cached("SELECT id FROM policies WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let id = match found {
        Some(id) => id,
        None => transaction.prepare_cached("INSERT INTO policies (name) VALUES (?1)")?.insert([name])?,
    };
    known.insert(name.to_owned(), id);
    Ok(id)
}

fn series_id(
    transaction: &Transaction<'_>,
    known: &mut HashMap<Series, i64>,
    series: &Series,
) -> Result<i64, rusqlite::Error> {
    if let Some(id) = known.get(series) {
        return Ok(*id);
    }
    let key = params![series.kind.word(), &*series.name];
    let found = transaction
        .prepare_cached("SELECT id FROM series WHERE kind = ?1 AND name = ?2")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let id = match found {
        Some(id) => id,
        None => transaction.prepare_cached("INSERT INTO series (kind, name) VALUES (?1, ?2)")?.insert(key)?,
    };
    known.insert(series.clone(), id);
    Ok(id)
}

/// Moves a damaged database out of the way, over the one that was moved before.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let aside = PathBuf::from(aside);
    fs::rename(path, &aside)?;
    remove_logs(path);
    Ok(aside)
}

fn remove_logs(path: &Path) {
    for suffix in ["-wal", "-shm"] {
        // One that is not there needs no removal; one that cannot be removed shows when the file is opened.
        let _ = fs::remove_file(beside(path, suffix));
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn files(path: &Path) -> Files {
    [path.to_owned(), beside(path, "-wal")]
        .map(|it| fs::metadata(it).ok().map(|found| (found.dev(), found.ino())))
}
