//! `--report`: what a whole trace came to. Every row holds until the next one; the last has no length. Of a modelled
//! workload it also says how it fared, and measures provision by what arrives.

use serde::Serialize;

use super::world::Totals;
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
    /// In a closed loop, for how long fewer were ready than the arrivals needed.
    pub seconds_under_provisioned: f64,
    /// For how long more were desired than recommended: windows, limits, missing metrics, rules and the minimum
    /// kept it up. In a closed loop, for how long enough were ready and more were there than the arrivals needed.
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
    /// How the modelled workload of a closed loop fared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadReport>,
}

/// How a modelled workload fared, until the trace's last row.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReport {
    /// Work items that arrived.
    pub work_arrived: f64,
    /// Work items that were done.
    pub work_done: f64,
    /// Work items that arrived at a full queue.
    pub work_turned_away: f64,
    /// For how long work waited.
    pub seconds_with_backlog: f64,
    /// Most work items that waited.
    pub worst_backlog: f64,
    /// Longest that any work waited, also of what waits still.
    pub worst_wait_seconds: f64,
    /// Percent of what the ready replicas could have done that they did.
    pub mean_utilization: f64,
}

impl From<&Totals> for WorkloadReport {
    fn from(it: &Totals) -> Self {
        Self {
            work_arrived: it.arrived,
            work_done: it.done,
            work_turned_away: it.turned_away,
            seconds_with_backlog: it.with_backlog,
            worst_backlog: it.worst_backlog,
            worst_wait_seconds: it.worst_wait,
            mean_utilization: if it.capacity > 0.0 { 100.0 * it.done / it.capacity } else { 0.0 },
        }
    }
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

    /// The sums so far; with those of the modelled workload, in a closed loop.
    #[must_use]
    pub fn report(&self, totals: Option<&Totals>) -> Report {
        let report = self.report.clone();
        let Some(totals) = totals else { return report };
        Report {
            seconds_under_provisioned: totals.under,
            seconds_over_provisioned: totals.over,
            workload: Some(totals.into()),
            ..report
        }
    }
}

#[cfg(test)]
mod tests;
