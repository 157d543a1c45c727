//! Where a Docker engine listens, in the notation of `DOCKER_HOST`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where an engine listens that nobody spoke of.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The port of an engine whose address has none.
const DEFAULT_PORT: u16 = 2375;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// Plain HTTP over TCP: `host:port`.
    Tcp(String),
}

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no engine address: {expected}")]
pub struct AddressError {
    found: String,
    expected: &'static str,
}

impl Default for Address {
    fn default() -> Self {
        Self::Unix(DEFAULT_SOCKET.into())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |expected| AddressError { found: text.to_owned(), expected };
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("unix", _)) => {
                Err(refuse("a unix socket has an absolute path, as in `unix:///var/run/docker.sock`"))
            }
            Some(("tcp" | "http", rest)) => {
                host_and_port(rest).map(Self::Tcp).ok_or_else(|| refuse("write `tcp://host:port`"))
            }
            Some(("https", _)) => Err(refuse("TLS is not supported; use a unix socket or a tunnel to one")),
            Some(("ssh", _)) => Err(refuse(
                "ssh is not supported; forward the socket: `ssh -L /run/remote.sock:/var/run/docker.sock`",
            )),
            _ => Err(refuse("write `unix:///path` or `tcp://host:port`")),
        }
    }
}

/// `host[:port][/]` as `host:port`.
fn host_and_port(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let port_at = text.rfind(':').filter(|at| !text[*at..].contains(']'));
    match port_at {
        Some(0) => None,
        Some(at) => text[at + 1..].parse::<u16>().ok().map(|_| text.to_owned()),
        None if text.is_empty() || text.contains('/') => None,
        None => Some(format!("{text}:{DEFAULT_PORT}")),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_the_notation_of_docker_host() {
        for (text, read) in [
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
            ("tcp://10.0.0.7:2376", "tcp://10.0.0.7:2376"),
            ("http://engine", "tcp://engine:2375"),
            ("tcp://[::1]:2375/", "tcp://[::1]:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), read, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_the_way_to_do_it() {
        for text in [
            "",
            "docker.sock",
            "unix://run/docker.sock",
            "https://a:1",
            "ssh://a",
            "tcp://",
            "tcp://a:b",
            "npipe:////./pipe/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
