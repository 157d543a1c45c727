//! Stabilize: look back and take the safest recommendation of the window, as the HPA does.

use std::collections::VecDeque;

use crate::model::memory::Past;
use crate::units::{Duration, Timestamp};

/// The recommendation nearest to `current` that the windows allow: up to the lowest recommendation of the
/// scaleUp window, down to the highest of the scaleDown window. Entries exactly as old as the window no longer
/// count. `lows` and `highs` need hold no more than the entries that can be the extreme of their window.
#[must_use]
pub fn stabilize(recommended: u32, current: u32, lows: Window<'_>, highs: Window<'_>, now: Timestamp) -> u32 {
    let up_bound = lows.counting(now).fold(recommended, u32::min);
    let down_bound = highs.counting(now).fold(recommended, u32::max);
    current.max(up_bound).min(down_bound)
}

/// Recommendations of the past, and how long each counts.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The recommendations, in any order.
    pub past: &'a VecDeque<Past>,
    /// How long each counts.
    pub length: Duration,
}

impl Window<'_> {
    fn counting(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        self.past.iter().filter(move |it| now.since(it.at) < self.length).map(|it| it.replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(recommended: u32, current: u32, past: &[(i64, u32)], up: u64, down: u64) -> u32 {
        let past: VecDeque<Past> = past
            .iter()
            .map(|&(ago, replicas)| Past { at: Timestamp::from_secs(1_000 - ago), replicas })
            .collect();
        let window = |seconds| Window { past: &past, length: Duration::from_secs(seconds) };
        stabilize(recommended, current, window(up), window(down), Timestamp::from_secs(1_000))
    }

    #[test]
    fn down_takes_the_highest_of_its_window_and_up_the_lowest_of_its_own() {
        for (recommended, current, past, up, down, wanted) in [
            (5, 4, &[][..], 0, 0, 5),
            (3, 4, &[], 0, 0, 3),
            (2, 5, &[(100, 4)], 0, 300, 4),
            (2, 5, &[(300, 4)], 0, 300, 2),
            (2, 5, &[(299, 9)], 0, 300, 5),
            (9, 5, &[(30, 6)], 60, 300, 6),
            (9, 5, &[(60, 6)], 60, 300, 9),
            (9, 5, &[(30, 2)], 60, 300, 5),
            (4, 5, &[(100, 6), (200, 3)], 300, 300, 5),
        ] {
            assert_eq!(
                after(recommended, current, past, up, down),
                wanted,
                "{recommended} {current} {past:?}"
            );
        }
    }
}
