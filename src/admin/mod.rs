//! What an operator may ask or order. Every screen (client, API, MCP) goes through here.
//!
//! The controller feeds [`Admin`] with one [`PolicyView`] at a time and receives [`Order`]s; screens read and
//! order. Nothing here decides, and nothing here is durable: after a restart the controller publishes afresh.

pub mod event;
pub mod order;
pub mod selector;
pub mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::model::key::PolicyKey;
use event::Event;
use order::{AdminError, Order, Submission};
use view::PolicyView;

/// Changes that a slow reader may lag behind before it has to begin anew.
const MAX_UNREAD_CHANGES: usize = 4_096;
/// Orders that wait for the controller; one more is refused.
const MAX_WAITING_ORDERS: usize = 64;
/// Events that are kept for readers who come later.
const MAX_EVENTS: usize = 1_000;

/// A handle on the read model and on the controller's ear. Cheap to clone; all clones are the same one.
#[derive(Debug, Clone)]
pub struct Admin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: RwLock<Model>,
    changes: broadcast::Sender<Change>,
    orders: mpsc::Sender<Submission>,
    ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Model {
    policies: BTreeMap<PolicyKey, Arc<PolicyView>>,
    events: VecDeque<Arc<Event>>,
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
    /// Something happened.
    Happened(Arc<Event>),
}

/// The present state, and every change from then on; none is in both, none in neither.
#[derive(Debug)]
pub struct Subscription {
    /// All policies, by name.
    pub policies: Vec<Arc<PolicyView>>,
    /// The kept events, oldest first.
    pub events: Vec<Arc<Event>>,
    /// What changes from now on. A reader that lags too far behind gets an error and begins anew.
    pub changes: broadcast::Receiver<Change>,
}

/// The controller's end: orders in the order in which they were given.
pub type Orders = mpsc::Receiver<Submission>;

impl Admin {
    /// An empty read model, not ready, and the controller's end of it.
    #[must_use]
    pub fn new() -> (Self, Orders) {
        let (orders, received) = mpsc::channel(MAX_WAITING_ORDERS);
        let shared = Shared {
            model: RwLock::default(),
            changes: broadcast::Sender::new(MAX_UNREAD_CHANGES),
            orders,
            ready: watch::Sender::new(false),
        };
        (Self { shared: Arc::new(shared) }, received)
    }

    /// Show `view` from now on. Costs one look-up; an equal view changes and tells nothing.
    pub fn publish(&self, view: PolicyView) {
        let key = PolicyKey::new(&view.metadata.name);
        let view = Arc::new(view);
        let mut model = self.write();
        let before = model.policies.get(&key).cloned();
        if before.as_ref() == Some(&view) {
            return;
        }
        for event in event::between(before.as_deref(), &view) {
            let event = Arc::new(event);
            if model.events.len() == MAX_EVENTS {
                model.events.pop_front();
            }
            model.events.push_back(Arc::clone(&event));
            self.tell(Change::Happened(event));
        }
        model.policies.insert(key, Arc::clone(&view));
        self.tell(if before.is_some() { Change::Modified(view) } else { Change::Added(view) });
    }

    /// Show the policy no more. One that is not shown is no mistake.
    pub fn remove(&self, key: &PolicyKey) {
        let mut model = self.write();
        if let Some(last) = model.policies.remove(key) {
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

    /// All policies, by name.
    #[must_use]
    pub fn policies(&self) -> Vec<Arc<PolicyView>> {
        self.read().policies.values().cloned().collect()
    }

    /// The policy of that name.
    #[must_use]
    pub fn policy(&self, key: &PolicyKey) -> Option<Arc<PolicyView>> {
        self.read().policies.get(key).cloned()
    }

    /// The present state and all that changes from then on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let model = self.read();
        Subscription {
            policies: model.policies.values().cloned().collect(),
            events: model.events.iter().cloned().collect(),
            changes: self.shared.changes.subscribe(),
        }
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

    // Sent under the lock of the model, so that a subscription sees each change exactly once.
    fn tell(&self, change: Change) {
        // An error means that nobody listens.
        let _ = self.shared.changes.send(change);
    }

    fn read(&self) -> RwLockReadGuard<'_, Model> {
        self.shared.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Model> {
        self.shared.model.write().unwrap_or_else(PoisonError::into_inner)
    }
}
