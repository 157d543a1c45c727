//! `/api/v1/events`: the present state as server-sent events, then every change of it.
//!
//! The stream tells the kept events (`event: event`) and all policies (`event: policy`, `ADDED`), then `synced`,
//! then what changes. A reader that lags too far behind is told `lagged` and cut off; it begins anew and has lost
//! nothing, since every stream begins with the present state.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Services;
use super::api::query;
use super::error::{Code, Problem};
use crate::admin::event::Event;
use crate::admin::selector::Selector;
use crate::admin::view::{PolicyChange, PolicyView, Turn};
use crate::admin::{Change, Subscription};

/// Time between two signs of life on a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a reader wants to be told.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Interest {
    #[serde(default)]
    label_selector: String,
    #[serde(default)]
    only: Only,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Only {
    #[default]
    All,
    Policies,
    Events,
}

pub(super) async fn stream(
    State(services): State<Services>,
    interest: Result<Query<Interest>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let interest = query(interest)?;
    let selector = interest
        .label_selector
        .parse()
        .map_err(|error| Problem::new(Code::BadRequest, format!("labelSelector: {error}")))?;
    let Subscription { policies, events, changes } = services.admin.subscribe();
    let mut filter = Filter { selector, only: interest.only, shown: BTreeSet::new() };

    let first = events.into_iter().map(Change::Happened).chain(policies.into_iter().map(Change::Added));
    let mut messages: Vec<_> = first.filter_map(|it| filter.message(it)).collect();
    messages.push(Message::default().event("synced").data("{}"));

    let all =
        stream::iter(messages).chain(follow(changes, filter)).take_until(services.stop.cancelled_owned());
    Ok(Sse::new(all.map(Ok)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn follow(changes: Receiver<Change>, filter: Filter) -> impl Stream<Item = Message> {
    stream::unfold(Some((changes, filter)), |state| async {
        let (mut changes, mut filter) = state?;
        loop {
            match changes.recv().await {
                Ok(change) => {
                    if let Some(message) = filter.message(change) {
                        return Some((message, Some((changes, filter))));
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    return Some((Message::default().event("lagged").data("{}"), None));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

/// What one reader is told of; it knows which policies the reader has seen.
struct Filter {
    selector: Selector,
    only: Only,
    shown: BTreeSet<String>,
}

impl Filter {
    fn message(&mut self, change: Change) -> Option<Message> {
        match change {
            Change::Happened(event) => (self.only != Only::Policies).then(|| happened(&event)),
            _ if self.only == Only::Events => None,
            Change::Added(view) | Change::Modified(view) => self.present(view),
            Change::Deleted(view) => self.gone(view),
        }
    }

    // A policy whose labels come to match is new to this reader, and one whose labels cease to match is gone.
    fn present(&mut self, view: Arc<PolicyView>) -> Option<Message> {
        if !self.selector.selects(&view.metadata.labels) {
            return self.gone(view);
        }
        let turn = if self.shown.insert(view.metadata.name.clone()) { Turn::Added } else { Turn::Modified };
        Some(turned(turn, view))
    }

    fn gone(&mut self, view: Arc<PolicyView>) -> Option<Message> {
        self.shown.remove(&view.metadata.name).then(|| turned(Turn::Deleted, view))
    }
}

fn happened(event: &Event) -> Message {
    Message::default().event("event").json_data(event).unwrap_or_default()
}

fn turned(turn: Turn, object: Arc<PolicyView>) -> Message {
    Message::default().event("policy").json_data(PolicyChange { turn, object }).unwrap_or_default()
}
