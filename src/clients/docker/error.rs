//! Why an engine gave no answer that can be used: one list for typed calls and for JSON.

use std::io::ErrorKind;
use std::time::Duration;

use bollard::errors::Error;

use super::version::VersionError;

/// How much is shown of a refusal; a proxy may answer with a whole page.
const LONGEST_MESSAGE: usize = 300;

/// Why an engine gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody answers there.
    #[error("cannot connect")]
    Unreachable(#[source] std::io::Error),
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
        source: Box<Error>,
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
    Version(#[from] VersionError),
}

impl EngineError {
    /// What went wrong with `call`.
    pub(super) fn of(call: &str, error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message: shortened(&message) }
            }
            Error::IOError { err } if err.kind() == ErrorKind::NotConnected => Self::Unreachable(err),
            source => Self::Garbled { call: call.to_owned(), source: source.into() },
        }
    }

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

    /// The API version that was agreed on no longer holds, as after an upgrade.
    pub(super) fn is_outdated_version(&self) -> bool {
        matches!(self, Self::Refused { status: 400, message } if message.contains("client version"))
    }
}

fn shortened(message: &str) -> String {
    message.trim().chars().take(LONGEST_MESSAGE).collect()
}
