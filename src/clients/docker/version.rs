//! Which version of the Engine API to speak. Pure.

use std::fmt;
use std::str::FromStr;

use bollard::models::SystemVersion;

/// A version of the Engine API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    major: u16,
    minor: u16,
}

impl ApiVersion {
    /// The oldest that docktor speaks (Docker 20.10).
    pub const OLDEST: Self = Self::new(1, 41);
    /// The newest whose shapes docktor knows (Docker 29).
    pub const NEWEST: Self = Self::new(1, 53);
    /// From here on, `create` takes all networks of a container at once.
    pub const MANY_ENDPOINTS: Self = Self::new(1, 44);

    /// Version `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// The newest version that both sides speak, from the answer to `GET /version`.
    ///
    /// # Errors
    /// With what the engine speaks, when there is none.
    pub fn agreed(answer: &SystemVersion) -> Result<Self, VersionError> {
        let read = |field: &Option<String>| field.as_ref()?.parse::<Self>().ok();
        let newest = read(&answer.api_version).ok_or(VersionError::Unreadable)?;
        let oldest = read(&answer.min_api_version).unwrap_or(Self::new(1, 0));
        let agreed = newest.min(Self::NEWEST);
        if agreed < oldest.max(Self::OLDEST) {
            return Err(VersionError::NoneInCommon { oldest, newest });
        }
        Ok(agreed)
    }
}

/// Why no version could be agreed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The engine does not say which versions it speaks.
    #[error("the engine does not say which API version it speaks")]
    Unreadable,
    /// There is no common version.
    #[error(
        "the engine speaks API {oldest} to {newest}, docktor {} to {}",
        ApiVersion::OLDEST,
        ApiVersion::NEWEST
    )]
    NoneInCommon {
        /// The engine's oldest.
        oldest: ApiVersion,
        /// The engine's newest.
        newest: ApiVersion,
    },
}

impl FromStr for ApiVersion {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self { major: major.parse()?, minor: minor.parse()? })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of an engine that speaks these.
    fn speaks(newest: &str, oldest: &str) -> SystemVersion {
        let (api_version, min_api_version) = (Some(newest.to_owned()), Some(oldest.to_owned()));
        SystemVersion { api_version, min_api_version, ..SystemVersion::default() }
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        for (newest, oldest, agreed) in [
            ("1.41", "1.12", "1.41"),
            ("1.45", "1.24", "1.45"),
            ("1.99", "1.44", "1.53"),
            ("1.53", "", "1.53"),
        ] {
            assert_eq!(ApiVersion::agreed(&speaks(newest, oldest)).unwrap().to_string(), agreed);
        }
    }

    #[test]
    fn without_a_common_version_the_answer_says_what_each_side_speaks() {
        let old = ApiVersion::agreed(&speaks("1.40", "1.12")).unwrap_err();
        assert_eq!(old.to_string(), "the engine speaks API 1.12 to 1.40, docktor 1.41 to 1.53");
        assert!(ApiVersion::agreed(&speaks("2.4", "2.0")).is_err());
        assert_eq!(ApiVersion::agreed(&SystemVersion::default()).unwrap_err(), VersionError::Unreadable);
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(ApiVersion::new(1, 9) < ApiVersion::new(1, 41));
    }
}
