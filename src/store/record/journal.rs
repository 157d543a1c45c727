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
        let appendable = self.lines + lines.len() <= 2 * live + SPARE_LINES;
        (self.file, self.lines) = match self.file.take().filter(|_| appendable) {
            Some(file) => (Some(append(file, &lines)?), self.lines + lines.len()),
            None => (Some(self.write_anew(after)?), live),
        };
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

#[cfg(test)]
mod tests {

    use super::*;
    use crate::store::record::Kind;
    use crate::units::Timestamp;

    fn key(name: &str) -> DocumentKey {
        DocumentKey { kind: Kind::ScalingPolicy, name: name.to_owned() }
    }

    fn record(names: &[&str], generation: u64) -> Record {
        let good = |text: &str| Good {
            file: "a.yaml".to_owned(),
            document: 0,
            good_file: "a.yaml".to_owned(),
            good_document: 0,
            sha256: "abc".into(),
            text: serde_json::from_value(text.into()).unwrap(),
            profile: None,
            generation,
            first_seen: Timestamp::from_secs(1),
            owns: None,
            deleted_at: None,
        };
        let documents = names.iter().map(|name| (key(name), good(name))).collect();
        Record { documents, engines: BTreeMap::from([(String::new(), "ABCD".to_owned())]) }
    }

    fn reread(state: &Path) -> Record {
        Journal::open(state).unwrap().1
    }

    #[test]
    fn a_record_is_there_after_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let (mut journal, empty) = Journal::open(state.path()).unwrap();
        let (first, second) = (record(&["a", "b"], 1), record(&["b", "c"], 2));
        journal.save(&empty, &first).unwrap();
        assert_eq!(reread(state.path()), first);
        journal.save(&first, &second).unwrap();
        assert_eq!(reread(state.path()), second);
    }

    #[test]
    fn a_torn_last_line_costs_only_itself_and_is_mended() {
        let state = tempfile::tempdir().unwrap();
        let (mut journal, empty) = Journal::open(state.path()).unwrap();
        let (first, second) = (record(&["a"], 1), record(&["a", "b"], 1));
        journal.save(&empty, &first).unwrap();
        journal.save(&first, &second).unwrap();
        let path = state.path().join(FILE);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
        let (mut journal, found) = Journal::open(state.path()).unwrap();
        assert_eq!(found, first);
        journal.save(&found, &second).unwrap();
        let (mended, _, damaged) = read(&fs::read(&path).unwrap()).unwrap();
        assert_eq!((mended, damaged), (second, false));
    }

    #[test]
    fn an_outdated_file_is_written_anew() {
        let state = tempfile::tempdir().unwrap();
        let (mut journal, empty) = Journal::open(state.path()).unwrap();
        let (first, second) = (record(&["a"], 1), record(&["a"], 2));
        journal.save(&empty, &first).unwrap();
        journal.lines += 2 * SPARE_LINES;
        journal.save(&first, &second).unwrap();
        let lines = fs::read_to_string(state.path().join(FILE)).unwrap().lines().count();
        assert_eq!((lines, reread(state.path())), (3, second));
    }

    #[test]
    fn a_file_of_a_later_docktor_is_left_alone() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(FILE), "{\"version\":2}\n").unwrap();
        assert!(Journal::open(state.path()).unwrap_err().to_string().contains("version 2"));
    }
}
