//! Limits on their way through a trace: as a row says, else as was decided last, else their minimum. A decision that
//! changes them is docktor's own change once the next row shows that it was followed, as with counts.

use super::trace::{Row, TracedLimits};
use crate::api::effective::SizingSpec;
use crate::api::limits::LimitKind;
use crate::model::decision::Resize;
use crate::model::memory::{Memory, Purpose};
use crate::model::observation::{HostCapacity, Limits};
use crate::units::Timestamp;

/// The limits of a trace's workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    present: TracedLimits,
    decided: Option<(Timestamp, Resize)>,
}

impl Followed {
    /// At the beginning of a trace.
    #[must_use]
    pub fn new(sizing: &SizingSpec) -> Self {
        let limits = sizing.limits.iter().map(|it| (it.kind, it.min)).collect();
        Self { present: TracedLimits { limits, host: HostCapacity::default() }, decided: None }
    }

    /// The limits at this row. What it shows to have been followed is noted as docktor's own change.
    pub fn at(&mut self, row: &Row, memory: &mut Memory) -> Limits {
        if let Some((_, resize)) = &self.decided {
            self.present.limits = resize.to;
        }
        if let Some(told) = &row.limits {
            self.present.update(told);
        }
        if let Some((at, resize)) = self.decided.take()
            && resize.changes()
            && resize.changed().all(|(kind, to)| self.present.limits.get(kind) == Some(to))
        {
            memory.record_resize(&resize.from, &resize.to, Purpose::Recommendation, at);
        }
        // Limits of a trace that are not what was decided are nobody's drift.
        memory.sizing.get_or_insert_default().limits = Some(self.present.limits);
        limits(&self.present)
    }

    /// What was decided there.
    pub const fn decided(&mut self, at: Timestamp, resize: Resize) {
        self.decided = Some((at, resize));
    }
}

/// These limits as they are seen of a replica.
fn limits(&TracedLimits { limits: set, host }: &TracedLimits) -> Limits {
    Limits {
        cpus: set.get(LimitKind::CpuQuota).map(|percent| percent / 100.0),
        memory: set.get(LimitKind::MemoryMax),
        tasks: set.get(LimitKind::TasksMax),
        memory_high: set.get(LimitKind::MemoryHigh),
        cpu_weight: set.get(LimitKind::CpuWeight),
        io_weight: set.get(LimitKind::IoWeight),
        allowed_cpus: set.get(LimitKind::AllowedCpus),
        host,
    }
}
