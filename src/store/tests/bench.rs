//! A policy folder, a state folder and a store over them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::clock::Clock;
use crate::model::key::PolicyKey;
use crate::store::{Changes, PolicyEntry, Store};
use crate::units::Timestamp;

pub struct Bench {
    root: TempDir,
    pub store: Store,
}

/// A valid policy of that name for that service, with that maximum.
pub fn policy(name: &str, service: &str, max: u32) -> String {
    format!(
        "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata:\n  name: {name}\nspec:\n  target:\n    \
         compose: {{project: shop, service: {service}}}\n  replicas: {{max: {max}}}\n  scaleUp:\n    rules:\n      - \
         {{metric: cpu.avg, op: \">\", value: 75}}\n"
    )
}

/// The same for a service of its own name.
pub fn simple(name: &str) -> String {
    policy(name, name, 4)
}

/// Its name can be read; its content is wrong.
pub fn wrong(name: &str) -> String {
    simple(name).replace("replicas: {max: 4}", "replicas: {max: many}")
}

impl Bench {
    /// An empty folder.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("policies")).unwrap();
        let store = open(&root.path().join("policies"), &root.path().join("state"));
        Self { root, store }
    }

    /// A folder with these files, seen.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let mut bench = Self::new();
        for (path, text) in files {
            bench.write(path, text);
        }
        bench.rescan();
        bench
    }

    pub fn folder(&self) -> PathBuf {
        self.root.path().join("policies")
    }

    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// Rescans, and sees to it that a restart would give the same.
    pub fn rescan(&mut self) -> Changes {
        let changes = self.store.rescan(now());
        self.assert_a_restart_agrees();
        changes
    }

    /// Goes on with another store, as after a restart.
    pub fn restart(&mut self) {
        self.store = open(&self.folder(), &self.state());
        self.assert_a_restart_agrees();
    }

    pub fn assert_a_restart_agrees(&self) {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.state()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let restarted = open(&self.folder(), copy.path());
        assert_eq!(restarted.catalog(), self.store.catalog());
    }

    /// The policy of that key, which is there.
    pub fn get(&self, key: &str) -> &PolicyEntry {
        self.store.get(&PolicyKey::new(key)).unwrap_or_else(|| panic!("no {key} among {:?}", self.keys()))
    }

    /// The maximum that runs under that key.
    pub fn max(&self, key: &str) -> Option<u32> {
        self.get(key).policy.as_ref()?.spec.replicas.as_ref()?.max
    }

    pub fn keys(&self) -> Vec<&str> {
        self.store.entries().map(|it| it.key.as_str()).collect()
    }

    /// The keys of those that run.
    pub fn running(&self) -> Vec<&str> {
        self.store.entries().filter(|it| it.runs()).map(|it| it.key.as_str()).collect()
    }
}

pub fn now() -> Timestamp {
    Clock::system().now()
}

pub fn open(folder: &Path, state: &Path) -> Store {
    Store::open(folder, state, now()).unwrap()
}

/// The keys of that names.
pub fn keys(names: &[&str]) -> Vec<PolicyKey> {
    names.iter().map(|name| PolicyKey::new(name)).collect()
}
