//! Sidecars: `web.status.yaml` beside `web.yaml`, for people and other programs; a document per policy.
//!
//! Output only: docktor never reads one back, save to see that it is its own before it replaces or removes it.
//! They are not synced to disk: after a power failure the first passes write them again.

mod due;
mod file;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use due::{Due, VALUES_EVERY, due};
pub use file::{SidecarError, sidecar_of};

use super::PolicyEntry;
use crate::api::API_VERSION;
use crate::api::status::{ScalingPolicyStatus, Status, StatusMetadata};
use crate::model::key::PolicyKey;
use crate::telemetry::chain;
use crate::units::Timestamp;
use file::{Folders, Parents, Root};

/// The folder in the state folder that takes the sidecars which cannot be written where they belong.
const FALLBACK: &str = "status";

/// Writes and removes sidecars. Calls block on files and may come from several threads at once. What goes wrong
/// is logged, once until it goes right again: a sidecar never stops control.
#[derive(Debug)]
pub struct Sidecars {
    folders: Folders,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By policy file.
    sidecars: HashMap<String, Sidecar>,
    /// Which file a policy's status is in.
    files: HashMap<PolicyKey, String>,
}

/// The sidecar of one policy file.
#[derive(Debug, Default)]
struct Sidecar {
    /// The newest status of each policy, by document.
    statuses: BTreeMap<(usize, PolicyKey), ScalingPolicyStatus>,
    written: Option<(Timestamp, Vec<ScalingPolicyStatus>)>,
    trouble: Option<String>,
}

impl Sidecars {
    /// Sidecars of the policy folder `policies` stand beside their files, or below `status_dir` with relative
    /// paths kept; where that cannot be written, below the folder `state`.
    #[must_use]
    pub fn new(policies: &Path, status_dir: Option<&Path>, state: &Path) -> Self {
        let preferred = match status_dir {
            Some(folder) => Root { folder: folder.to_owned(), parents: Parents::Make },
            // Its folders are the user's: one that is gone must not come back by our hand.
            None => Root { folder: policies.to_owned(), parents: Parents::Leave },
        };
        let fallback = Root { folder: state.join(FALLBACK), parents: Parents::Make };
        Self { folders: Folders::new(preferred, fallback), state: Mutex::default() }
    }

    /// Takes the status of a policy and brings the sidecar of its file up to date, if that is due: at once when
    /// more than values changed, else once a minute.
    pub fn write(&self, entry: &PolicyEntry, status: &Status, now: Timestamp) {
        let mut state = self.state();
        let file = &entry.source.file;
        if state.files.get(&entry.key).is_some_and(|last| last != file) {
            self.drop_policy(&mut state, &entry.key);
        }
        state.files.insert(entry.key.clone(), file.clone());
        let sidecar = state.sidecars.entry(file.clone()).or_default();
        sidecar.statuses.retain(|(_, key), _| *key != entry.key);
        sidecar.statuses.insert((entry.source.document, entry.key.clone()), document(entry, status));
        self.bring_up_to_date(file, sidecar, now);
    }

    /// Takes the policy out of the sidecar of its file; the last one takes the sidecar along.
    pub fn forget(&self, key: &PolicyKey) {
        self.drop_policy(&mut self.state(), key);
    }

    /// To be called at start: removes the sidecars that an earlier docktor left of policy files which are not
    /// among `living` any more.
    pub fn sweep(&self, living: &BTreeSet<String>) {
        self.folders.sweep(&living.iter().map(|file| PathBuf::from(sidecar_of(file))).collect());
    }

    fn drop_policy(&self, state: &mut State, key: &PolicyKey) {
        let Some(file) = state.files.remove(key) else { return };
        let Some(sidecar) = state.sidecars.get_mut(&file) else { return };
        sidecar.statuses.retain(|(_, other), _| other != key);
        if !sidecar.statuses.is_empty() {
            let last = sidecar.written.as_ref().map(|(at, _)| *at).unwrap_or_default();
            return self.bring_up_to_date(&file, sidecar, last);
        }
        state.sidecars.remove(&file);
        if let Err(error) = self.folders.remove(&file) {
            tracing::warn!(file, error = chain(&error), "a sidecar cannot be removed");
        }
    }

    fn bring_up_to_date(&self, file: &str, sidecar: &mut Sidecar, now: Timestamp) {
        let statuses: Vec<_> = sidecar.statuses.values().cloned().collect();
        let last = sidecar.written.as_ref().map(|(at, statuses)| (*at, &statuses[..]));
        if due(last, &statuses, now) != Due::Now {
            return;
        }
        let mut trouble = None;
        match self.folders.write(file, render(&statuses).as_bytes()) {
            Ok(()) => sidecar.written = Some((now, statuses)),
            Err(error) => trouble = Some(chain(&error)),
        }
        if let Some(error) = trouble.as_ref().filter(|it| sidecar.trouble.as_ref() != Some(it)) {
            tracing::warn!(file, %error, "a sidecar cannot be written");
        }
        sidecar.trouble = trouble;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn document(entry: &PolicyEntry, status: &Status) -> ScalingPolicyStatus {
    ScalingPolicyStatus {
        api_version: API_VERSION.to_owned(),
        kind: file::KIND.to_owned(),
        metadata: StatusMetadata { name: entry.name.clone(), generation: entry.generation },
        status: status.clone(),
    }
}

/// One YAML document per policy, in order.
fn render(statuses: &[ScalingPolicyStatus]) -> String {
    let document = |status| serde_yaml::to_string(status).expect("a status has text for keys");
    statuses.iter().map(document).collect::<Vec<_>>().join("---\n")
}

#[cfg(test)]
mod tests;
