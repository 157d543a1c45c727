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
use crate::admin::selector::Selector;
use crate::admin::view::{PolicyChange, Turn};
use crate::admin::{Change, Subscription};
use crate::telemetry::event::EventRecord;

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
    let (kept, events) = services.events.follow();
    let Subscription { policies, changes } = services.admin.subscribe();
    let mut shown = Shown { selector, names: BTreeSet::new() };

    let mut present = Vec::new();
    if interest.only != Only::Policies {
        present.extend(kept.iter().map(happened));
    }
    if interest.only != Only::Events {
        present.extend(policies.into_iter().filter_map(|it| shown.turned(Change::Added(it))));
    }
    present.push(Message::default().event("synced").data("{}"));

    let events = follow(events, move |event| (interest.only != Only::Policies).then(|| happened(&event)));
    let changes = follow(changes, move |it| (interest.only != Only::Events).then(|| shown.turned(it))?);
    let all = stream::iter(present).chain(until_cut_off(stream::select(events, changes)));
    let all = all.take_until(services.stop.cancelled_owned());
    Ok(Sse::new(all.map(Ok)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What goes down a stream: a message, or the end because the reader lags too far behind.
enum Next {
    Message(Message),
    CutOff,
}

fn follow<T: Clone + Send + 'static>(
    received: Receiver<T>,
    message: impl FnMut(T) -> Option<Message> + Send,
) -> impl Stream<Item = Next> + Send {
    stream::unfold((received, message), |(mut received, mut message)| async {
        loop {
            let next = match received.recv().await {
                Ok(it) => message(it).map(Next::Message),
                Err(RecvError::Lagged(_)) => Some(Next::CutOff),
                Err(RecvError::Closed) => return None,
            };
            if let Some(next) = next {
                return Some((next, (received, message)));
            }
        }
    })
}

fn until_cut_off(all: impl Stream<Item = Next> + Send) -> impl Stream<Item = Message> + Send {
    let numbered = all.scan(false, |ended, next| {
        let over = std::mem::replace(ended, matches!(next, Next::CutOff));
        std::future::ready((!over).then_some(next))
    });
    numbered.map(|next| match next {
        Next::Message(message) => message,
        Next::CutOff => Message::default().event("lagged").data("{}"),
    })
}

/// The policies that one reader has been shown.
struct Shown {
    selector: Selector,
    names: BTreeSet<String>,
}

impl Shown {
    // A policy whose labels come to match is new to this reader, and one whose labels cease to match is gone.
    fn turned(&mut self, change: Change) -> Option<Message> {
        let (Change::Added(view) | Change::Modified(view) | Change::Deleted(view)) = &change;
        let name = &view.metadata.name;
        let present = !matches!(change, Change::Deleted(_)) && self.selector.selects(&view.metadata.labels);
        let known = self.names.contains(name);
        let turn = match (present, known) {
            (true, true) => Turn::Modified,
            (true, false) => Turn::Added,
            (false, true) => Turn::Deleted,
            (false, false) => return None,
        };
        match present {
            true => self.names.insert(name.clone()),
            false => self.names.remove(name),
        };
        let object = Arc::clone(view);
        Message::default().event("policy").json_data(PolicyChange { turn, object }).ok()
    }
}

fn happened(event: &EventRecord) -> Message {
    Message::default().event("event").id(event.id.to_string()).json_data(event).unwrap_or_default()
}
