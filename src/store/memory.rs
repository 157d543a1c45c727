//! Durable memory: what docktor must know of each policy across restarts, one JSON file per policy.
//!
//! A file is replaced as a whole and synced before `save` returns; nothing is written while nothing changed.
//! What the memory means is not known here.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::durable::{Durability, replace, sync_folder};
use crate::model::key::PolicyKey;
use crate::telemetry::chain;
use crate::units::{Duration, Timestamp};

/// How long the memory of a deleted policy is kept: a policy of the same name gets it back.
pub const KEEP_DELETED: Duration = Duration::from_secs(24 * 3_600);

/// The folder's name in the state folder.
const FOLDER: &str = "memory";
/// What this build writes and reads.
const VERSION: u32 = 1;
/// Longest name of a file before its ending; a longer one is replaced by a digest.
const LONGEST_NAME: usize = 120;

/// The memories `M` of all policies. Calls block on files and may come from several threads at once, though for
/// one key only from one.
#[derive(Debug)]
pub struct MemoryStore<M> {
    folder: PathBuf,
    /// Digests of what is on disk, as far as this process wrote or read it.
    on_disk: Mutex<HashMap<PolicyKey, [u8; 32]>>,
    memory: PhantomData<fn(M) -> M>,
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

impl<M: Serialize + DeserializeOwned> MemoryStore<M> {
    /// Opens the memories in the folder `state`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join(FOLDER);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, on_disk: Mutex::default(), memory: PhantomData })
    }

    /// The memory of a policy, also of one that was deleted less than [`KEEP_DELETED`] ago. A file that makes no
    /// sense is set aside as `….damaged`, and the policy begins anew.
    pub fn get(&self, key: &PolicyKey) -> Option<M> {
        let path = self.path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!(policy = %key, %error, file = %path.display(), "the memory of a policy cannot be read");
                return None;
            }
        };
        match decode(&bytes) {
            Ok(Envelope { memory, .. }) => {
                self.on_disk().insert(key.clone(), Sha256::digest(&bytes).into());
                Some(memory)
            }
            Err(damage) => {
                let aside = path.with_extension("damaged");
                let kept = fs::rename(&path, &aside).is_ok();
                let aside = kept.then(|| aside.display().to_string());
                let error = chain(&damage);
                tracing::error!(policy = %key, error, aside, "the memory of a policy is damaged; it begins anew");
                None
            }
        }
    }

    /// Makes the memory of a policy durable before it returns, unless it is on disk already.
    ///
    /// # Errors
    /// When it cannot be written; what was on disk before then is still there.
    pub fn save(&self, key: &PolicyKey, memory: &M) -> io::Result<Saved> {
        self.write(&Envelope { version: VERSION, policy: key.clone(), deleted_at: None, memory })
    }

    /// Marks the memory of a policy that is deleted; it is kept for [`KEEP_DELETED`]. The next `save` under the
    /// same key takes the mark away.
    pub fn retire(&self, key: &PolicyKey, now: Timestamp) {
        if let Err(error) = self.mark(key, now) {
            tracing::warn!(policy = %key, %error, "the memory of a deleted policy cannot be marked and will stay");
        }
    }

    /// To be called at start, and now and then: retires the memories of all policies that are not among `living`,
    /// and removes those retired for longer than [`KEEP_DELETED`].
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not be removed.
    pub fn sweep(&self, living: &BTreeSet<PolicyKey>, now: Timestamp) -> io::Result<()> {
        let mut removed = false;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension() != Some(OsStr::new("json")) {
                continue;
            }
            let Ok(envelope) = decode::<IgnoredAny>(&fs::read(&path)?) else { continue };
            let key = envelope.policy;
            match envelope.deleted_at {
                _ if living.contains(&key) => {}
                None => self.retire(&key, now),
                Some(at) if now.since(at) >= KEEP_DELETED => {
                    self.on_disk().remove(&key);
                    fs::remove_file(&path)?;
                    removed = true;
                }
                Some(_) => {}
            }
        }
        if removed { sync_folder(&self.folder) } else { Ok(()) }
    }

    fn mark(&self, key: &PolicyKey, now: Timestamp) -> io::Result<()> {
        let bytes = match fs::read(self.path(key)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let envelope: Envelope<serde_json::Value> = serde_json::from_slice(&bytes)?;
        let deleted_at = envelope.deleted_at.or(Some(now));
        self.write(&Envelope { deleted_at, ..envelope }).map(|_| ())
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

    fn path(&self, key: &PolicyKey) -> PathBuf {
        self.folder.join(file_name(key))
    }

    fn on_disk(&self) -> MutexGuard<'_, HashMap<PolicyKey, [u8; 32]>> {
        self.on_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<Envelope<M>, Damage> {
    let version = serde_json::from_slice::<Envelope<IgnoredAny>>(bytes)?.version;
    if version == VERSION { Ok(serde_json::from_slice(bytes)?) } else { Err(Damage::Version(version)) }
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

    fn store(state: &Path) -> MemoryStore<Vec<u32>> {
        MemoryStore::open(state).unwrap()
    }

    fn web() -> PolicyKey {
        PolicyKey::new("web")
    }

    #[test]
    fn a_memory_is_there_after_a_restart_and_is_written_only_when_it_changed() {
        let state = tempfile::tempdir().unwrap();
        let memories = store(state.path());
        assert_eq!(memories.get(&web()), None);
        assert_eq!(memories.save(&web(), &vec![1]).unwrap(), Saved::Written);
        assert_eq!(memories.save(&web(), &vec![1]).unwrap(), Saved::Unchanged);
        let memories = store(state.path());
        assert_eq!(memories.get(&web()), Some(vec![1]));
        assert_eq!(memories.save(&web(), &vec![1]).unwrap(), Saved::Unchanged);
        assert_eq!(memories.save(&web(), &vec![2]).unwrap(), Saved::Written);
        assert_eq!(store(state.path()).get(&web()), Some(vec![2]));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_policy_begins_anew() {
        for damage in [
            "",
            "{",
            "[]",
            r#"{"version":2,"policy":"web","memory":[1]}"#,
            r#"{"version":1,"policy":"web","memory":"x"}"#,
        ] {
            let state = tempfile::tempdir().unwrap();
            let memories = store(state.path());
            let file = state.path().join("memory/web.json");
            fs::write(&file, damage).unwrap();
            assert_eq!(memories.get(&web()), None, "{damage}");
            assert_eq!(fs::read_to_string(file.with_extension("damaged")).unwrap(), damage);
            memories.save(&web(), &vec![3]).unwrap();
            assert_eq!(store(state.path()).get(&web()), Some(vec![3]));
        }
    }

    #[test]
    fn the_memory_of_a_deleted_policy_is_kept_for_a_day() {
        let state = tempfile::tempdir().unwrap();
        let memories = store(state.path());
        memories.save(&web(), &vec![1]).unwrap();
        memories.retire(&web(), NOW);
        memories.retire(&web(), later(23));
        memories.sweep(&BTreeSet::new(), later(23)).unwrap();
        assert_eq!(store(state.path()).get(&web()), Some(vec![1]));
        memories.sweep(&BTreeSet::new(), later(24)).unwrap();
        assert_eq!(store(state.path()).get(&web()), None);
    }

    #[test]
    fn a_policy_that_comes_back_keeps_its_memory() {
        let state = tempfile::tempdir().unwrap();
        let memories = store(state.path());
        memories.save(&web(), &vec![1]).unwrap();
        memories.retire(&web(), NOW);
        assert_eq!(memories.save(&web(), &vec![1]).unwrap(), Saved::Written);
        memories.sweep(&[web()].into(), later(48)).unwrap();
        assert_eq!(memories.get(&web()), Some(vec![1]));
    }

    #[test]
    fn a_policy_deleted_while_docktor_was_down_is_forgotten_a_day_after_the_start() {
        let state = tempfile::tempdir().unwrap();
        let memories = store(state.path());
        memories.save(&web(), &vec![1]).unwrap();
        memories.sweep(&BTreeSet::new(), NOW).unwrap();
        assert_eq!(memories.get(&web()), Some(vec![1]));
        memories.sweep(&BTreeSet::new(), later(24)).unwrap();
        assert_eq!(memories.get(&web()), None);
    }

    #[test]
    fn a_failed_write_leaves_the_old_memory_and_is_tried_again() {
        let state = tempfile::tempdir().unwrap();
        let memories = store(state.path());
        memories.save(&web(), &vec![1]).unwrap();
        let obstacle = state.path().join("memory/.web.json.tmp");
        fs::create_dir_all(obstacle.join("in-the-way")).unwrap();
        memories.save(&web(), &vec![2]).unwrap_err();
        assert_eq!(store(state.path()).get(&web()), Some(vec![1]));
        fs::remove_dir_all(obstacle).unwrap();
        assert_eq!(memories.save(&web(), &vec![2]).unwrap(), Saved::Written);
    }

    #[test]
    fn a_thousand_memories_are_written_and_read_within_seconds() {
        let state = tempfile::tempdir().unwrap();
        let memories = store(state.path());
        let (memory, keys): (Vec<u32>, Vec<_>) =
            ((0..500).collect(), (0..1_000).map(|it| PolicyKey::new(&format!("p{it}"))).collect());
        let begin = std::time::Instant::now();
        for key in &keys {
            memories.save(key, &memory).unwrap();
        }
        let written = begin.elapsed();
        let reread = store(state.path());
        assert!(keys.iter().all(|key| reread.get(key).as_ref() == Some(&memory)));
        let read = begin.elapsed() - written;
        eprintln!("1,000 memories of 2 kB: written in {written:.2?}, read in {read:.2?}");
        assert!(read < std::time::Duration::from_secs(5));
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
