//! What an operator may ask or order. Every screen (client, API, MCP) goes through here.
//!
//! The controller feeds [`Admin`] with one [`PolicyView`] at a time and receives [`Order`]s; screens read and
//! order. Nothing here decides, and nothing here is durable: after a restart the controller publishes afresh.

pub mod explanation;
pub mod order;
pub mod selector;
pub mod story;
pub mod view;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::history::Archive;
use crate::model::key::PolicyKey;
use crate::telemetry::chain;
use crate::units::Timestamp;
use explanation::Explanation;
use order::{AdminError, Order, Submission};
use view::{DecisionView, PolicyView};

/// Changes that a slow reader may lag behind before it has to begin anew.
const MAX_UNREAD_CHANGES: usize = 4_096;
/// Orders that wait for the controller; one more is refused.
const MAX_WAITING_ORDERS: usize = 64;

/// A handle on the read model and on the controller's ear. Cheap to clone; all clones are the same one.
#[derive(Debug, Clone)]
pub struct Admin {
    shared: Arc<Shared>,
}

type Policies = BTreeMap<PolicyKey, Arc<PolicyView>>;

#[derive(Debug)]
struct Shared {
    policies: RwLock<Policies>,
    explanations: RwLock<BTreeMap<PolicyKey, Arc<Explanation>>>,
    changes: broadcast::Sender<Change>,
    orders: mpsc::Sender<Submission>,
    archive: Archive,
    ready: watch::Sender<bool>,
}

/// What changed in the read model.
#[derive(Debug, Clone)]
pub enum Change {
    /// A policy that was not there before.
    Added(Arc<PolicyView>),
    /// A policy looks different.
    Modified(Arc<PolicyView>),
    /// A policy is gone; this is how it looked last.
    Deleted(Arc<PolicyView>),
}

/// The present state, and every change from then on; none is in both, none in neither.
#[derive(Debug)]
pub struct Subscription {
    /// All policies, by name.
    pub policies: Vec<Arc<PolicyView>>,
    /// What changes from now on. A reader that lags too far behind gets an error and begins anew.
    pub changes: broadcast::Receiver<Change>,
}

/// The controller's end: orders in the order in which they were given.
pub type Orders = mpsc::Receiver<Submission>;

impl Admin {
    /// An empty read model, not ready and without a past, and the controller's end of it.
    #[must_use]
    pub fn new() -> (Self, Orders) {
        Self::with_history(Archive::none())
    }

    /// The same with a past.
    #[must_use]
    pub fn with_history(archive: Archive) -> (Self, Orders) {
        let (orders, received) = mpsc::channel(MAX_WAITING_ORDERS);
        let shared = Shared {
            policies: RwLock::default(),
            explanations: RwLock::default(),
            changes: broadcast::Sender::new(MAX_UNREAD_CHANGES),
            orders,
            archive,
            ready: watch::Sender::new(false),
        };
        (Self { shared: Arc::new(shared) }, received)
    }

    /// Show `view` from now on. Costs one look-up; an equal view changes and tells nothing.
    pub fn publish(&self, view: PolicyView) {
        let key = PolicyKey::new(&view.metadata.name);
        let view = Arc::new(view);
        let mut policies = self.write();
        match policies.insert(key, Arc::clone(&view)) {
            Some(before) if before == view => {}
            Some(_) => self.tell(Change::Modified(view)),
            None => self.tell(Change::Added(view)),
        }
    }

    /// Explain the policy so from now on; `None` where nothing is decided for it. Watchers are not told.
    pub fn explain(&self, key: &PolicyKey, explanation: Option<Explanation>) {
        let mut explanations = self.shared.explanations.write().unwrap_or_else(PoisonError::into_inner);
        match explanation {
            Some(it) => drop(explanations.insert(key.clone(), Arc::new(it))),
            None => drop(explanations.remove(key)),
        }
    }

    /// The explanation of that policy's present decision.
    #[must_use]
    pub fn explanation(&self, key: &PolicyKey) -> Option<Arc<Explanation>> {
        self.shared.explanations.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Show the policy no more. One that is not shown is no mistake.
    pub fn remove(&self, key: &PolicyKey) {
        self.explain(key, None);
        let mut policies = self.write();
        if let Some(last) = policies.remove(key) {
            self.tell(Change::Deleted(last));
        }
    }

    /// Say that every policy of the folder had its first pass.
    pub fn mark_ready(&self) {
        self.shared.ready.send_replace(true);
    }

    /// Did every policy of the folder have its first pass?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// Waits until it had.
    pub async fn ready(&self) {
        // The sender is ours, so it is not dropped meanwhile.
        let _ = self.shared.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// All policies, by name.
    #[must_use]
    pub fn policies(&self) -> Vec<Arc<PolicyView>> {
        self.read().values().cloned().collect()
    }

    /// The policy of that name.
    #[must_use]
    pub fn policy(&self, key: &PolicyKey) -> Option<Arc<PolicyView>> {
        self.read().get(key).cloned()
    }

    /// The present state and all that changes from then on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let policies = self.read();
        Subscription {
            policies: policies.values().cloned().collect(),
            changes: self.shared.changes.subscribe(),
        }
    }

    /// What was stored of the past.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.shared.archive
    }

    /// The newest decisions from `since` on, at most `limit`, oldest first; of one policy or of all. What the history
    /// lacks, because it is off, young, or not written yet, comes from memory. Blocks while it reads a file.
    #[must_use]
    pub fn decisions(&self, policy: Option<&PolicyKey>, since: Timestamp, limit: usize) -> Vec<DecisionView> {
        let stored = self.shared.archive.decisions(policy.map(PolicyKey::as_str), since, limit);
        let mut decisions: Vec<_> = match stored {
            Ok(stored) => stored.into_iter().map(DecisionView::from).collect(),
            Err(error) => {
                tracing::debug!(error = chain(&error), "decisions come from memory");
                Vec::new()
            }
        };
        let known: HashSet<_> = decisions.iter().map(|it| (it.policy.clone(), it.decision.time)).collect();
        let views = match policy {
            Some(key) => self.policy(key).into_iter().collect(),
            None => self.policies(),
        };
        let remembered = views.iter().flat_map(|it| DecisionView::of(it));
        decisions.extend(remembered.filter(|it| {
            it.decision.time >= since && !known.contains(&(it.policy.clone(), it.decision.time))
        }));
        decisions.sort_by_key(|it| it.decision.time);
        decisions.split_off(decisions.len().saturating_sub(limit))
    }

    /// Give an order and wait until the controller has carried it out or refused it.
    ///
    /// # Errors
    /// The controller's own refusal; `Busy` when too many orders wait; `Stopping` when it is gone.
    pub async fn order(&self, order: Order) -> Result<(), AdminError> {
        let (reply, answer) = oneshot::channel();
        self.shared.orders.try_send(Submission::new(order, reply)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => AdminError::Busy,
            mpsc::error::TrySendError::Closed(_) => AdminError::Stopping,
        })?;
        answer.await.unwrap_or(Err(AdminError::Stopping))
    }

    // Sent under the lock of the policies, so that a subscription sees each change exactly once.
    fn tell(&self, change: Change) {
        // An error means that nobody listens.
        let _ = self.shared.changes.send(change);
    }

    fn read(&self) -> RwLockReadGuard<'_, Policies> {
        self.shared.policies.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Policies> {
        self.shared.policies.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::view::sample;
    use crate::api::status::Phase;

    #[tokio::test]
    async fn a_subscription_sees_each_change_once() {
        let (admin, _orders) = Admin::new();
        admin.publish(sample("web"));
        let Subscription { policies, mut changes } = admin.subscribe();
        assert_eq!(policies.len(), 1);

        admin.publish(sample("web"));
        let mut held = sample("web");
        held.status.phase = Phase::Held;
        admin.publish(held);
        admin.publish(sample("api"));
        admin.remove(&PolicyKey::new("web"));
        admin.remove(&PolicyKey::new("web"));

        assert!(matches!(changes.try_recv(), Ok(Change::Modified(it)) if it.status.phase == Phase::Held));
        assert!(matches!(changes.try_recv(), Ok(Change::Added(it)) if it.metadata.name == "api"));
        assert!(matches!(changes.try_recv(), Ok(Change::Deleted(it)) if it.metadata.name == "web"));
        assert!(changes.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_order_waits_for_the_controllers_answer() {
        let (admin, mut orders) = Admin::new();
        let order = Order::Resume { key: PolicyKey::new("web"), by: "ada".to_owned() };
        let controller = async {
            let submission = orders.recv().await.unwrap();
            assert_eq!(submission.order, order);
            submission.answer(Err(AdminError::NotFound { name: "web".to_owned() }));
        };
        let (answer, ()) = tokio::join!(admin.order(order.clone()), controller);
        assert_eq!(answer, Err(AdminError::NotFound { name: "web".to_owned() }));
    }

    #[tokio::test]
    async fn an_order_that_nobody_takes_is_refused() {
        let (admin, orders) = Admin::new();
        let order = || Order::ResumeAll { by: "ada".to_owned() };
        let mut waiting: Vec<_> = (0..MAX_WAITING_ORDERS).map(|_| Box::pin(admin.order(order()))).collect();
        for it in &mut waiting {
            assert!(futures::poll!(it).is_pending());
        }
        assert_eq!(admin.order(order()).await, Err(AdminError::Busy));
        drop(orders);
        for order in waiting {
            assert_eq!(order.await, Err(AdminError::Stopping));
        }
        assert_eq!(admin.order(order()).await, Err(AdminError::Stopping));
    }
}
