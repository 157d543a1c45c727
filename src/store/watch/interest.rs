//! Which file events can matter.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use notify::Event;
use notify::event::EventKind;

use crate::store::folder::{Identity, Places, identity};

/// A folder to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Which folder it is behind its path.
    pub identity: Identity,
    /// What in it matters.
    pub matters: Matters,
}

/// What in a folder matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matters {
    /// Everything: it holds policies.
    All,
    /// These names: symlinks on the way to policies, or what they lead to.
    Names(BTreeSet<OsString>),
}

/// Which events matter, and which watches the kernel may have dropped.
#[derive(Debug, Default)]
pub struct Interest {
    folders: BTreeMap<PathBuf, Matters>,
    lost: BTreeSet<PathBuf>,
}

/// The folders to watch for changes of `places`, each under one path only, as inotify knows them by inode; an
/// absolute one, as `notify` names what events are about absolutely.
pub fn folders(places: &Places) -> BTreeMap<PathBuf, Folder> {
    let mut paths = BTreeMap::new();
    let mut folders = BTreeMap::new();
    for (path, identity) in &places.folders {
        let Ok(path) = std::path::absolute(path) else { continue };
        if paths.insert(*identity, path.clone()).is_none() {
            folders.insert(path, Folder { identity: *identity, matters: Matters::All });
        }
    }
    for point in &places.points {
        let (Some(parent), Some(name)) = (point.parent(), point.file_name()) else { continue };
        let Ok(metadata) = parent.metadata() else { continue };
        let identity = identity(&metadata);
        let path = paths.entry(identity).or_insert_with(|| parent.to_owned());
        let nothing = || Folder { identity, matters: Matters::Names(BTreeSet::new()) };
        if let Matters::Names(names) = &mut folders.entry(path.clone()).or_insert_with(nothing).matters {
            names.insert(name.to_owned());
        }
    }
    folders
}

impl Interest {
    /// From now on, these matter. Gives the folders whose watch may be gone.
    pub fn replace(&mut self, folders: &BTreeMap<PathBuf, Folder>) -> BTreeSet<PathBuf> {
        self.folders = folders.iter().map(|(path, it)| (path.clone(), it.matters.clone())).collect();
        std::mem::take(&mut self.lost)
    }

    /// Events were lost: any watch may be gone.
    pub fn lose_all(&mut self) {
        self.lost = self.folders.keys().cloned().collect();
    }

    /// Takes note of an event, and says whether it matters.
    pub fn note(&mut self, event: &Event) -> bool {
        if !matches!(event.kind, EventKind::Access(_) | EventKind::Create(_)) {
            // A watched folder that is removed or moved is named itself.
            let own = event.paths.iter().filter(|path| self.folders.contains_key(*path)).cloned();
            self.lost.extend(own);
        }
        event.paths.iter().any(|path| self.matters(path))
    }

    fn matters(&self, path: &Path) -> bool {
        if self.folders.contains_key(path) {
            return true;
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return true };
        match self.folders.get(parent) {
            Some(Matters::All) => !is_sidecar(name),
            Some(Matters::Names(names)) => names.contains(name),
            None => false,
        }
    }
}

/// Our own output, or the temporary file it came from.
fn is_sidecar(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let name = name.strip_suffix(".tmp").unwrap_or(&name);
    name.ends_with(".status.yaml")
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, RemoveKind};

    use super::*;

    fn interest(folders: &[(&str, Matters)]) -> Interest {
        let folders = folders.iter().map(|(path, matters)| (PathBuf::from(path), matters.clone())).collect();
        Interest { folders, lost: BTreeSet::new() }
    }

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    #[test]
    fn our_own_sidecars_do_not_matter_and_hidden_links_do() {
        let mut interest = interest(&[("/p", Matters::All)]);
        let created = EventKind::Create(CreateKind::File);
        for (path, matters) in [
            ("/p/web.yaml", true),
            ("/p/..data", true),
            ("/p/STOP", true),
            ("/p/web.status.yaml", false),
            ("/p/.web.status.yaml.tmp", false),
            ("/elsewhere/web.yaml", false),
        ] {
            assert_eq!(interest.note(&event(created, path)), matters, "{path}");
        }
    }

    #[test]
    fn a_relative_policy_folder_is_watched_under_the_path_that_events_have() {
        let places = Places { folders: [(PathBuf::from("./src"), (1, 2))].into(), ..Places::default() };
        let expected = std::env::current_dir().unwrap().join("src");
        assert_eq!(folders(&places).into_keys().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn of_a_folder_on_the_way_only_the_link_matters() {
        let mut interest = interest(&[("/etc", Matters::Names(["policies".into()].into()))]);
        let created = EventKind::Create(CreateKind::Any);
        assert!(interest.note(&event(created, "/etc/policies")));
        assert!(!interest.note(&event(created, "/etc/passwd")));
    }

    #[test]
    fn the_watch_of_a_removed_folder_counts_as_lost() {
        let mut interest = interest(&[("/p", Matters::All), ("/p/a", Matters::All)]);
        assert!(interest.note(&event(EventKind::Remove(RemoveKind::Folder), "/p/a")));
        assert_eq!(interest.replace(&BTreeMap::new()), [PathBuf::from("/p/a")].into());
    }
}
