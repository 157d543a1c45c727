//! Activate: the gate between rest (no replica, or `idle` ones) and work. As in KEDA: whoever is active
//! leaves rest at once for the minimum; whoever is not goes to rest after `idleAfter`.

use crate::api::effective::Idle;
use crate::units::{Duration, Timestamp};

/// Is there work?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// There is.
    Active,
    /// There is none.
    Inactive,
    /// Nobody can say.
    Unknown,
}

/// What the gate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It lets the recommendation pass, as this number.
    Pass(u32),
    /// It leaves rest, to this number. Passes windows, limits and cooldowns.
    Wake(u32),
    /// It goes to rest, at this number, after so long without work. Passes windows.
    Rest(u32, Duration),
    /// It stays at rest, with this number.
    Stay(u32),
}

/// What is known of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Is there any?
    pub activity: Activity,
    /// When there last was; `None` where there never was any.
    pub last_active: Option<Timestamp>,
    /// When docktor first saw the workload.
    pub first_seen: Timestamp,
}

/// How a workload without work goes to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resting {
    /// At once, whatever is recommended: target tracking says when there is work.
    AtOnce,
    /// As its scaleDown rules recommend.
    AsRecommended,
}

/// From what is recommended for `from` replicas to what the gate makes of it. `min` is the effective
/// minimum.
#[must_use]
pub fn activate(
    recommended: u32,
    from: u32,
    min: u32,
    idle: Idle,
    work: Work,
    resting: Resting,
    now: Timestamp,
) -> Gate {
    let at_rest = from <= idle.replicas;
    match work.activity {
        Activity::Active if at_rest => Gate::Wake(min.max(1)),
        Activity::Active => Gate::Pass(recommended.max(1)),
        Activity::Unknown if at_rest && recommended > from => Gate::Wake(recommended),
        Activity::Unknown | Activity::Inactive if at_rest => Gate::Stay(from),
        Activity::Unknown => Gate::Pass(recommended.max(1)),
        Activity::Inactive => {
            let (start, after) = match work.last_active {
                Some(last) => (last, idle.after),
                None => (work.first_seen, idle.initially_after),
            };
            if now.since(start) < after {
                return Gate::Pass(recommended.max(1));
            }
            match resting {
                Resting::AtOnce => Gate::Rest(idle.replicas, after),
                Resting::AsRecommended => Gate::Pass(recommended.max(idle.replicas)),
            }
        }
    }
}

/// The gate with the floor of a forecast under it: what is to come wakes a workload, and keeps it from rest.
#[must_use]
pub fn above_floor(gate: Gate, recommended: u32, floor: u32, min: u32) -> Gate {
    match gate {
        Gate::Stay(at_rest) if floor > at_rest => Gate::Wake(floor.max(min)),
        Gate::Wake(replicas) => Gate::Wake(replicas.max(floor)),
        Gate::Rest(at_rest, _) if floor > at_rest => Gate::Pass(recommended.max(floor)),
        Gate::Pass(_) | Gate::Rest(..) | Gate::Stay(_) => gate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Idle =
        Idle { replicas: 0, after: Duration::from_secs(300), initially_after: Duration::from_secs(0) };

    fn at(recommended: u32, from: u32, activity: Activity, last_active: Option<i64>) -> Gate {
        let last_active = last_active.map(Timestamp::from_secs);
        let work = Work { activity, last_active, first_seen: Timestamp::from_secs(0) };
        activate(recommended, from, 0, IDLE, work, Resting::AtOnce, Timestamp::from_secs(1_000))
    }

    #[test]
    fn work_wakes_a_workload_at_rest_to_its_minimum_and_at_least_one() {
        assert_eq!(at(9, 0, Activity::Active, None), Gate::Wake(1));
        let idle = Idle { replicas: 1, ..IDLE };
        let work =
            Work { activity: Activity::Active, last_active: None, first_seen: Timestamp::from_secs(0) };
        let gate = activate(9, 1, 4, idle, work, Resting::AtOnce, Timestamp::from_secs(1_000));
        assert_eq!(gate, Gate::Wake(4));
    }

    #[test]
    fn without_work_it_rests_only_after_the_time_since_the_last_work() {
        assert_eq!(at(0, 3, Activity::Inactive, Some(701)), Gate::Pass(1));
        assert_eq!(at(0, 3, Activity::Inactive, Some(700)), Gate::Rest(0, IDLE.after));
        assert_eq!(at(2, 3, Activity::Inactive, None), Gate::Rest(0, Duration::ZERO), "never active");
    }

    #[test]
    fn while_nobody_can_say_it_neither_rests_nor_wakes() {
        assert_eq!(at(0, 3, Activity::Unknown, Some(0)), Gate::Pass(1));
        assert_eq!(at(0, 0, Activity::Unknown, Some(0)), Gate::Stay(0));
        assert_eq!(at(6, 0, Activity::Unknown, Some(0)), Gate::Wake(6), "but a fallback is obeyed");
    }

    #[test]
    fn what_is_to_come_wakes_a_workload_and_keeps_it_from_rest() {
        let rest = Gate::Rest(0, IDLE.after);
        for (gate, floor, wanted) in [
            (Gate::Stay(0), 0, Gate::Stay(0)),
            (Gate::Stay(0), 1, Gate::Wake(2)),
            (Gate::Stay(0), 5, Gate::Wake(5)),
            (Gate::Wake(2), 5, Gate::Wake(5)),
            (Gate::Wake(2), 1, Gate::Wake(2)),
            (rest, 0, rest),
            (rest, 3, Gate::Pass(4)),
            (rest, 6, Gate::Pass(6)),
            (Gate::Pass(3), 6, Gate::Pass(3)),
        ] {
            assert_eq!(above_floor(gate, 4, floor, 2), wanted, "{gate:?} {floor}");
        }
    }

    #[test]
    fn what_is_at_rest_without_work_stays_there() {
        assert_eq!(at(0, 0, Activity::Inactive, Some(0)), Gate::Stay(0));
    }
}
