//! Which limits are drawn, between which values they move, and in which unit.

use crate::api::effective::Spec;
use crate::api::limits::LimitKind;
use crate::decide::capacity;

use super::super::trial::Lane;
use super::columns::Extent;

const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;

/// A limit that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LimitPanel {
    pub(super) kind: LimitKind,
    /// Smallest and largest, of each policy that moves it.
    pub(super) ranges: Vec<Option<(f64, f64)>>,
}

/// What is drawn of one limit of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Present,
    Desired,
    Use,
}

impl Of {
    pub(super) const ALL: [Self; 3] = [Self::Present, Self::Desired, Self::Use];
}

/// The limits that these policies move.
pub(super) fn panels<'a>(specs: impl Iterator<Item = &'a Spec> + Clone) -> Vec<LimitPanel> {
    let range = |spec: &Spec, kind| {
        let limit = spec.sizing.as_ref()?.limits.iter().find(|it| it.kind == kind)?;
        Some((limit.min, limit.max))
    };
    let panel = |kind| LimitPanel { kind, ranges: specs.clone().map(|spec| range(spec, kind)).collect() };
    LimitKind::ALL.into_iter().map(panel).filter(|it| it.ranges.iter().any(Option::is_some)).collect()
}

impl LimitPanel {
    /// Its name with the unit of the axis.
    pub(super) fn name(&self) -> String {
        match (self.kind, self.unit()) {
            (LimitKind::CpuQuota, _) => format!("{}, % of one core", self.kind),
            (_, GIB) => format!("{}, GiB", self.kind),
            (_, MIB) => format!("{}, MiB", self.kind),
            _ => self.kind.to_string(),
        }
    }

    /// One on the axis is so much.
    pub(super) fn unit(&self) -> f64 {
        let largest = self.ranges.iter().flatten().map(|it| it.1).fold(0.0, f64::max);
        match self.kind {
            LimitKind::MemoryMax | LimitKind::MemoryHigh if largest >= GIB => GIB,
            LimitKind::MemoryMax | LimitKind::MemoryHigh => MIB,
            _ => 1.0,
        }
    }

    /// What a policy decided of it last, in the order of [`Of::ALL`], in units of the axis.
    pub(super) fn values(&self, lane: &Lane) -> [Option<Extent>; Of::ALL.len()] {
        let resize = lane.decision().and_then(|it| it.resize.as_ref());
        Of::ALL.map(|of| {
            let resize = resize?;
            let value = match of {
                Of::Present => resize.from.get(self.kind),
                Of::Desired => resize.to.get(self.kind),
                Of::Use => capacity::usage(lane.spec(), lane.snapshot(), &resize.from).against(self.kind),
            };
            value.map(|it| Extent::of(it / self.unit()))
        })
    }
}
