//! The properties of a unit, as its manager tells them.

use std::collections::HashMap;

use zbus::zvariant::{OwnedValue, Value};

use crate::units::Timestamp;

/// The manager's word for "none", "infinity" and "not set" of a number.
pub const UNSET: u64 = u64::MAX;

/// All properties of a unit at one moment, those of its kind included. One that this version of systemd does not
/// have, or has with another type, is `None`.
#[derive(Debug, Default)]
pub struct Properties(HashMap<String, OwnedValue>);

impl Properties {
    pub(super) const fn new(values: HashMap<String, OwnedValue>) -> Self {
        Self(values)
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match &**self.0.get(name)? {
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// A yes or no.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(|it| &**it), Some(Value::Bool(true)))
    }

    /// A number as it is, [`UNSET`] included.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<u64> {
        match &**self.0.get(name)? {
            Value::U64(number) => Some(*number),
            Value::U32(number) => Some(u64::from(*number)),
            _ => None,
        }
    }

    /// A number; `None` also for [`UNSET`].
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.raw(name).filter(|it| *it != UNSET)
    }

    /// A moment in microseconds since 1970; 0 is never.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        let micros = self.number(name).filter(|it| *it > 0)?;
        i64::try_from(micros / 1_000).ok().map(Timestamp::from_millis)
    }

    /// Texts; none of them where there are none.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let Some(Value::Array(array)) = self.0.get(name).map(|it| &**it) else { return Vec::new() };
        let texts = array.iter().map(|it| match it {
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        });
        texts.flatten().collect()
    }

    /// Bytes; none of them where there are none.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match &**self.0.get(name)? {
            Value::Array(array) => array
                .iter()
                .map(|it| match it {
                    Value::U8(byte) => Some(*byte),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
}

impl<const N: usize> From<[(&str, Value<'static>); N]> for Properties {
    /// Properties made up for a test; values that hold file descriptors are left out.
    fn from(values: [(&str, Value<'static>); N]) -> Self {
        let owned = values
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), OwnedValue::try_from(value).ok()?)));
        Self(owned.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_by_their_type_and_unset_is_none() {
        let unit = Properties::from([
            ("Id", Value::from("a.service")),
            ("NeedDaemonReload", Value::from(true)),
            ("MemoryMax", Value::from(UNSET)),
            ("TasksMax", Value::from(12_u64)),
            ("ActiveEnterTimestamp", Value::from(1_500_000_u64)),
            ("InactiveEnterTimestamp", Value::from(0_u64)),
            ("AllowedCPUs", Value::from(vec![3_u8])),
            ("DropInPaths", Value::from(vec!["/run/a.conf", "/etc/b.conf"])),
        ]);
        assert_eq!(unit.texts("DropInPaths"), ["/run/a.conf", "/etc/b.conf"]);
        assert_eq!(unit.texts("Missing"), [""; 0]);
        assert_eq!(unit.text("Id"), Some("a.service"));
        assert!(unit.is("NeedDaemonReload") && !unit.is("Id") && !unit.is("Missing"));
        assert_eq!((unit.number("MemoryMax"), unit.raw("MemoryMax")), (None, Some(UNSET)));
        assert_eq!(
            (unit.number("TasksMax"), unit.number("Id"), unit.number("Missing")),
            (Some(12), None, None)
        );
        assert_eq!(unit.moment("ActiveEnterTimestamp"), Some(Timestamp::from_millis(1_500)));
        assert_eq!(unit.moment("InactiveEnterTimestamp"), None);
        assert_eq!(unit.bytes("AllowedCPUs"), Some(vec![3]));
    }
}
