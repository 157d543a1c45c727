//! Gate: what forbids to act, whoever asked. Always last.

use super::Constraints;
use super::recommend::Way;
use crate::api::effective::SafetySpec;
use crate::model::decision::Limitation;
use crate::model::memory::{HoldDirection, Memory, SCALE_DOWN_PERIOD};
use crate::units::Timestamp;

/// `wanted` where nothing forbids to go there from `from`; else the nearest count that is allowed, and what
/// forbids the rest. `min` is what docktor keeps up even after too many failures. Here `constraints.growing`
/// also says that some replica is starting or under verification.
#[must_use]
pub fn gate(
    wanted: u32,
    from: u32,
    min: u32,
    constraints: &Constraints,
    memory: &Memory,
    safety: SafetySpec,
    now: Timestamp,
) -> (u32, Option<Limitation>) {
    if wanted == from {
        return (from, None);
    }
    let grows = wanted > from;
    let way = if grows { Way::Up } else { Way::Down };
    if let Some(limitation) = forbidden(way, constraints, memory, now) {
        return (from, Some(limitation));
    }
    if let Some(since) = memory.failed.stopped_at {
        let until = (!safety.retry_after.is_zero()).then(|| since.plus(safety.retry_after));
        let kept_up = if grows { wanted.min(min).max(from) } else { from };
        return (kept_up, (kept_up != wanted).then_some(Limitation::Failed(until)));
    }
    if memory.is_setting_limits() {
        return (from, Some(Limitation::Unfinished));
    }
    if grows {
        return (wanted, None);
    }
    if constraints.growing {
        return (from, Some(Limitation::Unfinished));
    }
    match hour_is_full(memory, safety, now) {
        Some(until) => (from, Some(Limitation::ScaleDownsPerHour(until))),
        None => (wanted, None),
    }
}

/// What forbids limits to move that way, whoever asked. After too many failures they stay as they are, even outside of
/// their range: the next change could do the same harm.
#[must_use]
pub fn forbids_resize(
    way: Way,
    constraints: &Constraints,
    memory: &Memory,
    safety: SafetySpec,
    now: Timestamp,
) -> Option<Limitation> {
    let failed = || {
        let since = memory.failed.stopped_at?;
        let until = (!safety.retry_after.is_zero()).then(|| since.plus(safety.retry_after));
        Some(Limitation::Failed(until))
    };
    let busy = memory.is_setting_limits() || (way == Way::Down && constraints.growing);
    let unfinished = || busy.then_some(Limitation::Unfinished);
    let put_off = || {
        let until = memory.sizing.as_ref()?.put_off.filter(|it| *it > now)?;
        (way == Way::Down).then_some(Limitation::PutOff(until))
    };
    let hour = || match way {
        Way::Up => None,
        Way::Down => hour_is_full(memory, safety, now).map(Limitation::ScaleDownsPerHour),
    };
    forbidden(way, constraints, memory, now)
        .or_else(failed)
        .or_else(unfinished)
        .or_else(put_off)
        .or_else(hour)
}

fn forbidden(way: Way, constraints: &Constraints, memory: &Memory, now: Timestamp) -> Option<Limitation> {
    if constraints.stopped {
        return Some(Limitation::Stop);
    }
    if constraints.conflict {
        return Some(Limitation::Conflict);
    }
    let held = |direction| match direction {
        HoldDirection::Up => way == Way::Up,
        HoldDirection::Down => way == Way::Down,
        HoldDirection::Both => true,
    };
    if let Some(hold) = memory.hold.as_ref().filter(|it| it.until > now && held(it.direction)) {
        return Some(Limitation::Hold(hold.until));
    }
    constraints.blocked.map(Limitation::Blocked)
}

/// When the next scale-down is allowed, where `maxScaleDownsPerHour` forbids it now.
fn hour_is_full(memory: &Memory, safety: SafetySpec, now: Timestamp) -> Option<Timestamp> {
    let most = safety.max_scale_downs_per_hour? as usize;
    let recent = || memory.scale_downs.iter().filter(|it| now.since(**it) < SCALE_DOWN_PERIOD);
    let surplus = recent().count().checked_sub(most)?;
    let frees = recent().nth(surplus).copied().unwrap_or(now);
    Some(frees.plus(SCALE_DOWN_PERIOD))
}
