//! JSON in and out of [`Admin`](crate::admin::Admin): one short function per route.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Services;
use super::access::Caller;
use super::error::{Code, Problem};
use crate::admin::explanation::Explanation;
use crate::admin::order::Order;
use crate::admin::selector::Selector;
use crate::admin::view::{AnswerRequest, HoldRequest, List, ModeRequest, PolicyView};
use crate::api::API_VERSION;
use crate::api::status::{ScalingPolicyStatus, StatusMetadata};
use crate::model::key::PolicyKey;

type Answer<T> = Result<Json<T>, Problem>;

/// Query of routes that list policies.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Selection {
    #[serde(default)]
    label_selector: String,
}

impl Selection {
    pub(super) fn selector(&self) -> Result<Selector, Problem> {
        self.label_selector
            .parse()
            .map_err(|error| Problem::new(Code::BadRequest, format!("labelSelector: {error}")))
    }
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version of the crate.
    pub version: String,
}

pub(super) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION").to_owned() })
}

pub(super) async fn policies(
    State(services): State<Services>,
    selection: Result<Query<Selection>, QueryRejection>,
) -> Answer<List<Arc<PolicyView>>> {
    let selector = query(selection)?.selector()?;
    let mut policies = services.admin.policies();
    policies.retain(|it| selector.selects(&it.metadata.labels));
    Ok(Json(List::of(policies)))
}

pub(super) async fn policy(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Answer<Arc<PolicyView>> {
    find(&services, &name).map(Json)
}

pub(super) async fn status(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Answer<ScalingPolicyStatus> {
    let view = find(&services, &name)?;
    Ok(Json(ScalingPolicyStatus {
        api_version: API_VERSION.to_owned(),
        kind: "ScalingPolicyStatus".to_owned(),
        metadata: StatusMetadata { name, generation: view.metadata.generation },
        status: view.status.clone(),
    }))
}

pub(super) async fn explain(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Answer<Arc<Explanation>> {
    find(&services, &name)?;
    let undecided =
        || Problem::new(Code::NotFound, format!("nothing is decided for policy `{name}` at present"));
    services.admin.explanation(&PolicyKey::new(&name)).map(Json).ok_or_else(undecided)
}

pub(super) async fn hold(
    State(services): State<Services>,
    Path(name): Path<String>,
    Extension(Caller(by)): Extension<Caller>,
    request: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let request: HoldRequest = body(request)?;
    order(&services, Order::Hold { key: PolicyKey::new(&name), request, by }).await
}

pub(super) async fn resume(
    State(services): State<Services>,
    Path(name): Path<String>,
    Extension(Caller(by)): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    order(&services, Order::Resume { key: PolicyKey::new(&name), by }).await
}

pub(super) async fn hold_all(
    State(services): State<Services>,
    Extension(Caller(by)): Extension<Caller>,
    request: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let request: HoldRequest = body(request)?;
    order(&services, Order::HoldAll { request, by }).await
}

pub(super) async fn resume_all(
    State(services): State<Services>,
    Extension(Caller(by)): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    order(&services, Order::ResumeAll { by }).await
}

pub(super) async fn answer(
    State(services): State<Services>,
    Path(name): Path<String>,
    Extension(Caller(by)): Extension<Caller>,
    request: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let request: AnswerRequest = body(request)?;
    order(&services, Order::Answer { key: PolicyKey::new(&name), request, by }).await
}

pub(super) async fn set_mode(
    State(services): State<Services>,
    Path(name): Path<String>,
    Extension(Caller(by)): Extension<Caller>,
    request: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let ModeRequest { mode } = body(request)?;
    order(&services, Order::SetMode { key: PolicyKey::new(&name), mode, by }).await
}

async fn order(services: &Services, order: Order) -> Result<StatusCode, Problem> {
    services.admin.order(order).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(services: &Services, name: &str) -> Result<Arc<PolicyView>, Problem> {
    let found = services.admin.policy(&PolicyKey::new(name));
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no policy `{name}`")))
}

pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|Query(it)| it).map_err(|error| Problem::new(Code::BadRequest, error.body_text()))
}

fn body<T: DeserializeOwned>(bytes: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let bytes = bytes.map_err(|error| {
        let too_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Problem::new(if too_large { Code::PayloadTooLarge } else { Code::BadRequest }, error.body_text())
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::BadRequest, format!("the body: {error}")))
}
