//! A plot of a simulation: replicas with their bounds, and below them what the policy looks at, with the values that
//! it compares with; of limits that move, these with their ranges and what is used; of a modelled workload also what
//! arrives, what it can do, and what waits. SVG by hand: a few lines and labels need no library, and it needs no font,
//! script or style sheet.
//!
//! It keeps a bounded number of columns, whatever the trace's length.

mod axis;
mod columns;
mod draw;
mod frame;
mod limits;
mod panel;

use crate::api::effective::{Name, Spec};
use crate::model::decision::{Decision, Note};
use crate::units::Timestamp;

use super::trial::{Lane, Step};
use axis::Clock;
use columns::{Column, Columns, Extent};
use limits::{LimitPanel, Of};
use panel::Panel;

/// Series of each policy that are about replicas.
const COUNTS: usize = 5;
/// Series of each policy that are about its modelled workload.
const WORK: usize = 3;

/// Keeps what is drawn.
#[derive(Debug, Clone)]
pub struct Plot {
    names: Vec<String>,
    panels: Vec<Panel>,
    limits: Vec<LimitPanel>,
    columns: Columns,
    clock: Clock,
    /// Does any policy scale replicas?
    horizontal: bool,
    /// Is there a modelled workload?
    closed: bool,
    changes: Vec<u64>,
}

/// A series of numbers of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Series {
    Current,
    Desired,
    Recommended,
    Min,
    Max,
    Arrivals,
    Capacity,
    Backlog,
    /// A panel's metric.
    Metric(usize),
    /// Something of a panel's limit.
    Limit(usize, Of),
}

impl Series {
    /// Where it stands among those of its policy, with so many metrics.
    const fn place(self, metrics: usize) -> usize {
        match self {
            Self::Current => 0,
            Self::Desired => 1,
            Self::Recommended => 2,
            Self::Min => 3,
            Self::Max => 4,
            Self::Arrivals => COUNTS,
            Self::Capacity => COUNTS + 1,
            Self::Backlog => COUNTS + 2,
            Self::Metric(panel) => COUNTS + WORK + panel,
            Self::Limit(panel, of) => COUNTS + WORK + metrics + panel * Of::ALL.len() + of as usize,
        }
    }
}

impl Plot {
    /// Of these policies, each with a name, and nothing yet.
    #[must_use]
    pub fn new<'a>(policies: impl Iterator<Item = (&'a str, &'a Spec)> + Clone) -> Self {
        let names: Vec<String> = policies.clone().map(|it| it.0.to_owned()).collect();
        Self {
            changes: vec![0; names.len()],
            names,
            limits: limits::panels(policies.clone().map(|it| it.1)),
            horizontal: policies.clone().any(|it| it.1.horizontal),
            panels: panel::panels(policies.map(|it| it.1)),
            columns: Columns::new(),
            clock: Clock::Utc,
            closed: false,
        }
    }

    /// The next step.
    pub fn add(&mut self, step: Step<'_>) {
        if self.columns.decisions == 0 {
            self.clock = Clock::of(step.moment);
        }
        let mut series = Vec::with_capacity(self.names.len() * self.width());
        let (mut limited, mut missing, mut schedule) = (0, 0, None);
        for (index, lane) in step.lanes.iter().enumerate() {
            let Some(decision) = lane.decision() else { continue };
            if decision.at == step.moment {
                let resizes = decision.resize.as_ref().is_some_and(|it| it.changes());
                self.changes[index] += u64::from(resizes || decision.desired != decision.current);
            }
            series.extend(counts(decision).map(|it| Some(Extent::of(f64::from(it)))));
            series.extend(work(lane).map(|it| it.map(Extent::of)));
            self.closed |= lane.world().is_some();
            for (panel, bit) in self.panels.iter().zip(0..) {
                let value = decision.metrics.iter().find(|it| it.0 == panel.metric);
                series.push(value.map(|it| Extent::of(it.1)));
                missing |= u32::from(decision.missing.contains(&panel.metric)) << bit;
            }
            series.extend(self.limits.iter().flat_map(|it| it.values(lane)));
            limited |= u8::from(decision.limited_by.is_some()) << index;
            schedule = schedule.or_else(|| scheduled(decision));
        }
        self.columns.push(Column { at: step.moment, series, limited, missing, schedule });
    }

    /// The picture.
    #[must_use]
    pub fn draw(&self) -> String {
        draw::draw(self)
    }

    /// Series of each policy.
    fn width(&self) -> usize {
        COUNTS + WORK + self.panels.len() + self.limits.len() * Of::ALL.len()
    }

    /// One series of one policy, column by column.
    fn series(
        &self,
        lane: usize,
        series: Series,
    ) -> impl Iterator<Item = (Timestamp, Option<Extent>)> + Clone {
        let place = lane * self.width() + series.place(self.panels.len());
        self.columns.all().iter().map(move |it| (it.at, it.series.get(place).copied().flatten()))
    }

    /// The lowest and the highest value of a series.
    fn extremes(&self, lane: usize, series: Series) -> Option<(f64, f64)> {
        let extents = self.series(lane, series).filter_map(|it| it.1);
        extents.map(|it| (it.low, it.high)).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    fn times(&self) -> (Timestamp, Timestamp) {
        let first = self.columns.all().first().map_or(self.columns.end, |it| it.at);
        (first, self.columns.end)
    }
}

fn counts(it: &Decision) -> [u32; COUNTS] {
    [it.current, it.desired, it.recommended, it.bounds.min(), it.bounds.max()]
}

fn work(lane: &Lane) -> [Option<f64>; WORK] {
    lane.world().map_or([None; WORK], |it| [it.arrivals(), it.capacity(), it.backlog()].map(Some))
}

fn scheduled(decision: &Decision) -> Option<Name> {
    decision.trail.iter().find_map(|it| match &it.note {
        Note::Schedule(name) => Some(name.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
