//! The way through the policy folder: which paths are policy files, and what bars the way.
//!
//! Real folders are walked first, in order of name, then those behind symlinks; a folder is read once, under
//! the first path that leads to it, so symlinks in a circle end.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::places::{Identity, Places, identity};
use super::{MAX_DEPTH, MAX_FILES, Stamp};

/// Most entries of all folders together, of whatever kind.
const MAX_ENTRIES: usize = 500_000;

/// What was found on the way. Paths are below the folder, with `/`.
#[derive(Debug)]
pub struct Walk {
    /// The policy files, not yet read.
    pub files: BTreeMap<String, Stamp>,
    /// What is there and cannot be read, and why.
    pub unreadable: BTreeMap<String, String>,
    /// Where changes can be noticed.
    pub places: Places,
    root: PathBuf,
    visited: HashSet<Identity>,
    linked: VecDeque<(String, usize)>,
    entries: usize,
}

/// Is a file of that name a policy file?
pub fn is_policy_name(name: &str) -> bool {
    let yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    yaml && !name.starts_with('.') && !name.ends_with(".status.yaml") && !name.ends_with(".status.yml")
}

impl Walk {
    /// Walks through all of the folder.
    pub fn through(root: &Path) -> Self {
        let mut walk = Self {
            files: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            places: Places::default(),
            root: root.to_owned(),
            visited: HashSet::new(),
            linked: VecDeque::new(),
            entries: 0,
        };
        walk.places.add_way(root);
        walk.visit("", 0);
        while let Some((path, depth)) = walk.linked.pop_front() {
            walk.visit(&path, depth);
        }
        walk
    }

    fn visit(&mut self, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.refuse(path, format!("it is more than {MAX_DEPTH} folders deep"));
        }
        match self.list(path) {
            Ok(Some(names)) => names.iter().for_each(|name| self.look_at(path, name, depth)),
            Ok(None) => {}
            // A folder that has just gone is no different from one that never was; the root is.
            Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => {}
            Err(error) => self.refuse(path, error.to_string()),
        }
    }

    /// The names in a folder, in order. `None` where it was read already under another path.
    fn list(&mut self, path: &str) -> io::Result<Option<Vec<OsString>>> {
        let full = self.root.join(path);
        let identity = identity(&full.metadata()?);
        if !self.visited.insert(identity) {
            return Ok(None);
        }
        let entries = fs::read_dir(&full)?;
        self.places.folders.insert(full, identity);
        let mut names = Vec::new();
        for entry in entries {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(io::Error::other(format!("there are more than {MAX_ENTRIES} entries")));
            }
            names.push(entry?.file_name());
        }
        names.sort_unstable();
        Ok(Some(names))
    }

    fn look_at(&mut self, folder: &str, name: &OsStr, depth: usize) {
        let Some(name) = name.to_str() else {
            let shown = name.to_string_lossy();
            if is_policy_name(&shown) {
                self.refuse(&join(folder, &shown), "its name is not UTF-8".to_owned());
            }
            return;
        };
        if name.starts_with('.') {
            return;
        }
        let path = join(folder, name);
        let full = self.root.join(&path);
        // What has gone since the folder was listed is not there.
        let Ok(own) = full.symlink_metadata() else { return };
        if !own.is_symlink() {
            return self.take(path, &own, depth, Reached::Directly);
        }
        match full.metadata() {
            Ok(target) => {
                if target.is_dir() || is_policy_name(name) {
                    self.places.add_way(&full);
                }
                self.take(path, &target, depth, Reached::ThroughLink);
            }
            Err(error) if is_policy_name(name) => {
                self.places.add_way(&full);
                self.refuse(&path, format!("the symlink leads nowhere: {error}"));
            }
            Err(_) => {}
        }
    }

    fn take(&mut self, path: String, metadata: &Metadata, depth: usize, reached: Reached) {
        let name = path.rsplit('/').next().unwrap_or(&path);
        if !is_policy_name(name) {
            match (metadata.is_dir(), reached) {
                (true, Reached::Directly) => self.visit(&path, depth + 1),
                (true, Reached::ThroughLink) => self.linked.push_back((path, depth + 1)),
                (false, _) => {}
            }
        } else if metadata.is_dir() {
            self.refuse(
                &path,
                "it is a folder; one that holds policies must not be named like a file".into(),
            );
        } else if !metadata.is_file() {
            self.refuse(&path, "it is not a regular file".to_owned());
        } else if self.files.len() == MAX_FILES {
            self.refuse("", format!("there are more than {MAX_FILES} policy files"));
        } else {
            self.files.insert(path, Stamp::of(metadata));
        }
    }

    fn refuse(&mut self, path: &str, why: String) {
        self.unreadable.insert(path.to_owned(), why);
    }
}

/// How a path was reached.
#[derive(Debug, Clone, Copy)]
enum Reached {
    Directly,
    ThroughLink,
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_visible_yaml_files_that_are_no_sidecars_are_policy_files() {
        for (name, is) in [
            ("web.yaml", true),
            ("web.yml", true),
            ("web.status.yaml", false),
            ("web.yml.status.yaml", false),
            ("web.status.yml", false),
            (".web.yaml", false),
            ("web.yaml~", false),
            ("web.yaml.tmp", false),
            ("web.YAML", false),
            ("STOP", false),
        ] {
            assert_eq!(is_policy_name(name), is, "{name}");
        }
    }

    fn paths(root: &Path) -> Vec<String> {
        Walk::through(root).files.into_keys().collect()
    }

    #[test]
    fn symlinks_in_a_circle_end_and_a_folder_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("z/deep")).unwrap();
        fs::write(root.path().join("z/deep/web.yaml"), "").unwrap();
        symlink("..", root.path().join("z/deep/up")).unwrap();
        symlink(".", root.path().join("here")).unwrap();
        symlink("z", root.path().join("a")).unwrap();
        assert_eq!(paths(root.path()), ["z/deep/web.yaml"]);
    }

    #[test]
    fn a_folder_elsewhere_is_reached_through_its_symlink() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("web.yaml"), "").unwrap();
        symlink(elsewhere.path(), root.path().join("team")).unwrap();
        assert_eq!(paths(root.path()), ["team/web.yaml"]);
    }

    #[test]
    fn too_deep_folders_are_reported() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join(vec!["d"; MAX_DEPTH + 1].join("/"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("web.yaml"), "").unwrap();
        let walk = Walk::through(root.path());
        assert!(walk.files.is_empty());
        assert_eq!(walk.unreadable.into_keys().collect::<Vec<_>>(), [vec!["d"; MAX_DEPTH + 1].join("/")]);
    }

    #[test]
    fn a_pipe_and_a_dangling_symlink_are_reported_and_never_opened() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe.yaml");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        symlink("nowhere", root.path().join("gone.yaml")).unwrap();
        fs::create_dir(root.path().join("folder.yaml")).unwrap();
        let walk = Walk::through(root.path());
        assert!(walk.files.is_empty());
        let names: Vec<_> = walk.unreadable.into_keys().collect();
        assert_eq!(names, ["folder.yaml", "gone.yaml", "pipe.yaml"]);
    }
}
