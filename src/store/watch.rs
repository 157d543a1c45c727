//! When to rescan: after file events, and every half minute in any case.
//!
//! Events are hints only. What they say is not used beyond whether they can matter: a rescan looks at everything.
//! Watches are on single folders, renewed after each rescan, because a folder that is removed and made again, or
//! a symlink that is moved, takes its watch along.

use crate::units::Duration;

use super::Places;

/// How changes of the folder are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watching {
    /// By inotify; by polling where that is not to be had.
    #[default]
    Events,
    /// By polling alone: for network and overlay file systems, which send no events.
    Polling,
}

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
pub struct Watcher {}

impl Watcher {
    /// Nothing is watched until `arm` is called.
    #[must_use]
    pub fn new(watching: Watching) -> Self {
        let _ = watching;
        Self {}
    }

    /// To be called after each rescan, with `Store::places` and `Changes::look_again`: watches what the scan read.
    pub fn arm(&mut self, places: &Places, look_again: Option<Duration>) {
        let _ = (places, look_again);
    }

    /// Waits until it is time to rescan. May be dropped and called again: nothing is lost.
    pub async fn hint(&mut self) -> Hint {
        std::future::pending().await
    }
}
