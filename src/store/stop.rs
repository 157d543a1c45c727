//! The file `STOP` in the policy folder: while it is there, docktor does nothing to any workload.
//!
//! It is looked for right before each action, on its own: no rescan, watcher or catalog is in between.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file's name.
pub const STOP_FILE: &str = "STOP";

/// Where to look for `STOP`. Cheap to clone; clones share what was seen last.
#[derive(Debug, Clone)]
pub struct StopFile {
    folder: Arc<Path>,
    path: Arc<Path>,
    seen: Arc<AtomicBool>,
}

/// What a look for `STOP` found.
#[derive(Debug)]
pub enum StopSign {
    /// The folder is there, and no `STOP` in it.
    Absent,
    /// `STOP` is there; or the folder is gone, and had it when it was last seen.
    Present,
    /// Nobody can say: the folder cannot be searched.
    Unknown {
        /// The file that was looked for.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
}

impl StopSign {
    /// Must every action be left undone? Also where nobody can say: what cannot be stopped must not run.
    #[must_use]
    pub const fn forbids_action(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl StopFile {
    /// The `STOP` of that policy folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), path: folder.join(STOP_FILE).into(), seen: Arc::default() }
    }

    /// Looks. One or two system calls.
    #[must_use]
    pub fn look(&self) -> StopSign {
        let present = match self.path.symlink_metadata() {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.folder.metadata() {
                Ok(_) => false,
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.seen.load(Ordering::Relaxed),
                Err(source) => return StopSign::Unknown { path: self.path.to_path_buf(), source },
            },
            Err(source) => return StopSign::Unknown { path: self.path.to_path_buf(), source },
        };
        self.seen.store(present, Ordering::Relaxed);
        if present { StopSign::Present } else { StopSign::Absent }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_stop_file_forbids_action_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let stop = StopFile::new(folder.path());
        assert!(!stop.look().forbids_action());
        fs::write(folder.path().join(STOP_FILE), "").unwrap();
        assert!(matches!(stop.look(), StopSign::Present));
        fs::remove_file(folder.path().join(STOP_FILE)).unwrap();
        assert!(matches!(stop.look(), StopSign::Absent));
    }

    #[test]
    fn a_stop_file_that_is_a_dangling_symlink_or_a_folder_counts() {
        let folder = tempfile::tempdir().unwrap();
        let stop = StopFile::new(folder.path());
        std::os::unix::fs::symlink("nowhere", folder.path().join(STOP_FILE)).unwrap();
        assert!(stop.look().forbids_action());
    }

    #[test]
    fn what_was_last_seen_holds_while_the_folder_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("policies");
        fs::create_dir(&folder).unwrap();
        let stop = StopFile::new(&folder);
        assert!(!stop.look().forbids_action());
        fs::remove_dir(&folder).unwrap();
        assert!(!stop.look().forbids_action());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(STOP_FILE), "").unwrap();
        assert!(stop.look().forbids_action());
        fs::remove_dir_all(&folder).unwrap();
        assert!(stop.look().forbids_action());
    }

    #[test]
    fn a_folder_that_cannot_be_searched_forbids_action() {
        let parent = tempfile::tempdir().unwrap();
        let no_folder = parent.path().join("file");
        fs::write(&no_folder, "").unwrap();
        assert!(matches!(StopFile::new(&no_folder).look(), StopSign::Unknown { .. }));
    }
}
