//! From a decision to a change that is under way: the intent to disk, then the start. Never waits it out: how
//! an action ended is collected by the pass that its end wakes.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::Wake;
use super::backoff;
use super::bind::Bound;
use super::limits;
use super::reconcile::Parts;
use super::state::Policy;
use crate::actuators::{Actuator, ActuatorError, Afterwards, Obstacle};
use crate::api::condition::Reason;
use crate::model::change::{ChangeId, Intent};
use crate::model::decision::Decision;
use crate::model::memory::{Memory, Trust};
use crate::model::observation::{Replica, ReplicaId, ReplicaPhase, Snapshot};
use crate::telemetry::chain;
use crate::telemetry::event::{Event, Level, Moved, Undone};
use crate::units::{Duration, Timestamp};

/// What a former process left open is taken up only when the target has not changed for this long.
const QUIET: Duration = Duration::from_secs(3);
/// No request to an engine is answered later than this, so nothing can still come of an older change.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);

/// An action that runs, or ended and was not collected yet.
pub struct Running {
    pub(super) change: ChangeId,
    pub(super) kind: Kind,
    pub(super) started: Timestamp,
    /// Cooldowns as they were before it, as a failed action starts none.
    pub(super) before: Marks,
    outcome: oneshot::Receiver<Result<(), ActuatorError>>,
    abort: AbortHandle,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Makes replicas.
    Grow,
    /// Stops replicas.
    Retire,
    /// Removes new replicas that failed.
    Rollback,
    /// Sets limits.
    Resize,
    /// Brings limits back.
    Undo,
}

/// What a change sets in motion, to be taken back when it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    last_up: Option<Timestamp>,
    last_action: Option<Timestamp>,
}

impl Marks {
    pub(super) fn of(memory: &Memory) -> Self {
        Self { last_up: memory.last_up, last_action: memory.last_action }
    }

    pub(super) fn restore(self, memory: &mut Memory) {
        memory.last_up = self.last_up;
        memory.last_action = self.last_action;
    }
}

/// A change whose intent is on disk, about to be carried out.
pub(super) struct Intended<'a> {
    pub(super) intent: &'a Intent,
    /// Cooldowns as they were before it.
    pub(super) before: Marks,
    pub(super) at: Timestamp,
}

impl Running {
    /// Does it still make replicas?
    #[must_use]
    pub fn is_growing(&self) -> bool {
        self.kind == Kind::Grow
    }

    /// Stops making replicas; what is half made is swept later.
    pub fn abort_growth(&self) {
        if self.is_growing() {
            self.abort.abort();
        }
    }
}

/// Takes the actions that ended out of those that run. To be called before the target is looked at: what ends
/// during the look may not show in it.
pub fn note_ended(policy: &mut Policy) {
    for mut action in std::mem::take(&mut policy.running) {
        match action.outcome.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => policy.running.push(action),
            Ok(outcome) => policy.ended.push((action, outcome)),
            // Aborted by STOP: neither done nor failed; the open intent is taken up again.
            Err(oneshot::error::TryRecvError::Closed) => policy.recovered = false,
        }
    }
}

/// Accounts for actions that ended before the target was looked at. A failed one starts no cooldown, and counts.
pub fn collect(parts: &Parts, policy: &mut Policy, snapshot: &Snapshot, now: Timestamp) {
    for (action, outcome) in std::mem::take(&mut policy.ended) {
        match outcome {
            Ok(()) => succeeded(parts, policy, &action, snapshot, now),
            Err(error) => failed(parts, policy, &action, &error, snapshot, now),
        }
    }
    close_verified(parts, policy, snapshot, now);
}

fn succeeded(parts: &Parts, policy: &mut Policy, ended: &Running, snapshot: &Snapshot, now: Timestamp) {
    policy.failures = 0;
    policy.retry_at = None;
    policy.obstacle = None;
    let intents = &policy.durable.memory.intents;
    let removed = intents.iter().find(|it| it.id == ended.change).map_or(0, |it| it.retire.len());
    let (key, change) = (policy.key().clone(), ended.change.clone());
    match ended.kind {
        // Done only once its replicas are verified.
        Kind::Grow => return,
        Kind::Resize | Kind::Undo => return limits::succeeded(parts, policy, ended, now),
        Kind::Rollback => {
            let undone = Undone::Replicas(u32::try_from(removed).unwrap_or(u32::MAX));
            parts.events.emit(&Event::RolledBack { policy: key, change, undone });
        }
        Kind::Retire => parts.events.emit(&Event::ActionDone {
            policy: key,
            change,
            actuator: actuator(policy),
            reached: Level::Replicas(snapshot.current()),
            took: now.since(ended.started),
        }),
    }
    policy.durable.memory.settle(&ended.change);
}

fn failed(
    parts: &Parts,
    policy: &mut Policy,
    ended: &Running,
    error: &ActuatorError,
    snapshot: &Snapshot,
    now: Timestamp,
) {
    if matches!(ended.kind, Kind::Resize | Kind::Undo) {
        return limits::failed(parts, policy, ended, error, now);
    }
    let memory = &mut policy.durable.memory;
    memory.settle(&ended.change);
    ended.before.restore(memory);
    memory.record_failure(snapshot.current(), now);
    postpone(parts, policy, now);
    let message = chain(error);
    policy.obstacle = Some(Obstacle { reason: error.reason(), message: message.clone() });
    parts.events.emit(&Event::ActionFailed {
        policy: policy.key().clone(),
        change: ended.change.clone(),
        actuator: actuator(policy),
        error: message,
        took: now.since(ended.started),
    });
}

/// No other attempt for a while, the longer the more have failed in a row.
pub(super) fn postpone(parts: &Parts, policy: &mut Policy, now: Timestamp) {
    policy.failures = policy.failures.saturating_add(1);
    let wait = backoff::delay(policy.failures, parts.jitter());
    policy.retry_at = Some(now.plus(Duration::from_millis(wait.as_millis() as u64)));
}

/// A scale-up is done once none of its replicas has to be verified any more.
fn close_verified(parts: &Parts, policy: &mut Policy, snapshot: &Snapshot, now: Timestamp) {
    if !policy.recovered {
        return;
    }
    let growing: Vec<_> = policy.running.iter().map(|it| it.change.clone()).collect();
    let lives = &policy.durable.memory.replicas;
    let open = |id: &ChangeId| {
        growing.contains(id)
            || snapshot.replicas.iter().filter(|it| it.change.as_ref() == Some(id) && it.counts()).any(|it| {
                lives.get(&it.id).is_none_or(|life| matches!(life.trust, Trust::Pending | Trust::Verifying))
            })
    };
    let intents = &policy.durable.memory.intents;
    let done: Vec<Intent> = intents.iter().filter(|it| it.grows() && !open(&it.id)).cloned().collect();
    for intent in done {
        policy.durable.memory.settle(&intent.id);
        parts.events.emit(&Event::ActionDone {
            policy: policy.key().clone(),
            change: intent.id,
            actuator: actuator(policy),
            reached: Level::Replicas(snapshot.current()),
            took: now.since(intent.at),
        });
    }
}

/// Takes up what a former process left open: leftovers go, replicas that were still to come are made, and
/// those that were to go are stopped.
pub async fn recover(parts: &Parts, policy: &mut Policy, bound: &Bound, snapshot: &Snapshot, now: Timestamp) {
    if policy.durable.memory.intents.iter().all(|it| it.limits.is_some()) {
        policy.recovered = true;
        return;
    }
    if !is_quiet(policy, snapshot, now) || !sweep(policy, bound).await {
        return;
    }
    policy.recovered = true;
    let mut current = snapshot.current();
    for intent in policy.durable.memory.intents.clone() {
        if intent.limits.is_some() || policy.running.iter().any(|it| it.change == intent.id) {
            continue;
        }
        let intended = Intended { intent: &intent, before: Marks::of(&policy.durable.memory), at: now };
        if intent.retire.is_empty() {
            let missing = missing(&intent, snapshot);
            let wanted = missing.min(bound.spec.bounds.max().saturating_sub(current));
            current += wanted;
            if wanted < missing {
                // The rest is no longer wanted; that it is not there is nobody else's doing.
                policy.durable.memory.desired = Some(current);
            }
            if wanted > 0 {
                grow(parts, policy, bound, &intended, wanted);
            }
        } else {
            retire(parts, policy, bound, &intended, Kind::Retire);
        }
    }
}

/// Has the target not changed for a while? An engine finishes what a killed process asked of it last, and what
/// is not there yet must not be made twice.
fn is_quiet(policy: &mut Policy, snapshot: &Snapshot, now: Timestamp) -> bool {
    if policy.durable.memory.intents.iter().all(|it| now.since(it.at) >= LONGEST_REQUEST) {
        return true;
    }
    let mut replicas: Vec<_> = snapshot.replicas.iter().map(|it| (it.id.clone(), it.phase)).collect();
    replicas.sort_by(|one, other| one.0.cmp(&other.0));
    match &policy.stillness {
        Some((since, seen)) if *seen == replicas => now.since(*since) >= QUIET,
        _ => {
            policy.stillness = Some((now, replicas));
            false
        }
    }
}

/// When to look again whether the target is quiet; none where nothing waits for that.
#[must_use]
pub fn next_look(policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let waits = !policy.recovered && !policy.durable.memory.intents.is_empty();
    waits.then(|| policy.stillness.as_ref().map_or(now, |(since, _)| since.plus(QUIET)))
}

/// How many replicas of a change were not made yet; what was made and never started does not count.
fn missing(intent: &Intent, snapshot: &Snapshot) -> u32 {
    let of_it = |it: &&Replica| it.change.as_ref() == Some(&intent.id) && it.phase != ReplicaPhase::Stopped;
    let made = u32::try_from(snapshot.replicas.iter().filter(of_it).count()).unwrap_or(u32::MAX);
    intent.to.saturating_sub(intent.from).saturating_sub(made)
}

/// Are there replicas that an interrupted or failed change made and never started? An engine may still finish
/// what it was asked for by a process that was killed since, or before it was stopped itself.
#[must_use]
pub fn has_leftovers(policy: &Policy, snapshot: &Snapshot) -> bool {
    let retiring = policy.retiring();
    let rests = |it: &Replica| it.phase == ReplicaPhase::Stopped && !retiring.contains(&it.id);
    snapshot.replicas.iter().any(|it| it.change.is_some() && rests(it))
}

/// Removes leftovers; where that fails, it is told, and tried again by a later pass.
pub async fn sweep(policy: &mut Policy, bound: &Bound) -> bool {
    match bound.actuator.sweep().await {
        Ok(_) => true,
        Err(error) => {
            policy.obstacle = Some(Obstacle { reason: error.reason(), message: chain(&error) });
            false
        }
    }
}

/// Starts what was decided. `Err` says why nothing was started.
pub async fn begin(
    parts: &Parts,
    policy: &mut Policy,
    bound: &Bound,
    decision: &Decision,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<(), Obstacle> {
    if parts.stop.look().forbids_action() {
        return Ok(());
    }
    let before = policy.durable.clone();
    let mut intents = Vec::new();
    if !decision.rollback.is_empty() {
        intents.push(rollback_intent(decision, parts.change_id(policy.key(), now)));
    }
    if decision.act && decision.action != crate::api::status::Action::None {
        let id = parts.change_id(policy.key(), now);
        if let Some(resize) = decision.resize.as_deref().filter(|it| it.changes()) {
            intents.push(limits::intent(decision, resize, policy, snapshot, id));
            let memory = &mut policy.durable.memory;
            memory.intents.retain(|it| it.limits.is_none());
            memory.record_resize(&resize.from, &resize.to, decision.purpose, now);
        } else {
            intents.push(decision.intent(id));
            policy.durable.memory.record_change(decision.from, decision.desired, decision.purpose, now);
        }
    }
    for intent in &intents {
        policy.durable.kept = intent.kept().cloned();
        policy.durable.memory.intend(intent.clone());
    }
    if let Err(error) = parts.save(policy, None).await {
        policy.durable = before;
        let message = format!("nothing is done, as it could not be written down first: {error}");
        return Err(Obstacle { reason: Reason::ActionFailed, message });
    }
    for intent in &intents {
        let intended = Intended { intent, before: Marks::of(&before.memory), at: now };
        let moved = match &decision.resize {
            Some(resize) if intent.limits.is_some() => Moved::Limits(resize.clone()),
            _ => Moved::Replicas { from: intent.from, to: intent.to },
        };
        let (key, change) = (policy.key().clone(), intent.id.clone());
        parts.events.emit(&Event::ActionStarted { policy: key, change, moved });
        if let Some(change) = &intent.limits {
            limits::apply(parts, policy, bound, &intended, change);
        } else if intent.retire.is_empty() {
            grow(parts, policy, bound, &intended, decision.grow_by());
        } else {
            let rollback = intent.retire == decision.rollback;
            let kind = if rollback { Kind::Rollback } else { Kind::Retire };
            retire(parts, policy, bound, &intended, kind);
        }
    }
    Ok(())
}

fn rollback_intent(decision: &Decision, id: ChangeId) -> Intent {
    let gone = u32::try_from(decision.rollback.len()).unwrap_or(u32::MAX);
    Intent {
        id,
        at: decision.at,
        from: decision.current,
        to: decision.current.saturating_sub(gone).max(1),
        retire: decision.rollback.clone(),
        reason: "new replicas failed".to_owned(),
        approval: None,
        limits: None,
    }
}

fn grow(parts: &Parts, policy: &mut Policy, bound: &Bound, intended: &Intended<'_>, count: u32) {
    let (actuator, growth) = (Arc::clone(&bound.actuator), Arc::clone(&parts.growth));
    let (key, change) = (policy.key().clone(), intended.intent.id.clone());
    let job = async move {
        // The semaphore is never closed.
        let _turn = growth.acquire().await;
        actuator.grow(&key, &change, count).await.map(drop)
    };
    start(parts, policy, intended, Kind::Grow, job.boxed());
}

fn retire(parts: &Parts, policy: &mut Policy, bound: &Bound, intended: &Intended<'_>, kind: Kind) {
    let Intent { retire, .. } = intended.intent;
    let job = stop_all(Arc::clone(&bound.actuator), retire.clone(), intended.intent.kept().cloned());
    start(parts, policy, intended, kind, job.boxed());
}

async fn stop_all(
    actuator: Arc<dyn Actuator>,
    mut replicas: Vec<ReplicaId>,
    kept: Option<ReplicaId>,
) -> Result<(), ActuatorError> {
    replicas.retain(|it| Some(it) != kept.as_ref());
    if !replicas.is_empty() {
        actuator.retire(&replicas, Afterwards::Remove).await?;
    }
    match kept {
        Some(kept) => actuator.retire(&[kept], Afterwards::Keep).await,
        None => Ok(()),
    }
}

pub(super) fn start(
    parts: &Parts,
    policy: &mut Policy,
    intended: &Intended<'_>,
    kind: Kind,
    job: BoxFuture<'static, Result<(), ActuatorError>>,
) {
    let (tell, outcome) = oneshot::channel();
    let (wakes, key) = (parts.wakes.clone(), policy.key().clone());
    let task = tokio::spawn(async move {
        // Nobody listens any more when the policy is gone; the action runs to its end all the same.
        let _ = tell.send(job.await);
        let _ = wakes.send(Wake::Policy(key)).await;
    });
    policy.running.push(Running {
        change: intended.intent.id.clone(),
        kind,
        started: intended.at,
        before: intended.before,
        outcome,
        abort: task.abort_handle(),
    });
}

pub(super) fn actuator(policy: &Policy) -> &'static str {
    policy.entry.policy.as_ref().and_then(|it| it.spec.target.as_ref()).map_or("none", |it| it.kind())
}
