//! Limits by steps: the next limit from the present one, and what is allowed of it. Units are those of the limit's
//! kind: percent of one core, bytes, counts.

use crate::api::behavior::Step;
use crate::api::effective::LimitSpec;

/// A limit never shrinks below present use times this.
pub const HEADROOM: f64 = 1.1;

/// `present` after one step, in whole percents, MiB or counts, rounded up, and moved by at least one of them (upwards).
/// `+n` and `-n` move by so many `minStep`, where there is one.
#[must_use]
pub fn step(limit: LimitSpec, present: f64, step: Step) -> f64 {
    let grain = limit.kind.grain();
    let unit = if limit.min_step > 0.0 { limit.min_step } else { grain };
    let wanted = match step {
        Step::By(count) => present + count as f64 * unit,
        Step::Times(factor) => present * factor,
        Step::Percent(percent) => present + present * percent / 100.0,
    };
    let wanted = round_up(wanted.max(0.0), grain);
    if step.grows() { wanted.max(round_up(present + grain, grain)) } else { wanted.min(present) }
}

/// What limits have to keep clear of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Room {
    /// What of the host may be given away: its capacity less the reserve. `None` where it is not known.
    pub host: Option<f64>,
    /// Present use, all of it. `None` where it is not known.
    pub used: Option<f64>,
}

/// A limit within what is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    /// The limit.
    pub value: f64,
    /// What kept it from what was wanted.
    pub kept_by: Option<Keeper>,
}

/// What keeps a limit from what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// Its minimum.
    Min,
    /// Its maximum.
    Max,
    /// What of the host may be given away.
    Host,
    /// Present use with its headroom.
    InUse,
    /// Present use is not known.
    UseUnknown,
    /// The change would be smaller than `minStep`.
    MinStep,
}

/// Brings `wanted` within what is allowed, seen from `present`. A growth is at least `minStep`, where there is room for
/// it, and never goes beyond the host; a shrink smaller than `minStep`, or with unknown use, is not made. A present
/// limit outside of its range is brought into it; but present use keeps it up all the same.
#[must_use]
pub fn bound(limit: LimitSpec, present: f64, wanted: f64, room: Room) -> Bounded {
    let target = wanted.max(limit.min).min(limit.max);
    let at_end = || if wanted > target { Keeper::Max } else { Keeper::Min };
    if target > present {
        return grown(limit, present, wanted, target, room);
    }
    if target < present {
        return shrunk(limit, present, wanted, target, room);
    }
    #[expect(
        clippy::float_cmp,
        reason = "either it was cut to the very value of an end, or it is what was wanted"
    )]
    let kept_by = (wanted != target).then(at_end);
    Bounded { value: present, kept_by }
}

fn grown(limit: LimitSpec, present: f64, wanted: f64, target: f64, room: Room) -> Bounded {
    let grain = limit.kind.grain();
    let asked = if wanted > present { wanted.max(present + limit.min_step) } else { target };
    let host = room.host.map_or(f64::INFINITY, |it| (it / grain).floor() * grain);
    // What the host lacks never shrinks a limit, and never keeps it below its minimum.
    let most = limit.max.min(host.max(limit.min).max(present));
    let value = round_up(asked, grain).max(target.min(most)).min(most);
    let kept_by = (value < wanted).then_some(if most < limit.max { Keeper::Host } else { Keeper::Max });
    Bounded { value, kept_by }
}

fn shrunk(limit: LimitSpec, present: f64, wanted: f64, target: f64, room: Room) -> Bounded {
    let held = |keeper| Bounded { value: present, kept_by: Some(keeper) };
    let grain = limit.kind.grain();
    let in_use = match (limit.kind.caps(), room.used) {
        (false, _) => 0.0,
        (true, Some(used)) => round_up(used * HEADROOM, grain),
        (true, None) => return held(Keeper::UseUnknown),
    };
    let rounded = round_up(target, grain).min(limit.max);
    let value = rounded.max(in_use);
    let kept_by =
        if value > rounded { Some(Keeper::InUse) } else { (wanted < target).then_some(Keeper::Min) };
    if value >= present {
        return held(kept_by.unwrap_or(Keeper::MinStep));
    }
    if present - value < limit.min_step && present <= limit.max {
        return held(Keeper::MinStep);
    }
    Bounded { value, kept_by }
}

/// The least multiple of `grain` that is not below `value`. What is above one only by the error of binary fractions
/// (1.1 × 250) counts as it.
#[must_use]
pub fn round_up(value: f64, grain: f64) -> f64 {
    let grains = value / grain;
    let nearest = grains.round();
    let whole = if (grains - nearest).abs() <= nearest.abs() * 1e-12 { nearest } else { grains.ceil() };
    whole * grain
}

#[cfg(test)]
mod tests;
