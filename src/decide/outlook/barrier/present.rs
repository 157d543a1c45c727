//! Which barriers there are at present, for one way.

use std::cmp::Ordering;

use super::super::super::recommend::Way;
use super::super::super::{combine::Shrinking, fallback, observe::Reading, schedule, size, verify};
use super::super::rules::seen;
use super::super::{MetricSeen, Present, Rest, Scene};
use super::pace::{cooldown, is_disabled, pace, per_hour, rate_limit, window_barrier};
use super::{Barrier, SetBy};
use crate::api::behavior::{FallbackBehavior, OnDrift};
use crate::api::effective::{MetricIndex, ScheduleSpec};
use crate::api::policy::Mode;
use crate::api::resources::Recommend;
use crate::model::approval::Plan;
use crate::model::decision::{Limitation, Why};
use crate::model::memory::HoldDirection;
use crate::units::Timestamp;

/// What kept the decision from what was recommended, with what is known of its end.
pub(in crate::decide::outlook) fn of_limitation(scene: &Scene<'_>, limitation: Limitation) -> Barrier {
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
        | Limitation::PutOff(_)
        | Limitation::MinStep(_)
        | Limitation::Turn(_) => Barrier::Resources { message: limitation.to_string() },
        Limitation::ScaleDownRules => Barrier::ScaleDownRules,
        Limitation::MissingMetrics => Barrier::MissingMetrics { metrics: lacking(scene) },
        Limitation::ScaleUpCooldown(until) => Barrier::Cooldown { way: Way::Up, until },
        Limitation::ScaleDownCooldown(until) => Barrier::Cooldown { way: Way::Down, until },
        Limitation::Min(replicas) => Barrier::Min { replicas, set_by: min_set_by(scene) },
        Limitation::Max(replicas) => Barrier::Max { replicas, set_by: max_set_by(scene) },
        Limitation::Ceiling(replicas) => Barrier::Max { replicas, set_by: SetBy::Target },
        Limitation::Settling(until) => Barrier::Settling { until, restores: restores(scene) },
        Limitation::DriftHold(until) => Barrier::DriftHold { until },
        Limitation::DriftContested => Barrier::DriftContested,
        Limitation::Hold(until) => hold(scene, until),
        Limitation::Stop => Barrier::Stop,
        Limitation::Conflict => Barrier::Conflict,
        Limitation::Mode => Barrier::Mode { mode: scene.mode },
        Limitation::Approval => awaiting(scene).unwrap_or(Barrier::AsksFirst),
        Limitation::Rejected(until) => rejected(scene, until),
        Limitation::Blocked(reason) => Barrier::Blocked { reason },
        Limitation::Failed(until) => {
            Barrier::Failed { in_a_row: scene.present.memory.failed.in_a_row, until }
        }
        Limitation::Unfinished => unfinished(scene),
        Limitation::ScaleDownsPerHour(until) => Barrier::ScaleDownsPerHour { until },
    }
}

/// What forbids to go that way by one replica, in the order in which a person can do something about it.
pub(in crate::decide::outlook) fn barriers(scene: &Scene<'_>, way: Way, rest: Option<&Rest>) -> Vec<Barrier> {
    if let Some(whole) = out_of_control(scene) {
        return vec![whole];
    }
    let mut barriers = gate(scene, way);
    if !scene.present.spec.horizontal {
        barriers.extend(for_limits(scene, way));
        return barriers;
    }
    barriers.extend(others(scene));
    barriers.extend(opinions(scene, way, rest));
    barriers.extend(pace(scene, way));
    barriers
}

/// What forbids limits to move that way, the gate aside. How far each may go is said of each.
fn for_limits(scene: &Scene<'_>, way: Way) -> Vec<Barrier> {
    let lacks = way == Way::Down && shrinking(scene).lacking;
    let missing = lacks.then(|| Barrier::MissingMetrics { metrics: lacking(scene) });
    let disabled = is_disabled(scene, way).then_some(Barrier::Disabled { way });
    let nobody = nobody_steps(scene, way).then_some(Barrier::NobodyAsks);
    nobody.into_iter().chain(missing).chain(disabled).chain(cooldown(scene, way)).collect()
}

/// Limits move by steps, and no rule takes one that way.
fn nobody_steps(scene: &Scene<'_>, way: Way) -> bool {
    let spec = scene.present.spec;
    let rules = match way {
        Way::Up => &spec.scale_up.rules,
        Way::Down => &spec.scale_down.rules,
    };
    rules.is_empty() && spec.sizing.as_ref().is_some_and(|it| it.recommend == Recommend::Factor)
}

/// What ends every thought of another count.
pub(in crate::decide::outlook) fn out_of_control(scene: &Scene<'_>) -> Option<Barrier> {
    match &scene.present.decision.why {
        Why::TurnedOff { .. } => Some(Barrier::TurnedOff),
        Why::Unreadable(reason) => Some(Barrier::Unreadable { reason: *reason }),
        Why::Disabled => Some(Barrier::Mode { mode: scene.mode }),
        _ => None,
    }
}

/// What forbids to act, whoever asks.
fn gate(scene: &Scene<'_>, way: Way) -> Vec<Barrier> {
    let Present { spec, memory, constraints, decision, .. } = scene.present;
    let mut barriers = Vec::new();
    match scene.mode {
        Mode::Auto => {}
        Mode::Approve => barriers.push(approval(scene, way)),
        Mode::Observe | Mode::Disabled => barriers.push(Barrier::Mode { mode: scene.mode }),
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

/// Whether a person is still to be asked, or was.
fn approval(scene: &Scene<'_>, way: Way) -> Barrier {
    let ordering = match way {
        Way::Up => Ordering::Greater,
        Way::Down => Ordering::Less,
    };
    let waits = scene.present.memory.approvals.proposal.as_ref();
    let asked = waits.is_some_and(|it| direction(&it.plan) == ordering);
    awaiting(scene).filter(|_| asked).unwrap_or(Barrier::AsksFirst)
}

fn direction(plan: &Plan) -> Ordering {
    match (&plan.limits_before, &plan.limits) {
        (Some(before), Some(after)) => size::direction(before, after),
        _ => plan.to.cmp(&plan.from),
    }
}

fn awaiting(scene: &Scene<'_>) -> Option<Barrier> {
    let waits = scene.present.memory.approvals.proposal.as_ref()?;
    Some(Barrier::AwaitingApproval { id: waits.id.clone(), asked_until: waits.until })
}

fn rejected(scene: &Scene<'_>, until: Timestamp) -> Barrier {
    let rejections = &scene.present.memory.approvals.rejections;
    let said = rejections.iter().rfind(|it| it.until == until);
    Barrier::Rejected {
        by: said.map(|it| it.by.clone()).unwrap_or_default(),
        not_asked_until: until,
        reason: said.and_then(|it| it.reason.clone()),
    }
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
        barriers.push(Barrier::Settling { until, restores: restores(scene) });
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

/// The count that docktor restores once a change by somebody else has settled.
fn restores(scene: &Scene<'_>) -> Option<u32> {
    let (drift, left) = (scene.present.spec.drift, scene.present.decision.drifted?.left);
    let then = if scene.count < left { drift.decrease } else { drift.increase };
    (then == OnDrift::Restore && left > 0).then_some(left)
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

/// What stands between a recommendation and a smaller count, as the combine stage has it.
pub(in crate::decide::outlook) fn shrinking(scene: &Scene<'_>) -> Shrinking {
    let (spec, found) = (scene.present.spec, &scene.found);
    let decides = spec.fallback.behavior != FallbackBehavior::Keep && fallback::blind(spec, found).down;
    let lacking = found.up.lacking || found.down.lacking || found.track_lacking;
    let declared = !spec.scale_down.rules.is_empty();
    Shrinking { lacking: lacking && !decides, refused: declared && !found.down.satisfied && !decides }
}

/// Metrics whose lack forbids to shrink.
fn lacking(scene: &Scene<'_>) -> Vec<MetricSeen> {
    let lacks = |it: &Reading| it.for_shrinking().is_none() && *it != Reading::NotApplicable;
    let metrics = scene.readings.iter().enumerate().filter(|(_, reading)| lacks(reading));
    metrics.map(|(index, _)| seen(scene, MetricIndex(index), Way::Down)).collect()
}

pub(in crate::decide::outlook) fn max_set_by(scene: &Scene<'_>) -> SetBy {
    let Present { spec, constraints, .. } = scene.present;
    let (scheduled, _) = schedule::bounds(&spec.schedules, scene.now);
    let max = scheduled.max.unwrap_or(spec.bounds.max());
    if constraints.ceiling.is_some_and(|it| it < max) {
        return SetBy::Target;
    }
    set_by(scene, scheduled.max, |it| it.max)
}

pub(in crate::decide::outlook) fn min_set_by(scene: &Scene<'_>) -> SetBy {
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
