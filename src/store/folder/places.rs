//! Where changes to what a scan read can be noticed: the folders it read, and the symlinks that led there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Most symlinks on the way to one file, as in the kernel.
const MAX_LINKS: usize = 40;

/// Which file or folder, whatever its name: device and inode.
pub type Identity = (u64, u64);

/// Where to look for changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Folders in which anything may matter, as they were reached.
    pub folders: BTreeMap<PathBuf, Identity>,
    /// Single paths outside of these: symlinks on the way, and what they led to in the end.
    pub points: BTreeSet<PathBuf>,
}

/// Of a folder or file.
pub fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

impl Places {
    /// Adds every symlink on the way to `path`, and where the way ends.
    pub fn add_way(&mut self, path: &Path) {
        let Ok(path) = std::path::absolute(path) else { return };
        let mut at = PathBuf::from("/");
        let mut ahead = parts(&path);
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            let Ok(target) = fs::read_link(&at) else { continue };
            links += 1;
            if links > MAX_LINKS {
                return;
            }
            self.points.insert(at.clone());
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            ahead.extend(parts(&target));
        }
        self.points.insert(at);
    }
}

/// The named parts of a path and its `..`, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_way_through_a_config_map_has_its_links_and_its_end() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("..2026")).unwrap();
        fs::write(root.join("..2026/web.yaml"), "").unwrap();
        symlink("..2026", root.join("..data")).unwrap();
        symlink("..data/web.yaml", root.join("web.yaml")).unwrap();
        let mut places = Places::default();
        places.add_way(&root.join("web.yaml"));
        let points: Vec<_> = places.points.iter().map(|it| it.strip_prefix(&root).unwrap()).collect();
        assert_eq!(points, [Path::new("..2026/web.yaml"), Path::new("..data"), Path::new("web.yaml")]);
    }

    #[test]
    fn a_way_in_a_circle_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        Places::default().add_way(&root.path().join("a"));
    }
}
