//! The lock that keeps a second controller out of a state folder.
//!
//! It is the kernel's (`flock`), so it goes with the process, however that ends; the file stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The file's name in the state folder.
const LOCK_FILE: &str = "lock";

/// Held for as long as this lives.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another docktor{} runs here: it holds {}", shown(*.pid), path.display())]
    Held {
        /// Who, as far as the file tells.
        pid: Option<u32>,
        /// The lock's file.
        path: PathBuf,
    },
    /// The file cannot be made, read or locked.
    #[error("cannot lock {}", path.display())]
    Unusable {
        /// The lock's file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl StateLock {
    /// Takes the lock of the state folder, which is made if it is not there, or says at once who has it.
    pub fn acquire(state: &Path) -> Result<Self, LockError> {
        let path = state.join(LOCK_FILE);
        let unusable = |source| LockError::Unusable { path: path.clone(), source };
        fs::create_dir_all(state).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LockError::Held { pid: read_pid(&file), path }),
            Err(errno) => return Err(unusable(errno.into())),
        }
        file.set_len(0).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

/// The holder writes its pid right after it has the lock, so for a moment there may be none.
fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn shown(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(", pid {pid},"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_controller_is_told_who_runs_here() {
        let state = tempfile::tempdir().unwrap();
        let first = StateLock::acquire(state.path()).unwrap();
        let second = StateLock::acquire(state.path()).unwrap_err();
        let begin = format!("another docktor, pid {}, runs here", std::process::id());
        assert!(second.to_string().starts_with(&begin), "{second}");
        drop(first);
        StateLock::acquire(state.path()).unwrap();
    }

    #[test]
    fn a_lock_file_of_a_dead_process_is_no_obstacle() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(LOCK_FILE), "999999999999").unwrap();
        StateLock::acquire(state.path()).unwrap();
        let pid = std::process::id();
        assert_eq!(fs::read_to_string(state.path().join(LOCK_FILE)).unwrap(), format!("{pid}\n"));
    }
}
