//! Numbers that know what they are: parsed once at the border, correct everywhere after.
//! Pure: no files, no clock, no logging.

mod bytes;
mod duration;
mod percent;
mod replicas;
mod timestamp;

pub use bytes::Bytes;
pub use duration::Duration;
pub use percent::Percent;
pub use replicas::{Bounds, BoundsError, MAX_REPLICAS};
pub use timestamp::Timestamp;

/// Why a text is not one of the units of this module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`; {expected}")]
pub struct UnitError {
    /// The text as it was written.
    pub found: String,
    /// What would be right, with an example.
    pub expected: std::borrow::Cow<'static, str>,
}

impl UnitError {
    /// `found` is not what was expected.
    #[must_use]
    pub fn new(found: &str, expected: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { found: found.to_owned(), expected: expected.into() }
    }

    /// The same, with a proposal where only the unit is missing.
    #[must_use]
    pub(crate) fn without_unit(found: &str, unit: &str, expected: &'static str) -> Self {
        let is_number = found.parse::<f64>().is_ok() && found.starts_with(|c: char| c.is_ascii_digit());
        if is_number {
            Self::new(found, format!("write `{found}{unit}`: {expected}"))
        } else {
            Self::new(found, expected)
        }
    }
}

/// Serde and schema by text form, for a unit that has `FromStr` and `Display`.
macro_rules! text_form {
    ($unit:ty, $name:literal, $pattern:literal, $description:literal) => {
        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $unit {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $description,
                })
            }
        }
    };
}
pub(crate) use text_form;
