//! Drift of limits: what to do when somebody else changed them (`systemctl set-property`, `docker update`, a unit that
//! was reloaded, a container that was made anew).

use super::capacity;
use super::drift::is_restored_too_often;
use crate::api::behavior::OnLimitsDrift;
use crate::api::effective::{DriftSpec, SizingSpec};
use crate::api::limits::LimitSet;
use crate::model::decision::Resize;
use crate::model::memory::SizingMemory;
use crate::model::observation::Snapshot;
use crate::units::Timestamp;

/// What becomes of limits that docktor did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LimitsDrift {
    /// There is none.
    #[default]
    None,
    /// They may still be changing; nothing is done until then.
    Settling {
        /// From what docktor had left to what there is.
        change: Resize,
        /// When it has settled, if it does not change again.
        until: Timestamp,
    },
    /// Back to what docktor had left.
    Restore {
        /// From what docktor had left to what there is.
        change: Resize,
    },
    /// docktor goes on from the new limits, as of this pass.
    Adopted {
        /// From what docktor had left to what there is.
        change: Resize,
    },
    /// docktor restored them too often, and gave up.
    Contested {
        /// From what docktor had left to what there is.
        change: Resize,
    },
}

/// Compares the present limits with those that docktor last left, and says what becomes of the difference. Limits that
/// are seen for the first time are taken over.
pub fn assess(
    spec: DriftSpec,
    sizing: &SizingSpec,
    memory: &mut SizingMemory,
    snapshot: &Snapshot,
    now: Timestamp,
) -> LimitsDrift {
    let known = capacity::known(sizing, snapshot);
    let before = memory.limits.unwrap_or_default();
    let of_kind = |kind| before.get(kind).or_else(|| known.get(kind));
    let left: LimitSet = sizing.limits.iter().filter_map(|it| Some((it.kind, of_kind(it.kind)?))).collect();
    memory.limits = Some(left);
    let Some(astray) = capacity::astray(&left, snapshot) else {
        memory.drift.seen = None;
        memory.drift.contested = false;
        return LimitsDrift::None;
    };
    let unlimited_after = capacity::unlimited(sizing, snapshot);
    let change = Resize { unlimited_after, ..Resize::between(left, astray) };
    if spec.limits == OnLimitsDrift::Adopt {
        memory.limits = Some(astray);
        return LimitsDrift::Adopted { change };
    }
    let since = match memory.drift.seen {
        Some((since, seen)) if seen == astray => since,
        _ => now,
    };
    memory.drift.seen = Some((since, astray));
    let until = since.plus(spec.settle);
    if now < until {
        return LimitsDrift::Settling { change, until };
    }
    memory.drift.contested |= is_restored_too_often(&memory.drift.restores, now);
    if memory.drift.contested { LimitsDrift::Contested { change } } else { LimitsDrift::Restore { change } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::behavior::OnDrift;
    use crate::api::effective::{Grouping, LimitSpec, ReserveSpec};
    use crate::api::limits::LimitKind;
    use crate::api::resources::{Apply, Recommend};
    use crate::model::memory::{Memory, Purpose};
    use crate::model::observation::Limits;
    use crate::units::Duration;

    fn drift(limits: OnLimitsDrift) -> DriftSpec {
        DriftSpec {
            decrease: OnDrift::Restore,
            increase: OnDrift::Adopt,
            limits,
            settle: Duration::from_secs(5),
            hold_for: Duration::from_secs(1_800),
        }
    }

    fn sizing() -> SizingSpec {
        SizingSpec {
            limits: vec![LimitSpec { kind: LimitKind::TasksMax, min: 100.0, max: 1_500.0, min_step: 0.0 }],
            grouping: Grouping::Together,
            reserve: ReserveSpec::default(),
            recommend: Recommend::Factor,
            apply: Apply::Live,
            persistent: false,
        }
    }

    fn tasks(count: f64) -> LimitSet {
        [(LimitKind::TasksMax, count)].into_iter().collect()
    }

    fn seen(count: f64) -> Snapshot {
        Snapshot {
            limits: Some(Limits { tasks: Some(count), ..Limits::default() }),
            current: Some(1),
            ..Snapshot::default()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn change(from: f64, to: f64) -> Resize {
        Resize::between(tasks(from), tasks(to))
    }

    #[test]
    fn what_is_seen_first_is_taken_over_and_what_another_hand_changes_then_is_restored_once_it_has_settled() {
        let mut memory = SizingMemory::default();
        let mut look = |count, second| {
            assess(drift(OnLimitsDrift::Restore), &sizing(), &mut memory, &seen(count), at(second))
        };
        assert_eq!(look(250.0, 0), LimitsDrift::None);
        assert_eq!(look(400.0, 10), LimitsDrift::Settling { change: change(250.0, 400.0), until: at(15) });
        assert_eq!(look(500.0, 12), LimitsDrift::Settling { change: change(250.0, 500.0), until: at(17) });
        assert_eq!(look(500.0, 17), LimitsDrift::Restore { change: change(250.0, 500.0) });
        assert_eq!(look(250.0, 18), LimitsDrift::None);
    }

    #[test]
    fn nothing_is_taken_over_while_nothing_is_known() {
        let mut memory = SizingMemory::default();
        let unknown = Snapshot { current: Some(1), ..Snapshot::default() };
        assess(drift(OnLimitsDrift::Restore), &sizing(), &mut memory, &unknown, at(0));
        assert_eq!(memory.limits, Some(LimitSet::default()));
    }

    #[test]
    fn adopted_limits_are_gone_on_from_at_once() {
        let mut memory = SizingMemory { limits: Some(tasks(250.0)), ..SizingMemory::default() };
        let mut look = |count, second| {
            assess(drift(OnLimitsDrift::Adopt), &sizing(), &mut memory, &seen(count), at(second))
        };
        assert_eq!(look(400.0, 0), LimitsDrift::Adopted { change: change(250.0, 400.0) });
        assert_eq!(look(400.0, 1), LimitsDrift::None);
    }

    #[test]
    fn what_the_kernel_rounded_is_no_drift() {
        let mut memory = SizingMemory { limits: Some(tasks(1_000_000.0)), ..SizingMemory::default() };
        let found = assess(drift(OnLimitsDrift::Restore), &sizing(), &mut memory, &seen(999_999.0), at(0));
        assert_eq!(found, LimitsDrift::None);
    }

    #[test]
    fn after_three_restores_in_ten_minutes_docktor_gives_up_until_resumed() {
        let sizing_memory = SizingMemory { limits: Some(tasks(250.0)), ..SizingMemory::default() };
        let mut memory = Memory { sizing: Some(Box::new(sizing_memory)), ..Memory::default() };
        let spec = DriftSpec { settle: Duration::ZERO, ..drift(OnLimitsDrift::Restore) };
        let look = |memory: &mut Memory, second| {
            let sizing_memory = memory.sizing.get_or_insert_default();
            assess(spec, &sizing(), sizing_memory, &seen(400.0), at(second))
        };
        let drifted = change(250.0, 400.0);
        for minute in 0..3 {
            assert_eq!(look(&mut memory, minute * 60), LimitsDrift::Restore { change: drifted });
            memory.record_resize(&tasks(400.0), &tasks(250.0), Purpose::RestoreDrift, at(minute * 60));
        }
        assert_eq!(look(&mut memory, 180), LimitsDrift::Contested { change: drifted });
        assert_eq!(
            look(&mut memory, 10_000),
            LimitsDrift::Contested { change: drifted },
            "time does not help"
        );
        memory.resume();
        assert_eq!(look(&mut memory, 10_001), LimitsDrift::Restore { change: drifted });
    }
}
