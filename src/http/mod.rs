//! HTTP on the unix socket and on TCP: the router, and the limits that every request is under.
//!
//! What a request may do is decided in [`access`] before a handler sees it; handlers only translate between JSON
//! and [`Admin`]. Nothing here can stop control: a port that is taken is the caller's to report.

pub mod access;
mod api;
pub mod error;
mod events;
mod openapi;
pub mod past;
pub mod server;

pub use api::Version;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::telemetry::event::Events;
use crate::telemetry::metrics::Metrics;
use error::{Code, Problem};

/// Largest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1_024;
/// Longest time from a request's head to its answer's head.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// What may be asked and ordered.
    pub admin: Admin,
    /// What happened.
    pub events: Arc<Events>,
    /// What `/metrics` answers.
    pub metrics: Arc<Metrics>,
    /// Once cancelled, servers accept nothing more and streams end.
    pub stop: CancellationToken,
}

/// Every path with the methods that it takes.
fn routes() -> [(&'static str, MethodRouter<Services>); 17] {
    [
        ("/healthz", get(|| async { "ok\n" })),
        ("/readyz", get(readyz)),
        ("/metrics", get(metrics)),
        ("/version", get(api::version)),
        ("/openapi.json", get(openapi::serve)),
        ("/api/v1/policies", get(api::policies)),
        ("/api/v1/policies/{name}", get(api::policy)),
        ("/api/v1/policies/{name}/status", get(api::status)),
        ("/api/v1/policies/{name}/explain", get(api::explain)),
        ("/api/v1/policies/{name}/decisions", get(past::policy_decisions)),
        ("/api/v1/policies/{name}/history", get(past::history)),
        ("/api/v1/policies/{name}/hold", post(api::hold).delete(api::resume)),
        ("/api/v1/policies/{name}/approve", post(api::answer)),
        ("/api/v1/policies/{name}/mode", put(api::set_mode)),
        ("/api/v1/hold", post(api::hold_all).delete(api::resume_all)),
        ("/api/v1/decisions", get(past::all_decisions)),
        ("/api/v1/events", get(events::stream)),
    ]
}

/// All routes and limits, without any rule of access.
fn router(services: Services) -> Router {
    let router =
        routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(within_deadline))
        .with_state(services)
}

async fn readyz(State(services): State<Services>) -> Result<&'static str, Problem> {
    if services.admin.is_ready() {
        Ok("ok\n")
    } else {
        Err(Problem::new(Code::NotReady, "the first pass over the policy folder is not finished"))
    }
}

async fn metrics(State(services): State<Services>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], services.metrics.render())
}

async fn no_such_path(request: Request) -> Problem {
    Problem::new(Code::NotFound, format!("there is no `{}`; see /openapi.json", request.uri().path()))
}

async fn no_such_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(Code::MethodNotAllowed, format!("`{path}` does not take {method}"))
}

/// Every request is answered, in time, even where its handler panics.
async fn within_deadline(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(REQUEST_DEADLINE, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            Problem::new(Code::Internal, "docktor has a bug here; its log says more").into_response()
        }
        Err(_) => Problem::new(Code::Deadline, "no answer in time; an order may still be carried out")
            .into_response(),
    }
}
