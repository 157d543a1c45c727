//! How long work waits that is done in the order in which it arrived.

use std::collections::VecDeque;

/// Most stretches of arrivals that are told apart; of more, the two newest become one.
const MAX_STRETCHES: usize = 100_000;
/// Seconds between two stretches that are taken for rounding.
const ROUNDING: f64 = 1e-6;

/// Work that waits, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    stretches: VecDeque<Stretch>,
}

/// Work that arrived evenly over a time, in seconds since the beginning.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: f64,
    end: f64,
    work: f64,
}

impl Stretch {
    fn rate(&self) -> f64 {
        self.work / (self.end - self.start)
    }
}

impl Waiting {
    /// So much work arrives evenly over that time.
    pub(super) fn arrive(&mut self, start: f64, seconds: f64, work: f64) {
        if work <= 0.0 || seconds <= 0.0 {
            return;
        }
        let new = Stretch { start, end: start + seconds, work };
        let full = self.stretches.len() >= MAX_STRETCHES;
        if let Some(last) = self.stretches.back_mut() {
            let same_rate = (last.rate() - new.rate()).abs() <= ROUNDING * new.rate();
            if full || (same_rate && new.start - last.end < ROUNDING) {
                (last.end, last.work) = (new.end, last.work + new.work);
                return;
            }
        }
        self.stretches.push_back(new);
    }

    /// So much work is done evenly over that time. Gives the longest that any of it had waited, or that what is
    /// oldest then has waited.
    pub(super) fn leave(&mut self, start: f64, seconds: f64, done: f64) -> f64 {
        let (mut longest, mut left) = (0.0f64, done);
        let end = start + seconds;
        while let Some(oldest) = self.stretches.front_mut() {
            // Done at an even pace, so waits change evenly within a stretch and are longest at one of its ends.
            let when = end - seconds * left / done.max(f64::MIN_POSITIVE);
            longest = longest.max(if done > 0.0 { when - oldest.start } else { end - oldest.start });
            if oldest.work > left {
                oldest.start += (oldest.end - oldest.start) * left / oldest.work;
                oldest.work -= left;
                return longest.max(end - oldest.start);
            }
            left -= oldest.work;
            let finished = end - seconds * left / done.max(f64::MIN_POSITIVE);
            longest = longest.max(finished - oldest.end);
            self.stretches.pop_front();
        }
        longest
    }

    /// Nothing waits any more.
    pub(super) fn clear(&mut self) {
        self.stretches.clear();
    }
}
