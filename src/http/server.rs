//! Listeners and connections: bounded, with a deadline for slow heads, and a graceful end.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::{Door, Hosts, Peer, Reach, Token};
use super::{Services, router};

/// Connections of one listener at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// Longest time for the head of a request, idle time before it included.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// How long open requests may still take when the server stops.
const DRAIN: Duration = Duration::from_secs(2);
/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// The server on the unix socket.
#[derive(Debug)]
pub struct SocketServer {
    listener: UnixListener,
    path: PathBuf,
    /// Ours to remove; absent where the socket is somebody else's.
    file: Option<SocketFile>,
    door: Door,
}

/// The server on TCP.
#[derive(Debug)]
pub struct TcpServer {
    listener: TcpListener,
    address: SocketAddr,
    door: Door,
}

/// Why nothing listens at an address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another server answers on the socket.
    #[error("another process answers on {path}; is a docktor running already?")]
    Answered {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the socket's path.
    #[error("{path} is there and is no socket; move it away, or choose another --socket")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A socket was passed that has no file, so nobody could say whose it is.
    #[error(
        "a socket was passed to docktor that is not in the file system; write a path after `ListenStream=`"
    )]
    NoPath,
    /// The file system or the kernel says no.
    #[error("cannot listen on {at}")]
    Refused {
        /// Path or address.
        at: String,
        /// Why.
        source: io::Error,
    },
}

impl SocketServer {
    /// Listen on `path`, which only its owner and group may use. A socket that nobody answers on is replaced.
    ///
    /// # Errors
    /// When somebody answers there, when something else is there, or when the kernel refuses.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        let refused = |source| BindError::Refused { at: path.display().to_string(), source };
        make_way(path).await?;

        // Under another name first, so that at its own name the socket never has a wider mode.
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}", std::process::id()));
        let draft = PathBuf::from(draft);
        remove_if_there(&draft).map_err(refused)?;
        let listener = UnixListener::bind(&draft).map_err(refused)?;
        std::fs::set_permissions(&draft, PermissionsExt::from_mode(SOCKET_MODE)).map_err(refused)?;
        std::fs::rename(&draft, path).map_err(refused)?;

        let metadata = std::fs::metadata(path).map_err(refused)?;
        let door = Door::Socket { uid: metadata.uid(), gid: metadata.gid() };
        let file = SocketFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { listener, path: path.to_owned(), file: Some(file), door })
    }

    /// Listen on a socket that a service manager opened and goes on to own. Its mode is the manager's affair; who may
    /// connect is checked as ever, by the group of its file.
    ///
    /// # Errors
    /// When it has no file, or when the kernel refuses.
    pub fn adopt(listener: std::os::unix::net::UnixListener) -> Result<Self, BindError> {
        let refused = |at: String| |source| BindError::Refused { at, source };
        let inherited = || "a socket of the service manager".to_owned();
        let address = listener.local_addr().map_err(refused(inherited()))?;
        let path = address.as_pathname().ok_or(BindError::NoPath)?.to_owned();
        listener.set_nonblocking(true).map_err(refused(inherited()))?;
        let listener = UnixListener::from_std(listener).map_err(refused(inherited()))?;
        let metadata = std::fs::metadata(&path).map_err(refused(path.display().to_string()))?;
        let door = Door::Socket { uid: rustix::process::geteuid().as_raw(), gid: metadata.gid() };
        Ok(Self { listener, path, file: None, door })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serve until `services.stop`; then a socket that is our own is removed.
    pub async fn serve(self, services: Services) {
        let Self { listener, file, door, .. } = self;
        serve(listener, door, services, |stream, _| peer_of(stream)).await;
        drop(file);
    }
}

impl TcpServer {
    /// Listen at `address` (`host:port`). Writes need `token`; without one there are none.
    ///
    /// # Errors
    /// When the address cannot be resolved or is taken.
    pub async fn bind(address: &str, token: Option<Token>) -> Result<Self, BindError> {
        let refused = |source| BindError::Refused { at: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        Self::new(listener, address, token).map_err(refused)
    }

    /// Listen where a service manager listens already. `name` (`host:port`) is what else it may be called.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn adopt(
        listener: std::net::TcpListener,
        name: &str,
        token: Option<Token>,
    ) -> Result<Self, BindError> {
        let refused =
            |source| BindError::Refused { at: "an address of the service manager".to_owned(), source };
        listener.set_nonblocking(true).map_err(refused)?;
        let listener = TcpListener::from_std(listener).map_err(refused)?;
        Self::new(listener, name, token).map_err(refused)
    }

    fn new(listener: TcpListener, name: &str, token: Option<Token>) -> io::Result<Self> {
        let bound = listener.local_addr()?;
        let reach = if bound.ip().is_loopback() { Reach::Loopback } else { Reach::Network };
        let door = Door::Tcp { hosts: Hosts::new(name, bound.ip()), reach, token };
        Ok(Self { listener, address: bound, door })
    }

    /// The address it is bound to, with the port that the kernel chose where 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serve until `services.stop`.
    pub async fn serve(self, services: Services) {
        serve(self.listener, self.door, services, |_, address| Some(Peer::Address(*address))).await;
    }
}

async fn serve<L: Listener>(
    mut listener: L,
    door: Door,
    services: Services,
    peer_of: fn(&L::Io, &L::Addr) -> Option<Peer>,
) {
    let stop = services.stop.clone();
    let router = router(services).layer(middleware::from_fn_with_state(Arc::new(door), guard));
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();

    let accept = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            let (stream, address) = listener.accept().await;
            let Some(peer) = peer_of(&stream, &address) else { continue };
            let connection = converse(stream, peer, router.clone(), stop.clone());
            connections.spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    stop.run_until_cancelled(accept).await;
    connections.close();
    connections.wait().await;
}

async fn converse<S>(stream: S, peer: Peer, router: Router, stop: CancellationToken)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    // An error here is a client that went away or does not speak HTTP; there is nobody to tell.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(DRAIN, connection).await;
        }
    }
}

async fn guard(
    State(door): State<Arc<Door>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match door.admit(peer, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn peer_of(stream: &UnixStream) -> Option<Peer> {
    let credentials = stream.peer_cred().ok()?;
    Some(Peer::Process { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
}

/// See to it that the parent is there and that nobody uses the path.
async fn make_way(path: &Path) -> Result<(), BindError> {
    let refused = |source| BindError::Refused { at: path.display().to_string(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(refused)?;
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(error)),
        Ok(found) if !found.file_type().is_socket() => Err(BindError::NotASocket { path: path.to_owned() }),
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(refused(error)),
            Ok(_) => Err(BindError::Answered { path: path.to_owned() }),
        },
    }
}

/// The socket's file; removed at the end, unless another has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|it| (it.dev(), it.ino()) == (self.device, self.inode));
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
