//! The controller: one `select!` over all that can wake us, into one queue of policies.
//!
//! A wake-up says *which* policy, never what happened: start, edit, timer, engine event, the end of an
//! action, and retry all take the same path through [`reconcile`]. At most [`CONCURRENT_PASSES`] passes run
//! at a time and never two of one policy: a pass takes the policy's state out of its slot and brings it back.

pub mod act;
pub mod approve;
pub mod backoff;
pub mod bind;
pub mod forecast;
pub mod limits;
pub mod observe;
pub mod queue;
pub mod reconcile;
pub mod record;
pub mod state;
pub mod supervise;
pub mod transitions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::Orders;
use crate::admin::order::{AdminError, Order, Submission};
use crate::api::target::{SystemdManager, Target};
use crate::model::key::PolicyKey;
use crate::store::watch::Watcher;
use crate::store::{Changes, Store};
use crate::telemetry::event::Event;
use queue::Queue;
use reconcile::Parts;
use state::Policy;
use supervise::{Supervision, Supervisor};

/// Most passes at the same time.
pub const CONCURRENT_PASSES: usize = 8;
/// Most changes that make replicas at the same time.
pub const CONCURRENT_GROWTH: usize = 8;
/// After an event of the engine, wait this long for more of them.
const ENGINE_SETTLES: Duration = Duration::from_millis(200);
/// How often memories of policies that are gone are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// A graceful stop waits this long for passes that run.
const STOP_WAITS: Duration = Duration::from_secs(5);

/// What can wake the controller from outside. It names policies, never what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Look at the policy folder.
    Folder,
    /// The same, and tell the supervisor when it was read.
    Reload,
    /// Look at this policy: an action of it ended.
    Policy(PolicyKey),
    /// Look at this policy, and evaluate it now: its replicas are under pressure.
    Pressure(PolicyKey),
    /// Look at the policies of this Compose service: the engine told of a change.
    Compose {
        /// The project.
        project: String,
        /// The service.
        service: String,
    },
    /// Look at the policies of this unit: its manager told of a change.
    Unit {
        /// Whose unit.
        manager: SystemdManager,
        /// Its full name; an instance wakes the policy of its template too.
        unit: String,
    },
    /// Look at everything: events may have been lost.
    Everything,
}

/// The loop and all that it owns.
pub struct Controller {
    parts: Arc<Parts>,
    /// Away while a rescan runs.
    store: Option<Store>,
    rescan: Option<JoinHandle<(Store, Changes)>>,
    rescan_wanted: bool,
    watcher: Watcher,
    slots: BTreeMap<PolicyKey, Slot>,
    queue: Queue,
    passes: JoinSet<Finished>,
    running: BTreeMap<tokio::task::Id, PolicyKey>,
    wakes: mpsc::Receiver<Wake>,
    orders: Orders,
    stopped: bool,
    swept: Instant,
    unseen: usize,
    supervision: Option<Supervision>,
}

/// Where a policy's state is between passes.
struct Slot {
    /// Absent while a pass has it.
    policy: Option<Box<Policy>>,
    /// Orders that came during a pass.
    waiting: Vec<Submission>,
    /// The folder has something newer than the state knows.
    stale: bool,
    /// It was asked for during a pass.
    asked: bool,
    /// Its replicas are under pressure.
    pressed: bool,
    /// It had its first pass.
    seen: bool,
}

impl Slot {
    /// May its target be one of these? Also while a pass has its policy.
    fn moves(&self, targets: impl Fn(&Target) -> bool) -> bool {
        let target = |it: &Policy| {
            it.entry.policy.as_ref().and_then(|it| it.spec.target.as_ref()).is_some_and(&targets)
        };
        self.policy.as_ref().is_none_or(|it| target(it))
    }
}

/// A pass that ended.
struct Finished {
    policy: Box<Policy>,
    next: Option<Instant>,
}

impl Controller {
    /// A controller over an opened store. `wakes` is what can wake it, `orders` what persons want of it.
    #[must_use]
    pub fn new(
        parts: Arc<Parts>,
        store: Store,
        watcher: Watcher,
        wakes: mpsc::Receiver<Wake>,
        orders: Orders,
    ) -> Self {
        Self {
            parts,
            store: Some(store),
            rescan: None,
            rescan_wanted: false,
            watcher,
            slots: BTreeMap::new(),
            queue: Queue::default(),
            passes: JoinSet::new(),
            running: BTreeMap::new(),
            wakes,
            orders,
            stopped: false,
            swept: Instant::now(),
            unseen: 0,
            supervision: None,
        }
    }

    /// The same controller, whose loop tells `supervisor` that it turns.
    #[must_use]
    pub fn supervised(mut self, supervisor: Box<dyn Supervisor>) -> Self {
        self.supervision = Some(Supervision::new(supervisor));
        self
    }

    /// Reconciles until `stop`. Unfinished changes stay recorded and go on at the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        self.begin();
        loop {
            self.start_rescan();
            self.start_passes();
            if let Some(supervision) = &mut self.supervision {
                supervision.turned();
            }
            let due = self.due();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(finished) = self.passes.join_next_with_id(), if !self.passes.is_empty() => {
                    self.pass_ended(finished);
                }
                (store, changes) = ended(&mut self.rescan) => self.folder_read(store, &changes),
                Some(submission) = self.orders.recv() => self.take_order(submission),
                _ = self.watcher.hint() => self.rescan_wanted = true,
                Some(wake) = self.wakes.recv() => self.wake(&wake),
                () = tokio::time::sleep_until(due) => {}
            }
        }
        self.stop().await;
    }

    /// Takes over what the store knows already.
    fn begin(&mut self) {
        let keys: Vec<_> = self.store.iter().flat_map(|it| it.entries().map(|it| it.key.clone())).collect();
        self.unseen = keys.len();
        for key in keys {
            self.refresh(&key);
        }
        self.tell_of_others();
        self.parts.metrics.set_policies_invalid(self.invalid());
        if self.unseen == 0 {
            self.parts.admin.mark_ready();
        }
        // Only a rescan arms the watcher; until then, edits would go unseen.
        self.rescan_wanted = true;
    }

    /// When to wake at the latest.
    fn due(&self) -> Instant {
        let free = self.passes.len() < CONCURRENT_PASSES;
        let next = if free { self.queue.next() } else { None };
        let next = next.unwrap_or_else(|| Instant::now() + queue::LONGEST_WAIT);
        self.supervision.as_ref().map_or(next, |it| next.min(it.due()))
    }

    fn start_rescan(&mut self) {
        if !self.rescan_wanted {
            return;
        }
        // Away: a rescan runs already, and another follows it.
        let Some(mut store) = self.store.take() else { return };
        self.rescan_wanted = false;
        let clock = self.parts.clock;
        self.rescan = Some(tokio::task::spawn_blocking(move || {
            let changes = store.rescan(clock.now());
            (store, changes)
        }));
    }

    fn folder_read(&mut self, store: Store, changes: &Changes) {
        self.watcher.arm(store.places(), changes.look_again);
        self.store = Some(store);
        for problem in &changes.new_problems {
            tracing::warn!(problem, "policy folder");
        }
        if changes.others_changed {
            self.tell_of_others();
        }
        for key in &changes.deleted {
            self.delete(key);
        }
        for key in &changes.changed {
            self.refresh(key);
        }
        self.parts.metrics.set_policies_invalid(self.invalid());
        self.look_for_stop();
        self.sweep();
        if !self.rescan_wanted
            && let Some(supervision) = &mut self.supervision
        {
            supervision.folder_read();
        }
    }

    /// Memories of policies that have been gone for long enough go too, now and then.
    fn sweep(&mut self) {
        if self.swept.elapsed() < SWEEP_EVERY {
            return;
        }
        self.swept = Instant::now();
        let living = self.slots.keys().cloned().collect();
        let parts = Arc::clone(&self.parts);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = parts.memories.sweep(&living, parts.clock.now()) {
                tracing::warn!(%error, "old memories");
            }
        });
    }

    /// Mistakes in documents of other kinds than policies, and kinds that have no effect yet: never silence.
    fn tell_of_others(&self) {
        let Some(catalog) = self.store.as_ref().map(Store::catalog) else { return };
        for fault in &catalog.faults {
            let mistakes = fault.mistakes.iter().map(ToString::to_string);
            let conflict = fault.conflict.iter().map(ToString::to_string);
            let message = mistakes.chain(conflict).collect::<Vec<_>>().join("\n");
            let place = &fault.place;
            tracing::error!(document = place.name, file = place.file, message, "a document is wrong");
        }
        for (kind, names) in [
            ("HostBudget", catalog.budgets.keys().collect::<Vec<_>>()),
            ("Notifier", catalog.notifiers.keys().collect()),
        ] {
            for name in names {
                tracing::warn!(kind, name, "NotSupportedYet: documents of this kind have no effect");
            }
        }
    }

    /// Begins or ends the general stop, for all policies at once.
    fn look_for_stop(&mut self) {
        let stopped = self.parts.stop.look().forbids_action();
        if stopped != self.stopped {
            self.stopped = stopped;
            self.parts.events.emit(&if stopped { Event::Stop } else { Event::Resume });
            self.wake(&Wake::Everything);
        }
    }

    fn invalid(&self) -> usize {
        self.store.iter().flat_map(Store::entries).filter(|it| !it.mistakes.is_empty()).count()
    }

    /// Lays the folder's newest text under a policy, and asks for a pass.
    fn refresh(&mut self, key: &PolicyKey) {
        let Some(entry) = self.store.as_ref().and_then(|it| it.get(key)).cloned() else { return };
        let now = Instant::now();
        match self.slots.get_mut(key) {
            Some(slot) => match &mut slot.policy {
                Some(policy) => policy.renew(entry, &self.parts),
                None => slot.stale = true,
            },
            None => {
                let policy = Some(Box::new(Policy::load(entry, &self.parts)));
                let slot = Slot {
                    policy,
                    waiting: Vec::new(),
                    stale: false,
                    asked: false,
                    pressed: false,
                    seen: false,
                };
                self.slots.insert(key.clone(), slot);
            }
        }
        self.queue.add(key.clone(), now, now);
    }

    fn delete(&mut self, key: &PolicyKey) {
        self.queue.remove(key);
        let Some(slot) = self.slots.remove(key) else { return };
        for submission in slot.waiting {
            submission.answer(Err(AdminError::NotFound { name: key.to_string() }));
        }
        // Else the pass that has it forgets it at its end.
        if slot.policy.is_some() {
            self.parts.forget(key);
        }
    }

    fn start_passes(&mut self) {
        let now = Instant::now();
        self.parts.metrics.set_workqueue_depth(self.queue.len());
        while self.passes.len() < CONCURRENT_PASSES {
            let Some((key, late)) = self.queue.pop(now) else { return };
            // A key that is in a pass is asked for again when that ends.
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let Some(mut policy) = slot.policy.take() else {
                slot.asked = true;
                continue;
            };
            policy.pressed |= std::mem::take(&mut slot.pressed);
            self.parts.metrics.workqueue_waited(late);
            let parts = Arc::clone(&self.parts);
            let task = self.passes.spawn(async move {
                let next = parts.reconcile(&mut policy).await;
                Finished { policy, next }
            });
            self.running.insert(task.id(), key);
        }
    }

    fn pass_ended(&mut self, finished: Result<(tokio::task::Id, Finished), tokio::task::JoinError>) {
        let now = Instant::now();
        match finished {
            Ok((id, Finished { policy, next })) => {
                self.running.remove(&id);
                let key = policy.key().clone();
                self.bring_back(policy);
                if let Some(next) = next {
                    self.queue.add(key, next, now);
                }
            }
            Err(error) => {
                // The state went down with the pass; what is on disk is what holds.
                let Some(key) = self.running.remove(&error.id()) else { return };
                tracing::error!(policy = %key, %error, "a pass panicked");
                self.slots.remove(&key);
                self.refresh(&key);
                self.queue.remove(&key);
                self.queue.add(key, now + backoff::CAP, now);
            }
        }
    }

    fn bring_back(&mut self, policy: Box<Policy>) {
        let key = policy.key().clone();
        let Some(slot) = self.slots.get_mut(&key) else {
            // Deleted meanwhile: what the pass published goes too.
            return self.parts.forget(&key);
        };
        slot.policy = Some(policy);
        if !std::mem::replace(&mut slot.seen, true) {
            self.unseen = self.unseen.saturating_sub(1);
            if self.unseen == 0 {
                self.parts.admin.mark_ready();
            }
        }
        let waiting = std::mem::take(&mut slot.waiting);
        let (stale, asked) = (std::mem::take(&mut slot.stale), std::mem::take(&mut slot.asked));
        for submission in waiting {
            self.take_order(submission);
        }
        if stale {
            self.refresh(&key);
        } else if asked {
            let now = Instant::now();
            self.queue.add(key, now, now);
        }
    }

    fn wake(&mut self, wake: &Wake) {
        let now = Instant::now();
        match wake {
            Wake::Folder => self.rescan_wanted = true,
            Wake::Reload => {
                self.rescan_wanted = true;
                self.supervision.iter_mut().for_each(Supervision::reload);
            }
            Wake::Policy(key) => self.queue.add(key.clone(), now, now),
            Wake::Pressure(key) => {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.pressed = true;
                    self.queue.add(key.clone(), now, now);
                }
            }
            Wake::Everything => {
                for key in self.slots.keys() {
                    self.queue.add(key.clone(), now, now);
                }
            }
            Wake::Compose { project, service } => self.wake_targets(|target| match target {
                Target::Compose(it) => it.project == *project && it.service == *service,
                _ => false,
            }),
            Wake::Unit { manager, unit } => self.wake_targets(|target| match target {
                Target::Systemd(it) => it.is_about(*manager, unit),
                _ => false,
            }),
        }
    }

    /// Looks at the policies of these targets, once what happens to them has settled.
    fn wake_targets(&mut self, targets: impl Fn(&Target) -> bool) {
        let now = Instant::now();
        for (key, _) in self.slots.iter().filter(|(_, slot)| slot.moves(&targets)) {
            self.queue.add(key.clone(), now + ENGINE_SETTLES, now);
        }
    }

    fn take_order(&mut self, submission: Submission) {
        match submission.order.key() {
            Some(key) => match self.slots.get_mut(key) {
                None => {
                    let name = key.to_string();
                    submission.answer(Err(AdminError::NotFound { name }));
                }
                Some(slot) => match &mut slot.policy {
                    None => slot.waiting.push(submission),
                    Some(policy) => {
                        let key = key.clone();
                        let outcome = policy.obey(&submission.order, &self.parts);
                        submission.answer(outcome);
                        let now = Instant::now();
                        self.queue.add(key, now, now);
                    }
                },
            },
            None => self.take_general_order(submission),
        }
    }

    /// An order for every policy that is there now: each gets its own copy.
    fn take_general_order(&mut self, submission: Submission) {
        let keys: Vec<_> = self.slots.keys().cloned().collect();
        for key in keys {
            if let Some(order) = submission.order.for_one(&key) {
                self.take_order(Submission::unasked(order));
            }
        }
        submission.answer(Ok(()));
    }

    async fn stop(mut self) {
        let unfinished = tokio::time::timeout(STOP_WAITS, async {
            while let Some(finished) = self.passes.join_next_with_id().await {
                self.pass_ended(finished);
            }
        });
        if unfinished.await.is_err() {
            tracing::warn!("passes still run; what they began is recorded and goes on at the next start");
        }
        let open = self.slots.values().filter_map(|it| it.policy.as_ref()).map(|it| it.open_changes()).sum();
        self.parts.events.emit(&Event::Stopping { unfinished: open });
    }
}

/// What a blocking job gives when it ends; never where none runs.
async fn ended<T>(job: &mut Option<JoinHandle<T>>) -> T {
    let Some(running) = job else { return std::future::pending().await };
    let outcome = running.await;
    *job = None;
    outcome.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

impl Order {
    /// The policy it is for; none where it is for all.
    const fn key(&self) -> Option<&PolicyKey> {
        match self {
            Self::Hold { key, .. }
            | Self::Resume { key, .. }
            | Self::Answer { key, .. }
            | Self::SetMode { key, .. } => Some(key),
            Self::HoldAll { .. } | Self::ResumeAll { .. } => None,
        }
    }

    /// The same for one policy, where it is for all.
    fn for_one(&self, key: &PolicyKey) -> Option<Self> {
        match self {
            Self::HoldAll { request, by } => {
                Some(Self::Hold { key: key.clone(), request: request.clone(), by: by.clone() })
            }
            Self::ResumeAll { by } => Some(Self::Resume { key: key.clone(), by: by.clone() }),
            Self::Hold { .. } | Self::Resume { .. } | Self::Answer { .. } | Self::SetMode { .. } => None,
        }
    }
}
