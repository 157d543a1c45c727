//! One HTTP request over a connection of its own: bollard's typed calls and docktor's JSON go the same way.
//!
//! There is no pool: an engine is a unix socket away, a fresh connection costs a fraction of the call, and
//! none is ever found dead because the engine was restarted meanwhile.

use std::io;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::address::Address;
use super::version::ApiVersion;

/// Longest wait for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection over TCP may be silent before the other side is probed.
const PROBE_AFTER: Duration = Duration::from_secs(30);

/// Time between two probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// Probes without an answer after which the other side counts as gone.
const PROBES: u32 = 3;

/// bollard's own limit, in seconds: none, as every call has its deadline here.
const UNLIMITED: u64 = u64::MAX;

/// What requests call the engine, whatever its address.
const HOST_NAME: &str = "docker";

/// The way to an engine, in one version of its API; without one, only `/version` is asked.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub address: Address,
    pub version: Option<ApiVersion>,
}

impl Line {
    /// bollard over this line.
    pub fn bollard(&self) -> Result<Docker, Error> {
        let (line, way) = (self.clone(), self.clone());
        let transport = move |request| {
            let line = line.clone();
            async move { line.exchange(request).await }
        };
        let docker = Docker::connect_with_custom_transport(
            transport,
            Some(format!("http://{HOST_NAME}")),
            UNLIMITED,
            API_DEFAULT_VERSION,
        )?;
        Ok(docker.with_request_modifier(move |request| way.versioned(request)))
    }

    /// The same request with the version in its path, which bollard 0.21 leaves out.
    pub fn versioned(&self, mut request: BollardRequest) -> BollardRequest {
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let prefix = self.version.map(|it| format!("/v{it}")).unwrap_or_default();
        if let Ok(uri) = format!("{prefix}{path}").parse() {
            *request.uri_mut() = uri;
        }
        request.headers_mut().insert(HOST, HeaderValue::from_static(HOST_NAME));
        request
    }

    /// Connects, sends, and waits for the head of the answer.
    pub async fn exchange(&self, request: BollardRequest) -> Result<Response<Incoming>, Error> {
        match &self.address {
            Address::Unix(path) => send(connected(UnixStream::connect(path)).await?, request).await,
            Address::Tcp(authority) => {
                let stream = connected(TcpStream::connect(authority)).await?;
                keep_alive(&stream).map_err(io::Error::from)?;
                send(stream, request).await
            }
        }
    }
}

/// A connection that cannot be made is told from one that breaks by its kind, [`io::ErrorKind::NotConnected`].
async fn connected<S>(connecting: impl Future<Output = io::Result<S>>) -> Result<S, Error> {
    let stream = timeout(CONNECT_DEADLINE, connecting).await.unwrap_or_else(|late| Err(late.into()));
    stream.map_err(|source| io::Error::new(io::ErrorKind::NotConnected, source).into())
}

/// Has a silent connection probed, so that events of an engine that vanished end instead of staying out.
fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)
}

/// Speaks HTTP over a fresh connection, which lasts until the answer is read or dropped.
async fn send<S>(stream: S, request: BollardRequest) -> Result<Response<Incoming>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}
