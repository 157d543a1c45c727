//! One look at the whole policy folder: which files it has, what they hold, what could not be read.
//!
//! Files are read again only when their identity, size or times differ, or were so young at the last look
//! that a later write may not show in them. Nothing here knows what the documents mean.

mod places;
mod walk;

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

pub use places::{Identity, Places, identity};

use super::durable::read_regular;
use super::load::{LoadedFile, load, sha256};
use crate::api::read;
use crate::units::{Duration, Timestamp};
use walk::Walk;
pub use walk::is_policy_name;

/// Most policy files of a folder; with more, the rest is reported and no document counts as deleted.
pub const MAX_FILES: usize = 20_000;
/// Most folders inside one another.
pub const MAX_DEPTH: usize = 16;
/// Most bytes of one policy file.
const MAX_FILE_BYTES: u64 = read::MAX_FILE_BYTES as u64;

/// Within this time of a change, another one may leave the same times: file systems count in up to 2 s.
const TIMES_GRANULARITY: Duration = Duration::from_secs(2);
/// How soon to look again at what could not be read.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A file found empty this soon after a change is taken for one that is just being written.
const EMPTY_GRACE: Duration = Duration::from_millis(500);
/// From this many files to read, all cores help.
const PARALLEL_FROM: usize = 64;
/// Most threads that read.
const MAX_READERS: usize = 8;

/// What one look at the folder gave. Paths are below the folder, with `/`.
#[derive(Debug, Default)]
pub struct Scan {
    /// The files that could be read.
    pub files: BTreeMap<String, LoadedFile>,
    /// Files and folders that are there and could not be read, and why. The empty path is the folder itself.
    pub unreadable: BTreeMap<String, String>,
}

/// Looks at the folder, again and again.
#[derive(Debug)]
pub struct Scanner {
    folder: PathBuf,
    seen: BTreeMap<String, Seen>,
    unreadable: Option<BTreeMap<String, String>>,
    places: Arc<Places>,
}

/// A file as it was read last.
#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    settled: bool,
    file: LoadedFile,
}

/// What differs when a file was changed, in all likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    identity: Identity,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Scan {
    /// Why the file at `path` cannot be seen, where it, a folder above it or the whole folder is unreadable.
    pub fn unreadable_at(&self, path: &str) -> Option<&str> {
        let above = path.match_indices('/').map(|(at, _)| &path[..at]);
        std::iter::once("")
            .chain(above)
            .chain([path])
            .find_map(|place| self.unreadable.get(place).map(String::as_str))
    }
}

impl Scanner {
    /// Nothing is read yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: BTreeMap::new(), unreadable: None, places: Arc::default() }
    }

    /// Where changes to what the last scan read can be noticed.
    pub fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Looks at the whole folder. `None` when it is as it was at the last look. When a file seems to be gone, it
    /// looks again, as the file may have been moved during the first look from a folder yet to be read into one
    /// already read.
    pub fn look(&mut self, now: Timestamp) -> Option<Scan> {
        let mut walk = Walk::through(&self.folder);
        if self.seen.keys().any(|path| !walk.files.contains_key(path)) {
            walk = Walk::through(&self.folder);
        }
        self.places = Arc::new(walk.places);
        let mut last = std::mem::take(&mut self.seen);
        let mut to_read = Vec::new();
        for (path, stamp) in walk.files {
            match last.remove(&path) {
                Some(it) if it.settled && it.stamp == stamp => {
                    self.seen.insert(path, it);
                }
                other => to_read.push((path, other.map(|it| it.file))),
            }
        }
        let mut changed = !last.is_empty();
        let mut unreadable = walk.unreadable;
        for Read { path, last, outcome } in read_all(&self.folder, to_read, now) {
            changed |=
                last != outcome.as_ref().ok().and_then(|it| it.as_ref()).map(|it| it.file.sha256.clone());
            match outcome {
                Ok(Some(it)) => {
                    self.seen.insert(path, it);
                }
                Ok(None) => {}
                Err(why) => {
                    unreadable.insert(path, why);
                }
            }
        }
        changed |= self.unreadable.as_ref() != Some(&unreadable);
        self.unreadable = Some(unreadable);
        changed.then(|| self.scan())
    }

    /// What the last look found.
    pub fn scan(&self) -> Scan {
        let files = self.seen.iter().map(|(path, it)| (path.clone(), it.file.clone())).collect();
        Scan { files, unreadable: self.unreadable.clone().unwrap_or_default() }
    }

    /// When to look again, even without a hint: something could not be read, or is so young that a later change
    /// might not show in its times.
    pub fn look_again(&self) -> Option<Duration> {
        if self.unreadable.as_ref().is_some_and(|it| !it.is_empty()) {
            return Some(RETRY_AFTER);
        }
        self.seen.values().any(|it| !it.settled).then_some(TIMES_GRANULARITY)
    }
}

impl Stamp {
    /// The stamp of a file with that metadata.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            identity: identity(metadata),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Has the file not been touched within `span` of `now`, before or after?
    fn untouched_for(&self, span: Duration, now: Timestamp) -> bool {
        let latest = self.modified.max(self.changed);
        let latest = latest.0.saturating_mul(1_000).saturating_add(latest.1 / 1_000_000);
        latest.abs_diff(now.as_millis()) >= span.as_millis().unsigned_abs()
    }
}

/// A file that was read, or could not be.
struct Read {
    path: String,
    /// SHA-256 of what it had before.
    last: Option<Arc<str>>,
    /// `None` where it has gone since it was found.
    outcome: Result<Option<Seen>, String>,
}

/// Reads and parses, on several cores where it is worth it.
fn read_all(folder: &Path, files: Vec<(String, Option<LoadedFile>)>, now: Timestamp) -> Vec<Read> {
    let read = |(path, last): &(String, Option<LoadedFile>)| {
        let outcome = read_one(folder, path, last.as_ref(), now);
        Read { path: path.clone(), last: last.as_ref().map(|it| it.sha256.clone()), outcome }
    };
    if files.len() < PARALLEL_FROM {
        return files.iter().map(read).collect();
    }
    let readers = thread::available_parallelism().map_or(1, usize::from).min(MAX_READERS);
    thread::scope(|scope| {
        let parts: Vec<_> = files
            .chunks(files.len().div_ceil(readers))
            .map(|part| scope.spawn(move || part.iter().map(read).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("a reader does not panic")).collect()
    })
}

/// `None` where the file has gone since it was found.
fn read_one(
    folder: &Path,
    path: &str,
    last: Option<&LoadedFile>,
    now: Timestamp,
) -> Result<Option<Seen>, String> {
    let full = folder.join(path);
    let (bytes, metadata) = match read_regular(&full, MAX_FILE_BYTES) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound && full.symlink_metadata().is_err() => {
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
    }
    let stamp = Stamp::of(&metadata);
    if bytes.is_empty() && !stamp.untouched_for(EMPTY_GRACE, now) {
        return Err("it is empty, as a file is that is just being written".to_owned());
    }
    let settled = stamp.untouched_for(TIMES_GRANULARITY, now);
    let sha256 = sha256(&bytes);
    let file = match last {
        Some(last) if last.sha256 == sha256 => last.clone(),
        // A fault of the parser must not take the other files along.
        _ => catch_unwind(|| load(path, &bytes)).map_err(|_| "docktor fails on its content".to_owned())?,
    };
    Ok(Some(Seen { stamp, settled, file }))
}
