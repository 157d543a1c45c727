//! How long a policy waits after failures in a row: doubling, bounded, with full jitter above half, so that
//! many policies that failed together do not try again together.

use std::time::Duration;

/// The wait after the first failure, before jitter.
pub const BASE: Duration = Duration::from_secs(1);
/// The longest wait, before jitter.
pub const CAP: Duration = Duration::from_secs(60);

/// The wait before the next try.
///
/// `failures` counts those in a row, from 1; `jitter` is drawn evenly from 0 to 1. The result lies
/// between half and the whole of `min(BASE × 2^(failures − 1), CAP)`.
#[must_use]
pub fn delay(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = (BASE * 2u32.pow(doublings)).min(CAP);
    whole.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_then_stays() {
        let seconds: Vec<u64> = (1..=8).map(|n| delay(n, 1.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delay(u32::MAX, 1.0), CAP);
    }

    #[test]
    fn jitter_never_takes_more_than_half() {
        for failures in 1..10 {
            assert_eq!(delay(failures, 0.0) * 2, delay(failures, 1.0));
        }
    }
}
