//! When to rescan: shortly after file events, and every half minute in any case.
//!
//! Events are hints only: of what they say, nothing is used but whether they can matter. A rescan looks at
//! everything. Watches are on single folders and are renewed after each rescan, because a folder that is
//! removed and made again, or a symlink that is moved, takes its watch along.

mod interest;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{INotifyWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::folder::{Identity, Places};
use crate::units::Duration;
use interest::Interest;

/// Events have to rest for this long before a rescan, so that a checkout is seen as a whole …
const QUIET: Duration = Duration::from_millis(100);
/// … but after this time at the latest.
const LATEST: Duration = Duration::from_millis(500);
/// Without events, a rescan comes after this time, up to a fifth earlier.
const RESYNC: Duration = Duration::from_secs(30);
/// Least time between rescans that come without events.
const LEAST_REST: Duration = Duration::from_millis(100);
/// Time between rescans where events are not to be had.
const POLL_INSTEAD: Duration = Duration::from_secs(2);
/// Most folders that are watched; with more, docktor polls.
const MAX_WATCHES: usize = 8_192;

/// Why to rescan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Something happened in the folder.
    Event,
    /// It is time for one.
    Periodic,
}

/// Tells when to rescan.
#[derive(Debug)]
pub struct Watcher {
    inotify: Option<INotifyWatcher>,
    armed: BTreeMap<PathBuf, Identity>,
    shared: Arc<Shared>,
    rest: Duration,
    next: Pin<Box<Sleep>>,
    burst: Option<Burst>,
    warned: bool,
}

/// What the thread that receives events shares with us.
#[derive(Debug, Default)]
struct Shared {
    wake: Notify,
    interest: Mutex<Interest>,
}

/// Events that have not come to rest.
#[derive(Debug)]
struct Burst {
    quiet: Pin<Box<Sleep>>,
    latest: Pin<Box<Sleep>>,
}

impl Watcher {
    /// Nothing is watched until [`arm`](Self::arm) is called. With `poll`, a rescan comes this often in any case:
    /// for network and overlay file systems, which send no events. Needs a tokio runtime.
    #[must_use]
    pub fn new(poll: Option<Duration>) -> Self {
        let rest = poll.map_or(RESYNC, |every| every.max(LEAST_REST));
        let mut watcher = Self {
            inotify: None,
            armed: BTreeMap::new(),
            shared: Arc::default(),
            rest,
            next: Box::pin(sleep(rest.get())),
            burst: None,
            warned: false,
        };
        let shared = watcher.shared.clone();
        match INotifyWatcher::new(move |event| shared.receive(event), notify::Config::default()) {
            Ok(inotify) => watcher.inotify = Some(inotify),
            Err(error) => watcher.poll_instead(&error),
        }
        watcher
    }

    /// Watches what the last scan read. To be called after each rescan with [`Store::places`] and
    /// [`Changes::look_again`]. What happened between that scan and this call shows in a hint.
    ///
    /// [`Store::places`]: super::Store::places
    /// [`Changes::look_again`]: super::Changes::look_again
    pub fn arm(&mut self, places: &Places, look_again: Option<Duration>) {
        let wait = self.rest.min(look_again.unwrap_or(self.rest));
        self.next = Box::pin(sleep(wait.get().mul_f64(1.0 - 0.2 * fastrand::f64())));
        if self.inotify.is_none() {
            return;
        }
        let wanted = interest::folders(places);
        if wanted.len() > MAX_WATCHES {
            let too_many = notify::Error::generic("there are too many folders to watch");
            return self.poll_instead(&too_many);
        }
        let lost = self.shared.interest().replace(&wanted);
        self.armed.retain(|path, identity| {
            let keep = !lost.contains(path) && wanted.get(path).is_some_and(|it| it.identity == *identity);
            if let (false, Some(inotify)) = (keep, &mut self.inotify) {
                // The kernel has dropped it already, if the folder is gone.
                let _ = inotify.unwatch(path);
            }
            keep
        });
        for (path, folder) in wanted {
            let Some(inotify) = &mut self.inotify else { return };
            if self.armed.contains_key(&path) {
                continue;
            }
            match inotify.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(path, folder.identity);
                    self.shared.wake.notify_one();
                }
                // It has gone since; the folder above tells.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
                Err(error) => self.poll_instead(&error),
            }
        }
    }

    /// Waits until it is time to rescan. May be dropped and called again at any time: nothing is lost.
    pub async fn hint(&mut self) -> Hint {
        loop {
            let Some(burst) = &mut self.burst else {
                tokio::select! {
                    () = self.shared.wake.notified() => self.burst = Some(Burst::begin()),
                    () = &mut self.next => {
                        self.next = Box::pin(sleep(self.rest.get()));
                        return Hint::Periodic;
                    }
                }
                continue;
            };
            tokio::select! {
                () = &mut burst.latest => break,
                () = &mut burst.quiet => break,
                () = self.shared.wake.notified() => burst.quiet = Box::pin(sleep(QUIET.get())),
            }
        }
        self.burst = None;
        Hint::Event
    }

    fn poll_instead(&mut self, error: &notify::Error) {
        if !self.warned {
            tracing::warn!(
                %error, every = %self.rest.min(POLL_INSTEAD),
                "the policy folder cannot be watched; docktor looks at it again and again instead"
            );
        }
        self.warned = true;
        self.inotify = None;
        self.armed.clear();
        self.rest = self.rest.min(POLL_INSTEAD);
        self.next = Box::pin(sleep(self.rest.get()));
    }
}

impl Burst {
    fn begin() -> Self {
        Self { quiet: Box::pin(sleep(QUIET.get())), latest: Box::pin(sleep(LATEST.get())) }
    }
}

impl Shared {
    fn interest(&self) -> std::sync::MutexGuard<'_, Interest> {
        self.interest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs in the thread of `notify`.
    fn receive(&self, event: notify::Result<notify::Event>) {
        let matters = match event {
            // Reading is no change; our own rescans read.
            Ok(event) if is_read(event.kind) => false,
            Ok(event) if !event.need_rescan() => self.interest().note(&event),
            Ok(_) | Err(_) => {
                self.interest().lose_all();
                true
            }
        };
        if matters {
            self.wake.notify_one();
        }
    }
}

fn is_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
