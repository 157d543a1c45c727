//! Barriers: what forbids to go one way, and what ends each of them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::limit;
use super::super::recommend::Way;
use super::super::{combine::Shrinking, fallback, observe::Reading, schedule, verify};
use super::{Present, Rest, Scene};
use crate::api::behavior::{FallbackBehavior, Select};
use crate::api::condition::Reason;
use crate::api::effective::{DirectionSpec, ScheduleSpec};
use crate::api::policy::Mode;
use crate::model::decision::{Limitation, Why};
use crate::model::memory::{HoldDirection, Past, SCALE_DOWN_PERIOD};
use crate::units::{Duration, Timestamp};

/// Moments at which a rate limit may let go that are looked at; later ones are not told.
const MAX_MOMENTS: usize = 64;

/// What forbids to go one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Barrier {
    /// Somebody else turned the workload off.
    TurnedOff,
    /// The target cannot be seen.
    Unreadable {
        /// Why.
        reason: Reason,
    },
    /// The mode.
    Mode {
        /// Which.
        mode: Mode,
    },
    /// The file `STOP`.
    Stop,
    /// Another policy owns the target.
    Conflict,
    /// The target cannot be changed at present.
    Blocked {
        /// Why.
        reason: Reason,
    },
    /// A person holds the count.
    Hold {
        /// Who.
        by: String,
        /// Until when.
        until: Timestamp,
        /// Why, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person wants this count.
    Wish {
        /// Who.
        by: String,
        /// How many replicas.
        replicas: u32,
        /// Until when.
        until: Timestamp,
    },
    /// docktor stopped trying.
    Failed {
        /// How many changes failed in a row.
        in_a_row: u32,
        /// When it tries again; absent where it waits for `resume`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Replicas are starting or under verification.
    Unfinished {
        /// How many are known of.
        replicas: u32,
        /// When the last is done, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A change by somebody else may still go on.
    Settling {
        /// When it has settled.
        until: Timestamp,
    },
    /// A change by somebody else is kept.
    DriftHold {
        /// Until when.
        until: Timestamp,
    },
    /// Somebody else keeps undoing what docktor restores.
    DriftContested,
    /// Metrics are missing, so nothing goes down.
    MissingMetrics {
        /// Which.
        metrics: Vec<String>,
    },
    /// `scaleDown.rules` do not hold.
    ScaleDownRules,
    /// `scaleDown.step` bounds one scale-down.
    ScaleDownStep,
    /// What is to come needs so many.
    Forecast {
        /// How many.
        replicas: u32,
    },
    /// What keeps limits of the replicas from being changed.
    Resources {
        /// In words.
        message: String,
    },
    /// Nothing in the policy asks for it.
    NobodyAsks,
    /// There is work, or was lately, so that one replica stays.
    Working {
        /// When it rests if no work comes, where it does so by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It is at rest, and only work wakes it.
    AtRest,
    /// A recommendation of the stabilization window: the highest of scaleDown's, the lowest of scaleUp's.
    Window {
        /// Whose window.
        way: Way,
        /// How many replicas it was for.
        recommended: u32,
        /// How long the window is.
        window: Duration,
        /// When the last recommendation that forbids it leaves the window.
        until: Timestamp,
    },
    /// `select: Disabled`.
    Disabled {
        /// Whose.
        way: Way,
    },
    /// Rate limits.
    RateLimit {
        /// Whose.
        way: Way,
        /// As far as this it may go now.
        reach: u32,
        /// When it may go farther, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A cooldown.
    Cooldown {
        /// Whose.
        way: Way,
        /// When it ends.
        until: Timestamp,
    },
    /// `safety.maxScaleDownsPerHour`.
    ScaleDownsPerHour {
        /// When the next is allowed.
        until: Timestamp,
    },
    /// The minimum.
    Min {
        /// How many.
        replicas: u32,
        /// What set it.
        set_by: SetBy,
    },
    /// The maximum.
    Max {
        /// How many.
        replicas: u32,
        /// What set it.
        set_by: SetBy,
    },
}

/// What set a bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetBy {
    /// `replicas` of the policy.
    Policy,
    /// An active schedule.
    Schedule(String),
    /// The target, which can have no more.
    Target,
}

impl Barrier {
    /// When it ends by time alone.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Hold { until, .. }
            | Self::Wish { until, .. }
            | Self::Settling { until }
            | Self::DriftHold { until }
            | Self::Window { until, .. }
            | Self::Cooldown { until, .. }
            | Self::ScaleDownsPerHour { until } => Some(*until),
            Self::Failed { until, .. }
            | Self::Unfinished { until, .. }
            | Self::Working { until }
            | Self::RateLimit { until, .. } => *until,
            Self::TurnedOff
            | Self::Unreadable { .. }
            | Self::Mode { .. }
            | Self::Stop
            | Self::Conflict
            | Self::Blocked { .. }
            | Self::DriftContested
            | Self::MissingMetrics { .. }
            | Self::ScaleDownRules
            | Self::ScaleDownStep
            | Self::Forecast { .. }
            | Self::Resources { .. }
            | Self::NobodyAsks
            | Self::AtRest
            | Self::Disabled { .. }
            | Self::Min { .. }
            | Self::Max { .. } => None,
        }
    }
}

/// What kept the decision from what was recommended, with what is known of its end.
pub(super) fn of_limitation(scene: &Scene<'_>, limitation: Limitation) -> Barrier {
    let window = |way, window| {
        window_barrier(scene, way).unwrap_or(Barrier::Window {
            way,
            recommended: scene.count,
            window,
            until: scene.now,
        })
    };
    match limitation {
        Limitation::ScaleDownWindow(length) => window(Way::Down, length),
        Limitation::ScaleUpWindow(length) => window(Way::Up, length),
        Limitation::ScaleUpLimit => rate_limit(scene, Way::Up),
        Limitation::ScaleDownLimit => rate_limit(scene, Way::Down),
        Limitation::ScaleDownStep => Barrier::ScaleDownStep,
        Limitation::Forecast(replicas) => Barrier::Forecast { replicas },
        Limitation::LimitMin(_)
        | Limitation::LimitMax(_)
        | Limitation::Host(_)
        | Limitation::InUse(_)
        | Limitation::UseUnknown(_)
        | Limitation::MinStep(_)
        | Limitation::Turn(_) => Barrier::Resources { message: limitation.to_string() },
        Limitation::ScaleDownRules => Barrier::ScaleDownRules,
        Limitation::MissingMetrics => Barrier::MissingMetrics { metrics: lacking(scene) },
        Limitation::ScaleUpCooldown(until) => Barrier::Cooldown { way: Way::Up, until },
        Limitation::ScaleDownCooldown(until) => Barrier::Cooldown { way: Way::Down, until },
        Limitation::Min(replicas) => Barrier::Min { replicas, set_by: min_set_by(scene) },
        Limitation::Max(replicas) => Barrier::Max { replicas, set_by: max_set_by(scene) },
        Limitation::Ceiling(replicas) => Barrier::Max { replicas, set_by: SetBy::Target },
        Limitation::Settling(until) => Barrier::Settling { until },
        Limitation::DriftHold(until) => Barrier::DriftHold { until },
        Limitation::DriftContested => Barrier::DriftContested,
        Limitation::Hold(until) => hold(scene, until),
        Limitation::Stop => Barrier::Stop,
        Limitation::Conflict => Barrier::Conflict,
        Limitation::Mode => Barrier::Mode { mode: scene.mode },
        Limitation::Blocked(reason) => Barrier::Blocked { reason },
        Limitation::Failed(until) => {
            Barrier::Failed { in_a_row: scene.present.memory.failed.in_a_row, until }
        }
        Limitation::Unfinished => unfinished(scene),
        Limitation::ScaleDownsPerHour(until) => Barrier::ScaleDownsPerHour { until },
    }
}

/// What forbids to go that way by one replica, in the order in which a person can do something about it.
pub(super) fn barriers(scene: &Scene<'_>, way: Way, rest: Option<&Rest>) -> Vec<Barrier> {
    if let Some(whole) = out_of_control(scene) {
        return vec![whole];
    }
    let mut barriers = gate(scene, way);
    barriers.extend(others(scene));
    barriers.extend(opinions(scene, way, rest));
    barriers.extend(pace(scene, way));
    barriers
}

/// What ends every thought of another count.
fn out_of_control(scene: &Scene<'_>) -> Option<Barrier> {
    match &scene.present.decision.why {
        Why::TurnedOff => Some(Barrier::TurnedOff),
        Why::Unreadable(reason) => Some(Barrier::Unreadable { reason: *reason }),
        Why::Disabled => Some(Barrier::Mode { mode: scene.mode }),
        _ => None,
    }
}

/// What forbids to act, whoever asks.
fn gate(scene: &Scene<'_>, way: Way) -> Vec<Barrier> {
    let Present { spec, memory, constraints, decision, .. } = scene.present;
    let mut barriers = Vec::new();
    if scene.mode != Mode::Auto {
        barriers.push(Barrier::Mode { mode: scene.mode });
    }
    if constraints.stopped {
        barriers.push(Barrier::Stop);
    }
    if constraints.conflict {
        barriers.push(Barrier::Conflict);
    }
    if let Some(reason) = constraints.blocked {
        barriers.push(Barrier::Blocked { reason });
    }
    let of_way = |direction| match direction {
        HoldDirection::Both => true,
        HoldDirection::Up => way == Way::Up,
        HoldDirection::Down => way == Way::Down,
    };
    if let Some(it) = memory.hold.as_ref().filter(|it| it.until > scene.now && of_way(it.direction)) {
        barriers.push(hold(scene, it.until));
    }
    // The minimum is kept up even after too many failures.
    let kept_up = way == Way::Up && scene.count < decision.bounds.min();
    if let Some(since) = memory.failed.stopped_at.filter(|_| !kept_up) {
        let until = (!spec.safety.retry_after.is_zero()).then(|| since.plus(spec.safety.retry_after));
        barriers.push(Barrier::Failed { in_a_row: memory.failed.in_a_row, until });
    }
    if way == Way::Down {
        let starting = verify::unfinished(spec, memory, scene.present.snapshot, scene.now).0 > 0;
        if starting || constraints.growing || scene.count > decision.from {
            barriers.push(unfinished(scene));
        }
        barriers.extend(per_hour(scene));
    }
    barriers
}

/// What a person or somebody else wants.
fn others(scene: &Scene<'_>) -> Vec<Barrier> {
    let Present { spec, memory, decision, .. } = scene.present;
    let mut barriers = Vec::new();
    if let Some(wish) = &memory.wish {
        barriers.push(Barrier::Wish { by: wish.by.clone(), replicas: wish.replicas, until: wish.until });
    }
    if memory.drift.contested {
        barriers.push(Barrier::DriftContested);
    }
    let settled = memory.drift.seen.map(|it| it.at.plus(spec.drift.settle)).filter(|at| *at > scene.now);
    if let Some(until) = settled.filter(|_| decision.drifted.is_some()) {
        barriers.push(Barrier::Settling { until });
    }
    if let Some(until) = memory.drift.hold_until.filter(|until| *until > scene.now) {
        barriers.push(Barrier::DriftHold { until });
    }
    barriers
}

/// Recommenders, rest and bounds.
fn opinions(scene: &Scene<'_>, way: Way, rest: Option<&Rest>) -> Vec<Barrier> {
    let bounds = scene.present.decision.bounds;
    let mut barriers = Vec::new();
    let working = rest.filter(|it| !it.at_rest);
    if rest.is_some_and(|it| it.at_rest && it.work != Some(true)) {
        barriers.push(Barrier::AtRest);
    }
    match way {
        Way::Up if scene.count >= bounds.max() => {
            barriers.push(Barrier::Max { replicas: bounds.max(), set_by: max_set_by(scene) });
        }
        Way::Down if scene.count <= bounds.min().max(1) && working.is_some() => {
            let until = working.filter(|it| it.by_itself && it.work == Some(false)).map(|it| it.rests_at);
            barriers.push(Barrier::Working { until });
        }
        Way::Down if scene.count <= bounds.min() && rest.is_none() => {
            barriers.push(Barrier::Min { replicas: bounds.min(), set_by: min_set_by(scene) });
        }
        Way::Up | Way::Down => {}
    }
    if !somebody_asks(scene, way) {
        barriers.push(Barrier::NobodyAsks);
    }
    let floor = scene.found.floor.as_ref().map(|it| it.replicas).filter(|it| *it >= scene.count);
    if let Some(replicas) = floor.filter(|_| way == Way::Down) {
        barriers.push(Barrier::Forecast { replicas });
    }
    if way == Way::Down && shrinking(scene).lacking {
        barriers.push(Barrier::MissingMetrics { metrics: lacking(scene) });
    }
    barriers
}

fn somebody_asks(scene: &Scene<'_>, way: Way) -> bool {
    let spec = scene.present.spec;
    let rules = match way {
        Way::Up => !spec.scale_up.rules.is_empty() || spec.forecast.is_some(),
        Way::Down => !spec.scale_down.rules.is_empty() && spec.scale_down.step_written,
    };
    rules || !spec.track.is_empty()
}

/// Windows, limits and cooldowns.
fn pace(scene: &Scene<'_>, way: Way) -> Vec<Barrier> {
    let Present { memory, .. } = scene.present;
    let direction = direction(scene, way);
    let mut barriers: Vec<_> = window_barrier(scene, way).into_iter().collect();
    if direction.select == Select::Disabled {
        barriers.push(Barrier::Disabled { way });
    } else if reach(scene, way, scene.now) == scene.count && scene.count > 0 {
        barriers.push(rate_limit(scene, way));
    }
    let last = match way {
        Way::Up => memory.last_up,
        Way::Down => memory.last_action,
    };
    if let Some(until) = limit::cooling_until(last, direction.cooldown, scene.now) {
        barriers.push(Barrier::Cooldown { way, until });
    }
    barriers
}

const fn direction<'a>(scene: &Scene<'a>, way: Way) -> &'a DirectionSpec {
    match way {
        Way::Up => &scene.present.spec.scale_up,
        Way::Down => &scene.present.spec.scale_down,
    }
}

/// A stabilization window in which a recommendation forbids to leave the present count that way.
fn window_barrier(scene: &Scene<'_>, way: Way) -> Option<Barrier> {
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

fn rate_limit(scene: &Scene<'_>, way: Way) -> Barrier {
    let present = reach(scene, way, scene.now);
    let until = moments(scene, way, scene.now).find(|at| is_farther(way, reach(scene, way, *at), present));
    Barrier::RateLimit { way, reach: present, until }
}

/// The first moment from `earliest` on at which rate limits let the count go that way. It is not always `earliest`,
/// though they do now: a change that leaves its period may tighten them.
pub(super) fn first_room(scene: &Scene<'_>, way: Way, earliest: Timestamp) -> Option<Timestamp> {
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

fn hold(scene: &Scene<'_>, until: Timestamp) -> Barrier {
    let hold = scene.present.memory.hold.as_ref();
    Barrier::Hold {
        by: hold.map(|it| it.by.clone()).unwrap_or_default(),
        until,
        reason: hold.and_then(|it| it.reason.clone()),
    }
}

fn unfinished(scene: &Scene<'_>) -> Barrier {
    let Present { spec, memory, snapshot, constraints, decision, .. } = scene.present;
    let (replicas, until) = verify::unfinished(spec, memory, snapshot, scene.now);
    let being_made = constraints.growing || scene.count > decision.from;
    Barrier::Unfinished { replicas, until: until.filter(|_| !being_made) }
}

/// When the next scale-down is allowed, where `maxScaleDownsPerHour` forbids it now.
fn per_hour(scene: &Scene<'_>) -> Option<Barrier> {
    let Present { spec, memory, .. } = scene.present;
    let most = spec.safety.max_scale_downs_per_hour? as usize;
    let recent: Vec<_> =
        memory.scale_downs.iter().filter(|it| scene.now.since(**it) < SCALE_DOWN_PERIOD).collect();
    let frees = recent.len().checked_sub(most).and_then(|surplus| recent.get(surplus));
    let full = recent.len() >= most;
    let until = frees.map_or(scene.now, |it| **it).plus(SCALE_DOWN_PERIOD);
    full.then_some(Barrier::ScaleDownsPerHour { until })
}

/// What stands between a recommendation and a smaller count, as the combine stage has it.
pub(super) fn shrinking(scene: &Scene<'_>) -> Shrinking {
    let (spec, found) = (scene.present.spec, &scene.found);
    let decides = spec.fallback.behavior != FallbackBehavior::Keep && fallback::blind(spec, found).down;
    let lacking = found.up.lacking || found.down.lacking || found.track_lacking;
    let declared = !spec.scale_down.rules.is_empty();
    Shrinking { lacking: lacking && !decides, refused: declared && !found.down.satisfied && !decides }
}

/// Metrics whose lack forbids to shrink.
fn lacking(scene: &Scene<'_>) -> Vec<String> {
    let metrics = scene.present.spec.metrics.iter().zip(&scene.readings);
    let lacks = |it: &Reading| it.for_shrinking().is_none() && *it != Reading::NotApplicable;
    metrics.filter(|(_, reading)| lacks(reading)).map(|(metric, _)| metric.name.to_string()).collect()
}

pub(super) fn max_set_by(scene: &Scene<'_>) -> SetBy {
    let Present { spec, constraints, .. } = scene.present;
    let (scheduled, _) = schedule::bounds(&spec.schedules, scene.now);
    let max = scheduled.max.unwrap_or(spec.bounds.max());
    if constraints.ceiling.is_some_and(|it| it < max) {
        return SetBy::Target;
    }
    set_by(scene, scheduled.max, |it| it.max)
}

pub(super) fn min_set_by(scene: &Scene<'_>) -> SetBy {
    let spec = scene.present.spec;
    let (scheduled, _) = schedule::bounds(&spec.schedules, scene.now);
    if scheduled.min.unwrap_or(spec.bounds.min()) > scene.present.decision.bounds.max() {
        // A maximum that is below the minimum lowers it.
        return max_set_by(scene);
    }
    set_by(scene, scheduled.min, |it| it.min)
}

fn set_by(scene: &Scene<'_>, value: Option<u32>, of: fn(&ScheduleSpec) -> Option<u32>) -> SetBy {
    let active = scene.present.spec.schedules.iter().filter(|it| schedule::is_active(it, scene.now));
    let decides = active.filter(|it| value.is_some() && of(it) == value).max_by_key(|it| it.priority);
    decides.map_or(SetBy::Policy, |it| SetBy::Schedule(it.name.to_string()))
}
