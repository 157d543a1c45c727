//! What only time ends: windows, rate limits and cooldowns.

use std::collections::VecDeque;

use super::super::super::limit;
use super::super::super::recommend::Way;
use super::super::{Present, Scene};
use super::Barrier;
use crate::api::behavior::Select;
use crate::api::effective::DirectionSpec;
use crate::model::memory::{Past, SCALE_DOWN_PERIOD};
use crate::units::Timestamp;

/// Moments at which a rate limit may let go that are looked at; later ones are not told.
const MAX_MOMENTS: usize = 64;

/// Windows, limits and cooldowns.
pub(super) fn pace(scene: &Scene<'_>, way: Way) -> Vec<Barrier> {
    let mut barriers: Vec<_> = window_barrier(scene, way).into_iter().collect();
    if is_disabled(scene, way) {
        barriers.push(Barrier::Disabled { way });
    } else if reach(scene, way, scene.now) == scene.count && scene.count > 0 {
        barriers.push(rate_limit(scene, way));
    }
    barriers.extend(cooldown(scene, way));
    barriers
}

/// `select: Disabled`.
pub(super) fn is_disabled(scene: &Scene<'_>, way: Way) -> bool {
    direction(scene, way).select == Select::Disabled
}

pub(super) fn cooldown(scene: &Scene<'_>, way: Way) -> Option<Barrier> {
    let memory = scene.present.memory;
    let last = match way {
        Way::Up => memory.last_up,
        Way::Down => memory.last_action,
    };
    let until = limit::cooling_until(last, direction(scene, way).cooldown, scene.now)?;
    Some(Barrier::Cooldown { way, until })
}

const fn direction<'a>(scene: &Scene<'a>, way: Way) -> &'a DirectionSpec {
    match way {
        Way::Up => &scene.present.spec.scale_up,
        Way::Down => &scene.present.spec.scale_down,
    }
}

/// A stabilization window in which a recommendation forbids to leave the present count that way.
pub(super) fn window_barrier(scene: &Scene<'_>, way: Way) -> Option<Barrier> {
    let memory = scene.present.memory;
    let past: &VecDeque<Past> = match way {
        Way::Up => &memory.lows,
        Way::Down => &memory.highs,
    };
    let forbids = |it: u32| !is_farther(way, it, scene.count);
    let window = direction(scene, way).window;
    let counting = || past.iter().filter(|it| scene.now.since(it.at) < window);
    let last = counting().filter(|it| forbids(it.replicas)).max_by_key(|it| it.at)?;
    let replicas = counting().map(|it| it.replicas);
    let recommended = match way {
        Way::Up => replicas.min(),
        Way::Down => replicas.max(),
    };
    Some(Barrier::Window { way, recommended: recommended?, window, until: last.at.plus(window) })
}

/// As far as rate limits let it go at that moment.
fn reach(scene: &Scene<'_>, way: Way, at: Timestamp) -> u32 {
    let (direction, changes) = (direction(scene, way), &scene.present.memory.changes);
    match way {
        Way::Up => limit::most(scene.count, &direction.limits, direction.select, changes, at),
        Way::Down => limit::least(scene.count, &direction.limits, direction.select, changes, at),
    }
}

pub(super) fn rate_limit(scene: &Scene<'_>, way: Way) -> Barrier {
    let present = reach(scene, way, scene.now);
    let until = moments(scene, way, scene.now).find(|at| is_farther(way, reach(scene, way, *at), present));
    Barrier::RateLimit { way, reach: present, until }
}

/// The first moment from `earliest` on at which rate limits let the count go that way. It is not always `earliest`,
/// though they do now: a change that leaves its period may tighten them.
pub(in crate::decide::outlook) fn first_room(
    scene: &Scene<'_>,
    way: Way,
    earliest: Timestamp,
) -> Option<Timestamp> {
    let moves = |at: &Timestamp| is_farther(way, reach(scene, way, *at), scene.count);
    std::iter::once(earliest).chain(moments(scene, way, earliest)).find(moves)
}

const fn is_farther(way: Way, one: u32, other: u32) -> bool {
    match way {
        Way::Up => one > other,
        Way::Down => one < other,
    }
}

/// Moments after `earliest` at which a change leaves the period of a rate limit.
fn moments(scene: &Scene<'_>, way: Way, earliest: Timestamp) -> impl Iterator<Item = Timestamp> {
    let changes = &scene.present.memory.changes;
    let limits = &direction(scene, way).limits;
    let ends = limits.iter().flat_map(|limit| changes.iter().map(|it| it.at.plus(limit.period)));
    let mut moments: Vec<_> = ends.filter(|at| *at > earliest).collect();
    moments.sort_unstable();
    moments.dedup();
    moments.into_iter().take(MAX_MOMENTS)
}

/// When the next scale-down is allowed, where `maxScaleDownsPerHour` forbids it now.
pub(super) fn per_hour(scene: &Scene<'_>) -> Option<Barrier> {
    let Present { spec, memory, .. } = scene.present;
    let most = spec.safety.max_scale_downs_per_hour? as usize;
    let recent: Vec<_> =
        memory.scale_downs.iter().filter(|it| scene.now.since(**it) < SCALE_DOWN_PERIOD).collect();
    let frees = recent.len().checked_sub(most).and_then(|surplus| recent.get(surplus));
    let full = recent.len() >= most;
    let until = frees.map_or(scene.now, |it| **it).plus(SCALE_DOWN_PERIOD);
    full.then_some(Barrier::ScaleDownsPerHour { until })
}
