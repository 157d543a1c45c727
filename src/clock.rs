//! The one place that reads the time.
//!
//! Two notions: `now()` says when something happened and may jump when somebody sets the machine's clock;
//! `elapsed()` measures how long something took and never goes backwards.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::units::Timestamp;

/// Reads the time. Cheap to copy; all copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    wall: Wall,
}

/// Where `now()` comes from.
#[derive(Debug, Clone, Copy)]
enum Wall {
    /// The machine's clock.
    System,
    /// This moment, and from it on tokio's time, which tests can pause and advance.
    From(Timestamp),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { started: Instant::now(), wall: Wall::System }
    }

    /// A clock that now says `start` and then follows tokio's time, also while that is paused.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self { started: Instant::now(), wall: Wall::From(start) }
    }

    /// What time it is.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self.wall {
            Wall::System => system_time(),
            Wall::From(start) => start.plus(whole_millis(self.elapsed())),
        }
    }

    /// How long this clock has run, on tokio's time. Only differences mean something.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.started.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
fn system_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(whole_millis(since_epoch))
}

fn whole_millis(duration: Duration) -> crate::units::Duration {
    crate::units::Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn on_paused_time_the_clock_advances_only_when_told() {
        let start = "2026-11-22T06:29:00Z".parse().unwrap();
        let clock = Clock::starting_at(start);
        assert_eq!(clock.now(), start);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().to_string(), "2026-11-22T06:30:30Z");
        assert_eq!(clock.elapsed(), Duration::from_secs(90));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "something to compare with")]
    fn the_systems_clock_agrees_with_jiff() {
        let jiff = jiff::Timestamp::now().as_millisecond();
        assert!((Clock::system().now().as_millis() - jiff).abs() < 1_000);
    }
}
