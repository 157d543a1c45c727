//! Drift: what to do when somebody else changed the count.

use std::collections::VecDeque;

use crate::api::behavior::OnDrift;
use crate::api::effective::DriftSpec;
use crate::model::memory::{MAX_RESTORES, Memory, Past, RESTORE_PERIOD};
use crate::units::Timestamp;

/// What becomes of a count that docktor did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drift {
    /// There is none.
    #[default]
    None,
    /// It may still be changing; nothing is done until then.
    Settling {
        /// What docktor had left.
        left: u32,
        /// When it has settled, if it does not change again.
        until: Timestamp,
    },
    /// Back to what docktor had left.
    Restore {
        /// What docktor had left.
        left: u32,
    },
    /// docktor goes on from the new count, as of this pass.
    Adopted {
        /// What docktor had left.
        left: u32,
    },
    /// The new count is kept until then.
    Held {
        /// Until when.
        until: Timestamp,
    },
    /// docktor restored it too often, and gave up.
    Contested {
        /// What docktor had left.
        left: u32,
    },
}

/// Compares `current` with what docktor last left, and says what becomes of the difference.
pub fn assess(spec: DriftSpec, memory: &mut Memory, current: u32, now: Timestamp) -> Drift {
    let Some(left) = memory.desired else { return take_over(spec, memory, current, now) };
    if current == left {
        memory.drift.seen = None;
        memory.drift.contested = false;
        return held(memory, now);
    }
    let wanted = if current < left { spec.decrease } else { spec.increase };
    if wanted == OnDrift::Adopt {
        return adopt(memory, current, left);
    }
    let until = settled_at(spec, memory, current, now);
    if now < until {
        return Drift::Settling { left, until };
    }
    if wanted == OnDrift::Hold {
        adopt(memory, current, left);
        memory.drift.hold_until = Some(now.plus(spec.hold_for));
        return held(memory, now);
    }
    memory.drift.contested |= is_restored_too_often(&memory.drift.restores, now);
    if memory.drift.contested { Drift::Contested { left } } else { Drift::Restore { left } }
}

/// Did docktor restore so often lately that somebody must be undoing it?
pub(super) fn is_restored_too_often(restores: &VecDeque<Timestamp>, now: Timestamp) -> bool {
    restores.iter().filter(|it| now.since(**it) < RESTORE_PERIOD).count() >= MAX_RESTORES
}

/// The first count that docktor sees, or sees again after the workload was turned off. Who turns it on (a person,
/// or an engine that was restarted) starts one replica after the other; until they are all there, docktor adds none.
fn take_over(spec: DriftSpec, memory: &mut Memory, current: u32, now: Timestamp) -> Drift {
    if memory.drift.seen.is_some() {
        let until = settled_at(spec, memory, current, now);
        if now < until {
            return Drift::Settling { left: 0, until };
        }
    }
    memory.desired = Some(current);
    memory.drift.seen = None;
    held(memory, now)
}

/// When a count that is seen now has settled, if it does not change again.
fn settled_at(spec: DriftSpec, memory: &mut Memory, current: u32, now: Timestamp) -> Timestamp {
    let since = match memory.drift.seen {
        Some(seen) if seen.replicas == current => seen.at,
        _ => {
            memory.drift.seen = Some(Past { at: now, replicas: current });
            now
        }
    };
    since.plus(spec.settle)
}

fn adopt(memory: &mut Memory, current: u32, left: u32) -> Drift {
    memory.desired = Some(current);
    memory.drift.seen = None;
    Drift::Adopted { left }
}

fn held(memory: &mut Memory, now: Timestamp) -> Drift {
    match memory.drift.hold_until {
        Some(until) if now < until => Drift::Held { until },
        _ => {
            memory.drift.hold_until = None;
            Drift::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::behavior::OnLimitsDrift;
    use crate::model::memory::Purpose;
    use crate::units::Duration;

    fn spec(decrease: OnDrift, increase: OnDrift) -> DriftSpec {
        DriftSpec {
            decrease,
            increase,
            limits: OnLimitsDrift::Restore,
            settle: Duration::from_secs(5),
            hold_for: Duration::from_secs(1_800),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn a_decrease_is_restored_once_it_has_settled() {
        let mut memory = Memory { desired: Some(4), ..Memory::default() };
        let spec = spec(OnDrift::Restore, OnDrift::Adopt);
        assert_eq!(assess(spec, &mut memory, 2, at(0)), Drift::Settling { left: 4, until: at(5) });
        assert_eq!(assess(spec, &mut memory, 1, at(4)), Drift::Settling { left: 4, until: at(9) });
        assert_eq!(assess(spec, &mut memory, 1, at(9)), Drift::Restore { left: 4 });
        assert_eq!(assess(spec, &mut memory, 4, at(10)), Drift::None);
    }

    #[test]
    fn the_first_count_is_taken_over_at_once_and_one_after_an_outage_once_it_has_settled() {
        let spec = spec(OnDrift::Restore, OnDrift::Adopt);
        let mut memory = Memory::default();
        assert_eq!(assess(spec, &mut memory, 2, at(0)), Drift::None);
        assert_eq!(memory.desired, Some(2));

        memory.turned_off(at(10));
        assert_eq!(assess(spec, &mut memory, 1, at(20)), Drift::Settling { left: 0, until: at(25) });
        assert_eq!(assess(spec, &mut memory, 3, at(24)), Drift::Settling { left: 0, until: at(29) });
        assert_eq!(memory.desired, None);
        assert_eq!(assess(spec, &mut memory, 3, at(29)), Drift::None);
        assert_eq!((memory.desired, memory.drift.seen), (Some(3), None));
    }

    #[test]
    fn an_increase_is_adopted_at_once() {
        let mut memory = Memory { desired: Some(4), ..Memory::default() };
        let drift = assess(spec(OnDrift::Restore, OnDrift::Adopt), &mut memory, 7, at(0));
        assert_eq!((drift, memory.desired), (Drift::Adopted { left: 4 }, Some(7)));
    }

    #[test]
    fn a_held_count_is_kept_for_its_time_and_then_adopted() {
        let mut memory = Memory { desired: Some(4), ..Memory::default() };
        let spec = spec(OnDrift::Hold, OnDrift::Hold);
        assert_eq!(assess(spec, &mut memory, 7, at(0)), Drift::Settling { left: 4, until: at(5) });
        assert_eq!(assess(spec, &mut memory, 7, at(5)), Drift::Held { until: at(1_805) });
        assert_eq!(assess(spec, &mut memory, 7, at(1_804)), Drift::Held { until: at(1_805) });
        assert_eq!(assess(spec, &mut memory, 7, at(1_805)), Drift::None);
        assert_eq!(memory.desired, Some(7));
    }

    #[test]
    fn after_three_restores_in_ten_minutes_docktor_gives_up_until_resumed() {
        let mut memory = Memory { desired: Some(4), ..Memory::default() };
        let spec = DriftSpec { settle: Duration::ZERO, ..spec(OnDrift::Restore, OnDrift::Adopt) };
        for minute in 0..3 {
            assert_eq!(assess(spec, &mut memory, 1, at(minute * 60)), Drift::Restore { left: 4 });
            memory.record_change(1, 4, Purpose::RestoreDrift, at(minute * 60));
        }
        assert_eq!(assess(spec, &mut memory, 1, at(180)), Drift::Contested { left: 4 });
        assert_eq!(
            assess(spec, &mut memory, 1, at(10_000)),
            Drift::Contested { left: 4 },
            "time does not help"
        );
        memory.resume();
        assert_eq!(assess(spec, &mut memory, 1, at(10_001)), Drift::Restore { left: 4 });
    }
}
