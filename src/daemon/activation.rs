//! Listeners that a service manager opened and passes on (systemd's socket activation).

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// Listeners that were there before this process.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Unix sockets.
    pub sockets: Vec<UnixListener>,
    /// TCP.
    pub tcp: Vec<TcpListener>,
    /// What was passed and cannot be listened on.
    pub refused: Vec<String>,
}

impl Inherited {
    /// Those of this process. To be called once, before any other thread runs: it changes the environment.
    #[cfg(feature = "systemd")]
    #[must_use]
    pub fn of_this_process() -> Self {
        let mut passed = listenfd::ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..passed.len() {
            if let Ok(Some(socket)) = passed.take_unix_listener(index) {
                inherited.sockets.push(socket);
                continue;
            }
            match passed.take_tcp_listener(index) {
                Ok(listener) => inherited.tcp.extend(listener),
                Err(error) => inherited.refused.push(error.to_string()),
            }
        }
        inherited
    }

    /// This build takes none.
    #[cfg(not(feature = "systemd"))]
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::default()
    }
}
