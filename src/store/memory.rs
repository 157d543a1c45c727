//! Durable memory: what docktor must know of each policy across restarts, one JSON file per policy.
//!
//! A file is replaced as a whole and synced before `save` returns; nothing is written while nothing changed.
//! What the memory means is not known here.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::durable::{Durability, replace, sync_folder};
use crate::model::key::PolicyKey;
use crate::units::{Duration, Timestamp};

/// How long the memory of a deleted policy is kept: a policy of the same name gets it back.
pub const KEEP_DELETED: Duration = Duration::from_secs(24 * 3_600);

/// The folder's name in the state folder.
const FOLDER: &str = "memory";
/// What this build writes and reads.
const VERSION: u32 = 1;
/// Longest name of a file before its ending; a longer one is replaced by a digest.
const LONGEST_NAME: usize = 120;

/// The memories of all policies. Calls block on files and may come from several threads at once, though for one
/// key only from one.
#[derive(Debug)]
pub struct MemoryStore {
    folder: PathBuf,
    /// Digests of what is on disk, as far as this process wrote or read it.
    on_disk: Mutex<HashMap<PolicyKey, [u8; 32]>>,
}

/// What `load_all` found.
#[derive(Debug)]
pub struct Memories<M> {
    /// The memories, also of policies deleted less than [`KEEP_DELETED`] ago.
    pub memories: HashMap<PolicyKey, M>,
    /// Files that made no sense and are now set aside, and why; for the operator.
    pub set_aside: Vec<String>,
}

/// What `save` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is on disk now.
    Written,
    /// It already was.
    Unchanged,
}

/// A file's content.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<M> {
    version: u32,
    policy: PolicyKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    memory: M,
}

/// Why a file does not hold what it should.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("it is no memory of a policy")]
    Content(#[from] serde_json::Error),
    #[error("it has version {0}, and this docktor knows {VERSION}")]
    Version(u32),
}

impl MemoryStore {
    /// Opens the memories in the folder `state`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join(FOLDER);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, on_disk: Mutex::default() })
    }

    /// Reads all memories, once, at start. A file that makes no sense is set aside as `….damaged` and reported;
    /// its policy begins anew.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn load_all<M: DeserializeOwned>(&self) -> io::Result<Memories<M>> {
        let mut found = Memories { memories: HashMap::new(), set_aside: Vec::new() };
        for path in self.files()? {
            let damage = match fs::read(&path).map(|bytes| (decode(&bytes), Sha256::digest(&bytes))) {
                Ok((Ok(Envelope { policy, memory, .. }), digest)) => {
                    self.on_disk().insert(policy.clone(), digest.into());
                    found.memories.insert(policy, memory);
                    continue;
                }
                Ok((Err(damage), _)) => chain(&damage),
                Err(error) => error.to_string(),
            };
            fs::rename(&path, path.with_extension("damaged"))?;
            found.set_aside.push(format!("{} makes no sense and is set aside: {damage}", path.display()));
        }
        Ok(found)
    }

    /// Makes the memory of a policy durable before it returns, unless it is on disk already.
    ///
    /// # Errors
    /// When it cannot be written; what was on disk before then is still there.
    pub fn save<M: Serialize>(&self, key: &PolicyKey, memory: &M) -> io::Result<Saved> {
        self.write(&Envelope { version: VERSION, policy: key.clone(), deleted_at: None, memory })
    }

    /// Marks the memory of a policy that is deleted; it is kept for [`KEEP_DELETED`]. The next `save` under the
    /// same key takes the mark away.
    ///
    /// # Errors
    /// When the mark cannot be written; the memory then is kept for longer.
    pub fn mark_deleted(&self, key: &PolicyKey, now: Timestamp) -> io::Result<()> {
        let bytes = match fs::read(self.folder.join(file_name(key))) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let envelope: Envelope<serde_json::Value> = serde_json::from_slice(&bytes)?;
        let deleted_at = envelope.deleted_at.or(Some(now));
        self.write(&Envelope { deleted_at, ..envelope }).map(|_| ())
    }

    /// Marks the memories of all policies that are not among `living`: to be called at start, for those that were
    /// deleted while no controller ran.
    ///
    /// # Errors
    /// When a file cannot be read, or a mark not be written.
    pub fn mark_all_but(&self, living: &BTreeSet<PolicyKey>, now: Timestamp) -> io::Result<()> {
        for path in self.files()? {
            let Ok(Envelope { policy, .. }) = decode::<IgnoredAny>(&fs::read(&path)?) else { continue };
            if !living.contains(&policy) {
                self.mark_deleted(&policy, now)?;
            }
        }
        Ok(())
    }

    /// Removes the memories of policies deleted at least [`KEEP_DELETED`] ago, and says which: to be called at
    /// start and once in a while.
    ///
    /// # Errors
    /// When a file cannot be read or removed.
    pub fn remove_expired(&self, now: Timestamp) -> io::Result<Vec<PolicyKey>> {
        let mut removed = Vec::new();
        for path in self.files()? {
            let Ok(Envelope { policy, deleted_at, .. }) = decode::<IgnoredAny>(&fs::read(&path)?) else {
                continue;
            };
            if deleted_at.is_some_and(|at| now.since(at) >= KEEP_DELETED) {
                self.on_disk().remove(&policy);
                fs::remove_file(&path)?;
                removed.push(policy);
            }
        }
        if !removed.is_empty() {
            sync_folder(&self.folder)?;
        }
        Ok(removed)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new("json")) {
                files.push(path);
            }
        }
        Ok(files)
    }

    fn write<T: Serialize>(&self, envelope: &Envelope<T>) -> io::Result<Saved> {
        let mut bytes = serde_json::to_vec(envelope)?;
        bytes.push(b'\n');
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let key = &envelope.policy;
        if self.on_disk().get(key) == Some(&digest) {
            return Ok(Saved::Unchanged);
        }
        // After a failure nobody knows what is on disk, so the next save writes in any case.
        self.on_disk().remove(key);
        replace(&self.folder, &file_name(key), &bytes, Durability::Power)?;
        self.on_disk().insert(key.clone(), digest);
        Ok(Saved::Written)
    }

    fn on_disk(&self) -> MutexGuard<'_, HashMap<PolicyKey, [u8; 32]>> {
        self.on_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<Envelope<M>, Damage> {
    let version = serde_json::from_slice::<Envelope<IgnoredAny>>(bytes)?.version;
    if version == VERSION { Ok(serde_json::from_slice(bytes)?) } else { Err(Damage::Version(version)) }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// The key itself for every name that a policy can have; anything else is escaped.
fn file_name(key: &PolicyKey) -> String {
    let mut name = String::new();
    for byte in key.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            _ => write!(name, "%{byte:02x}").expect("a String takes all"),
        }
    }
    if name.len() > LONGEST_NAME {
        name = format!("%{:x}", Sha256::digest(key.as_str()));
    }
    name + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn later(hours: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(hours * 3_600))
    }

    fn open(state: &Path) -> MemoryStore {
        MemoryStore::open(state).unwrap()
    }

    fn web() -> PolicyKey {
        PolicyKey::new("web")
    }

    /// The memory of `web` after a restart.
    fn reread(state: &Path) -> Option<Vec<u32>> {
        open(state).load_all().unwrap().memories.remove(&web())
    }

    #[test]
    fn a_memory_is_there_after_a_restart_and_is_written_only_when_it_changed() {
        let state = tempfile::tempdir().unwrap();
        let memories = open(state.path());
        assert_eq!(memories.save(&web(), &[1]).unwrap(), Saved::Written);
        assert_eq!(memories.save(&web(), &[1]).unwrap(), Saved::Unchanged);
        let memories = open(state.path());
        assert_eq!(memories.load_all().unwrap().memories, HashMap::from([(web(), vec![1])]));
        assert_eq!(memories.save(&web(), &[1]).unwrap(), Saved::Unchanged);
        assert_eq!(memories.save(&web(), &[2]).unwrap(), Saved::Written);
        assert_eq!(reread(state.path()), Some(vec![2]));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_others_are_read() {
        let damages = [
            "",
            "{",
            "[]",
            r#"{"version":2,"policy":"api","memory":[1]}"#,
            r#"{"version":1,"policy":"api","memory":"x"}"#,
        ];
        for damage in damages {
            let state = tempfile::tempdir().unwrap();
            open(state.path()).save(&web(), &[1]).unwrap();
            let file = state.path().join("memory/api.json");
            fs::write(&file, damage).unwrap();
            let found = open(state.path()).load_all::<Vec<u32>>().unwrap();
            assert_eq!((found.memories.len(), found.set_aside.len()), (1, 1), "{damage}");
            assert_eq!(fs::read_to_string(file.with_extension("damaged")).unwrap(), damage);
            assert!(open(state.path()).load_all::<Vec<u32>>().unwrap().set_aside.is_empty());
        }
    }

    #[test]
    fn the_memory_of_a_deleted_policy_is_kept_for_a_day() {
        let state = tempfile::tempdir().unwrap();
        let memories = open(state.path());
        memories.save(&web(), &[1]).unwrap();
        memories.mark_deleted(&web(), NOW).unwrap();
        memories.mark_deleted(&web(), later(23)).unwrap();
        assert!(memories.remove_expired(later(23)).unwrap().is_empty());
        assert_eq!(reread(state.path()), Some(vec![1]));
        assert_eq!(memories.remove_expired(later(24)).unwrap(), [web()]);
        assert_eq!(reread(state.path()), None);
    }

    #[test]
    fn a_policy_that_comes_back_keeps_its_memory() {
        let state = tempfile::tempdir().unwrap();
        let memories = open(state.path());
        memories.save(&web(), &[1]).unwrap();
        memories.mark_deleted(&web(), NOW).unwrap();
        assert_eq!(memories.save(&web(), &[1]).unwrap(), Saved::Written);
        assert!(memories.remove_expired(later(48)).unwrap().is_empty());
    }

    #[test]
    fn a_policy_deleted_while_no_controller_ran_is_forgotten_a_day_after_the_start() {
        let state = tempfile::tempdir().unwrap();
        let memories = open(state.path());
        memories.save(&web(), &[1]).unwrap();
        memories.save(&PolicyKey::new("api"), &[1]).unwrap();
        memories.mark_all_but(&[PolicyKey::new("api")].into(), NOW).unwrap();
        assert_eq!(memories.remove_expired(later(24)).unwrap(), [web()]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_memory_and_is_tried_again() {
        let state = tempfile::tempdir().unwrap();
        let memories = open(state.path());
        memories.save(&web(), &[1]).unwrap();
        let obstacle = state.path().join("memory/.web.json.tmp");
        fs::create_dir_all(obstacle.join("in-the-way")).unwrap();
        memories.save(&web(), &[2]).unwrap_err();
        assert_eq!(reread(state.path()), Some(vec![1]));
        fs::remove_dir_all(obstacle).unwrap();
        assert_eq!(memories.save(&web(), &[2]).unwrap(), Saved::Written);
    }

    #[test]
    fn a_thousand_memories_are_written_and_read_within_seconds() {
        let state = tempfile::tempdir().unwrap();
        let memories = open(state.path());
        let memory: Vec<u32> = (0..500).collect();
        let begin = std::time::Instant::now();
        for number in 0..1_000 {
            memories.save(&PolicyKey::new(&format!("p{number}")), &memory).unwrap();
        }
        let written = begin.elapsed();
        let found = open(state.path()).load_all::<Vec<u32>>().unwrap();
        eprintln!(
            "1,000 memories of 2 kB: written in {written:.2?}, read in {:.2?}",
            begin.elapsed() - written
        );
        assert_eq!(found.memories.len(), 1_000);
    }

    #[test]
    fn no_key_leads_out_of_the_folder() {
        for (key, name) in [
            ("web-1", "web-1.json"),
            ("../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd.json"),
            ("a.yaml#0", "a%2eyaml%230.json"),
        ] {
            assert_eq!(file_name(&PolicyKey::new(key)), name);
        }
        assert!(file_name(&PolicyKey::new(&"ä".repeat(500))).len() < 100);
    }
}
