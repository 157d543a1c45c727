//! The newest status of every policy, by policy file, and its sidecars. Calls block on files and may come from
//! several threads at once. What goes wrong is told once until it goes right again: a sidecar never stops control.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::act::chain;
use crate::api::API_VERSION;
use crate::api::status::{ScalingPolicyStatus, Status, StatusMetadata};
use crate::model::key::PolicyKey;
use crate::store::PolicyEntry;
use crate::store::sidecar::{SidecarError, Sidecars};
use crate::units::Timestamp;

/// Newest statuses, and the files that show them.
pub struct Board(Mutex<Inner>);

struct Inner {
    sidecars: Sidecars,
    /// The statuses of each policy file, in the order of its documents.
    files: BTreeMap<String, BTreeMap<(usize, PolicyKey), ScalingPolicyStatus>>,
    /// Which file a policy's status is in.
    places: HashMap<PolicyKey, String>,
    /// Files whose sidecar could not be written, and why.
    troubles: HashMap<String, String>,
}

impl Board {
    /// Nothing is shown yet.
    #[must_use]
    pub fn new(sidecars: Sidecars) -> Self {
        let (files, places, troubles) = Default::default();
        Self(Mutex::new(Inner { sidecars, files, places, troubles }))
    }

    /// Shows the status of a policy in the sidecar of its file, when that is due.
    pub fn show(&self, entry: &PolicyEntry, status: &Status, now: Timestamp) {
        let mut inner = self.lock();
        let file = &entry.source.file;
        if inner.places.get(&entry.key).is_some_and(|last| last != file) {
            inner.drop_policy(&entry.key, now);
        }
        inner.places.insert(entry.key.clone(), file.clone());
        let statuses = inner.files.entry(file.clone()).or_default();
        statuses.retain(|(_, key), _| *key != entry.key);
        statuses.insert((entry.source.document, entry.key.clone()), document(entry, status));
        inner.write(file, now);
    }

    /// Takes a policy out of the sidecar of its file; the last one takes the sidecar along.
    pub fn forget(&self, key: &PolicyKey, now: Timestamp) {
        self.lock().drop_policy(key, now);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn drop_policy(&mut self, key: &PolicyKey, now: Timestamp) {
        let Some(file) = self.places.remove(key) else { return };
        let Some(statuses) = self.files.get_mut(&file) else { return };
        statuses.retain(|(_, other), _| other != key);
        if statuses.is_empty() {
            self.files.remove(&file);
            let removed = self.sidecars.remove(&file);
            self.told(&file, removed);
        } else {
            self.write(&file, now);
        }
    }

    fn write(&mut self, file: &str, now: Timestamp) {
        let statuses: Vec<_> = self.files.get(file).into_iter().flat_map(BTreeMap::values).cloned().collect();
        let written = self.sidecars.write(file, &statuses, now).map(drop);
        self.told(file, written);
    }

    fn told(&mut self, file: &str, outcome: Result<(), SidecarError>) {
        match outcome {
            Ok(()) => drop(self.troubles.remove(file)),
            Err(error) => {
                let error = chain(&error);
                if self.troubles.get(file) != Some(&error) {
                    tracing::warn!(file, error, "sidecar");
                    self.troubles.insert(file.to_owned(), error);
                }
            }
        }
    }
}

fn document(entry: &PolicyEntry, status: &Status) -> ScalingPolicyStatus {
    ScalingPolicyStatus {
        api_version: API_VERSION.to_owned(),
        kind: "ScalingPolicyStatus".to_owned(),
        metadata: StatusMetadata { name: entry.name.clone(), generation: entry.generation },
        status: status.clone(),
    }
}
