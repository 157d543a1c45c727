//! Fallback: how many replicas when metrics cannot be read.

use super::recommend::{Recommendations, rules_shrink_by_themselves};
use crate::api::behavior::FallbackBehavior;
use crate::api::effective::{FallbackSpec, Spec};

/// For which directions the fallback decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blind {
    /// No recommender can ask for more.
    pub up: bool,
    /// No recommender can ask for fewer.
    pub down: bool,
}

impl Blind {
    /// In one direction at least?
    #[must_use]
    pub const fn any(self) -> bool {
        self.up || self.down
    }
}

/// A direction is blind once every recommender that it has lacked its metric for more than `afterFailures`
/// evaluations. One that has no recommender follows the other.
#[must_use]
pub fn blind(spec: &Spec, it: &Recommendations) -> Blind {
    let tracks_blind = it.blind_tracks == spec.track.len();
    let of = |has_rules: bool, rules_blind: bool| {
        let has_any = has_rules || !spec.track.is_empty();
        has_any.then_some(tracks_blind && (!has_rules || rules_blind))
    };
    let up = of(!spec.scale_up.rules.is_empty(), it.up.blind);
    let shrinking_rules = !spec.scale_down.rules.is_empty() && rules_shrink_by_themselves(spec);
    let down = of(shrinking_rules, it.down.blind);
    Blind { up: up.or(down).unwrap_or(false), down: down.or(up).unwrap_or(false) }
}

/// How many replicas the fallback wants where `current` run.
#[must_use]
pub fn replicas(fallback: FallbackSpec, current: u32) -> u32 {
    match fallback.behavior {
        FallbackBehavior::Static => fallback.replicas,
        FallbackBehavior::CurrentIfHigher => current.max(fallback.replicas),
        FallbackBehavior::CurrentIfLower => current.min(fallback.replicas),
        FallbackBehavior::Keep => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_behavior_uses_the_number_in_its_own_way() {
        for (behavior, at_two, at_nine) in [
            (FallbackBehavior::Static, 6, 6),
            (FallbackBehavior::CurrentIfHigher, 6, 9),
            (FallbackBehavior::CurrentIfLower, 2, 6),
            (FallbackBehavior::Keep, 2, 9),
        ] {
            let spec = FallbackSpec { after_failures: 3, replicas: 6, behavior };
            assert_eq!((replicas(spec, 2), replicas(spec, 9)), (at_two, at_nine), "{behavior:?}");
        }
    }
}
