//! Which change started which instance. systemd has no labels, so it stands in files of docktor's own, one for each
//! instance, written before the instance is started: a docktor that was killed in between finds it.
//!
//! A mark counts for an instance that was started after the mark was made. What a person starts later in its place
//! is nobody's concern; what ran before was not started by the change.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tokio::fs;

use crate::model::change::ChangeId;
use crate::model::observation::ReplicaId;
use crate::units::Timestamp;

/// The folder of marks, below the state folder.
const FOLDER: &str = "instances";

/// Marks on disk.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    folder: PathBuf,
}

impl Marks {
    /// Those below the state folder.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join(FOLDER) }
    }

    /// Writes down that a change is about to start an instance.
    pub async fn set(&self, instance: &ReplicaId, change: &ChangeId) -> io::Result<()> {
        fs::create_dir_all(&self.folder).await?;
        fs::write(self.file(instance), change.as_str()).await
    }

    /// The change that started an instance, which left its rest at `started`.
    pub async fn get(&self, instance: &ReplicaId, started: Option<Timestamp>) -> Option<ChangeId> {
        let file = self.file(instance);
        let made = fs::metadata(&file).await.ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let made = Timestamp::from_millis(i64::try_from(made.as_millis()).ok()?);
        let change = fs::read_to_string(&file).await.ok()?;
        (started? >= made && !change.is_empty()).then(|| ChangeId::new(&change))
    }

    /// Forgets it. One that is not there is fine.
    pub async fn remove(&self, instance: &ReplicaId) {
        // What stays behind counts for no instance that runs.
        let _ = fs::remove_file(self.file(instance)).await;
    }

    /// The names of units have no slash, and the one after the manager is replaced.
    fn file(&self, instance: &ReplicaId) -> PathBuf {
        self.folder.join(instance.as_str().replacen('/', "-", 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn a_mark_counts_for_what_started_after_it() {
        let state = tempfile::tempdir().unwrap();
        let marks = Marks::new(state.path());
        let instance = ReplicaId::new("system/worker@1.service");
        let now = Clock::system().now();
        let (before, after) = (
            now.minus(crate::units::Duration::from_secs(60)),
            now.plus(crate::units::Duration::from_secs(60)),
        );
        assert_eq!(marks.get(&instance, Some(after)).await, None);

        marks.set(&instance, &ChangeId::new("c1")).await.unwrap();
        assert_eq!(marks.get(&instance, Some(after)).await, Some(ChangeId::new("c1")));
        assert_eq!(marks.get(&instance, Some(before)).await, None, "it ran before");
        assert_eq!(marks.get(&instance, None).await, None, "it never ran");

        marks.remove(&instance).await;
        assert_eq!(marks.get(&instance, Some(after)).await, None);
        marks.remove(&instance).await;
    }
}
