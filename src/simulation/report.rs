//! `--report`: what a whole trace came to. Every row holds until the next one; the last has no length.

use serde::Serialize;

use crate::api::status::Action;
use crate::model::decision::Decision;
use crate::units::{Duration, Timestamp};

/// A change of direction within this time of the last change is a flap.
pub const FLAP_WITHIN: Duration = Duration::from_secs(600);

/// What a trace came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Rows.
    pub rows: u64,
    /// From the first row to the last.
    pub seconds: f64,
    /// Desired replicas over time.
    pub replica_hours: f64,
    /// Fewest desired.
    pub fewest: u32,
    /// Most desired.
    pub most: u32,
    /// For how long fewer were desired than recommended: windows, limits, cooldowns and the maximum held it back.
    pub seconds_under_provisioned: f64,
    /// For how long more were desired than recommended: windows, limits, missing metrics, rules and the minimum
    /// kept it up.
    pub seconds_over_provisioned: f64,
    /// Changes of the desired count, or of limits.
    pub actions: u64,
    /// Of these, to more.
    pub scale_ups: u64,
    /// Of these, to fewer.
    pub scale_downs: u64,
    /// Changes of direction within ten minutes of the last change.
    pub flaps: u64,
    /// Rows on which a metric was missing.
    pub rows_with_missing_metrics: u64,
}

/// Sums up decisions, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Summing {
    report: Report,
    last: Option<Last>,
    changed: Option<(Timestamp, bool)>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Timestamp,
    desired: u32,
    recommended: u32,
}

impl Summing {
    /// The next decision.
    pub fn add(&mut self, decision: &Decision) {
        let report = &mut self.report;
        let desired = decision.desired;
        match self.last {
            None => (report.fewest, report.most) = (desired, desired),
            Some(last) => {
                let seconds = decision.at.since(last.at).as_secs_f64();
                report.seconds += seconds;
                report.replica_hours += f64::from(last.desired) * seconds / 3_600.0;
                if last.desired < last.recommended {
                    report.seconds_under_provisioned += seconds;
                } else if last.desired > last.recommended {
                    report.seconds_over_provisioned += seconds;
                }
            }
        }
        report.rows += 1;
        report.fewest = report.fewest.min(desired);
        report.most = report.most.max(desired);
        report.rows_with_missing_metrics += u64::from(!decision.missing.is_empty());
        let before = self.last.map_or(decision.current, |it| it.desired);
        if desired != before {
            self.change(decision.at, desired > before);
        } else if decision.resize.as_ref().is_some_and(|it| it.changes()) {
            self.change(decision.at, decision.action == Action::ScaleUp);
        }
        self.last = Some(Last { at: decision.at, desired, recommended: decision.recommended });
    }

    fn change(&mut self, at: Timestamp, up: bool) {
        self.report.actions += 1;
        if up {
            self.report.scale_ups += 1;
        } else {
            self.report.scale_downs += 1;
        }
        let turned = |(last, was_up): &(Timestamp, bool)| *was_up != up && at.since(*last) < FLAP_WITHIN;
        self.report.flaps += u64::from(self.changed.as_ref().is_some_and(turned));
        self.changed = Some((at, up));
    }

    /// The sums so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }
}

#[cfg(test)]
mod tests;
