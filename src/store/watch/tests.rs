//! The watcher with a store, on a real file system and in real time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::clock::Clock;
use crate::store::Store;

/// Four times what is promised, as tests share the machine.
const PATIENCE: Duration = Duration::from_secs(4);

struct Watched {
    root: tempfile::TempDir,
    store: Store,
    watcher: Watcher,
    clock: Clock,
}

impl Watched {
    async fn new(prepare: impl FnOnce(&Path)) -> Self {
        Self::named(Path::to_owned, prepare).await
    }

    /// Opens the folder under the path that `name` makes of its absolute one.
    async fn named(name: impl FnOnce(&Path) -> PathBuf, prepare: impl FnOnce(&Path)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("policies");
        prepare(&folder);
        let clock = Clock::system();
        let store = Store::open(&name(&folder), &root.path().join("state"), clock.now()).unwrap();
        let mut watched = Self { root, store, watcher: Watcher::new(None), clock };
        watched.watcher.arm(watched.store.places(), None);
        watched.rest().await;
        watched
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("policies").join(path)
    }

    fn rescan(&mut self) {
        let changes = self.store.rescan(self.clock.now());
        self.watcher.arm(self.store.places(), changes.look_again);
    }

    /// Follows hints until no event is under way any more.
    async fn rest(&mut self) {
        while let Ok(Hint::Event) =
            tokio::time::timeout(Duration::from_millis(400), self.watcher.hint()).await
        {
            self.rescan();
        }
    }

    /// Follows hints until exactly these policies run.
    async fn expect(&mut self, what: &str, keys: &[&str]) {
        let begin = Instant::now();
        let running =
            |store: &Store| store.entries().filter(|it| it.runs()).map(|it| it.key.to_string()).collect();
        loop {
            let now: Vec<String> = running(&self.store);
            if now == keys {
                break;
            }
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let hint = tokio::time::timeout(left, self.watcher.hint()).await;
            assert!(hint.is_ok(), "{what}: no hint; {now:?} run, not {keys:?}");
            self.rescan();
        }
        eprintln!("{what}: seen after {:.0?}", begin.elapsed());
        self.rest().await;
    }
}

fn policy(name: &str) -> String {
    format!(
        "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {{name: {name}}}\nspec:\n  target: {{compose: \
         {{project: shop, service: {name}}}}}\n  replicas: {{max: 4}}\n  scaleUp: {{rules: [{{metric: cpu.avg, op: \
         \">\", value: 75}}]}}\n"
    )
}

fn make(folder: &Path) {
    fs::create_dir(folder).unwrap();
}

#[tokio::test]
async fn files_in_old_and_new_folders_are_seen() {
    let mut watched = Watched::new(make).await;
    fs::write(watched.path("a.yaml"), policy("a")).unwrap();
    watched.expect("a new file", &["a"]).await;
    fs::create_dir_all(watched.path("team/deep")).unwrap();
    fs::write(watched.path("team/deep/b.yaml"), policy("b")).unwrap();
    watched.expect("a file in new folders", &["a", "b"]).await;
    fs::write(watched.path(".c.tmp"), policy("c")).unwrap();
    fs::rename(watched.path(".c.tmp"), watched.path("team/deep/b.yaml")).unwrap();
    watched.expect("a file renamed over another", &["a", "c"]).await;
    fs::remove_dir_all(watched.path("team")).unwrap();
    watched.expect("a removed folder", &["a"]).await;
    fs::create_dir_all(watched.path("team/deep")).unwrap();
    watched.rest().await;
    fs::write(watched.path("team/deep/d.yaml"), policy("d")).unwrap();
    watched.expect("a file in a folder made anew", &["a", "d"]).await;
}

#[tokio::test]
async fn a_folder_given_by_a_relative_path_is_watched_too() {
    let relative = |folder: &Path| {
        let here = std::env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        up.join(folder.strip_prefix("/").unwrap())
    };
    let mut watched = Watched::named(relative, make).await;
    fs::write(watched.path("a.yaml"), policy("a")).unwrap();
    watched.expect("a new file", &["a"]).await;
}

#[tokio::test]
async fn the_folder_itself_may_be_removed_and_made_anew() {
    let mut watched = Watched::new(make).await;
    fs::write(watched.path("a.yaml"), policy("a")).unwrap();
    watched.expect("a new file", &["a"]).await;
    for name in ["b", "c"] {
        fs::remove_dir_all(watched.path("")).unwrap();
        watched.rest().await;
        fs::create_dir(watched.path("")).unwrap();
        fs::write(watched.path("b.yaml"), policy(name)).unwrap();
        watched.expect("the folder made anew", &[name]).await;
        fs::write(watched.path("z.yaml"), policy("z")).unwrap();
        watched.expect("a file in it", &[name, "z"]).await;
    }
}

#[tokio::test]
async fn swaps_and_targets_of_symlinks_are_seen() {
    let mut watched = Watched::new(|folder| {
        let above = folder.parent().unwrap();
        for version in ["one", "two", "three"] {
            fs::create_dir(above.join(version)).unwrap();
            fs::write(above.join(version).join("web.yaml"), policy(version)).unwrap();
        }
        fs::create_dir_all(folder.join("..1")).unwrap();
        fs::create_dir_all(folder.join("..2")).unwrap();
        fs::write(folder.join("..1/api.yaml"), policy("api")).unwrap();
        fs::write(folder.join("..2/api.yaml"), policy("shop")).unwrap();
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/api.yaml", folder.join("api.yaml")).unwrap();
        symlink("../one", folder.join("linked")).unwrap();
        symlink("../../two/web.yaml", folder.join("..1/web.yaml")).unwrap();
        symlink("../two/web.yaml", folder.join("web.yaml")).unwrap();
    })
    .await;
    watched.expect("the start", &["api", "one", "two"]).await;
    symlink("..2", watched.path("..data_tmp")).unwrap();
    fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
    watched.expect("a swap of ..data", &["one", "shop", "two"]).await;
    fs::write(watched.path("../one/web.yaml"), policy("ones")).unwrap();
    watched.expect("a file behind a linked folder", &["ones", "shop", "two"]).await;
    fs::write(watched.path("../two/web.yaml"), policy("twos")).unwrap();
    watched.expect("a file behind a link", &["ones", "shop", "twos"]).await;
    fs::remove_file(watched.path("linked")).unwrap();
    symlink("../three", watched.path("linked")).unwrap();
    watched.expect("a link to another folder", &["shop", "three", "twos"]).await;
}

#[tokio::test]
async fn the_folder_may_be_a_symlink_that_moves() {
    let mut watched = Watched::new(|folder| {
        for version in ["one", "two"] {
            let path = folder.with_file_name(version);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("web.yaml"), policy(version)).unwrap();
        }
        symlink("one", folder).unwrap();
    })
    .await;
    watched.expect("the start", &["one"]).await;
    let folder = watched.root.path().join("policies");
    fs::remove_file(&folder).unwrap();
    symlink("two", &folder).unwrap();
    watched.expect("the moved link", &["two"]).await;
    fs::write(watched.path("web.yaml"), policy("three")).unwrap();
    watched.expect("a change behind it", &["three"]).await;
}

#[tokio::test]
async fn polling_sees_changes_too() {
    let mut watched = Watched::new(make).await;
    watched.watcher = Watcher::new(Some(crate::units::Duration::from_millis(300)));
    watched.watcher.inotify = None;
    fs::write(watched.path("a.yaml"), policy("a")).unwrap();
    watched.expect("a new file, by polling", &["a"]).await;
}

#[tokio::test]
async fn sidecars_give_no_hints() {
    let mut watched = Watched::new(make).await;
    fs::write(watched.path(".web.status.yaml.tmp"), "x").unwrap();
    fs::rename(watched.path(".web.status.yaml.tmp"), watched.path("web.status.yaml")).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(700), watched.watcher.hint()).await.is_err());
}

#[tokio::test]
async fn more_events_than_the_kernel_holds_end_in_the_right_state() {
    const FILES: usize = 10_000;
    let mut watched = Watched::new(make).await;
    for number in 0..FILES {
        fs::write(watched.path(&format!("p{number}.yaml")), policy(&format!("p{number}"))).unwrap();
    }
    let begin = Instant::now();
    while watched.store.entries().count() < FILES {
        watched.watcher.hint().await;
        watched.rescan();
        assert!(begin.elapsed() < Duration::from_secs(300), "not seen");
    }
    eprintln!("10,000 files at once: seen after {:.2?}", begin.elapsed());
    watched.rest().await;
    fs::remove_file(watched.path("p7.yaml")).unwrap();
    let begin = Instant::now();
    while watched.store.entries().count() == FILES {
        watched.watcher.hint().await;
        watched.rescan();
        assert!(begin.elapsed() < Duration::from_secs(120), "the watch is dead");
    }
}
