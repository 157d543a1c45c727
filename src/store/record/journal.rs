//! The record on disk: a file of JSON lines, each the latest word on one document.
//!
//! A change costs a line and one sync, however many policies there are. The file is written anew once most of
//! its lines are outdated, or when its end or a line was damaged.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::durable::{Durability, replace};
use super::{DocumentKey, Good, Record};

/// The file's name in the state folder.
const FILE: &str = "policies.jsonl";
/// Where a damaged file is put aside.
const DAMAGED: &str = "policies.jsonl.damaged";
/// What this build writes and reads.
const VERSION: u32 = 1;
/// This many outdated lines are always tolerated.
const SPARE_LINES: usize = 1_000;

/// The record's file.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: Option<File>,
    lines: usize,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// The first one.
    Version(u32),
    /// A document is now this.
    Set(DocumentKey, Box<Good>),
    /// A document is forgotten.
    Forget(DocumentKey),
    /// The engine at an address has this id.
    Engine(String, String),
}

impl Journal {
    /// Opens the journal in the folder `state`, which is made if it is not there.
    pub fn open(state: &Path) -> io::Result<(Self, Record)> {
        fs::create_dir_all(state)?;
        let path = state.join(FILE);
        let mut journal = Self { folder: state.to_owned(), file: None, lines: 0 };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((journal, Record::default())),
            Err(error) => return Err(error),
        };
        let (record, lines, damaged) = read(&bytes)?;
        if damaged {
            tracing::warn!(file = %path.display(), "the record of last good policies is damaged; what can be read is used");
            fs::copy(&path, state.join(DAMAGED))?;
        } else {
            journal.file = Some(OpenOptions::new().append(true).open(&path)?);
            journal.lines = lines;
        }
        Ok((journal, record))
    }

    /// Makes `after` durable, given that `before` is. After a failure, the next call writes all of it.
    pub fn save(&mut self, before: &Record, after: &Record) -> io::Result<()> {
        let lines = difference(before, after);
        if lines.is_empty() && (self.file.is_some() || *after == Record::default()) {
            return Ok(());
        }
        let live = after.documents.len() + after.engines.len();
        let outcome = match self.file.take() {
            Some(file) if self.lines + lines.len() <= 2 * live + SPARE_LINES => append(file, &lines),
            _ => self.write_anew(after).map(|file| {
                self.lines = live;
                file
            }),
        };
        self.file = Some(outcome?);
        self.lines += lines.len();
        Ok(())
    }

    fn write_anew(&self, record: &Record) -> io::Result<File> {
        let mut lines = vec![Line::Version(VERSION)];
        lines.extend(difference(&Record::default(), record));
        replace(&self.folder, FILE, &encode(&lines)?, Durability::Power)?;
        OpenOptions::new().append(true).open(self.folder.join(FILE))
    }
}

fn append(mut file: File, lines: &[Line]) -> io::Result<File> {
    file.write_all(&encode(lines)?)?;
    file.sync_data()?;
    Ok(file)
}

fn encode(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// The record, its number of lines, and whether some of them make no sense.
fn read(bytes: &[u8]) -> io::Result<(Record, usize, bool)> {
    let mut record = Record::default();
    let mut lines = 0;
    let mut damaged = bytes.last().is_some_and(|last| *last != b'\n');
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        match serde_json::from_slice(line) {
            Ok(Line::Version(VERSION)) => {}
            Ok(Line::Version(version)) => {
                let message = format!("{FILE} has version {version}, which this docktor does not know");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            Ok(Line::Set(key, good)) => {
                record.documents.insert(key, *good);
            }
            Ok(Line::Forget(key)) => {
                record.documents.remove(&key);
            }
            Ok(Line::Engine(address, id)) => {
                record.engines.insert(address, id);
            }
            Err(_) => damaged = true,
        }
    }
    Ok((record, lines, damaged))
}

/// The lines that lead from one record to the other.
fn difference(before: &Record, after: &Record) -> Vec<Line> {
    let forgotten = before.documents.keys().filter(|key| !after.documents.contains_key(key));
    let set = changed(&before.documents, &after.documents);
    let engines = changed(&before.engines, &after.engines);
    forgotten
        .map(|key| Line::Forget(key.clone()))
        .chain(set.map(|(key, good)| Line::Set(key.clone(), Box::new(good.clone()))))
        .chain(engines.map(|(address, id)| Line::Engine(address.clone(), id.clone())))
        .collect()
}

fn changed<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    after.iter().filter(|(key, value)| before.get(key) != Some(value))
}
