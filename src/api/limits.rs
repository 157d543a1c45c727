//! The limits that vertical scaling moves, and a small set of them, written as people write them:
//! `{cpuQuota: 200%, memoryMax: 32GiB, tasksMax: 250}`.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::{Bytes, Percent, UnitError};

/// One MiB, the grain of memory limits.
const MIB: f64 = 1_048_576.0;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitKind {
    /// CPU time, in percent of one core.
    CpuQuota,
    /// Memory above which the kernel kills, in bytes.
    MemoryMax,
    /// Memory above which the kernel slows down and reclaims, in bytes.
    MemoryHigh,
    /// Processes and threads.
    TasksMax,
    /// Share of the CPU under contention.
    CpuWeight,
    /// Share of the disks under contention.
    IoWeight,
    /// How many CPUs it may run on.
    #[serde(rename = "allowedCPUs")]
    AllowedCpus,
}

/// A limit that a replica is to have, in the unit of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NewLimit {
    /// Which.
    pub kind: LimitKind,
    /// How much; `None` for no limit, a weight as if it had never been set.
    pub value: Option<f64>,
}

// Only finite values are written, so that equality is reflexive.
impl Eq for NewLimit {}

impl fmt::Display for NewLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.kind.written_or_none(self.value))
    }
}

/// What is used of the host, as far as a limit stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usable {
    /// CPU time.
    Cpu,
    /// Memory.
    Memory,
    /// Processes and threads.
    Tasks,
    /// Disks.
    Io,
}

impl LimitKind {
    /// Every kind, in the order in which sets are written.
    pub const ALL: [Self; 7] = [
        Self::CpuQuota,
        Self::MemoryMax,
        Self::MemoryHigh,
        Self::TasksMax,
        Self::CpuWeight,
        Self::IoWeight,
        Self::AllowedCpus,
    ];

    /// As it is written in a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuQuota => "cpuQuota",
            Self::MemoryMax => "memoryMax",
            Self::MemoryHigh => "memoryHigh",
            Self::TasksMax => "tasksMax",
            Self::CpuWeight => "cpuWeight",
            Self::IoWeight => "ioWeight",
            Self::AllowedCpus => "allowedCPUs",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Of what it is a limit.
    #[must_use]
    pub const fn of(self) -> Usable {
        match self {
            Self::CpuQuota | Self::CpuWeight | Self::AllowedCpus => Usable::Cpu,
            Self::MemoryMax | Self::MemoryHigh => Usable::Memory,
            Self::TasksMax => Usable::Tasks,
            Self::IoWeight => Usable::Io,
        }
    }

    /// Does it cap use? A weight only shares what is contended, so nothing can run into it.
    #[must_use]
    pub const fn caps(self) -> bool {
        !matches!(self, Self::CpuWeight | Self::IoWeight)
    }

    /// Limits are whole multiples of this: a percent, a MiB, one.
    #[must_use]
    pub const fn grain(self) -> f64 {
        match self {
            Self::MemoryMax | Self::MemoryHigh => MIB,
            _ => 1.0,
        }
    }

    /// The value that a text stands for: `200%`, `32GiB`, `250`.
    ///
    /// # Errors
    /// When it is written in another way.
    pub fn parse(self, text: &str) -> Result<f64, UnitError> {
        match self {
            Self::CpuQuota => text.parse().map(|it: Percent| it.0),
            Self::MemoryMax | Self::MemoryHigh => text.parse().map(|it: Bytes| it.0 as f64),
            _ => text
                .parse()
                .map(|it: u64| it as f64)
                .map_err(|_| UnitError::new(text, "a count is a whole number, as in `250`")),
        }
    }

    /// The value as people write it; `none` where there is no limit.
    #[must_use]
    pub fn written_or_none(self, value: Option<f64>) -> String {
        value.map_or_else(|| "none".to_owned(), |it| self.written(it))
    }

    /// The value as people write it.
    #[must_use]
    pub fn written(self, value: f64) -> String {
        match self {
            Self::CpuQuota => Percent(value).to_string(),
            Self::MemoryMax | Self::MemoryHigh => Bytes(value as u64).to_string(),
            _ => (value as u64).to_string(),
        }
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// At most one value of each kind; every value is finite.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LimitSet([Option<f64>; LimitKind::ALL.len()]);

// Only finite values are let in, so that equality is reflexive.
impl Eq for LimitSet {}

impl LimitSet {
    /// The value of that kind.
    #[must_use]
    pub const fn get(&self, kind: LimitKind) -> Option<f64> {
        self.0[kind as usize]
    }

    /// Sets it; what is not finite is no limit.
    pub fn set(&mut self, kind: LimitKind, value: f64) {
        self.0[kind as usize] = value.is_finite().then_some(value);
    }

    /// The limits that are there, in the order of [`LimitKind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (LimitKind, f64)> + '_ {
        LimitKind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind)?)))
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl LimitSet {
    /// The same without those of these kinds.
    #[must_use]
    pub fn without(&self, kinds: LimitKinds) -> Self {
        self.iter().filter(|(kind, _)| !kinds.contains(*kind)).collect()
    }
}

/// Some of the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitKinds([bool; LimitKind::ALL.len()]);

impl LimitKinds {
    /// Is that kind one of them?
    #[must_use]
    pub const fn contains(self, kind: LimitKind) -> bool {
        self.0[kind as usize]
    }
}

impl FromIterator<LimitKind> for LimitKinds {
    fn from_iter<I: IntoIterator<Item = LimitKind>>(kinds: I) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.0[kind as usize] = true);
        set
    }
}

impl FromIterator<(LimitKind, f64)> for LimitSet {
    fn from_iter<I: IntoIterator<Item = (LimitKind, f64)>>(limits: I) -> Self {
        let mut set = Self::default();
        limits.into_iter().for_each(|(kind, value)| set.set(kind, value));
        set
    }
}

impl fmt::Display for LimitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, value)) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{kind} {}", kind.written(value))?;
        }
        Ok(())
    }
}

impl Serialize for LimitSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (kind, value) in self.iter() {
            match kind {
                LimitKind::CpuQuota | LimitKind::MemoryMax | LimitKind::MemoryHigh => {
                    map.serialize_entry(kind.name(), &kind.written(value))?;
                }
                _ => map.serialize_entry(kind.name(), &(value as u64))?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for LimitSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limits;

        impl<'de> Visitor<'de> for Limits {
            type Value = LimitSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "limits, as in `{\"cpuQuota\": \"200%\", \"memoryMax\": \"32GiB\", \"tasksMax\": 250}`",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LimitSet, A::Error> {
                let mut set = LimitSet::default();
                while let Some(name) = map.next_key::<String>()? {
                    let kind = LimitKind::named(&name).ok_or_else(|| {
                        let known = LimitKind::ALL.map(LimitKind::name).join("`, `");
                        A::Error::custom(format!("unknown limit `{name}`, expected one of `{known}`"))
                    })?;
                    let Written(text) = map.next_value()?;
                    let value =
                        kind.parse(&text).map_err(|error| A::Error::custom(format!("`{name}`: {error}")))?;
                    set.set(kind, value);
                }
                Ok(set)
            }
        }

        deserializer.deserialize_map(Limits)
    }
}

/// The text of a value that is written as a text or as a number.
struct Written(String);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;

        impl Visitor<'_> for TextOrNumber {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a limit, as in `\"200%\"`, `\"32GiB\"` or `250`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
                Ok(Written(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Written, E> {
                Ok(Written(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Written, E> {
                Ok(Written(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Written, E> {
                Ok(Written(number.to_string()))
            }
        }

        deserializer.deserialize_any(TextOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_and_read_as_in_a_policy() {
        let json = r#"{"cpuQuota":"200%","memoryMax":"32GiB","tasksMax":250,"allowedCPUs":4}"#;
        let set: LimitSet = serde_json::from_str(json).unwrap();
        assert_eq!(set.get(LimitKind::MemoryMax), Some(34_359_738_368.0));
        assert_eq!(serde_json::to_string(&set).unwrap(), json);
        assert_eq!(set.to_string(), "cpuQuota 200%, memoryMax 32GiB, tasksMax 250, allowedCPUs 4");
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_would_be_right() {
        for (json, words) in [
            (r#"{"cpuQuota": 200}"#, "write `200%`"),
            (r#"{"memoryMax": "32"}"#, "as in `512MiB`"),
            (r#"{"tasksMax": 2.5}"#, "a count is a whole number, as in `250`"),
            (r#"{"tasksMax": -1}"#, "a count is a whole number"),
            (r#"{"cpu": "200%"}"#, "unknown limit `cpu`, expected one of `cpuQuota`, `memoryMax`"),
            (r#"{"cpuQuota": null}"#, "expected a limit, as in"),
            ("[]", "expected limits, as in"),
        ] {
            let error = serde_json::from_str::<LimitSet>(json).unwrap_err().to_string();
            assert!(error.contains(words), "{json}: {error}");
        }
    }

    #[test]
    fn what_is_not_finite_is_no_limit() {
        let set: LimitSet =
            [(LimitKind::TasksMax, f64::NAN), (LimitKind::CpuQuota, 1.0)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [(LimitKind::CpuQuota, 1.0)]);
    }
}
