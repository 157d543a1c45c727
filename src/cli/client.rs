//! HTTP to a running controller, over its unix socket or TCP. One connection a request; nothing is retried.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::exit::{Exit, Failure};
use crate::http::error::{Code, ProblemDocument};

/// Longest wait for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Longest wait for an answer; longer than the controller's own deadline, so that its word is heard.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// Where a controller answers.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// A unix socket.
    Socket(PathBuf),
    /// A host and port, and the token if there is one.
    Server {
        /// `host:port`.
        authority: String,
        /// For the header `Authorization`.
        token: Option<String>,
    },
}

/// A controller that answered.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no docktor answers at {at}")]
    Unreachable {
        /// Where it was tried.
        at: String,
        /// Why not.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {at} broke")]
    Broken {
        /// With whom.
        at: String,
        /// How.
        source: hyper::Error,
    },
    /// No answer in time.
    #[error("{at} did not answer within {}s", ANSWER_DEADLINE.as_secs())]
    Silent {
        /// Who.
        at: String,
    },
    /// The controller says no.
    #[error("{}", .0.detail)]
    Problem(ProblemDocument),
    /// Something else than docktor answers, or another version of it.
    #[error("{at} answered with something that docktorctl does not understand ({status})")]
    Strange {
        /// Who.
        at: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// How a program ends on this.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Silent { .. } => Exit::Unreachable,
            Self::Problem(problem) => match problem.code {
                Code::NotFound => Exit::NothingFound,
                _ => Exit::Failed,
            },
            Self::Strange { .. } => Exit::Failed,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(error.exit(), error)
    }
}

impl Endpoint {
    /// The server of `--server URL`.
    ///
    /// # Errors
    /// Wrong usage, when the URL is none that can be used.
    pub fn server(url: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        let usage = |sentence: String| Failure::say(Exit::Usage, sentence);
        let uri: Uri =
            url.parse().map_err(|_| usage(format!("--server: `{url}` is no URL; write http://HOST:PORT")))?;
        let plain_http = uri.scheme_str() == Some("http");
        let authority =
            uri.authority().filter(|_| plain_http && matches!(uri.path(), "" | "/")).ok_or_else(|| {
                usage(format!(
                    "--server: write http://HOST:PORT, not `{url}` (HTTPS is not supported by this build)"
                ))
            })?;
        let token = match token_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    usage(format!("--token-file: cannot read {}: {error}", file.display()))
                })?;
                Some(text.trim().to_owned())
            }
            None => None,
        };
        let port = if authority.port().is_some() { "" } else { ":80" };
        Ok(Self::Server { authority: format!("{authority}{port}"), token })
    }

    fn name(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Server { authority, .. } => format!("http://{authority}"),
        }
    }
}

impl Client {
    /// The controller at `endpoint`, if one answers there.
    ///
    /// # Errors
    /// `Unreachable`.
    pub async fn reach(endpoint: Endpoint) -> Result<Self, ClientError> {
        let attempt = async {
            match &endpoint {
                Endpoint::Socket(path) => UnixStream::connect(path).await.map(drop),
                Endpoint::Server { authority, .. } => TcpStream::connect(authority).await.map(drop),
            }
        };
        match timeout(CONNECT_DEADLINE, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        {
            Ok(()) => Ok(Self { endpoint }),
            Err(source) => Err(ClientError::Unreachable { at: endpoint.name(), source }),
        }
    }

    /// Where it answers.
    #[must_use]
    pub fn name(&self) -> String {
        self.endpoint.name()
    }

    /// The object at `path`.
    ///
    /// # Errors
    /// The controller's problem, or why there is no answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.answer(Method::GET, path, Bytes::new()).await?;
        let status = response.status().as_u16();
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|source| ClientError::Strange {
            at: self.name(),
            status,
            source,
        })
    }

    /// An order at `path`.
    ///
    /// # Errors
    /// The controller's problem, or why there is no answer.
    pub async fn order(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<(), ClientError> {
        let body = body.map(|it| serde_json::to_vec(it).unwrap_or_default()).unwrap_or_default();
        self.answer(method, path, body.into()).await.map(drop)
    }

    /// The server-sent events at `path`.
    ///
    /// # Errors
    /// The controller's problem, or why there is no answer.
    pub async fn events(&self, path: &str) -> Result<Messages, ClientError> {
        let response = self.answer(Method::GET, path, Bytes::new()).await?;
        Ok(Messages { at: self.name(), body: response.into_body(), unread: Vec::new() })
    }

    /// The body at `path` as it comes.
    ///
    /// # Errors
    /// The controller's problem, or why there is no answer.
    pub async fn stream(&self, path: &str) -> Result<Streamed, ClientError> {
        let (head, body) = self.answer(Method::GET, path, Bytes::new()).await?.into_parts();
        Ok(Streamed { at: self.name(), headers: head.headers, body })
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let exchange = async {
            let unreachable = |source| ClientError::Unreachable { at: self.name(), source };
            let request = self.request(method, path, body);
            match &self.endpoint {
                Endpoint::Socket(path) => {
                    self.send(UnixStream::connect(path).await.map_err(unreachable)?, request).await
                }
                Endpoint::Server { authority, .. } => {
                    self.send(TcpStream::connect(authority).await.map_err(unreachable)?, request).await
                }
            }
        };
        let silent = |_| ClientError::Silent { at: self.name() };
        let response = timeout(ANSWER_DEADLINE, exchange).await.map_err(silent)??;
        if response.status().is_success() { Ok(response) } else { Err(self.problem(response).await) }
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        let request = match &self.endpoint {
            Endpoint::Socket(_) => request.header(HOST, "localhost"),
            Endpoint::Server { authority, token } => {
                let request = request.header(HOST, authority);
                match token {
                    Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
                    None => request,
                }
            }
        };
        // Paths are escaped and headers were checked, so what remains is a token with control characters in it;
        // an empty request gets the controller's own complaint.
        request.body(Full::new(body)).unwrap_or_default()
    }

    async fn send<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |source| ClientError::Broken { at: self.name(), source };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(broken)
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let collected = timeout(ANSWER_DEADLINE, response.into_body().collect()).await;
        let collected = collected.map_err(|_| ClientError::Silent { at: self.name() })?;
        collected.map(|it| it.to_bytes()).map_err(|source| ClientError::Broken { at: self.name(), source })
    }

    async fn problem(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status().as_u16();
        match self.body(response).await {
            Ok(body) => match serde_json::from_slice(&body) {
                Ok(problem) => ClientError::Problem(problem),
                Err(source) => ClientError::Strange { at: self.name(), status, source },
            },
            Err(error) => error,
        }
    }
}

/// A body that comes piece by piece.
#[derive(Debug)]
pub struct Streamed {
    at: String,
    headers: HeaderMap,
    body: Incoming,
}

impl Streamed {
    /// What a header says, where it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = timeout(ANSWER_DEADLINE, self.body.frame()).await;
            match frame.map_err(|_| ClientError::Silent { at: self.at.clone() })? {
                None => return Ok(None),
                Some(Err(source)) => return Err(ClientError::Broken { at: self.at.clone(), source }),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Messages {
    at: String,
    body: Incoming,
    unread: Vec<u8>,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Its name.
    pub event: String,
    /// What it carries.
    pub data: String,
}

impl Messages {
    /// The next one; `None` when the controller ends the stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Message>, ClientError> {
        loop {
            if let Some(message) = self.take_one() {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(source)) => return Err(ClientError::Broken { at: self.at.clone(), source }),
                Some(Ok(frame)) => self.unread.extend(frame.into_data().unwrap_or_default()),
            }
        }
    }

    /// The first complete event of what is unread; comments, which only keep the connection alive, are left out.
    fn take_one(&mut self) -> Option<Message> {
        loop {
            let end = self.unread.windows(2).position(|it| it == b"\n\n")?;
            let block: Vec<u8> = self.unread.drain(..end + 2).collect();
            let message = parse(&String::from_utf8_lossy(&block));
            if message != Message::default() {
                return Some(message);
            }
        }
    }
}

fn parse(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines() {
        if let Some(name) = line.strip_prefix("event:") {
            name.trim_start().clone_into(&mut message.event);
        } else if let Some(data) = line.strip_prefix("data:") {
            message.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
    message
}

/// A name as one segment of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_plain_http_address() {
        let server = |url| Endpoint::server(url, None);
        assert!(
            matches!(server("http://127.0.0.1:9787"), Ok(Endpoint::Server { authority, .. }) if authority == "127.0.0.1:9787")
        );
        assert!(
            matches!(server("http://host/"), Ok(Endpoint::Server { authority, .. }) if authority == "host:80")
        );
        for url in ["https://host", "host:9787", "http://host/path", "", "ftp://host"] {
            assert_eq!(server(url).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }

    #[test]
    fn a_message_is_its_name_and_data_without_comments() {
        assert_eq!(parse(": alive\n\n"), Message::default());
        let message = parse("event: policy\nid: 3\ndata: {\"a\":\ndata: 1}\n\n");
        assert_eq!((message.event.as_str(), message.data.as_str()), ("policy", "{\"a\":1}"));
    }

    #[test]
    fn names_that_are_no_labels_fit_into_a_path() {
        assert_eq!(segment("web"), "web");
        assert_eq!(segment("sub/web.yaml#0"), "sub%2Fweb.yaml%230");
    }
}
