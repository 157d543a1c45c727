//! Who watches over the loop: a service manager, or nobody.
//!
//! The loop tells it from within that it turns, so a loop that hangs falls silent. What a pass does is not told.

use std::time::Duration;

use tokio::time::Instant;

/// Who wants to know that the loop turns.
pub trait Supervisor: Send {
    /// Longest time between two signs of life; the loop wakes for them.
    fn every(&self) -> Duration;
    /// The loop turns.
    fn alive(&mut self);
    /// The policy folder was read, all of it after [`Wake::Reload`](super::Wake::Reload) had come.
    fn reloaded(&mut self);
}

/// A supervisor, and when it hears of the loop next.
pub(super) struct Supervision {
    supervisor: Box<dyn Supervisor>,
    due: Instant,
    reload: bool,
}

impl Supervision {
    pub(super) fn new(supervisor: Box<dyn Supervisor>) -> Self {
        Self { supervisor, due: Instant::now(), reload: false }
    }

    /// When the loop has to turn at the latest.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Gives a sign of life where one is due.
    pub(super) fn turned(&mut self) {
        let now = Instant::now();
        if now >= self.due {
            self.due = now + self.supervisor.every();
            self.supervisor.alive();
        }
    }

    /// The next reading of the folder is to be told.
    pub(super) const fn reload(&mut self) {
        self.reload = true;
    }

    /// The folder was read, and nothing asked for another reading meanwhile.
    pub(super) fn folder_read(&mut self) {
        if std::mem::take(&mut self.reload) {
            self.supervisor.reloaded();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    #[derive(Clone, Default)]
    struct Ear(Arc<Mutex<Vec<&'static str>>>);

    impl Supervisor for Ear {
        fn every(&self) -> Duration {
            EVERY
        }

        fn alive(&mut self) {
            self.0.lock().unwrap().push("alive");
        }

        fn reloaded(&mut self) {
            self.0.lock().unwrap().push("reloaded");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_come_at_once_and_then_no_more_often_than_is_wanted() {
        let ear = Ear::default();
        let mut supervision = Supervision::new(Box::new(ear.clone()));
        for _ in 0..100 {
            supervision.turned();
        }
        assert_eq!(ear.0.lock().unwrap().len(), 1);
        assert_eq!(supervision.due(), Instant::now() + EVERY);
        tokio::time::advance(EVERY).await;
        supervision.turned();
        supervision.turned();
        assert_eq!(ear.0.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_reading_is_told_only_to_who_asked_for_it() {
        let ear = Ear::default();
        let mut supervision = Supervision::new(Box::new(ear.clone()));
        supervision.folder_read();
        supervision.reload();
        supervision.folder_read();
        supervision.folder_read();
        assert_eq!(*ear.0.lock().unwrap(), ["reloaded"]);
    }
}
