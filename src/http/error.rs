//! Errors as RFC 9457 problem documents: a status, a stable code, a sentence.

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::admin::order::AdminError;

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// What `type` begins with; a code's path follows.
const TYPE_PREFIX: &str = "https://docktor.dev/problems/";

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub code: Code,
    /// This one, for people: what was found and what would help.
    pub detail: String,
}

/// What kind of problem; programs may rely on these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Code {
    /// The request's body or query is wrong.
    BadRequest,
    /// A token is needed, or the given one is wrong.
    Unauthorized,
    /// Not on this way, or not for this user.
    Forbidden,
    /// There is no such policy or path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The policy's state does not allow the order.
    Refused,
    /// The body is too large.
    PayloadTooLarge,
    /// A bug.
    Internal,
    /// The order could not be made durable.
    NotDurable,
    /// The first pass is not finished.
    NotReady,
    /// The controller is busy or stopping.
    Unavailable,
    /// No answer in time.
    Deadline,
}

impl Code {
    /// The HTTP status, the path of `type`, and the title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request is not valid"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Nothing found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method does not fit the path")
            }
            Self::Refused => (StatusCode::CONFLICT, "refused", "The policy's state does not allow it"),
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", "The body is too large")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::NotDurable => {
                (StatusCode::INTERNAL_SERVER_ERROR, "not-durable", "The order could not be written down")
            }
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready yet"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again later"),
            Self::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline", "No answer in time"),
        }
    }
}

/// A problem as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemDocument {
    /// A URI for the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This problem, for people.
    pub detail: String,
    /// The kind of problem, in one word.
    pub code: Code,
}

impl Problem {
    /// A problem of kind `code`.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl From<Problem> for ProblemDocument {
    fn from(problem: Problem) -> Self {
        let (status, path, title) = problem.code.row();
        Self {
            kind: format!("{TYPE_PREFIX}{path}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: problem.detail,
            code: problem.code,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.code;
        let mut response = (code.row().0, axum::Json(ProblemDocument::from(self))).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if code == Code::Unauthorized {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let code = match error {
            AdminError::NotFound { .. } | AdminError::NothingWaits(_) => Code::NotFound,
            AdminError::Refused { .. } => Code::Refused,
            AdminError::NotDurable { .. } => Code::NotDurable,
            AdminError::Busy | AdminError::Stopping => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}
