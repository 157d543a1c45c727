//! What an operator should know of a unit, though it stops nothing.

use super::kernel;
use super::setting::Setting;
use crate::actuators::Obstacle;
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::clients::systemd::Properties;

/// The kinds of which a limit of a slice holds for all in it.
const SHARED: [LimitKind; 3] = [LimitKind::CpuQuota, LimitKind::MemoryMax, LimitKind::TasksMax];

/// All remarks on one unit.
pub(super) fn of(name: &str, unit: &Properties) -> Vec<Obstacle> {
    let group = unit.text("ControlGroup").unwrap_or_default();
    let above = SHARED.into_iter().filter_map(|kind| {
        let own = Setting::read(kind, unit)?.limit(kind)?;
        lower_above(name, kind, own, kernel::tightest_above(group, kind)?)
    });
    stale(name, unit).into_iter().chain(above).collect()
}

/// The unit's files changed since they were read.
fn stale(name: &str, unit: &Properties) -> Option<Obstacle> {
    unit.is("NeedDaemonReload").then(|| Obstacle {
        reason: Reason::DaemonReloadNeeded,
        message: format!("the files of {name} changed since systemd read them; `systemctl daemon-reload`"),
    })
}

/// A slice around the unit allows less than the unit itself.
fn lower_above(name: &str, kind: LimitKind, own: f64, above: (String, f64)) -> Option<Obstacle> {
    let (slice, limit) = above;
    (limit < own).then(|| Obstacle {
        reason: Reason::SliceLimit,
        message: format!(
            "{slice} has {kind} {}, less than the {} of {name} in it",
            kind.written(limit),
            kind.written(own)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::systemd::Value;

    #[test]
    fn files_that_changed_are_told() {
        let unit = Properties::from([("NeedDaemonReload", Value::from(true))]);
        let remarks = of("a.service", &unit);
        assert_eq!(remarks[0].reason, Reason::DaemonReloadNeeded);
        assert_eq!(of("a.service", &Properties::default()), []);
    }

    #[test]
    fn only_a_slice_that_allows_less_than_the_unit_is_told() {
        let told =
            |above| lower_above("a.service", LimitKind::TasksMax, 100.0, ("a.slice".to_owned(), above));
        assert_eq!(
            told(50.0).unwrap().message,
            "a.slice has tasksMax 50, less than the 100 of a.service in it"
        );
        assert_eq!((told(100.0), told(200.0)), (None, None));
    }
}
