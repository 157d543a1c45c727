//! The past: a policy's history as JSON Lines, page by page, and stored decisions.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;

use super::Services;
use super::api::query;
use super::error::{Code, Problem};
use crate::admin::view::{DecisionView, List};
use crate::clock::Clock;
use crate::history::trace::PastRow;
use crate::history::{HistoryError, Past, Since};
use crate::model::key::PolicyKey;
use crate::telemetry::chain;
use crate::units::Timestamp;

/// Most decisions in one answer, and how many there are where nobody says.
const MAX_DECISIONS: usize = 1_000;
/// The media type of JSON Lines.
const JSON_LINES: &str = "application/jsonl";
/// Says from when on rows are single evaluations; rows before are means of five minutes. Absent where all are means.
pub const RAW_SINCE: &str = "docktor-raw-since";

/// Which part of the past.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    since: Option<String>,
}

/// Which decisions.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    since: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn history(
    State(services): State<Services>,
    Path(name): Path<String>,
    stretch: Result<Query<Stretch>, QueryRejection>,
) -> Result<Response, Problem> {
    let since = moment(query(stretch)?.since.as_deref())?;
    let nothing = |why: String| Problem::new(Code::NotFound, why);
    let archive = services.admin.archive().clone();
    if !archive.is_on() {
        return Err(nothing("this docktor keeps no history; see --history-retention".to_owned()));
    }
    let asked = name.clone();
    let past = blocking(move || archive.past(&asked, since)).await?.map_err(unreadable)?;
    let Some(past) = past else {
        let known = services.admin.policy(&PolicyKey::new(&name)).is_some();
        let why = if known { "has no history yet" } else { "is not there, and has no history" };
        return Err(nothing(format!("the policy `{name}` {why}")));
    };
    let raw_since = past.raw_since().map(|it| (RAW_SINCE, it.to_string()));
    let lines = lines(past).take_until(services.stop.cancelled_owned());
    let mut response = ([(CONTENT_TYPE, JSON_LINES)], Body::from_stream(lines)).into_response();
    if let Some((name, value)) = raw_since.and_then(|(name, value)| Some((name, value.parse().ok()?))) {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// A page at a time: the next is read once the one before is on its way, so a slow reader holds a page and no file's
/// lock. An error ends the body early, which readers see as a broken connection.
fn lines(past: Past) -> impl Stream<Item = Result<Bytes, HistoryError>> + Send {
    stream::try_unfold(past, |mut past| async {
        let read = tokio::task::spawn_blocking(move || past.page().map(|page| (page, past)));
        let (page, past) = match read.await {
            Ok(read) => read?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let text: String = page.iter().map(PastRow::line).collect();
        Ok((!page.is_empty()).then_some((Bytes::from(text), past)))
    })
}

pub(super) async fn policy_decisions(
    State(services): State<Services>,
    Path(name): Path<String>,
    newest: Result<Query<Newest>, QueryRejection>,
) -> Result<Json<List<DecisionView>>, Problem> {
    let key = PolicyKey::new(&name);
    let known = services.admin.policy(&key).is_some();
    let decisions = decisions(services, Some(key), query(newest)?).await?;
    if decisions.is_empty() && !known {
        return Err(Problem::new(Code::NotFound, format!("there is no policy `{name}`")));
    }
    Ok(Json(List::of(decisions)))
}

pub(super) async fn all_decisions(
    State(services): State<Services>,
    newest: Result<Query<Newest>, QueryRejection>,
) -> Result<Json<List<DecisionView>>, Problem> {
    Ok(Json(List::of(decisions(services, None, query(newest)?).await?)))
}

async fn decisions(
    services: Services,
    policy: Option<PolicyKey>,
    newest: Newest,
) -> Result<Vec<DecisionView>, Problem> {
    let since = moment(newest.since.as_deref())?;
    let limit = newest.limit.unwrap_or(MAX_DECISIONS);
    if limit == 0 || limit > MAX_DECISIONS {
        let detail = format!("limit: found {limit}; write 1 to {MAX_DECISIONS}");
        return Err(Problem::new(Code::BadRequest, detail));
    }
    blocking(move || services.admin.decisions(policy.as_ref(), since, limit)).await
}

/// The moment that `since` means; without it, the beginning of all.
fn moment(since: Option<&str>) -> Result<Timestamp, Problem> {
    let Some(text) = since else { return Ok(Timestamp::from_millis(0)) };
    let since: Since =
        text.parse().map_err(|error| Problem::new(Code::BadRequest, format!("since: {error}")))?;
    Ok(since.moment(Clock::system().now()))
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| Problem::new(Code::Internal, "docktor has a bug here; its log says more"))
}

fn unreadable(error: HistoryError) -> Problem {
    Problem::new(Code::Unavailable, chain(&error))
}
