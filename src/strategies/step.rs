//! Fixed steps: `+2`, `-1`, `x1.5`, `+50%`. They round up, and move by at least one replica.

use crate::api::behavior::Step;
use crate::units::MAX_REPLICAS;

/// `current` replicas after one step; at least one more where the step grows, at least one fewer (and never
/// below zero) where it does not. Results round up, so that a step down keeps the more replicas.
#[must_use]
pub fn apply(step: Step, current: u32) -> u32 {
    let size = f64::from(current);
    let wanted = match step {
        Step::By(count) => i64::from(current).saturating_add(count).clamp(0, i64::from(MAX_REPLICAS)) as u32,
        Step::Times(factor) => round_up(size * factor),
        Step::Percent(percent) => round_up(size + size * percent / 100.0),
    };
    if step.grows() {
        wanted.max(current.saturating_add(1)).min(MAX_REPLICAS)
    } else {
        wanted.min(current.saturating_sub(1))
    }
}

/// The least whole number of replicas that is not below `value`, within 0 and [`MAX_REPLICAS`].
/// What is above a whole number only by the error of binary fractions (1.1 × 10) counts as that number.
#[must_use]
pub fn round_up(value: f64) -> u32 {
    let nearest = value.round();
    let whole = if (value - nearest).abs() <= nearest.abs() * 1e-12 { nearest } else { value.ceil() };
    // A cast from float saturates, and brings NaN to zero.
    (whole as u32).min(MAX_REPLICAS)
}

/// `value` without its fraction. What is below a whole number only by the error of binary fractions counts as it.
#[must_use]
pub fn whole_part(value: f64) -> f64 {
    let nearest = value.round();
    if (value - nearest).abs() <= nearest.abs() * 1e-12 { nearest } else { value.trunc() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(step: &str, current: u32) -> u32 {
        apply(step.parse().unwrap(), current)
    }

    #[test]
    fn every_form_of_step_rounds_up_and_moves_by_at_least_one() {
        for (step, current, wanted) in [
            ("+2", 2, 4),
            ("+1", 0, 1),
            ("x1.5", 2, 3),
            ("x1.3", 2, 3),
            ("x1.1", 10, 11),
            ("x1.1", 11, 13),
            ("x1.5", 0, 1),
            ("+50%", 3, 5),
            ("+10%", 1, 2),
            ("-1", 5, 4),
            ("-3", 2, 0),
            ("-1", 0, 0),
            ("x0.6", 5, 3),
            ("x0.6", 4, 3),
            ("x0.6", 2, 1),
            ("x0.9", 2, 1),
            ("x0.6", 1, 0),
            ("-20%", 10, 8),
            ("-20%", 4, 3),
            ("-100%", 4, 0),
        ] {
            assert_eq!(after(step, current), wanted, "{step} of {current}");
        }
    }

    proptest! {
        #[test]
        fn no_step_overflows_or_goes_the_wrong_way(
            by in any::<i64>(), factor in 0.0..1e300f64, current in 0..=MAX_REPLICAS,
        ) {
            for step in [Step::By(by), Step::Times(factor), Step::Percent(factor), Step::Percent(-factor)] {
                let wanted = apply(step, current);
                prop_assert!(wanted <= MAX_REPLICAS);
                if step.grows() { prop_assert!(wanted >= current) } else { prop_assert!(wanted <= current) }
            }
        }
    }
}
