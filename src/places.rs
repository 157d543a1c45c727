//! Where docktor's files are unless a flag says otherwise; the same for both programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The socket of a controller that runs as a service of the host.
const SYSTEM_SOCKET: &str = "/run/docktor/docktor.sock";

/// Where docktor's files are by default, for the user who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The policy folder.
    pub policies: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// The controller's unix socket.
    pub socket: PathBuf,
    /// The folder below which `{file: …}` secrets are.
    pub secrets: PathBuf,
}

/// Whose places: root's follow the file system's hierarchy, a user's the XDG base directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// The superuser.
    Root,
    /// Anybody else.
    Ordinary,
}

impl User {
    /// The user of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::Root } else { Self::Ordinary }
    }
}

impl Places {
    /// The places of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::new(User::of_this_process(), |name| std::env::var_os(name))
    }

    /// The places of `user`, with the environment as `variable` tells it. An empty variable counts as unset.
    #[must_use]
    pub fn new(user: User, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let directory = |name: &str| variable(name).and_then(first_directory);
        let home = directory("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let below =
            |xdg: &str, fallback: &str| directory(xdg).unwrap_or_else(|| home.join(fallback)).join("docktor");

        let (policies, state) = match user {
            User::Root => (PathBuf::from("/etc/docktor/policies"), PathBuf::from("/var/lib/docktor")),
            User::Ordinary => (
                below("XDG_CONFIG_HOME", ".config").join("policies"),
                below("XDG_STATE_HOME", ".local/state"),
            ),
        };
        let state = directory("STATE_DIRECTORY").unwrap_or(state);
        let socket = match (directory("RUNTIME_DIRECTORY"), user) {
            (Some(runtime), _) => runtime.join("docktor.sock"),
            (None, User::Root) => PathBuf::from(SYSTEM_SOCKET),
            (None, User::Ordinary) => match directory("XDG_RUNTIME_DIR") {
                Some(runtime) => runtime.join("docktor/docktor.sock"),
                None => state.join("docktor.sock"),
            },
        };
        let secrets = directory("CREDENTIALS_DIRECTORY").unwrap_or_else(|| PathBuf::from("/run/secrets"));
        Self { policies, state, socket, secrets }
    }

    /// Where a client looks for a controller: the user's own first, then the host's.
    #[must_use]
    pub fn sockets(&self) -> Vec<PathBuf> {
        let host = Path::new(SYSTEM_SOCKET);
        let mut sockets = vec![self.socket.clone()];
        if self.socket != host {
            sockets.push(host.to_owned());
        }
        sockets
    }
}

// systemd separates several directories of a unit by colons; the first is the one named in the unit first.
fn first_directory(value: OsString) -> Option<PathBuf> {
    let text = value.into_string().ok()?;
    let first = text.split(':').next().unwrap_or_default();
    (!first.is_empty()).then(|| PathBuf::from(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(user: User, variables: &[(&str, &str)]) -> Places {
        Places::new(user, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn root_has_the_places_of_the_host() {
        let places = places(User::Root, &[("HOME", "/root"), ("XDG_STATE_HOME", "/elsewhere")]);
        assert_eq!(places.policies, Path::new("/etc/docktor/policies"));
        assert_eq!(places.state, Path::new("/var/lib/docktor"));
        assert_eq!(places.socket, Path::new("/run/docktor/docktor.sock"));
        assert_eq!(places.secrets, Path::new("/run/secrets"));
        assert_eq!(places.sockets().len(), 1);
    }

    #[test]
    fn systemd_says_where_a_unit_keeps_its_files() {
        let places = places(
            User::Ordinary,
            &[
                ("STATE_DIRECTORY", "/var/lib/docktor:/var/lib/other"),
                ("RUNTIME_DIRECTORY", "/run/docktor"),
                ("CREDENTIALS_DIRECTORY", "/run/credentials/docktor.service"),
            ],
        );
        assert_eq!(places.state, Path::new("/var/lib/docktor"));
        assert_eq!(places.socket, Path::new("/run/docktor/docktor.sock"));
        assert_eq!(places.secrets, Path::new("/run/credentials/docktor.service"));
    }

    #[test]
    fn a_user_has_the_places_of_xdg_or_their_defaults() {
        let set = places(
            User::Ordinary,
            &[("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s"), ("XDG_RUNTIME_DIR", "/run/user/1000")],
        );
        assert_eq!(set.policies, Path::new("/c/docktor/policies"));
        assert_eq!(set.state, Path::new("/s/docktor"));
        assert_eq!(set.socket, Path::new("/run/user/1000/docktor/docktor.sock"));
        assert_eq!(set.sockets(), [set.socket.clone(), "/run/docktor/docktor.sock".into()]);

        let unset = places(User::Ordinary, &[("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "")]);
        assert_eq!(unset.policies, Path::new("/home/ada/.config/docktor/policies"));
        assert_eq!(unset.state, Path::new("/home/ada/.local/state/docktor"));
        assert_eq!(unset.socket, Path::new("/home/ada/.local/state/docktor/docktor.sock"));
    }
}
