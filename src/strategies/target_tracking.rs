//! Target tracking: the formula of the Kubernetes HPA, with its rules for replicas that are not ready or
//! have no sample. Source: kubernetes/kubernetes, pkg/controller/podautoscaler/replica_calculator.go.

use super::step::{round_up, whole_part};

/// Dead band around the target value, as a fraction of it; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Above the target value.
    pub up: f64,
    /// Below the target value.
    pub down: f64,
}

impl Tolerance {
    /// Both ends, and what is off them only by the error of binary fractions (0.18 of 0.2).
    fn holds(self, ratio: f64) -> bool {
        const ERROR: f64 = 1e-12;
        1.0 - self.down - ERROR <= ratio && ratio <= 1.0 + self.up + ERROR
    }
}

/// What is known of one replica for one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// It is ready and old enough, and uses that much.
    Counted {
        /// What it uses, in the metric's unit.
        usage: f64,
        /// What it may use, in the same unit; 1 where the metric has no limit.
        request: f64,
    },
    /// It should have a sample and has none.
    Missing {
        /// What it may use.
        request: f64,
    },
    /// It is not ready or too young, so that its sample says nothing.
    NotReady {
        /// What it may use.
        request: f64,
    },
}

/// Utilization: the sum of what replicas use in percent of the sum of what they may use, against `target`
/// percent. `None` where no replica counts or nothing may be used.
#[must_use]
pub fn utilization(replicas: &[Measured], current: u32, target: f64, tolerance: Tolerance) -> Option<u32> {
    // A replica without a sample counts as using what is its full right, or the target where that is more.
    let assumed = |request: f64| request * target.max(100.0) / 100.0;
    rebalanced(replicas, current, target, tolerance, Sum::percent, assumed)
}

/// A value that each replica has, averaged over them to thousandths, against `target`, whatever they may use. `None`
/// where no replica counts.
#[must_use]
pub fn per_replica(replicas: &[Measured], current: u32, target: f64, tolerance: Tolerance) -> Option<u32> {
    rebalanced(replicas, current, target, tolerance, Sum::average, |_| target)
}

/// What the replicas that count use, in whole percent of what they may use; NaN where none counts.
#[must_use]
pub fn percent_in_use(replicas: &[Measured]) -> f64 {
    Sum::of(replicas).percent()
}

/// What the replicas that count use on average, to thousandths; NaN where none counts.
#[must_use]
pub fn average_in_use(replicas: &[Measured]) -> f64 {
    Sum::of(replicas).average()
}

/// A value of the whole against `target`, over the replicas that are ready. From zero, tolerance is ignored.
/// `None` where replicas run and none is ready: it is not theirs to say how many more it takes.
#[must_use]
pub fn value(observed: f64, target: f64, current: u32, ready: u32, tolerance: Tolerance) -> Option<u32> {
    let ratio = ratio(observed, target)?;
    if current > 0 && ready == 0 {
        return None;
    }
    if current == 0 {
        return Some(round_up(ratio));
    }
    if tolerance.holds(ratio) {
        return Some(current);
    }
    Some(round_up(ratio * f64::from(ready)))
}

/// A value of the whole against `target` per replica.
#[must_use]
pub fn average_value(total: f64, target: f64, current: u32, tolerance: Tolerance) -> Option<u32> {
    let wanted = ratio(total, target)?;
    if current > 0 && tolerance.holds(total / (target * f64::from(current))) {
        return Some(current);
    }
    Some(round_up(wanted))
}

fn ratio(observed: f64, target: f64) -> Option<f64> {
    let ratio = observed / target;
    (ratio.is_finite() && ratio >= 0.0 && target > 0.0).then_some(ratio)
}

/// What the replicas that count come to.
#[derive(Default)]
struct Sum {
    usage: f64,
    request: f64,
    count: u32,
}

impl Sum {
    fn of(replicas: &[Measured]) -> Self {
        let mut sum = Self::default();
        for replica in replicas {
            if let Measured::Counted { usage, request } = *replica {
                sum.add(usage, request);
            }
        }
        sum
    }

    fn percent(&self) -> f64 {
        whole_part(self.usage * 100.0 / self.request)
    }

    fn average(&self) -> f64 {
        whole_part(self.usage * 1_000.0 / f64::from(self.count)) / 1_000.0
    }

    fn add(&mut self, usage: f64, request: f64) {
        self.usage += usage;
        self.request += request;
        self.count += 1;
    }
}

/// The ratio over counted replicas; then, where some are missing or not ready, filled in such that what is
/// not known speaks against the change, and computed again.
fn rebalanced(
    replicas: &[Measured],
    current: u32,
    target: f64,
    tolerance: Tolerance,
    observed: impl Fn(&Sum) -> f64,
    assumed: impl Fn(f64) -> f64,
) -> Option<u32> {
    let mut sum = Sum::of(replicas);
    let missing = replicas.iter().any(|it| matches!(it, Measured::Missing { .. }));
    let not_ready = replicas.iter().any(|it| matches!(it, Measured::NotReady { .. }));
    let first = ratio(observed(&sum), target)?;
    let fill_not_ready = not_ready && first > 1.0;
    if !missing && !fill_not_ready {
        if tolerance.holds(first) {
            return Some(current);
        }
        return Some(round_up(first * f64::from(sum.count)));
    }
    for replica in replicas {
        match *replica {
            Measured::Counted { .. } => {}
            Measured::NotReady { .. } if !fill_not_ready => {}
            // Exactly on target: what is not known says nothing either way.
            Measured::Missing { .. } if first == 1.0 => {}
            Measured::Missing { request } if first < 1.0 => sum.add(assumed(request), request),
            Measured::Missing { request } | Measured::NotReady { request } => sum.add(0.0, request),
        }
    }
    let second = ratio(observed(&sum), target)?;
    let crossed = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
    if tolerance.holds(second) || crossed {
        return Some(current);
    }
    let wanted = round_up(second * f64::from(sum.count));
    // A surplus replica of a roll-out must not turn a fall into a rise, or the reverse.
    let contradicts = (second < 1.0 && wanted > current) || (second > 1.0 && wanted < current);
    Some(if contradicts { current } else { wanted })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOLERANCE: Tolerance = Tolerance { up: 0.1, down: 0.1 };

    fn counted(usages: &[f64], request: f64) -> Vec<Measured> {
        usages.iter().map(|&usage| Measured::Counted { usage, request }).collect()
    }

    fn with(mut replicas: Vec<Measured>, more: &[Measured]) -> Vec<Measured> {
        replicas.extend_from_slice(more);
        replicas
    }

    #[test]
    fn utilization_grows_and_shrinks_with_the_ratio() {
        for (usages, current, target, wanted) in [
            (&[300.0, 500.0, 700.0][..], 3, 30.0, 5),
            (&[100.0, 300.0, 500.0, 250.0, 250.0], 5, 50.0, 3),
            (&[1020.0, 1040.0, 1080.0], 3, 100.0, 3),
            (&[0.0, 0.0, 0.0], 3, 50.0, 0),
        ] {
            let replicas = counted(usages, 1_000.0);
            assert_eq!(utilization(&replicas, current, target, TOLERANCE), Some(wanted), "{usages:?}");
        }
    }

    #[test]
    fn both_ends_of_the_tolerance_hold_the_size() {
        assert_eq!(utilization(&counted(&[550.0], 1_000.0), 1, 50.0, TOLERANCE), Some(1));
        assert_eq!(utilization(&counted(&[450.0], 1_000.0), 1, 50.0, TOLERANCE), Some(1));
        assert_eq!(utilization(&counted(&[560.0], 1_000.0), 1, 50.0, TOLERANCE), Some(2));
        assert_eq!(
            value(0.18, 0.2, 10, 10, TOLERANCE),
            Some(10),
            "0.18 is 90 % of 0.2, whatever a computer says"
        );
        let tight_up = Tolerance { up: 0.0, down: 0.1 };
        assert_eq!(utilization(&counted(&[510.0], 1_000.0), 1, 50.0, tight_up), Some(2));
    }

    #[test]
    fn uneven_replicas_weigh_by_what_they_may_use() {
        let replicas = [
            Measured::Counted { usage: 900.0, request: 1_000.0 },
            Measured::Counted { usage: 0.0, request: 9_000.0 },
        ];
        assert_eq!(utilization(&replicas, 2, 50.0, TOLERANCE), Some(1));
    }

    #[test]
    fn a_missing_replica_counts_as_full_on_the_way_down_and_as_idle_on_the_way_up() {
        let missing = [Measured::Missing { request: 1_000.0 }];
        let down = with(counted(&[400.0, 400.0], 1_000.0), &missing);
        // 40 % of 100 would be 2 of 3; with the missing one at 100 %: 60 %, so 2 stays 2.
        assert_eq!(utilization(&down, 3, 100.0, TOLERANCE), Some(2));
        let up = with(counted(&[300.0, 500.0, 700.0], 1_000.0), &missing);
        assert_eq!(utilization(&up, 4, 30.0, TOLERANCE), Some(5));
    }

    #[test]
    fn a_missing_replica_changes_nothing_where_the_rest_is_exactly_on_target() {
        let replicas = with(counted(&[1_000.0], 1_000.0), &[Measured::Missing { request: 1_000.0 }]);
        assert_eq!(utilization(&replicas, 2, 100.0, TOLERANCE), Some(2));
    }

    #[test]
    fn utilization_is_a_whole_number_and_binary_fractions_do_not_lower_it() {
        assert_eq!(utilization(&counted(&[559.0], 1_000.0), 1, 50.0, TOLERANCE), Some(1), "55.9 is 55");
        let exactly = [Measured::Counted { usage: 29.0, request: 100.0 }];
        assert_eq!(utilization(&exactly, 1, 29.0, Tolerance { up: 0.0, down: 0.0 }), Some(1));
        let sum = counted(&[0.1, 0.2, 0.3], 0.2);
        assert_eq!(utilization(&sum, 3, 100.0, Tolerance { up: 0.0, down: 0.0 }), Some(3));
    }

    #[test]
    fn replicas_that_are_not_ready_damp_a_rise_and_are_left_out_of_a_fall() {
        let not_ready = [Measured::NotReady { request: 1_000.0 }];
        let up = with(counted(&[500.0, 700.0], 1_000.0), &not_ready);
        assert_eq!(utilization(&up, 3, 30.0, TOLERANCE), Some(4));
        let damped = with(counted(&[400.0], 1_000.0), &[not_ready[0], not_ready[0]]);
        assert_eq!(
            utilization(&damped, 3, 30.0, TOLERANCE),
            Some(3),
            "it crosses to the other side, so hold"
        );
        let down = with(counted(&[100.0, 100.0], 1_000.0), &not_ready);
        assert_eq!(utilization(&down, 3, 50.0, TOLERANCE), Some(1));
    }

    #[test]
    fn a_surge_replica_does_not_make_a_rise_out_of_low_load() {
        // Three run though two were asked for, and load is low.
        let replicas =
            with(counted(&[400.0, 400.0, 400.0], 1_000.0), &[Measured::Missing { request: 1_000.0 }]);
        assert_eq!(utilization(&replicas, 2, 80.0, TOLERANCE), Some(2));
    }

    #[test]
    fn nothing_counted_is_no_opinion() {
        assert_eq!(utilization(&[], 3, 50.0, TOLERANCE), None);
        assert_eq!(per_replica(&[Measured::NotReady { request: 1.0 }], 3, 50.0, TOLERANCE), None);
    }

    #[test]
    fn a_value_counts_ready_replicas_and_wakes_from_zero_without_tolerance() {
        assert_eq!(value(20.0, 15.0, 3, 3, TOLERANCE), Some(4));
        assert_eq!(value(16.0, 15.0, 3, 3, TOLERANCE), Some(3));
        assert_eq!(value(15.0, 15.0, 0, 0, TOLERANCE), Some(1));
        assert_eq!(value(31.0, 15.0, 0, 0, TOLERANCE), Some(3));
        assert_eq!(value(0.0, 15.0, 0, 0, TOLERANCE), Some(0));
        assert_eq!(value(50.0, 10.0, 3, 1, TOLERANCE), Some(5));
        assert_eq!(value(50.0, 10.0, 3, 0, TOLERANCE), None, "none is ready");
    }

    #[test]
    fn an_average_value_divides_the_whole() {
        for (total, target, current, wanted) in
            [(620.0, 100.0, 2, 7), (640.0, 100.0, 6, 6), (0.0, 100.0, 3, 0), (1.0, 100.0, 0, 1)]
        {
            assert_eq!(average_value(total, target, current, TOLERANCE), Some(wanted), "{total}");
        }
    }

    proptest! {
        #[test]
        fn more_load_never_means_fewer_replicas(
            usages in prop::collection::vec(0.0..1e6f64, 1..8), more in 0.0..1e6f64, target in 1.0..200.0f64,
        ) {
            let current = u32::try_from(usages.len()).unwrap();
            let less = utilization(&counted(&usages, 1_000.0), current, target, TOLERANCE);
            let raised: Vec<f64> = usages.iter().map(|it| it + more).collect();
            prop_assert!(utilization(&counted(&raised, 1_000.0), current, target, TOLERANCE) >= less);
        }

        #[test]
        fn more_load_never_means_fewer_whatever_state_replicas_are_in(
            states in prop::collection::vec((0..4u8, 0.0..300.0f64, 50.0..200.0f64), 1..8), more in 0.0..300.0f64,
            target in 1.0..200.0f64,
        ) {
            let replicas = |more: f64| states.iter().map(|&(state, usage, request)| match state {
                0 => Measured::Missing { request },
                1 => Measured::NotReady { request },
                _ => Measured::Counted { usage: usage + more, request },
            }).collect::<Vec<_>>();
            let current = u32::try_from(states.len()).unwrap();
            for formula in [utilization, per_replica] {
                let less = formula(&replicas(0.0), current, target, TOLERANCE);
                prop_assert!(formula(&replicas(more), current, target, TOLERANCE) >= less);
            }
        }

        #[test]
        fn no_number_makes_it_overflow(observed in any::<f64>(), target in any::<f64>(), current in any::<u32>()) {
            let _ = value(observed, target, current, current, TOLERANCE);
            let _ = average_value(observed, target, current, TOLERANCE);
            let _ = per_replica(&counted(&[observed], 1.0), current, target, TOLERANCE);
            let _ = utilization(&counted(&[observed], target), current, target, TOLERANCE);
        }
    }
}
