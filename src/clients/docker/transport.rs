//! One HTTP request over a connection of its own, with a deadline.
//!
//! There is no pool: an engine is a unix socket away, a fresh connection costs a fraction of the call, and
//! none is ever found dead because the engine was restarted meanwhile.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::address::Address;

/// Longest wait for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Largest answer that is read; a list of ten thousand containers has about 30 MiB.
const LARGEST_ANSWER: usize = 64 << 20;

/// How much is shown of an error that is no JSON.
const LONGEST_MESSAGE: usize = 300;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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

/// Why an engine gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody answers there.
    #[error("cannot connect")]
    Unreachable(#[source] BoxError),
    /// The answer did not come in time.
    #[error("no answer to `{call}` within {} s", .limit.as_secs())]
    TooSlow {
        /// Method and path.
        call: String,
        /// The time it had.
        limit: Duration,
    },
    /// The answer broke off, or is not what the API says.
    #[error("cannot read the answer to `{call}`")]
    Garbled {
        /// Method and path.
        call: String,
        /// What is wrong with it.
        source: BoxError,
    },
    /// The engine refused.
    #[error("the engine answers {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// The engine is too old or too new.
    #[error(transparent)]
    Version(#[from] super::version::VersionError),
}

impl EngineError {
    /// There is no such container, image or network.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Something is in the way: a name is taken, a removal is under way.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// The engine did not answer at all, so asking again later may help.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TooSlow { .. } | Self::Garbled { .. })
    }
}

impl Call {
    /// Method and path, for messages.
    pub fn title(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

/// Makes a call and reads the whole answer; an empty one is `Null`.
pub(super) async fn call(address: &Address, prefix: &str, call: &Call) -> Result<Value, EngineError> {
    let answer = async {
        let response = open(address, prefix, call).await?;
        let status = response.status();
        let body = read(response.into_body(), call).await?;
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return parse(&body, call);
        }
        Err(refused(status, &body))
    };
    timeout(call.deadline, answer)
        .await
        .unwrap_or_else(|_| Err(EngineError::TooSlow { call: call.title(), limit: call.deadline }))
}

/// Makes a call whose answer does not end; the deadline is for its head alone.
pub(super) async fn stream(address: &Address, prefix: &str, call: &Call) -> Result<Incoming, EngineError> {
    let answer = async {
        let response = open(address, prefix, call).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        Err(refused(status, &read(response.into_body(), call).await?))
    };
    timeout(call.deadline, answer)
        .await
        .unwrap_or_else(|_| Err(EngineError::TooSlow { call: call.title(), limit: call.deadline }))
}

/// Connects, sends, and waits for the head of the answer.
async fn open(address: &Address, prefix: &str, call: &Call) -> Result<Response<Incoming>, EngineError> {
    let connecting = async {
        match address {
            Address::Unix(path) => handshake(UnixStream::connect(path).await?).await,
            Address::Tcp(authority) => handshake(TcpStream::connect(authority).await?).await,
        }
    };
    let mut connection = timeout(CONNECT_DEADLINE, connecting)
        .await
        .unwrap_or_else(|late| Err(late.into()))
        .map_err(EngineError::Unreachable)?;
    let garbled = |source: hyper::Error| EngineError::Garbled { call: call.title(), source: source.into() };
    connection.send_request(request(prefix, call)?).await.map_err(garbled)
}

/// Speaks HTTP over a fresh connection, until the last answer on it is read or dropped.
async fn handshake<S>(stream: S) -> Result<http1::SendRequest<Full<Bytes>>, BoxError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn request(prefix: &str, call: &Call) -> Result<Request<Full<Bytes>>, EngineError> {
    let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
    Request::builder()
        .method(&call.method)
        .uri(format!("{prefix}{}", call.path))
        .header("Host", "docker")
        .header("Content-Type", "application/json")
        .body(Full::from(body))
        .map_err(|source| EngineError::Garbled { call: call.title(), source: source.into() })
}

async fn read(body: Incoming, call: &Call) -> Result<Bytes, EngineError> {
    let whole = Limited::new(body, LARGEST_ANSWER).collect().await;
    whole.map(|it| it.to_bytes()).map_err(|source| EngineError::Garbled { call: call.title(), source })
}

fn parse(body: &Bytes, call: &Call) -> Result<Value, EngineError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|source| EngineError::Garbled { call: call.title(), source: source.into() })
}

/// The engine's refusal, in its own words where it has some.
fn refused(status: StatusCode, body: &Bytes) -> EngineError {
    let told = serde_json::from_slice::<Value>(body).ok();
    let message = told.as_ref().and_then(|it| it["message"].as_str()).map_or_else(
        || String::from_utf8_lossy(&body[..body.len().min(LONGEST_MESSAGE)]).trim().to_owned(),
        str::to_owned,
    );
    EngineError::Refused { status: status.as_u16(), message }
}
