//! One pass over one policy. Reads the world afresh; never told what changed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tracing::Instrument;

use super::act;
use super::approve;
use super::bind::{Actuators, Binding, Bound};
use super::forecast::Forecasts;
use super::limits;
use super::observe::{self, Usage};
use super::record::{self, Pass};
use super::state::{Durable, Policy};
use super::{Wake, backoff};
use crate::actuators::{Observed, Obstacle};
use crate::admin::Admin;
use crate::api::policy::Mode;
use crate::api::status::{Action, Status};
use crate::clock::Clock;
use crate::decide::{Constraints, decide};
use crate::history::Recorder;
use crate::model::change::ChangeId;
use crate::model::decision::Decision;
use crate::model::key::PolicyKey;
use crate::model::observation::Snapshot;
use crate::store::StopFile;
use crate::store::memory::MemoryStore;
use crate::store::sidecar::Sidecars;
use crate::telemetry::chain;
use crate::telemetry::event::{Event, Events};
use crate::telemetry::metrics::Metrics;
use crate::units::{Duration, Timestamp};

/// Evaluations that lie further apart than this many intervals are not in a row: nobody knows what was in between.
const LONGEST_GAP: i64 = 3;

/// What all passes share.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// What moves targets.
    pub actuators: Box<Actuators>,
    /// What samples replicas.
    pub usage: Arc<dyn Usage>,
    /// What is on disk of each policy.
    pub memories: Arc<MemoryStore<Durable>>,
    /// Status files.
    pub sidecars: Arc<Sidecars>,
    /// The file that stops every action.
    pub stop: StopFile,
    /// Takes what passes leave to the past.
    pub history: Recorder,
    /// What screens see.
    pub admin: Admin,
    /// Log, metrics and event list.
    pub events: Arc<Events>,
    /// Prometheus families.
    pub metrics: Arc<Metrics>,
    /// Lets so many changes make replicas at the same time.
    pub growth: Arc<Semaphore>,
    /// How the end of an action wakes its policy.
    pub wakes: mpsc::Sender<Wake>,
    /// What forecasts share.
    pub forecasts: Forecasts,
    /// Makes ids of changes unique within a millisecond.
    pub changes: AtomicU64,
}

impl Parts {
    /// One pass over one policy; gives when the next is due. `None`: not before its text changes.
    pub async fn reconcile(&self, policy: &mut Policy) -> Option<Instant> {
        let span = tracing::info_span!("pass", policy = %policy.key(), generation = policy.entry.generation);
        let started = Instant::now();
        let next = self.pass(policy).instrument(span).await;
        self.metrics.reconcile_took(started.elapsed());
        next.map(|at| Instant::now() + at.since(self.clock.now()).get())
    }

    async fn pass(&self, policy: &mut Policy) -> Option<Timestamp> {
        let bound = match &policy.binding {
            Binding::Bound(bound) if policy.mode() != Mode::Disabled => bound.clone(),
            _ => {
                self.usage.forget(policy.key());
                // Nobody minds the count meanwhile; it is found anew.
                policy.durable.memory.desired = None;
                policy.durable.memory.approvals.end();
                record::idle(self, policy).await;
                return None;
            }
        };
        let evaluation = self.is_evaluation(policy, &bound);
        let retiring = policy.retiring();
        let failed = policy.obstacle.clone();
        policy.evaluated |= evaluation;
        act::note_ended(policy);
        let looked = observe::look(&bound.spec.target, &*bound.actuator, &retiring).await;
        let now = self.clock.now();

        let (snapshot, constraints) = match looked {
            Ok(mut seen) => {
                policy.failed_looks = 0;
                let replicas = std::mem::take(&mut seen.replicas);
                let mut snapshot =
                    observe::snapshot(&*self.usage, policy.key(), &bound.spec, replicas, evaluation, now);
                if let Some(foresight) = &mut policy.foresight {
                    snapshot.forecast = Some(foresight.look().await);
                }
                act::collect(self, policy, &snapshot, now);
                self.reached(policy, &bound, &snapshot, now).await;
                limits::follow_up(self, policy, &bound, &snapshot, now);
                (snapshot, self.constraints(policy, seen, bound.spec.bounds.max(), now))
            }
            Err(error) => {
                let obstacle = Obstacle { reason: error.reason(), message: chain(&error) };
                policy.failed_looks = policy.failed_looks.saturating_add(1);
                let unreadable = Some(obstacle.reason);
                policy.obstacle = Some(obstacle);
                (Snapshot::default(), Constraints { unreadable, ..Constraints::default() })
            }
        };

        if evaluation {
            policy.durable.memory.interrupt(now, longest_gap(bound.spec.interval));
        }
        let held = policy.durable.memory.hold.is_some();
        let waited = policy.durable.memory.approvals.proposal.clone();
        let decision = decide(&bound.spec, &mut policy.durable.memory, &snapshot, &constraints, now);
        if evaluation && let Some(foresight) = &mut policy.foresight {
            foresight.evaluated(&policy.entry.key, &bound.spec, &decision, &self.forecasts);
        }
        if held && policy.durable.memory.hold.is_none() {
            self.events.emit(&Event::HoldEnded { policy: policy.key().clone() });
        }
        let waits = policy.durable.memory.approvals.proposal.as_ref();
        if let Some(event) = approve::event(policy.key(), waited.as_ref(), waits) {
            self.events.emit(&event);
        }
        let mut acted = false;
        if decision.wants_action() && policy.recovered {
            match act::begin(self, policy, &bound, &decision, &snapshot, now).await {
                Ok(()) => {
                    acted = decision.act && decision.action != Action::None;
                    // Whether limits can be set by now is known once they are.
                    if policy.failures > 0 && decision.resize.as_ref().is_some_and(|it| it.changes()) {
                        policy.obstacle = policy.obstacle.take().or(failed);
                    }
                }
                Err(obstacle) => policy.obstacle = Some(obstacle),
            }
        }
        let pass = Pass { spec: &bound.spec, snapshot: &snapshot, decision: &decision, evaluation, acted };
        let phase = record::decided(self, policy, pass).await;
        record::explained(self, policy, phase, pass, &constraints);
        Some(self.next(policy, &decision, &constraints, now))
    }

    /// The target answered. At first, what a former process left open is taken up.
    async fn reached(&self, policy: &mut Policy, bound: &Bound, snapshot: &Snapshot, now: Timestamp) {
        if policy.retry_at.is_none() {
            policy.failures = 0;
        }
        if policy.running.is_empty() && policy.retry_at.is_none_or(|at| at <= now) {
            policy.obstacle = None;
        }
        if self.stop.look().forbids_action() || !policy.mode().acts() {
            return;
        }
        if !policy.recovered {
            act::recover(self, policy, bound, snapshot, now).await;
        } else if act::has_leftovers(policy, snapshot) {
            act::sweep(policy, bound).await;
        }
    }

    /// A ceiling of the target is an obstacle only where it is below `max`, the most that the policy asks for.
    fn constraints(&self, policy: &mut Policy, seen: Observed, max: u32, now: Timestamp) -> Constraints {
        let stopped = self.stop.look().forbids_action();
        policy.stopped = stopped;
        if stopped {
            policy.running.iter().for_each(act::Running::abort_growth);
        }
        let waiting = policy.retry_at.filter(|at| *at > now).and(policy.obstacle.as_ref());
        let blocked = seen.blocked.as_ref().or(waiting).map(|it| it.reason);
        let too_low = seen.ceiling.as_ref().filter(|it| it.replicas < max);
        if let Some(obstacle) = seen.blocked.as_ref().or(too_low.map(|it| &it.why)) {
            policy.obstacle.get_or_insert_with(|| obstacle.clone());
        }
        policy.remarks = seen.remarks;
        Constraints {
            stopped,
            conflict: false,
            ceiling: seen.ceiling.as_ref().map(|it| it.replicas),
            blocked,
            growing: policy.running.iter().any(act::Running::is_growing)
                || act::next_look(policy, now).is_some(),
            unreadable: None,
        }
    }

    /// Is this pass an evaluation on the policy's interval? A pass woken earlier is not, save for one under pressure,
    /// with which a new interval begins. Two in a row are never early.
    fn is_evaluation(&self, policy: &mut Policy, bound: &Bound) -> bool {
        let (now, interval) = (self.clock.now(), bound.spec.interval);
        let pressed = std::mem::take(&mut policy.pressed);
        match policy.next_evaluation {
            Some(at) if now < at => {
                let early = pressed && policy.evaluated && !policy.was_early;
                if early {
                    policy.was_early = true;
                    policy.next_evaluation = Some(now.plus(interval));
                }
                early
            }
            Some(at) => {
                policy.was_early = false;
                let next = at.plus(interval);
                policy.next_evaluation = Some(if next > now { next } else { now.plus(interval) });
                true
            }
            None => {
                // Nothing is sampled yet; the first evaluation is when a window is full.
                policy.next_evaluation = Some(now.plus(bound.spec.window.max(interval)));
                false
            }
        }
    }

    fn next(
        &self,
        policy: &Policy,
        decision: &Decision,
        constraints: &Constraints,
        now: Timestamp,
    ) -> Timestamp {
        let evaluation = policy.next_evaluation.unwrap_or(now);
        if constraints.unreadable.is_some() {
            let wait = backoff::delay(policy.failed_looks, self.jitter());
            return evaluation.max(now.plus(Duration::from_millis(wait.as_millis() as u64)));
        }
        let retry = policy.retry_at.filter(|at| *at > now);
        let look = act::next_look(policy, now);
        let verified = limits::next_look(policy).filter(|at| *at > now);
        [decision.recheck_at, retry, look, verified].into_iter().flatten().fold(evaluation, Timestamp::min)
    }

    /// Makes what is remembered of a policy durable, then shows `status` in its sidecar, where one is given.
    /// Does not hold up other passes.
    pub async fn save(&self, policy: &mut Policy, status: Option<&Status>) -> io::Result<()> {
        let durable = std::mem::take(&mut policy.durable);
        let (entry, status, now) = (policy.entry.clone(), status.cloned(), self.clock.now());
        let (memories, sidecars) = (Arc::clone(&self.memories), Arc::clone(&self.sidecars));
        let saving = tokio::task::spawn_blocking(move || {
            let outcome = memories.save(&entry.key, &durable);
            if let Some(status) = status {
                sidecars.write(&entry, &status, now);
            }
            (durable, outcome)
        });
        match saving.await {
            Ok((durable, outcome)) => {
                policy.durable = durable;
                outcome.map(drop)
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// A policy that is gone leaves nothing behind but its memory, which waits for one of its name.
    pub fn forget(&self, key: &PolicyKey) {
        self.usage.forget(key);
        self.metrics.forget(key);
        self.admin.remove(key);
        self.sidecars.forget(key);
        self.memories.retire(key, self.clock.now());
        self.events.emit(&Event::PolicyDeleted { policy: key.clone() });
    }

    /// An id that no other change has: policy, moment, and a count within the process.
    #[must_use]
    pub fn change_id(&self, key: &PolicyKey, now: Timestamp) -> ChangeId {
        let count = self.changes.fetch_add(1, Ordering::Relaxed);
        ChangeId::new(&format!("{key}-{:x}-{:x}-{count:x}", now.as_millis(), std::process::id()))
    }

    /// A number drawn evenly from 0 to 1.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        fastrand::f64()
    }
}

fn longest_gap(interval: Duration) -> Duration {
    Duration::from_millis(interval.as_millis().saturating_mul(LONGEST_GAP).unsigned_abs())
}
