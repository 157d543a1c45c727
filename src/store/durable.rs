//! Writing a file so that a crash leaves the old or the new content, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// What a write must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process: readers never see a part of the file.
    Process,
    /// A power failure too: file and folder are synced before the write returns.
    Power,
}

/// Replaces `folder/name` by `bytes` through the hidden file `folder/.name.tmp` and a rename.
pub fn replace(folder: &Path, name: &str, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}.tmp"));
    let written = write_new(&temporary, bytes, durability)
        .and_then(|()| fs::rename(&temporary, folder.join(name)))
        .and_then(|()| if durability == Durability::Power { sync_folder(folder) } else { Ok(()) });
    if written.is_err() {
        // The write has failed already; what is left over is replaced by the next one.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes the names in `folder` durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads at most `limit` bytes of the regular file `path`, following symlinks; one byte more tells that there
/// is more. Never blocks on a pipe or a device.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<(Vec<u8>, fs::Metadata)> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}

fn write_new(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    if durability == Durability::Power { file.sync_all() } else { Ok(()) }
}
