//! Durable memory: what docktor must know of each policy across restarts, one JSON file per policy.
//!
//! A file is replaced as a whole and synced before `save` returns; nothing is written while nothing changed.
//! What the memory means is not known here.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
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

/// The memories of all policies. Calls block on files and may come from several threads at once.
#[derive(Debug)]
pub struct MemoryStore {
    folder: PathBuf,
    /// Digests of what is on disk.
    written: Mutex<HashMap<PolicyKey, [u8; 32]>>,
}

/// What `load_all` found.
#[derive(Debug)]
pub struct Memories<M> {
    /// The memories, of policies that are gone too.
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

impl MemoryStore {
    /// Opens the memories in the folder `state`, which is made if it is not there.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join(FOLDER);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, written: Mutex::default() })
    }

    /// Reads all memories, once, at start. A file that makes no sense is renamed to `….damaged` and reported.
    pub fn load_all<M: DeserializeOwned>(&self) -> io::Result<Memories<M>> {
        let mut found = Memories { memories: HashMap::new(), set_aside: Vec::new() };
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let bytes = fs::read(&path)?;
            match decode::<M>(&bytes) {
                Ok(envelope) => {
                    let digest = Sha256::digest(&bytes).into();
                    self.written().insert(envelope.policy.clone(), digest);
                    found.memories.insert(envelope.policy, envelope.memory);
                }
                Err(why) => {
                    let aside = path.with_extension("damaged");
                    fs::rename(&path, &aside)?;
                    found
                        .set_aside
                        .push(format!("{} makes no sense and is set aside: {why}", path.display()));
                }
            }
        }
        Ok(found)
    }

    /// Makes the memory of a policy durable before it returns, unless it is on disk already.
    pub fn save<M: Serialize>(&self, key: &PolicyKey, memory: &M) -> io::Result<Saved> {
        self.write(&Envelope { version: VERSION, policy: key.clone(), deleted_at: None, memory })
    }

    /// Marks the memory of a policy that was deleted; it is kept for [`KEEP_DELETED`]. A later `save` under the
    /// same key takes the mark away.
    pub fn mark_deleted(&self, key: &PolicyKey, now: Timestamp) -> io::Result<()> {
        let bytes = match fs::read(self.path(key)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let envelope: Envelope<serde_json::Value> = serde_json::from_slice(&bytes)?;
        let deleted_at = envelope.deleted_at.or(Some(now));
        self.write(&Envelope { deleted_at, ..envelope }).map(|_| ())
    }

    /// Removes the memories of policies deleted more than [`KEEP_DELETED`] ago, and says which.
    pub fn remove_expired(&self, now: Timestamp) -> io::Result<Vec<PolicyKey>> {
        let mut removed = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let Ok(envelope) = decode::<serde::de::IgnoredAny>(&fs::read(&path)?) else { continue };
            if envelope.deleted_at.is_some_and(|at| now.since(at) >= KEEP_DELETED) {
                fs::remove_file(&path)?;
                self.written().remove(&envelope.policy);
                removed.push(envelope.policy);
            }
        }
        if !removed.is_empty() {
            sync_folder(&self.folder)?;
        }
        Ok(removed)
    }

    fn write<M: Serialize>(&self, envelope: &Envelope<M>) -> io::Result<Saved> {
        let mut bytes = serde_json::to_vec(envelope)?;
        bytes.push(b'\n');
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if self.written().get(&envelope.policy) == Some(&digest) {
            return Ok(Saved::Unchanged);
        }
        // Until it is known what is on disk, nothing counts as written.
        self.written().remove(&envelope.policy);
        replace(&self.folder, &file_name(&envelope.policy), &bytes, Durability::Power)?;
        self.written().insert(envelope.policy.clone(), digest);
        Ok(Saved::Written)
    }

    fn path(&self, key: &PolicyKey) -> PathBuf {
        self.folder.join(file_name(key))
    }

    fn written(&self) -> std::sync::MutexGuard<'_, HashMap<PolicyKey, [u8; 32]>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<Envelope<M>, String> {
    let envelope: Envelope<M> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match envelope.version {
        VERSION => Ok(envelope),
        other => Err(format!("it has version {other}; this docktor knows {VERSION}")),
    }
}

/// The key itself for every name that a policy can have; anything else is escaped.
fn file_name(key: &PolicyKey) -> String {
    let mut name = String::new();
    for byte in key.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > LONGEST_NAME {
        name = format!("%{:x}", Sha256::digest(key.as_str()));
    }
    name + ".json"
}
