//! Changes of limits: carried out, verified, and undone where they do harm. As with replicas, a pass only starts what
//! is to be done, and a later one collects how it ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;

use super::act::{self, Intended, Kind, Marks, Running};
use super::bind::{Binding, Bound};
use super::reconcile::Parts;
use super::state::Policy;
use crate::actuators::{ActuatorError, Lasts, NewLimit, Obstacle, Resizing};
use crate::api::behavior::OnFailure;
use crate::api::condition::Reason;
use crate::api::effective::SizingSpec;
use crate::api::limits::{LimitKind, LimitSet};
use crate::api::target::Target;
use crate::decide::capacity::differs;
use crate::decide::verdict::{Verdict, verdict};
use crate::model::change::{Before, ChangeId, Intent, LimitChange, LimitStage};
use crate::model::decision::{Decision, Resize};
use crate::model::observation::{Health, Replica, ReplicaId, Snapshot};
use crate::telemetry::chain;
use crate::telemetry::event::{Event, Level, Undone};
use crate::units::{Duration, Timestamp};

/// A change that went wrong and could not be undone is tried to be undone again after this time.
const UNDO_AGAIN: Duration = Duration::from_secs(5);
/// What could not shrink because it was in use is not tried again before this time, nor before a cooldown.
const SHRINK_AGAIN: Duration = Duration::from_secs(60);

/// The intent of a resize: what each replica that runs is to get, and what it has now. Where a change is still under
/// verification, what held before that one is what a failure goes back to.
pub fn intent(
    decision: &Decision,
    resize: &Resize,
    policy: &Policy,
    snapshot: &Snapshot,
    id: ChangeId,
) -> Intent {
    let earlier = policy.durable.memory.limit_change();
    let replicas = snapshot.replicas.iter().filter(|it| it.counts());
    let touched = touched(policy, resize);
    let replicas = replicas.map(|it| (it.id.clone(), before(it, resize, touched, earlier))).collect();
    let from = earlier.map_or(resize.from, |it| it.from);
    let change = LimitChange { from, to: resize.to, replicas, stage: LimitStage::Applying };
    Intent { limits: Some(Box::new(change)), ..decision.intent(id) }
}

/// The limit that an actuator may set for a while on the way to others: less memory is taken from a unit by lowering
/// what slows it down first. It is written down too, so that it can be brought back.
fn touched(policy: &Policy, resize: &Resize) -> Option<LimitKind> {
    let Binding::Bound(bound) = &policy.binding else { return None };
    let of = |set: &LimitSet| set.get(LimitKind::MemoryMax);
    let shrinks = of(&resize.to) < of(&resize.from);
    (shrinks && matches!(bound.spec.target, Target::Systemd(_))).then_some(LimitKind::MemoryHigh)
}

fn before(
    replica: &Replica,
    resize: &Resize,
    touched: Option<LimitKind>,
    earlier: Option<&LimitChange>,
) -> Before {
    let known = earlier.and_then(|it| it.replicas.get(&replica.id));
    // A weight that was never set is unknown, and left alone unless it is to change.
    let changes = |kind| resize.changed().any(|(changed, _)| changed == kind);
    let moves = |kind, value| match replica.limits.effective(kind) {
        Some(present) => differs(present, value),
        None => changes(kind),
    };
    let moved = resize.to.iter().filter(|(kind, value)| moves(*kind, *value));
    let kinds = moved.map(|(kind, _)| kind).chain(touched);
    let moved = kinds.map(|kind| NewLimit { kind, value: replica.limits.of(kind) });
    let mut limits: Vec<NewLimit> = known.map(|it| it.limits.clone()).unwrap_or_default();
    for limit in moved {
        if limits.iter().all(|it| it.kind != limit.kind) {
            limits.push(limit);
        }
    }
    Before { limits, restarts: replica.restarts, unhealthy: replica.health == Health::Unhealthy }
}

/// Sets the limits of a change.
pub(super) fn apply(
    parts: &Parts,
    policy: &mut Policy,
    bound: &Bound,
    intended: &Intended<'_>,
    change: &LimitChange,
) {
    let new = |before: &Before| {
        let value = |kind| change.to.get(kind).map(|it| NewLimit { kind, value: Some(it) });
        before.limits.iter().filter_map(|it| value(it.kind)).collect()
    };
    resize(parts, policy, bound, intended, Kind::Resize, wanted(change, new));
}

/// Brings the limits from before a change back.
fn undo(parts: &Parts, policy: &mut Policy, bound: &Bound, intent: &Intent, now: Timestamp) {
    let Some(change) = intent.limits.as_deref() else { return };
    let intended = Intended { intent, before: Marks::of(&policy.durable.memory), at: now };
    resize(parts, policy, bound, &intended, Kind::Undo, wanted(change, |before| before.limits.clone()));
}

fn wanted(
    change: &LimitChange,
    limits: impl Fn(&Before) -> Vec<NewLimit>,
) -> BTreeMap<ReplicaId, Vec<NewLimit>> {
    change.replicas.iter().map(|(id, before)| (id.clone(), limits(before))).collect()
}

fn resize(
    parts: &Parts,
    policy: &mut Policy,
    bound: &Bound,
    intended: &Intended<'_>,
    kind: Kind,
    replicas: BTreeMap<ReplicaId, Vec<NewLimit>>,
) {
    let Some(SizingSpec { apply, persistent, .. }) = bound.spec.sizing else { return };
    let lasts = if persistent { Lasts::Forever } else { Lasts::UntilReboot };
    let (actuator, resizing) = (Arc::clone(&bound.actuator), Resizing { replicas, apply, lasts });
    let job = async move { actuator.resize(&resizing).await };
    act::start(parts, policy, intended, kind, job.boxed());
}

/// The limits are set. They have to prove themselves, or, where they were brought back, that was it.
pub fn succeeded(parts: &Parts, policy: &mut Policy, ended: &Running, now: Timestamp) {
    let Some(change) = change_of(policy, &ended.change) else { return };
    if ended.kind == Kind::Resize {
        change.stage = LimitStage::Verifying(now);
        return;
    }
    let limits = change.from;
    let undone = Undone::Limits(brought_back(change));
    policy.durable.memory.settle(&ended.change);
    policy.durable.memory.take_back_resize(&limits);
    let (policy, change) = (policy.key().clone(), ended.change.clone());
    parts.events.emit(&Event::RolledBack { policy, change, undone });
}

/// The limits from before a change; none of a kind that some replica had none of.
fn brought_back(change: &LimitChange) -> Vec<NewLimit> {
    let of_replicas = || change.replicas.values().flat_map(|it| &it.limits);
    let is_none = |kind| of_replicas().any(|it| it.kind == kind && it.value.is_none());
    let each = change.from.iter();
    each.map(|(kind, value)| NewLimit { kind, value: Some(value).filter(|_| !is_none(kind)) }).collect()
}

/// The limits could not be set. What the actuator refused has changed nothing and is no failure; after anything else,
/// the limits from before come back.
pub fn failed(parts: &Parts, policy: &mut Policy, ended: &Running, error: &ActuatorError, now: Timestamp) {
    let Some(from) = change_of(policy, &ended.change).map(|it| it.from) else { return };
    let message = chain(error);
    let obstacle = Obstacle { reason: error.reason(), message: message.clone() };
    if ended.kind == Kind::Undo {
        policy.retry_at = Some(now.plus(UNDO_AGAIN));
        if policy.obstacle.as_ref() != Some(&obstacle) {
            tracing::error!(error = message, "limits could not be brought back; docktor goes on trying");
        }
        policy.obstacle = Some(obstacle);
        return;
    }
    if matches!(error, ActuatorError::Unreachable { .. }) {
        // Whether it was done is seen once the target is.
        policy.obstacle = Some(obstacle);
        return act::postpone(parts, policy, now);
    }
    ended.before.restore(&mut policy.durable.memory);
    match error {
        ActuatorError::Refused(it) => {
            policy.durable.memory.settle(&ended.change);
            policy.durable.memory.take_back_resize(&from);
            if it.reason == Reason::LimitInUse {
                put_off(policy, message, now);
            } else {
                policy.obstacle = Some(obstacle);
                act::postpone(parts, policy, now);
            }
        }
        _ => {
            policy.obstacle = Some(obstacle);
            give_up(parts, policy, &ended.change, message, ended.started, now);
        }
    }
}

/// Growing stays possible meanwhile.
fn put_off(policy: &mut Policy, message: String, now: Timestamp) {
    let Binding::Bound(bound) = &policy.binding else { return };
    let until = now.plus(bound.spec.scale_down.cooldown.max(SHRINK_AGAIN));
    tracing::info!(policy = %policy.key(), %until, why = message, "limits do not shrink yet");
    policy.durable.memory.put_off_shrinking(until);
}

/// A change did harm, or could not be made: it counts as a failure, and is undone.
fn give_up(
    parts: &Parts,
    policy: &mut Policy,
    id: &ChangeId,
    error: String,
    began: Timestamp,
    now: Timestamp,
) {
    let memory = &mut policy.durable.memory;
    memory.record_limits_failure(error.clone(), now);
    if let Some(change) = change_of(policy, id) {
        change.stage = LimitStage::Undoing;
    }
    parts.events.emit(&Event::ActionFailed {
        policy: policy.key().clone(),
        change: id.clone(),
        actuator: act::actuator(policy),
        error,
        took: now.since(began),
    });
}

/// Looks whether the change that is open was made and does good, and undoes one that does not. Nothing is touched while `STOP` is
/// there; the old limits come back in every mode but those without side effects.
pub fn follow_up(parts: &Parts, policy: &mut Policy, bound: &Bound, snapshot: &Snapshot, now: Timestamp) {
    if bound.spec.sizing.is_none() {
        // A newer text moves none: what was begun is left as it is.
        return policy.durable.memory.intents.retain(|it| it.limits.is_none());
    }
    resolve(parts, policy, snapshot, now);
    judge(parts, policy, bound, snapshot, now);
    let may_act = policy.mode().acts();
    let waits = policy.retry_at.is_some_and(|at| at > now);
    if !may_act || waits || parts.stop.look().forbids_action() {
        return;
    }
    let undoing = |it: &&Intent| it.limits.as_ref().is_some_and(|it| it.stage == LimitStage::Undoing);
    let Some(intent) = policy.durable.memory.intents.iter().find(undoing).cloned() else { return };
    if bound.spec.safety.on_failure == OnFailure::Keep {
        return policy.durable.memory.settle(&intent.id);
    }
    if policy.running.iter().all(|it| it.change != intent.id) {
        undo(parts, policy, bound, &intent, now);
    }
}

fn judge(parts: &Parts, policy: &mut Policy, bound: &Bound, snapshot: &Snapshot, now: Timestamp) {
    let Some((id, at, since, found)) = policy.durable.memory.intents.iter().find_map(|it| {
        let change = it.limits.as_deref()?;
        let LimitStage::Verifying(since) = change.stage else { return None };
        Some((it.id.clone(), it.at, since, verdict(change, since, bound.spec.safety.verify, snapshot, now)))
    }) else {
        return;
    };
    match found {
        Verdict::Pending(_) => {}
        Verdict::Failed(harm) => {
            let error = format!("{harm} {} after its limits were changed", now.since(since));
            give_up(parts, policy, &id, error, at, now);
        }
        Verdict::Sound => {
            let limits = change_of(policy, &id).map(|it| it.to).unwrap_or_default();
            let memory = &mut policy.durable.memory;
            memory.settle(&id);
            if memory.failed.stopped_at.is_none() {
                memory.failed = Default::default();
            }
            parts.events.emit(&Event::ActionDone {
                policy: policy.key().clone(),
                change: id,
                actuator: act::actuator(policy),
                reached: Level::Limits(Box::new(limits)),
                took: now.since(at),
            });
        }
    }
}

/// When to look again whether the open change is sound.
#[must_use]
pub fn next_look(policy: &Policy) -> Option<Timestamp> {
    let Binding::Bound(bound) = &policy.binding else { return None };
    match policy.durable.memory.limit_change()?.stage {
        LimitStage::Verifying(since) => Some(since.plus(bound.spec.safety.verify)),
        LimitStage::Applying | LimitStage::Undoing => None,
    }
}

/// Finds out what became of a change of which nobody told the end: the process that made it was killed, or the manager
/// did not answer. What is set has to prove itself, and what is set in part is undone; where nothing is set, nothing
/// was done.
fn resolve(parts: &Parts, policy: &mut Policy, snapshot: &Snapshot, now: Timestamp) {
    let applying = |it: &&Intent| it.limits.as_ref().is_some_and(|it| it.stage == LimitStage::Applying);
    let Some(intent) = policy.durable.memory.intents.iter().find(applying).cloned() else { return };
    if policy.running.iter().any(|it| it.change == intent.id) {
        return;
    }
    let Some(change) = intent.limits else { return };
    match found(&change, snapshot) {
        Found::Set => {
            if let Some(change) = change_of(policy, &intent.id) {
                change.stage = LimitStage::Verifying(now);
            }
        }
        Found::Unset => {
            policy.durable.memory.settle(&intent.id);
            policy.durable.memory.take_back_resize(&change.from);
        }
        Found::InPart => {
            let error = "limits were set in part, and nobody told why".to_owned();
            give_up(parts, policy, &intent.id, error, intent.at, now);
        }
    }
}

/// How much of a change is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// All of it.
    Set,
    /// Nothing.
    Unset,
    /// Some of it.
    InPart,
}

fn found(change: &LimitChange, snapshot: &Snapshot) -> Found {
    let looked_at = snapshot.replicas.iter().filter_map(|it| Some((it, change.replicas.get(&it.id)?)));
    let (mut set, mut all, mut touched) = (0, 0, 0);
    for (replica, before) in looked_at {
        for limit in &before.limits {
            let is = replica.limits.of(limit.kind);
            match change.to.get(limit.kind) {
                Some(wanted) => {
                    set += usize::from(is.is_some_and(|it| !differs(wanted, it)));
                    all += 1;
                }
                None => touched += usize::from(!is_same(is, limit.value)),
            }
        }
    }
    match set {
        0 if touched == 0 => Found::Unset,
        set if set == all && touched == 0 => Found::Set,
        _ => Found::InPart,
    }
}

fn is_same(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => !differs(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn change_of<'a>(policy: &'a mut Policy, id: &ChangeId) -> Option<&'a mut LimitChange> {
    policy.durable.memory.intents.iter_mut().find(|it| it.id == *id)?.limits.as_deref_mut()
}
