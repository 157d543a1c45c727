//! Sidecars: `web.status.yaml` beside `web.yaml`, for people and other programs; a document per policy.
//!
//! Output only: docktor never reads one back, save to see that it is its own before it replaces or removes it.
//! They are not synced to disk: after a power failure the first passes write them again.

mod due;
mod file;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

pub use due::{Due, VALUES_EVERY, due};
pub use file::{SidecarError, sidecar_of};

use crate::api::status::ScalingPolicyStatus;
use crate::units::Timestamp;
use file::{Folders, Parents, Root};

/// The folder in the state folder that takes the sidecars which cannot be written where they belong.
const FALLBACK: &str = "status";

/// Writes and removes sidecars. Calls block on files.
#[derive(Debug)]
pub struct Sidecars {
    folders: Folders,
    /// What was written last, by policy file.
    last: HashMap<String, (Timestamp, Vec<ScalingPolicyStatus>)>,
}

/// What `write` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is written.
    Written,
    /// Nothing changed.
    Unchanged,
    /// Only values changed, and they are due at that time.
    Later(Timestamp),
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
        Self { folders: Folders::new(preferred, fallback), last: HashMap::new() }
    }

    /// Brings the sidecar of the policy file `file` up to date, if that is due: at once when more than values
    /// changed, else once a minute. `statuses` stand in the order of the documents; without any, nothing is
    /// written yet.
    ///
    /// # Errors
    /// When it cannot be written, here or in the state folder. The next call tries again.
    pub fn write(
        &mut self,
        file: &str,
        statuses: &[ScalingPolicyStatus],
        now: Timestamp,
    ) -> Result<Outcome, SidecarError> {
        let last = self.last.get(file).map(|(at, statuses)| (*at, &statuses[..]));
        match due(last, statuses, now) {
            _ if statuses.is_empty() => return Ok(Outcome::Unchanged),
            Due::Never => return Ok(Outcome::Unchanged),
            Due::At(at) => return Ok(Outcome::Later(at)),
            Due::Now => {}
        }
        self.folders.write(file, render(statuses).as_bytes())?;
        self.last.insert(file.to_owned(), (now, statuses.to_vec()));
        Ok(Outcome::Written)
    }

    /// Removes the sidecar of a policy file that is gone. A file that docktor did not write stays.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&mut self, file: &str) -> Result<(), SidecarError> {
        self.last.remove(file);
        self.folders.remove(file)
    }

    /// Removes the sidecars of policy files that are not among `living`: to be called at start, for those that
    /// went while no controller ran. What cannot be removed stays, and is logged.
    pub fn sweep<'a>(&self, living: impl IntoIterator<Item = &'a String>) {
        let living: BTreeSet<_> = living.into_iter().map(|file| PathBuf::from(sidecar_of(file))).collect();
        self.folders.sweep(&living);
    }
}

/// One YAML document per policy, in order.
fn render(statuses: &[ScalingPolicyStatus]) -> String {
    let document = |status| serde_yaml::to_string(status).expect("a status has text for keys");
    statuses.iter().map(document).collect::<Vec<_>>().join("---\n")
}

#[cfg(test)]
mod tests;
