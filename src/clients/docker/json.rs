//! A call whose answer stays as the engine wrote it.

use std::time::Duration;

use bollard::body_full;
use bollard::errors::Error;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::transport::Line;

/// Largest answer that is read; a list of ten thousand containers has about 30 MiB.
const LARGEST_ANSWER: usize = 64 << 20;

/// What is asked of an engine.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub method: Method,
    /// Path and query, without the API version.
    pub path: String,
    pub body: Option<Value>,
    /// Longest wait for the whole answer.
    pub deadline: Duration,
}

impl Call {
    /// Method and path, for messages.
    pub fn title(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }

    /// Makes the call and reads the whole answer; an empty one is `Null`.
    pub async fn make(&self, line: &Line) -> Result<Value, Error> {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(&self.method)
            .uri(&self.path)
            .header(CONTENT_TYPE, "application/json")
            .body(body_full(body.into()))?;
        let response = line.exchange(line.versioned(request)).await?;
        let status = response.status();
        let body = read(response.into_body()).await?;
        match status {
            _ if !status.is_success() => Err(refusal(status, &body)),
            _ if body.is_empty() => Ok(Value::Null),
            _ => Ok(serde_json::from_slice(&body)?),
        }
    }
}

async fn read(body: Incoming) -> Result<Bytes, Error> {
    let whole = Limited::new(body, LARGEST_ANSWER).collect().await;
    Ok(whole.map_err(std::io::Error::other)?.to_bytes())
}

/// The engine's refusal, in its own words where it has some.
fn refusal(status: StatusCode, body: &Bytes) -> Error {
    let told = serde_json::from_slice::<Value>(body).ok();
    let message = told
        .as_ref()
        .and_then(|it| it["message"].as_str())
        .map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    Error::DockerResponseServerError { status_code: status.as_u16(), message }
}
