//! Why a manager gave no answer that can be used.

use std::time::Duration;

use super::address::Address;

/// How much is shown of a refusal.
const LONGEST_MESSAGE: usize = 300;

/// Errors by which a manager, or the bus before it, says that the caller may not do this.
const DENIALS: [&str; 3] = [
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.AuthFailed",
];

/// Errors by which a bus says that the manager is not there.
const ABSENCES: [&str; 5] = [
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.Disconnected",
    "org.freedesktop.systemd1.ShuttingDown",
];

/// Errors by which a manager says that there is no such unit.
const NO_UNIT: [&str; 3] = [
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.DBus.Error.UnknownObject",
    "org.freedesktop.DBus.Error.FileNotFound",
];

/// Why a manager gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// There is no way to it.
    #[error("no way leads there: {}", tried.join("; "))]
    Unreachable {
        /// Each way, with what went wrong there.
        tried: Vec<String>,
    },
    /// The connection broke during a call. Whether it was carried out is not known.
    #[error("the connection broke")]
    Broken(#[source] zbus::Error),
    /// The answer did not come in time. Whether the call was carried out is not known.
    #[error("no answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// There is no such unit.
    #[error("{message}")]
    NoSuchUnit {
        /// The manager's own words.
        message: String,
    },
    /// The user of this process may not do this.
    #[error("access denied: {message}")]
    Denied {
        /// The manager's own words, or the bus's.
        message: String,
    },
    /// The manager refused.
    #[error("{name}: {message}")]
    Refused {
        /// The D-Bus name of the error.
        name: String,
        /// The manager's own words.
        message: String,
    },
    /// The job was carried out, and did not succeed.
    #[error("its job ended as `{result}`")]
    Job {
        /// `failed`, `timeout`, `dependency`, `canceled`, `skipped` and so on.
        result: String,
    },
    /// The answer is not what the interface says.
    #[error("cannot read the answer")]
    Garbled(#[source] zbus::Error),
}

impl SystemdError {
    /// The manager did not answer at all, so asking again later may help.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken(_) | Self::TooSlow(_))
    }

    /// No way leads to it, each with what went wrong.
    pub(super) fn unreachable(tried: impl IntoIterator<Item = (Address, String)>) -> Self {
        let tried = tried.into_iter().map(|(address, error)| format!("{address}: {error}")).collect();
        Self::Unreachable { tried }
    }
}

impl From<zbus::Error> for SystemdError {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(name, message, _) => {
                let message: String =
                    message.unwrap_or_default().trim().chars().take(LONGEST_MESSAGE).collect();
                match name.as_str() {
                    it if DENIALS.contains(&it) => Self::Denied { message },
                    it if NO_UNIT.contains(&it) => Self::NoSuchUnit { message },
                    it if ABSENCES.contains(&it) => Self::Unreachable { tried: vec![message] },
                    it => Self::Refused { name: it.to_owned(), message },
                }
            }
            error @ (zbus::Error::InputOutput(_)
            | zbus::Error::Connection(..)
            | zbus::Error::Handshake(_)) => Self::Broken(error),
            error => Self::Garbled(error),
        }
    }
}
