//! The files of the sidecars: where they stand, and whose they are.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::durable::{Durability, read_regular, replace};
use super::super::folder::MAX_DEPTH;
use crate::telemetry::chain;

/// The kind of the documents in a sidecar.
pub const KIND: &str = "ScalingPolicyStatus";
/// The end of a sidecar's name.
const ENDING: &str = ".status.yaml";
/// Of this many bytes at the begin of a file we see whether it is a sidecar.
const HEAD: u64 = 4_096;

/// Where sidecars go: below `preferred`, or else below `fallback`.
#[derive(Debug)]
pub struct Folders {
    preferred: Root,
    fallback: Root,
    /// Something went to the fallback.
    diverted: AtomicBool,
}

/// A folder with sidecars below it.
#[derive(Debug)]
pub struct Root {
    pub folder: PathBuf,
    pub parents: Parents,
}

/// What to do about folders that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parents {
    Make,
    Leave,
}

/// Why a sidecar could not be written or removed.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// There is a file of that name which docktor did not write.
    #[error("{} is not a sidecar of docktor and is left alone", .0.display())]
    NotOurs(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The sidecar.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It cannot be removed.
    #[error("cannot remove {}", path.display())]
    Unremovable {
        /// The sidecar.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Whose a file is.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Docktor,
    SomebodyElse,
}

/// The path of the sidecar of a policy file, below the same folder: `web.yaml` → `web.status.yaml`,
/// `web.yml` → `web.yml.status.yaml`.
#[must_use]
pub fn sidecar_of(file: &str) -> String {
    file.strip_suffix(".yaml").unwrap_or(file).to_owned() + ENDING
}

impl Folders {
    pub fn new(preferred: Root, fallback: Root) -> Self {
        Self { preferred, fallback, diverted: AtomicBool::new(false) }
    }

    /// Writes where it belongs or, if that folder takes nothing, below the fallback.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), SidecarError> {
        let name = sidecar_of(file);
        let path = self.preferred.folder.join(&name);
        if owner(&path) == Owner::SomebodyElse {
            return Err(SidecarError::NotOurs(path));
        }
        let refused = match self.preferred.write(&name, bytes) {
            Ok(()) if self.diverted.load(Ordering::Relaxed) => {
                return remove_ours(&self.fallback.folder.join(&name));
            }
            Ok(()) => return Ok(()),
            Err(error) if takes_nothing(&error) => error,
            Err(source) => return Err(SidecarError::Unwritable { path, source }),
        };
        if !self.diverted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                sidecar = %path.display(), error = %refused, instead = %self.fallback.folder.display(),
                "a sidecar cannot be written where it belongs and goes to the state folder"
            );
        }
        let path = self.fallback.folder.join(&name);
        self.fallback.write(&name, bytes).map_err(|source| SidecarError::Unwritable { path, source })
    }

    /// Removes the sidecar of a policy file, wherever it was written. A file that docktor did not write stays.
    pub fn remove(&self, file: &str) -> Result<(), SidecarError> {
        let name = sidecar_of(file);
        remove_ours(&self.preferred.folder.join(&name))
            .and_then(|()| remove_ours(&self.fallback.folder.join(&name)))
    }

    /// Removes all sidecars but those at the paths `living`.
    pub fn sweep(&self, living: &BTreeSet<PathBuf>) {
        for Root { folder: root, .. } in [&self.preferred, &self.fallback] {
            for path in sidecars_below(root, MAX_DEPTH) {
                let is_living = path.strip_prefix(root).is_ok_and(|path| living.contains(path));
                if !is_living && let Err(error) = remove_ours(&path) {
                    tracing::warn!(error = chain(&error), "an old sidecar stays");
                }
            }
        }
    }
}

impl Root {
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder.join(folder);
        if self.parents == Parents::Make {
            fs::create_dir_all(&folder)?;
        }
        replace(&folder, name, bytes, Durability::Process)
    }
}

/// Is it of no use to try again: is the folder read-only, or not ours to write?
fn takes_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

fn remove_ours(path: &Path) -> Result<(), SidecarError> {
    if owner(path) != Owner::Docktor {
        return Ok(());
    }
    fs::remove_file(path).map_err(|source| SidecarError::Unremovable { path: path.to_owned(), source })
}

fn owner(path: &Path) -> Owner {
    match read_regular(path, HEAD) {
        Ok((bytes, _)) => {
            let head = String::from_utf8_lossy(&bytes);
            let ours =
                head.lines().any(|line| line.strip_prefix("kind: ").is_some_and(|it| it.trim() == KIND));
            if ours { Owner::Docktor } else { Owner::SomebodyElse }
        }
        Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            Owner::Nobody
        }
        Err(_) => Owner::SomebodyElse,
    }
}

/// Files named like sidecars; what cannot be read has none. Symlinks are not followed.
fn sidecars_below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 && !name.starts_with('.') => {
                found.extend(sidecars_below(&entry.path(), depth - 1));
            }
            Ok(kind) if kind.is_file() && name.ends_with(ENDING) => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
