//! A unit as a replica: its phase, its health and its limits. Pure.

use super::setting::Setting;
use crate::api::limits::LimitKind;
use crate::clients::systemd::Properties;
use crate::model::observation::{Health, HostCapacity, Limits, Replica, ReplicaId, ReplicaPhase};

/// What is known of a unit beside its own properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// docktor chose it to go.
    Retiring,
    /// Nothing.
    Left,
}

/// The unit as a replica, without the change that made it.
pub(super) fn replica(
    id: ReplicaId,
    name: &str,
    number: u32,
    unit: &Properties,
    fate: Fate,
    host: HostCapacity,
) -> Replica {
    Replica {
        id,
        name: name.to_owned(),
        number,
        phase: phase(unit, fate),
        health: health(unit),
        created_at: unit.moment("InactiveExitTimestamp"),
        started_at: unit.moment("ActiveEnterTimestamp"),
        restarts: unit.number("NRestarts").and_then(|it| it.try_into().ok()).unwrap_or(0),
        change: None,
        outdated: false,
        samples: Vec::new(),
        limits: limits(unit, host),
    }
}

/// Where the unit is in its life as a replica.
pub(super) fn phase(unit: &Properties, fate: Fate) -> ReplicaPhase {
    match (unit.text("ActiveState").unwrap_or_default(), fate) {
        ("inactive", _) => ReplicaPhase::Stopped,
        ("failed", _) => ReplicaPhase::Failed,
        ("deactivating", _) | (_, Fate::Retiring) => ReplicaPhase::Draining,
        ("activating", _) => ReplicaPhase::Pending,
        // Active, reloading, refreshing, and what later versions call states of a unit that runs.
        _ => ReplicaPhase::Running,
    }
}

/// What systemd knows of its health: units of some types say themselves that they are ready; of the others,
/// systemd only knows that they run.
fn health(unit: &Properties) -> Health {
    let tells =
        matches!(unit.text("Type"), Some("notify" | "notify-reload" | "dbus" | "forking" | "oneshot"));
    match (tells, unit.text("ActiveState").unwrap_or_default()) {
        (false, _) => Health::NoCheck,
        (true, "activating") => Health::Starting,
        (true, "failed") => Health::Unhealthy,
        (true, _) => Health::Healthy,
    }
}

/// The limits of the unit itself; those of the slices around it are not looked at.
pub(super) fn limits(unit: &Properties, host: HostCapacity) -> Limits {
    let limit = |kind| Setting::read(kind, unit)?.limit(kind);
    Limits {
        cpus: limit(LimitKind::CpuQuota).map(|percent| percent / 100.0),
        memory: limit(LimitKind::MemoryMax),
        tasks: limit(LimitKind::TasksMax),
        memory_high: limit(LimitKind::MemoryHigh),
        cpu_weight: limit(LimitKind::CpuWeight),
        io_weight: limit(LimitKind::IoWeight),
        allowed_cpus: limit(LimitKind::AllowedCpus),
        host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::systemd::{UNSET, Value};

    #[test]
    fn a_phase_follows_from_the_state_and_what_docktor_does_with_it() {
        for (state, left, retiring) in [
            ("active", ReplicaPhase::Running, ReplicaPhase::Draining),
            ("reloading", ReplicaPhase::Running, ReplicaPhase::Draining),
            ("refreshing", ReplicaPhase::Running, ReplicaPhase::Draining),
            ("activating", ReplicaPhase::Pending, ReplicaPhase::Draining),
            ("deactivating", ReplicaPhase::Draining, ReplicaPhase::Draining),
            ("failed", ReplicaPhase::Failed, ReplicaPhase::Failed),
            ("inactive", ReplicaPhase::Stopped, ReplicaPhase::Stopped),
            ("maintenance", ReplicaPhase::Running, ReplicaPhase::Draining),
        ] {
            let unit = Properties::from([("ActiveState", Value::from(state))]);
            assert_eq!((phase(&unit, Fate::Left), phase(&unit, Fate::Retiring)), (left, retiring), "{state}");
        }
    }

    #[test]
    fn only_a_unit_that_says_when_it_is_ready_is_called_healthy() {
        for (kind, state, expected) in [
            (Some("notify"), "active", Health::Healthy),
            (Some("notify-reload"), "reloading", Health::Healthy),
            (Some("forking"), "activating", Health::Starting),
            (Some("oneshot"), "failed", Health::Unhealthy),
            (Some("simple"), "active", Health::NoCheck),
            (Some("exec"), "active", Health::NoCheck),
            (Some("idle"), "activating", Health::NoCheck),
            (None, "active", Health::NoCheck),
        ] {
            let mut unit = Properties::from([("ActiveState", Value::from(state))]);
            if let Some(kind) = kind {
                unit = Properties::from([("ActiveState", Value::from(state)), ("Type", Value::from(kind))]);
            }
            assert_eq!(health(&unit), expected, "{kind:?} {state}");
        }
    }

    #[test]
    fn limits_are_the_units_own() {
        let host = HostCapacity { cpus: Some(2.0), ..HostCapacity::default() };
        let unit = Properties::from([
            ("CPUQuotaPerSecUSec", Value::from(1_500_000_u64)),
            ("MemoryMax", Value::from(1_024_u64)),
            ("MemoryHigh", Value::from(UNSET)),
            ("TasksMax", Value::from(64_u64)),
            ("CPUWeight", Value::from(UNSET)),
            ("IOWeight", Value::from(200_u64)),
            ("AllowedCPUs", Value::from(vec![0b101_u8, 0])),
        ]);
        let expected = Limits {
            cpus: Some(1.5),
            memory: Some(1_024.0),
            tasks: Some(64.0),
            memory_high: None,
            cpu_weight: None,
            io_weight: Some(200.0),
            allowed_cpus: Some(2.0),
            host,
        };
        assert_eq!(limits(&unit, host), expected);
        let bare = Properties::from([("AllowedCPUs", Value::from(Vec::<u8>::new()))]);
        assert_eq!(limits(&bare, host), Limits { host, ..Limits::default() });
    }
}
