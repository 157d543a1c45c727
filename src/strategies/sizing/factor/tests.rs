use proptest::prelude::*;

use super::*;
use crate::api::limits::LimitKind::{self, AllowedCpus, CpuQuota, CpuWeight, MemoryMax, TasksMax};

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;

/// The limits of the AutoCoder autoscaler.
const CPU: LimitSpec = LimitSpec { kind: CpuQuota, min: 100.0, max: 800.0, min_step: 50.0 };
const MEMORY: LimitSpec =
    LimitSpec { kind: MemoryMax, min: 8.0 * GIB, max: 192.0 * GIB, min_step: 8.0 * GIB };
const TASKS: LimitSpec = LimitSpec { kind: TasksMax, min: 100.0, max: 1_500.0, min_step: 50.0 };

fn next(limit: LimitSpec, present: f64, by: &str, room: Room) -> Bounded {
    bound(limit, present, step(limit, present, by.parse().unwrap()), room)
}

fn used(used: f64) -> Room {
    Room { used: Some(used), ..Room::default() }
}

#[test]
fn the_numbers_of_autocoder_come_out() {
    for (limit, present, up, down) in [
        (CPU, 200.0, 300.0, 120.0),
        (CPU, 600.0, 800.0, 360.0),
        (CPU, 300.0, 450.0, 180.0),
        (MEMORY, 32.0 * GIB, 48.0 * GIB, 19_661.0 * MIB),
        (MEMORY, 160.0 * GIB, 192.0 * GIB, 96.0 * GIB),
        (TASKS, 250.0, 375.0, 150.0),
        (TASKS, 1_200.0, 1_500.0, 720.0),
    ] {
        assert_eq!(next(limit, present, "x1.5", Room::default()).value, up, "{limit:?} {present}");
        assert_eq!(next(limit, present, "x0.6", used(0.0)).value, down, "{limit:?} {present}");
    }
}

#[test]
fn a_step_rounds_up_to_whole_percents_mebibytes_and_counts() {
    let free = |kind| LimitSpec { kind, min: 0.0, max: f64::MAX, min_step: 0.0 };
    for (kind, present, by, wanted) in [
        (CpuQuota, 130.0, "x1.3", 169.0),
        (CpuQuota, 33.0, "x1.1", 37.0),
        (CpuQuota, 250.0, "x1.1", 275.0),
        (CpuQuota, 33.0, "x0.6", 20.0),
        (CpuQuota, 100.0, "+25%", 125.0),
        (CpuQuota, 100.0, "-25%", 75.0),
        (CpuQuota, 100.0, "+7", 107.0),
        (CpuQuota, 100.0, "x1.001", 101.0),
        (CpuQuota, 100.4, "x0.999", 100.4),
        (MemoryMax, 10.0 * MIB, "x1.05", 11.0 * MIB),
        (MemoryMax, 10.0 * MIB, "-3", 7.0 * MIB),
        (TasksMax, 7.0, "x1.5", 11.0),
        (TasksMax, 7.0, "x0.6", 5.0),
        (TasksMax, 2.0, "-9", 0.0),
        (AllowedCpus, 2.0, "x1.5", 3.0),
    ] {
        assert_eq!(step(free(kind), present, by.parse().unwrap()), wanted, "{kind} {present} {by}");
    }
    assert_eq!(step(CPU, 200.0, "+2".parse().unwrap()), 300.0, "in steps of minStep");
    assert_eq!(step(CPU, 200.0, "-1".parse().unwrap()), 150.0);
}

#[test]
fn a_growth_is_at_least_the_smallest_change_or_as_much_as_there_is_room_for() {
    for (present, by, host, value, kept_by) in [
        (200.0, "x1.1", None, 250.0, None),
        (200.0, "x1.5", None, 300.0, None),
        (780.0, "x1.1", None, 800.0, Some(Keeper::Max)),
        (800.0, "x1.5", None, 800.0, Some(Keeper::Max)),
        (200.0, "x1.5", Some(280.0), 280.0, Some(Keeper::Host)),
        (200.0, "x1.5", Some(280.9), 280.0, Some(Keeper::Host)),
        (200.0, "x1.1", Some(230.0), 230.0, None),
        (200.0, "x1.5", Some(150.0), 200.0, Some(Keeper::Host)),
        (200.0, "x1.5", Some(-100.0), 200.0, Some(Keeper::Host)),
        (700.0, "x1.5", Some(900.0), 800.0, Some(Keeper::Max)),
    ] {
        let room = Room { host, used: None };
        assert_eq!(next(CPU, present, by, room), Bounded { value, kept_by }, "{present} {by} {host:?}");
    }
}

#[test]
fn a_shrink_never_goes_below_present_use_with_headroom_nor_by_less_than_the_smallest_change() {
    for (present, by, used, value, kept_by) in [
        (200.0, "x0.6", Some(50.0), 120.0, None),
        (200.0, "x0.6", Some(120.0), 132.0, Some(Keeper::InUse)),
        (200.0, "x0.6", Some(140.0), 200.0, Some(Keeper::MinStep)),
        (200.0, "x0.6", Some(190.0), 200.0, Some(Keeper::InUse)),
        (200.0, "x0.9", Some(50.0), 200.0, Some(Keeper::MinStep)),
        (200.0, "x0.6", None, 200.0, Some(Keeper::UseUnknown)),
        (150.0, "x0.6", Some(0.0), 100.0, Some(Keeper::Min)),
        (120.0, "x0.6", Some(0.0), 120.0, Some(Keeper::MinStep)),
        (100.0, "x0.6", Some(0.0), 100.0, Some(Keeper::Min)),
    ] {
        let room = Room { host: None, used };
        assert_eq!(next(CPU, present, by, room), Bounded { value, kept_by }, "{present} {by} {used:?}");
    }
    let weight = LimitSpec { kind: CpuWeight, min: 1.0, max: 10_000.0, min_step: 0.0 };
    assert_eq!(next(weight, 100.0, "x0.6", Room::default()).value, 60.0, "nothing runs into a weight");
}

#[test]
fn a_limit_outside_of_its_range_is_brought_into_it_though_never_below_its_use() {
    for (present, host, used, value, kept_by) in [
        (50.0, None, None, 100.0, None),
        (50.0, Some(20.0), None, 100.0, None),
        (900.0, None, Some(100.0), 800.0, None),
        (810.0, None, Some(100.0), 800.0, None),
        (900.0, None, Some(790.0), 869.0, Some(Keeper::InUse)),
        (900.0, None, None, 900.0, Some(Keeper::UseUnknown)),
        (300.0, None, None, 300.0, None),
    ] {
        let bounded = bound(CPU, present, present, Room { host, used });
        assert_eq!(bounded, Bounded { value, kept_by }, "{present} {host:?} {used:?}");
    }
}

#[test]
fn a_maximum_that_is_no_whole_mebibyte_is_reached_and_not_passed() {
    let max = 1_000_000_000.0;
    let limit = LimitSpec { kind: MemoryMax, min: 0.0, max, min_step: 0.0 };
    assert_eq!(next(limit, 900.0 * MIB, "x2", Room::default()).value, max);
    assert_eq!(next(limit, max, "x2", Room::default()).value, max);
}

fn limits() -> impl Strategy<Value = LimitSpec> {
    let kinds = prop::sample::select(LimitKind::ALL.to_vec());
    (kinds, 0.0..1e4f64, 0.0..1e4f64, 0.0..1e3f64).prop_map(|(kind, min, more, min_step)| {
        let grain = kind.grain();
        LimitSpec { kind, min: min * grain, max: (min + more) * grain, min_step: min_step * grain }
    })
}

proptest! {
    #[test]
    fn limits_stay_in_their_range_and_above_use(
        limit in limits(), present in 0.0..3e4f64, factor in 0.01..9.0f64, used in prop::option::of(0.0..2e4f64),
        host in prop::option::of(-1e3..3e4f64),
    ) {
        prop_assume!(factor != 1.0);
        let grain = limit.kind.grain();
        let (present, used, host) = (present * grain, used.map(|it| it * grain), host.map(|it| it * grain));
        let wanted = step(limit, present, Step::Times(factor));
        let value = bound(limit, present, wanted, Room { host, used }).value;
        prop_assert!(value >= limit.min.min(present) && value <= limit.max.max(present), "{value}");
        if value > present {
            prop_assert!(value <= limit.max);
            prop_assert!(host.is_none_or(|host| value <= host.max(limit.min).max(present)), "{value}");
        }
        if value < present && limit.kind.caps() {
            prop_assert!(used.is_some_and(|used| value >= used * HEADROOM - 1e-6 * grain), "{value}");
        }
        if wanted > present && present <= limit.max { prop_assert!(value >= present) }
        if wanted < present && present <= limit.max && present >= limit.min { prop_assert!(value <= present) }
    }

    #[test]
    fn more_use_never_means_a_smaller_limit(
        limit in limits(), present in 0.0..3e4f64, factor in 0.01..1.0f64, used in 0.0..2e4f64, more in 0.0..2e4f64,
    ) {
        let grain = limit.kind.grain();
        let wanted = step(limit, present * grain, Step::Times(factor));
        let at = |used: f64| {
            let room = Room { host: None, used: Some(used * grain) };
            bound(limit, present * grain, wanted, room).value
        };
        prop_assert!(at(used + more) >= at(used));
    }

    #[test]
    fn no_number_makes_it_panic(present in any::<f64>(), factor in any::<f64>(), by in any::<i64>(), used in any::<f64>()) {
        for step_by in [Step::Times(factor), Step::By(by), Step::Percent(factor)] {
            let wanted = step(CPU, present, step_by);
            let _ = bound(CPU, present, wanted, Room { host: Some(used), used: Some(used) });
        }
    }
}
