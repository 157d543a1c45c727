//! Where a manager is reached: its private socket, or the bus on which it has a name.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::api::target::SystemdManager;
use crate::places::User;

/// The private socket of PID 1. Only root may use it.
const SYSTEM_SOCKET: &str = "/run/systemd/private";

/// One way to a manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The manager's own socket: D-Bus without a bus. Only its own user and root may use it, polkit is not asked,
    /// and every signal comes unasked.
    Private(PathBuf),
    /// The system bus.
    SystemBus,
    /// A message bus at an address in D-Bus notation.
    Bus(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(socket) => write!(f, "{}", socket.display()),
            Self::SystemBus => f.write_str("the system bus"),
            Self::Bus(address) => f.write_str(address),
        }
    }
}

/// The ways to a manager for the user of this process, the best first.
pub(super) fn addresses(manager: SystemdManager) -> Vec<Address> {
    match manager {
        SystemdManager::System => of_the_system(User::of_this_process()),
        SystemdManager::User => {
            let uid = rustix::process::geteuid().as_raw();
            of_a_user(uid, |name| std::env::var_os(name))
        }
    }
}

fn of_the_system(user: User) -> Vec<Address> {
    match user {
        User::Root => vec![Address::Private(PathBuf::from(SYSTEM_SOCKET)), Address::SystemBus],
        User::Ordinary => vec![Address::SystemBus],
    }
}

fn of_a_user(uid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Vec<Address> {
    let variable = |name: &str| variable(name).filter(|it| !it.is_empty());
    let runtime = variable("XDG_RUNTIME_DIR")
        .map_or_else(|| Path::new("/run/user").join(uid.to_string()), PathBuf::from);
    let session = variable("DBUS_SESSION_BUS_ADDRESS")
        .and_then(|it| it.into_string().ok())
        .unwrap_or_else(|| format!("unix:path={}", runtime.join("bus").display()));
    vec![Address::Bus(session), Address::Private(runtime.join("systemd/private"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_goes_to_the_manager_itself_and_others_over_the_bus() {
        assert_eq!(of_the_system(User::Root)[0].to_string(), "/run/systemd/private");
        assert_eq!(of_the_system(User::Ordinary), [Address::SystemBus]);
    }

    #[test]
    fn the_manager_of_a_user_is_found_with_and_without_an_environment() {
        let ways = |environment: &[(&str, &str)]| {
            let environment: std::collections::BTreeMap<_, _> = environment.iter().copied().collect();
            let ways = of_a_user(1000, |name| environment.get(name).map(OsString::from));
            ways.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for (environment, expected) in [
            (&[][..], ["unix:path=/run/user/1000/bus", "/run/user/1000/systemd/private"]),
            (&[("XDG_RUNTIME_DIR", "/r")], ["unix:path=/r/bus", "/r/systemd/private"]),
            (
                &[("XDG_RUNTIME_DIR", ""), ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/b")],
                ["unix:path=/b", "/run/user/1000/systemd/private"],
            ),
        ] {
            assert_eq!(ways(environment), expected, "{environment:?}");
        }
    }
}
