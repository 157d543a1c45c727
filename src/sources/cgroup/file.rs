//! Reading the kernel's small files often and cheaply.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Files are kept open while their descriptors are below this number: three quarters of the 1024 that a process
/// may have by default, so that sockets never go short.
const KEEP_OPEN_BELOW: i32 = 768;
/// Most files here fit in a page.
const USUAL_FILE: usize = 4 * 1024;
/// A larger one is none of those that are read here.
const LARGEST_FILE: usize = 256 * 1024;

/// A file, and how to make a number of its text.
#[derive(Debug)]
pub(super) struct Source<T> {
    place: Place,
    parse: fn(&str) -> Option<T>,
}

#[derive(Debug)]
enum Place {
    Open(File),
    Path(PathBuf),
}

impl<T> Source<T> {
    /// None when it cannot be read now: the controller is off, the kernel is older, pressure is not accounted.
    pub(super) fn kept_open(path: PathBuf, parse: fn(&str) -> Option<T>) -> Option<Self> {
        let file = Reader::default().open(&path)?;
        let place = if file.as_raw_fd() < KEEP_OPEN_BELOW { Place::Open(file) } else { Place::Path(path) };
        Some(Self { place, parse })
    }

    /// The same, opened anew for each reading: an open file of `/proc/PID/net` would keep the network of a
    /// container alive when the container is gone.
    pub(super) fn by_path(path: PathBuf, parse: fn(&str) -> Option<T>) -> Option<Self> {
        Reader::default().open(&path)?;
        Some(Self { place: Place::Path(path), parse })
    }
}

/// Reads one file after the other into the same buffer.
#[derive(Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// The number in a file.
    pub(super) fn required<T>(&mut self, source: &Source<T>) -> Option<T> {
        let text = match &source.place {
            Place::Open(file) => self.text(file),
            Place::Path(path) => self.text(&File::open(path).ok()?),
        };
        (source.parse)(text.ok()?)
    }

    /// The number in a file that not every host has.
    pub(super) fn optional<T>(&mut self, source: &Option<Source<T>>) -> Option<T> {
        self.required(source.as_ref()?)
    }

    /// A file that was read once, to see that it can be.
    fn open(&mut self, path: &std::path::Path) -> Option<File> {
        let file = File::open(path).ok()?;
        self.text(&file).ok()?;
        Some(file)
    }

    /// The whole text as it is now, wherever the file was read to before.
    fn text(&mut self, file: &File) -> io::Result<&str> {
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                if length >= LARGEST_FILE {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                self.buffer.resize((2 * length).max(USUAL_FILE), 0);
            }
            match file.read_at(&mut self.buffer[length..], length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        std::str::from_utf8(&self.buffer[..length]).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> Option<usize> {
        Some(text.len())
    }

    #[test]
    fn what_is_read_is_what_the_file_holds_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for make in [Source::kept_open, Source::by_path] {
            std::fs::write(&path, "x".repeat(10)).unwrap();
            let source = make(path.clone(), length).unwrap();
            let mut reader = Reader::default();
            for size in [10, USUAL_FILE, USUAL_FILE + 1, 3 * USUAL_FILE, 0] {
                std::fs::write(&path, "x".repeat(size)).unwrap();
                assert_eq!(reader.required(&source), Some(size));
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_too_large_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(Source::kept_open(path.clone(), length).is_none());
        std::fs::write(&path, "x".repeat(LARGEST_FILE + 1)).unwrap();
        assert!(Source::kept_open(path, length).is_none());
    }
}
