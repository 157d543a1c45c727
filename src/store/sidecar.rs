//! Sidecars: `web.status.yaml` beside `web.yaml`, for people and other programs.
//!
//! Output only: docktor never reads one back, save to see that it is its own before it replaces or removes it.
//! Not synced to disk: after a power failure the first pass writes them again.

mod due;

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

pub use due::{Due, VALUES_EVERY, due};

use super::durable::{Durability, read_regular, replace};
use crate::api::status::ScalingPolicyStatus;
use crate::units::Timestamp;

/// The folder in the state folder that takes the sidecars which cannot be written where they belong.
const FALLBACK: &str = "status";
/// Of this many bytes at the begin of a file we see whether it is a sidecar.
const HEAD: u64 = 4_096;

/// Writes and removes sidecars. Calls block on files.
#[derive(Debug)]
pub struct Sidecars {
    folder: PathBuf,
    fallback: PathBuf,
    last: HashMap<String, Last>,
    warned: bool,
}

/// A sidecar as it was written last.
#[derive(Debug)]
struct Last {
    at: Timestamp,
    statuses: Vec<ScalingPolicyStatus>,
    path: PathBuf,
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

/// Why a sidecar could not be written or removed.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// There is a file of that name which docktor did not write.
    #[error("{} is not a sidecar of docktor and is left alone", .0.display())]
    NotOurs(PathBuf),
    /// Neither beside its file nor in the state folder.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The sidecar.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// The path of the sidecar of a policy file, below the same folder: `web.yaml` → `web.status.yaml`,
/// `web.yml` → `web.yml.status.yaml`.
#[must_use]
pub fn sidecar_of(file: &str) -> String {
    format!("{}.status.yaml", file.strip_suffix(".yaml").unwrap_or(file))
}

impl Sidecars {
    /// Sidecars of the policy folder `policies` stand beside their files, or below `status_dir` with relative paths
    /// kept; where that cannot be written, below the state folder `state`.
    #[must_use]
    pub fn new(policies: &Path, status_dir: Option<&Path>, state: &Path) -> Self {
        let folder = status_dir.unwrap_or(policies).to_owned();
        Self { folder, fallback: state.join(FALLBACK), last: HashMap::new(), warned: false }
    }

    /// Brings the sidecar of the policy file `file` up to date, if that is due: at once when more than values
    /// changed, else once a minute. `statuses` stand in the order of the documents.
    pub fn write(
        &mut self,
        file: &str,
        statuses: &[ScalingPolicyStatus],
        now: Timestamp,
    ) -> Result<Outcome, SidecarError> {
        let last = self.last.get(file).map(|it| (it.at, &it.statuses[..]));
        match due(last, statuses, now) {
            Due::Never => return Ok(Outcome::Unchanged),
            Due::At(at) => return Ok(Outcome::Later(at)),
            Due::Now => {}
        }
        let text = render(statuses);
        let path = self.place(file, text.as_bytes())?;
        self.last.insert(file.to_owned(), Last { at: now, statuses: statuses.to_vec(), path });
        Ok(Outcome::Written)
    }

    /// Removes the sidecar of a policy file that is gone. A file that docktor did not write stays.
    pub fn remove(&mut self, file: &str) -> Result<(), SidecarError> {
        let _ = self.last.remove(file);
        let name = sidecar_of(file);
        for folder in [&self.folder, &self.fallback] {
            let path = folder.join(&name);
            if owner(&path) == Owner::Docktor {
                fs::remove_file(&path).map_err(|source| SidecarError::Unwritable { path, source })?;
            }
        }
        Ok(())
    }

    /// Writes where it belongs, or else in the state folder; gives the path.
    fn place(&mut self, file: &str, bytes: &[u8]) -> Result<PathBuf, SidecarError> {
        let name = sidecar_of(file);
        let path = self.folder.join(&name);
        let first = self.last.get(file).is_none_or(|last| last.path != path);
        if first && owner(&path) == Owner::SomebodyElse {
            return Err(SidecarError::NotOurs(path));
        }
        let refused = match write(&path, bytes) {
            Ok(()) => return Ok(path),
            Err(error) if is_lasting(&error) => error,
            Err(source) => return Err(SidecarError::Unwritable { path, source }),
        };
        let elsewhere = self.fallback.join(&name);
        if !self.warned {
            self.warned = true;
            tracing::warn!(
                sidecar = %path.display(), error = %refused, instead = %self.fallback.display(),
                "a sidecar cannot be written beside its policy; it goes to the state folder"
            );
        }
        write(&elsewhere, bytes)
            .map_err(|source| SidecarError::Unwritable { path: elsewhere.clone(), source })?;
        Ok(elsewhere)
    }
}

/// Whose a file is.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Docktor,
    SomebodyElse,
}

fn owner(path: &Path) -> Owner {
    match read_regular(path, HEAD) {
        Ok((bytes, _)) => {
            let head = String::from_utf8_lossy(&bytes);
            let ours = head.lines().any(|line| line.trim_end() == "kind: ScalingPolicyStatus");
            if ours { Owner::Docktor } else { Owner::SomebodyElse }
        }
        Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            Owner::Nobody
        }
        Err(_) => Owner::SomebodyElse,
    }
}

/// Is it of no use to try again: the folder is read-only, or not ours?
fn is_lasting(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|it| it.to_str())) else {
        return Err(ErrorKind::InvalidFilename.into());
    };
    fs::create_dir_all(folder)?;
    replace(folder, name, bytes, Durability::Process)
}

/// One YAML document per policy, in order.
fn render(statuses: &[ScalingPolicyStatus]) -> String {
    let document = |status| serde_yaml::to_string(status).unwrap_or_else(|error| format!("# {error}\n"));
    statuses.iter().map(document).collect::<Vec<_>>().join("---\n")
}
