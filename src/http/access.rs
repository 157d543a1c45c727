//! Who may do what, decided before a handler sees the request.
//!
//! On the unix socket the kernel has already asked for write permission on the socket; the peer's user and group
//! are checked again, so that a socket whose mode was widened by accident opens nothing. On TCP the `Host` header
//! must name this listener (a foreign web page that rebinds its name to this address is refused), every write
//! needs the token, and off loopback every read does too, health aside.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{Method, Uri};
use sha2::{Digest, Sha256};

use super::error::{Code, Problem};

/// Shortest token that is accepted, in bytes.
const SHORTEST_TOKEN: usize = 16;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A process on this host.
    Process {
        /// Its user.
        uid: u32,
        /// Its primary group.
        gid: u32,
        /// Its id, where the kernel told it.
        pid: Option<i32>,
    },
    /// An address.
    Address(SocketAddr),
}

/// Who gave an order, for holds and for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub String);

/// The rules of one listener.
#[derive(Debug, Clone)]
pub enum Door {
    /// The unix socket.
    Socket {
        /// The controller's own user.
        uid: u32,
        /// The socket's group.
        gid: u32,
    },
    /// TCP.
    Tcp {
        /// Host names and addresses that the listener answers to.
        hosts: Hosts,
        /// Whether only this host can reach it.
        reach: Reach,
        /// What writes need; without one there are none.
        token: Option<Token>,
    },
}

/// Who can reach a TCP listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This host alone.
    Loopback,
    /// Other hosts too.
    Network,
}

/// The names in `Host` that a listener answers to.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The host of `--listen`, as it was written, in lower case.
    name: String,
    /// The address that it is bound to.
    bound: IpAddr,
}

/// The bearer token; only its digest is kept.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
}

/// Why a file holds no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token file {file}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// What it holds is too easily guessed.
    #[error(
        "the token in {file} has fewer than {SHORTEST_TOKEN} characters; make one with `openssl rand -hex 32`"
    )]
    TooShort {
        /// Which.
        file: String,
    },
}

impl Door {
    /// May `peer` make this request, and who is it?
    ///
    /// # Errors
    /// A problem that says what is missing.
    pub fn admit(&self, peer: Peer, request: &Request) -> Result<Caller, Problem> {
        match (self, peer) {
            (Self::Socket { uid, gid }, Peer::Process { uid: user, gid: group, pid }) => {
                let known = user == 0 || user == *uid || group == *gid || is_member(pid, *gid);
                if known { Ok(Caller(user_name(user))) } else { Err(foreign_user(user)) }
            }
            (Self::Tcp { hosts, reach, token }, Peer::Address(address)) => {
                hosts.check(request)?;
                if is_health(request.uri()) {
                    return Ok(Caller(address.ip().to_string()));
                }
                let write = !matches!(*request.method(), Method::GET | Method::HEAD);
                if write || *reach == Reach::Network {
                    token.as_ref().ok_or_else(|| no_token(write))?.check(request)?;
                }
                Ok(Caller(format!("token from {}", address.ip())))
            }
            _ => Err(Problem::new(Code::Forbidden, "the connection is of another kind than its listener")),
        }
    }
}

impl Hosts {
    /// What a listener answers to that was asked to listen at `written` and is bound to `bound`.
    #[must_use]
    pub fn new(written: &str, bound: IpAddr) -> Self {
        Self { name: host_of(written).to_ascii_lowercase(), bound }
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let header = request.headers().get(HOST).and_then(|it| it.to_str().ok());
        let host = request.uri().host().or(header).map(host_of).unwrap_or_default().to_ascii_lowercase();
        if self.answers_to(&host) {
            return Ok(());
        }
        let detail = format!("the Host header names `{host}`, which is not this server; use its address");
        Err(Problem::new(Code::Forbidden, detail))
    }

    fn answers_to(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        match address {
            // Rebinding needs a name, so where every address is listened to every address is good.
            Some(it) => it.is_loopback() || it == self.bound || self.bound.is_unspecified(),
            None => host == "localhost" || (!host.is_empty() && host == self.name),
        }
    }
}

impl Token {
    /// The token that `file` holds; white space around it does not count.
    ///
    /// # Errors
    /// When the file cannot be read or holds too little.
    pub fn read(file: &Path) -> Result<Self, TokenError> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|source| TokenError::Unreadable { file: name.clone(), source })?;
        let token = text.trim();
        if token.len() < SHORTEST_TOKEN {
            return Err(TokenError::TooShort { file: name });
        }
        Ok(Self { digest: Sha256::digest(token).into() })
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let refuse = |detail: &str| Err(Problem::new(Code::Unauthorized, detail));
        let Some(header) = request.headers().get(AUTHORIZATION) else {
            return refuse("send `Authorization: Bearer TOKEN` with the token of docktor's --token-file");
        };
        let given = header.to_str().ok().and_then(|it| it.split_once(' '));
        match given {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && self.is(token.trim()) => Ok(()),
            _ => refuse("the token is not the one of docktor's --token-file"),
        }
    }

    // The time this takes depends on neither token: digests are of one length, and every byte is looked at.
    fn is(&self, token: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(token).into();
        self.digest.iter().zip(given).fold(0, |differing, (ours, theirs)| differing | (ours ^ theirs)) == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

fn no_token(write: bool) -> Problem {
    let what = if write { "writes over TCP need" } else { "off loopback, reads need" };
    Problem::new(
        Code::Forbidden,
        format!(
            "{what} a token, and docktor was started without --token-file; use the unix socket, or give it one"
        ),
    )
}

fn foreign_user(uid: u32) -> Problem {
    let detail = format!("user {uid} is neither docktor's own user, nor root, nor in the socket's group");
    Problem::new(Code::Forbidden, detail)
}

fn is_health(uri: &Uri) -> bool {
    matches!(uri.path(), "/healthz" | "/readyz")
}

/// `host:port` without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// Is the process a member of the group, though it is not its primary one?
fn is_member(pid: Option<i32>, gid: u32) -> bool {
    let Some(pid) = pid else { return false };
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    groups.split_whitespace().any(|it| it.parse() == Ok(gid))
}

/// `ada (uid 1000)` where the host knows the name.
fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}
