//! Verify: the life of each replica. One that docktor made must become ready, and then stay healthy for
//! `safety.verify`. One that does not has failed: it is rolled back, and too many in a row stop docktor.

use std::collections::HashSet;

use super::observe::{age, is_ready};
use crate::api::behavior::OnFailure;
use crate::api::effective::{SafetySpec, Spec};
use crate::model::memory::{Failures, Life, Memory, Trust};
use crate::model::observation::{Health, Replica, ReplicaId, ReplicaPhase, Snapshot};
use crate::units::{Duration, Timestamp};

/// A new replica must be ready within this time, on top of `readinessDelay`.
pub const READY_WITHIN: Duration = Duration::from_secs(600);
/// A new replica that restarts this often restarts in a loop.
pub const MAX_RESTARTS: u32 = 3;

/// What became of the replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Followed {
    /// Replicas able to work.
    pub ready: u32,
    /// New ones that failed and are to be removed.
    pub rollback: Vec<ReplicaId>,
    /// How many of these still count into `current`.
    pub rollback_counting: u32,
    /// One is starting or under verification.
    pub unfinished: bool,
    /// When the next of them changes its state by time alone.
    pub next: Option<Timestamp>,
}

/// Follows every replica of the snapshot, and counts failures.
pub fn follow(spec: &Spec, memory: &mut Memory, snapshot: &Snapshot, now: Timestamp) -> Followed {
    try_again(spec.safety, &mut memory.failed, now);
    let mut result = Followed::default();
    if snapshot.replicas.is_empty() {
        memory.replicas.clear();
        result.ready = snapshot.current();
        return result;
    }
    for replica in &snapshot.replicas {
        let ready = is_ready(replica, spec.readiness_delay, now);
        result.ready += u32::from(ready);
        let Some(life) = memory.life(&replica.id, || begin(replica, now)) else { continue };
        let before = life.trust;
        let next = step(life, replica, ready, spec, now);
        let trust = life.trust;
        result.unfinished |= is_unfinished(replica, life, ready, spec, now);
        result.next = earlier(result.next, next.filter(|it| *it > now));
        if trust != before {
            count(spec.safety, memory, replica, trust, now);
        }
        if trust == Trust::Failed && spec.safety.on_failure == OnFailure::Rollback {
            result.rollback.push(replica.id.clone());
            result.rollback_counting += u32::from(replica.counts());
        }
    }
    forget_gone(memory, snapshot);
    give_up(spec.safety, &mut memory.failed);
    result
}

/// Is it starting or under verification?
fn is_unfinished(replica: &Replica, life: &Life, ready: bool, spec: &Spec, now: Timestamp) -> bool {
    let young = now.since(life.first_seen) < deadline(spec);
    let starting = !ready && replica.health != Health::Unhealthy && young;
    replica.counts()
        && life.trust != Trust::Failed
        && (starting || matches!(life.trust, Trust::Pending | Trust::Verifying))
}

/// Replicas that are starting or under verification, and when the last of them is done, where that is known.
/// `memory` has followed the snapshot.
pub(super) fn unfinished(
    spec: &Spec,
    memory: &Memory,
    snapshot: &Snapshot,
    now: Timestamp,
) -> (u32, Option<Timestamp>) {
    let (mut count, mut until, mut known) = (0, None, true);
    for replica in &snapshot.replicas {
        let ready = is_ready(replica, spec.readiness_delay, now);
        let life = memory.replicas.get(&replica.id);
        let Some(life) = life.filter(|it| is_unfinished(replica, it, ready, spec, now)) else { continue };
        let done = life.ready_since.map(|since| since.plus(spec.safety.verify)).filter(|at| *at > now);
        count += 1;
        known &= done.is_some();
        until = until.max(done);
    }
    (count, until.filter(|_| known))
}

/// The earlier of two moments that may not be there.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn begin(replica: &Replica, now: Timestamp) -> Life {
    let trust = if replica.change.is_some() { Trust::Pending } else { Trust::NotOurs };
    // One that is healthy at first sight has been so for longer than docktor looks.
    let ready_since = (replica.health == Health::Healthy).then(|| replica.started_at.unwrap_or(now).min(now));
    Life {
        first_seen: now,
        started_at: replica.started_at,
        restarts: 0,
        ready_since,
        was_ready: false,
        trust,
    }
}

/// Moves one life on; gives the moment at which time alone moves it further.
fn step(life: &mut Life, replica: &Replica, ready: bool, spec: &Spec, now: Timestamp) -> Option<Timestamp> {
    if replica.started_at.is_some() && replica.started_at != life.started_at {
        life.restarts = life.restarts.saturating_add(u32::from(life.started_at.is_some()));
        life.started_at = replica.started_at;
        life.ready_since = None;
        life.was_ready = false;
    }
    if ready {
        life.was_ready |= age(replica, now).is_none_or(|age| age >= spec.readiness_delay);
        let since = match (replica.health, replica.started_at) {
            (Health::NoCheck, Some(start)) => start.plus(spec.readiness_delay).min(now),
            _ => now,
        };
        life.ready_since.get_or_insert(since);
    } else {
        life.ready_since = None;
    }
    let of_interest = matches!(life.trust, Trust::Pending | Trust::Verifying);
    if !of_interest || matches!(replica.phase, ReplicaPhase::Draining | ReplicaPhase::Stopped) {
        return None;
    }
    if replica.phase == ReplicaPhase::Failed
        || replica.health == Health::Unhealthy
        || life.restarts >= MAX_RESTARTS
    {
        life.trust = Trust::Failed;
        return None;
    }
    match life.ready_since {
        Some(since) if now.since(since) >= spec.safety.verify => {
            life.trust = Trust::Verified;
            None
        }
        Some(since) => {
            life.trust = Trust::Verifying;
            Some(since.plus(spec.safety.verify))
        }
        None if now.since(life.first_seen) >= deadline(spec) => {
            life.trust = Trust::Failed;
            None
        }
        None => {
            life.trust = Trust::Pending;
            let ready_at = replica.started_at.map(|start| start.plus(spec.readiness_delay));
            let ready_at = ready_at.filter(|at| replica.health == Health::NoCheck && *at > now);
            earlier(ready_at, Some(life.first_seen.plus(deadline(spec))))
        }
    }
}

fn deadline(spec: &Spec) -> Duration {
    Duration::from_millis(
        (READY_WITHIN.as_millis().saturating_add(spec.readiness_delay.as_millis())).unsigned_abs(),
    )
}

/// Several replicas of one change that fail count once; a replica that is verified ends the row, unless
/// its own change failed.
fn count(safety: SafetySpec, memory: &mut Memory, replica: &Replica, trust: Trust, now: Timestamp) {
    let same_change = memory.failed.change.is_some() && memory.failed.change == replica.change;
    match trust {
        Trust::Failed => {
            if !same_change {
                memory.failed.in_a_row = memory.failed.in_a_row.saturating_add(1);
                memory.failed.change = replica.change.clone();
                memory.failed.last = Some(now);
            }
            if safety.on_failure == OnFailure::Rollback {
                // What docktor itself takes back is no drift.
                memory.desired = memory.desired.map(|it| it.saturating_sub(1));
            }
        }
        Trust::Verified if !same_change => memory.failed = Failures::default(),
        _ => {}
    }
}

fn give_up(safety: SafetySpec, failed: &mut Failures) {
    if failed.in_a_row >= safety.max_failures && failed.stopped_at.is_none() {
        failed.stopped_at = failed.last;
    }
}

/// After `retryAfter` one more attempt is free; if it fails too, docktor stops again.
fn try_again(safety: SafetySpec, failed: &mut Failures, now: Timestamp) {
    let over = |at: Timestamp| !safety.retry_after.is_zero() && now.since(at) >= safety.retry_after;
    if failed.stopped_at.is_some_and(over) {
        *failed = Failures { in_a_row: safety.max_failures.saturating_sub(1), ..Failures::default() };
    }
}

fn forget_gone(memory: &mut Memory, snapshot: &Snapshot) {
    if memory.replicas.len() > snapshot.replicas.len()
        || snapshot.replicas.iter().any(|it| !memory.replicas.contains_key(&it.id))
    {
        let there: HashSet<&ReplicaId> = snapshot.replicas.iter().map(|it| &it.id).collect();
        memory.replicas.retain(|id, _| there.contains(id));
    }
}
