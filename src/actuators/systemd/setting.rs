//! Limits as properties of a unit: what each is called, in which unit systemd has it, and how it says "none".

use super::cpus;
use crate::api::limits::LimitKind;
use crate::clients::systemd::{Properties, UNSET, Value};

/// Microseconds of CPU time per second in one percent of a core.
const MICROS_PER_PERCENT: f64 = 10_000.0;

/// The value of a property that is a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    /// Microseconds per second, bytes, a count or a weight; [`UNSET`] is none.
    Number(u64),
    /// A set of CPUs; the empty one is none.
    Cpus(Vec<u8>),
}

/// The property that holds a limit.
pub(super) const fn property(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::CpuQuota => "CPUQuotaPerSecUSec",
        LimitKind::MemoryMax => "MemoryMax",
        LimitKind::MemoryHigh => "MemoryHigh",
        LimitKind::TasksMax => "TasksMax",
        LimitKind::CpuWeight => "CPUWeight",
        LimitKind::IoWeight => "IOWeight",
        LimitKind::AllowedCpus => "AllowedCPUs",
    }
}

/// The limit's name in a unit file.
const fn directive(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::CpuQuota => "CPUQuota",
        _ => property(kind),
    }
}

/// Was one of these limits set for good, by `systemctl set-property` without `--runtime`? What is set until the next
/// boot would then hold until the next `daemon-reload` only.
pub(super) fn is_set_for_good(unit: &Properties, kinds: impl Iterator<Item = LimitKind>) -> bool {
    let files = unit.texts("DropInPaths");
    let lasting = |it: &&str| !it.starts_with("/run/") && it.contains(".control/");
    let names: Vec<_> = files.into_iter().filter(lasting).filter_map(|it| it.rsplit('/').next()).collect();
    kinds.into_iter().any(|kind| names.contains(&format!("50-{}.conf", directive(kind)).as_str()))
}

/// The controller of the kernel's that enforces a limit.
pub(super) const fn controller(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::CpuQuota | LimitKind::CpuWeight => "cpu",
        LimitKind::MemoryMax | LimitKind::MemoryHigh => "memory",
        LimitKind::TasksMax => "pids",
        LimitKind::IoWeight => "io",
        LimitKind::AllowedCpus => "cpuset",
    }
}

/// Why a limit cannot be written as a property.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum SettingError {
    /// Not that many CPUs are there.
    #[error("{wanted} CPUs are wanted, and {online} are online")]
    FewerCpus { wanted: u32, online: usize },
}

impl Setting {
    /// A limit in the unit of its kind, `None` for no limit. A set of CPUs of the right size stays as it is.
    pub fn of(
        kind: LimitKind,
        value: Option<f64>,
        online: &[u32],
        now: &Properties,
    ) -> Result<Self, SettingError> {
        match (kind, value) {
            (LimitKind::AllowedCpus, None) => Ok(Self::Cpus(Vec::new())),
            (LimitKind::AllowedCpus, Some(value)) => {
                let wanted = value as u32;
                let present = Self::read(kind, now);
                if let Some(Self::Cpus(mask)) = present.filter(|it| it.limit(kind) == Some(value)) {
                    return Ok(Self::Cpus(mask));
                }
                let mask = cpus::lowest(online, wanted);
                mask.map(Self::Cpus).ok_or(SettingError::FewerCpus { wanted, online: online.len() })
            }
            (_, None) => Ok(Self::Number(UNSET)),
            (LimitKind::CpuQuota, Some(value)) => {
                Ok(Self::Number((value * MICROS_PER_PERCENT).round() as u64))
            }
            (_, Some(value)) => Ok(Self::Number(value.round() as u64)),
        }
    }

    /// As the unit has it; none where this version of systemd does not have that property.
    pub fn read(kind: LimitKind, unit: &Properties) -> Option<Self> {
        match kind {
            LimitKind::AllowedCpus => unit.bytes(property(kind)).map(|it| Self::Cpus(cpus::trimmed(it))),
            _ => unit.raw(property(kind)).map(Self::Number),
        }
    }

    /// In the unit of its kind; `None` for no limit.
    pub fn limit(&self, kind: LimitKind) -> Option<f64> {
        match (self, kind) {
            (Self::Number(UNSET), _) => None,
            (Self::Number(micros), LimitKind::CpuQuota) => Some(*micros as f64 / MICROS_PER_PERCENT),
            (Self::Number(number), _) => Some(*number as f64),
            (Self::Cpus(mask), _) => Some(cpus::count(mask)).filter(|it| *it > 0).map(f64::from),
        }
    }

    /// For the call that sets it.
    pub fn value(&self) -> Value<'static> {
        match self {
            Self::Number(number) => Value::from(*number),
            Self::Cpus(mask) => Value::from(mask.clone()),
        }
    }

    /// For people.
    pub fn written(&self, kind: LimitKind) -> String {
        self.limit(kind).map_or_else(|| "no limit".to_owned(), |it| kind.written(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_of_set_property_that_outlasts_a_boot_sets_a_limit_for_good() {
        for (files, expected) in [
            (vec![], false),
            (vec!["/run/systemd/system.control/a.service.d/50-CPUQuota.conf"], false),
            (vec!["/etc/systemd/system/a.service.d/50-CPUQuota.conf"], false),
            (vec!["/etc/systemd/system.control/a.service.d/50-TasksMax.conf"], false),
            (vec!["/etc/systemd/system.control/a.service.d/50-CPUQuota.conf"], true),
            (vec!["/home/ada/.config/systemd/user.control/a.service.d/50-MemoryMax.conf"], true),
            (vec!["/run/user/1000/systemd/user.control/a.service.d/50-MemoryMax.conf"], false),
        ] {
            let unit = Properties::from([("DropInPaths", Value::from(files.clone()))]);
            let found = is_set_for_good(&unit, [LimitKind::CpuQuota, LimitKind::MemoryMax].into_iter());
            assert_eq!(found, expected, "{files:?}");
        }
    }

    #[test]
    fn a_limit_is_written_in_systemds_unit_and_read_back() {
        let bare = Properties::default();
        for (kind, limit, setting) in [
            (LimitKind::CpuQuota, Some(150.0), Setting::Number(1_500_000)),
            (LimitKind::CpuQuota, None, Setting::Number(UNSET)),
            (LimitKind::MemoryMax, Some(1_073_741_824.0), Setting::Number(1_073_741_824)),
            (LimitKind::TasksMax, Some(375.0), Setting::Number(375)),
            (LimitKind::CpuWeight, None, Setting::Number(UNSET)),
            (LimitKind::IoWeight, Some(100.0), Setting::Number(100)),
            (LimitKind::AllowedCpus, Some(2.0), Setting::Cpus(vec![0b11])),
            (LimitKind::AllowedCpus, None, Setting::Cpus(vec![])),
        ] {
            let written = Setting::of(kind, limit, &[0, 1, 2], &bare).unwrap();
            assert_eq!(written, setting, "{kind}");
            let unit = Properties::from([(property(kind), written.value())]);
            let read = Setting::read(kind, &unit).unwrap();
            assert_eq!((read.limit(kind), &read), (limit, &setting), "{kind}");
        }
    }

    #[test]
    fn cpus_of_the_wanted_number_stay_those_that_a_person_chose() {
        let unit = Properties::from([("AllowedCPUs", Value::from(vec![0b1100_u8]))]);
        let setting = |count| Setting::of(LimitKind::AllowedCpus, Some(count), &[0, 1, 2, 3], &unit);
        assert_eq!(setting(2.0), Ok(Setting::Cpus(vec![0b1100])));
        assert_eq!(setting(3.0), Ok(Setting::Cpus(vec![0b111])));
        assert_eq!(setting(5.0), Err(SettingError::FewerCpus { wanted: 5, online: 4 }));
    }

    #[test]
    fn a_property_that_this_systemd_does_not_have_is_no_setting() {
        assert_eq!(Setting::read(LimitKind::MemoryMax, &Properties::default()), None);
    }
}
