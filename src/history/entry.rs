//! What one pass leaves to history: the values that were observed, the counts, and the decision where it is news.

use std::sync::{Arc, LazyLock};

use crate::api::effective::{Name, Origin, Spec};
use crate::api::policy::Mode;
use crate::api::status::DecisionRecord;
use crate::api::target_metric::TargetMetric;
use crate::decide::observe::{Readiness, aggregate};
use crate::model::decision::Decision;
use crate::model::key::{Generation, PolicyKey};
use crate::model::observation::Snapshot;
use crate::units::Timestamp;

/// Metrics of the target that are kept whether the policy reads them or not, so that another policy can be tried.
const BASE: [&str; 6] =
    ["cpu.avg", "cpu.utilization", "memory.avg", "memory.utilization", "tasks.avg", "tasks.utilization"];

/// What one pass leaves to history.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Whose pass.
    pub policy: PolicyKey,
    /// The spec that was decided by.
    pub generation: Generation,
    /// When.
    pub at: Timestamp,
    /// Values, where the pass was an evaluation.
    pub samples: Vec<Sample>,
    /// The decision, where it is news.
    pub decision: Option<Box<Decided>>,
}

/// One value of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which series.
    pub series: Series,
    /// Its value; always finite.
    pub value: f64,
}

/// Which values of a policy belong together. Kinds keep names apart, so that no metric can be taken for a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Series {
    /// What is told.
    pub kind: Kind,
    /// A metric's full name, or which count.
    pub name: Name,
}

/// What a series tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A metric as it was observed.
    Observed,
    /// A metric that follows from others or from the time: a formula, a `cron` source. A trace leaves it out.
    Computed,
    /// A count of replicas: `current`, `ready` or `desired`.
    Replicas,
}

/// A decision that is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What was decided and why.
    pub record: DecisionRecord,
    /// The mode in force.
    pub mode: Mode,
    /// Was its action begun?
    pub acted: bool,
}

impl Kind {
    /// Its word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Computed => "computed",
            Self::Replicas => "replicas",
        }
    }
}

/// The values of an evaluation: every metric that the policy reads, the base metrics of the target, and the counts.
#[must_use]
pub fn samples(spec: &Spec, snapshot: &Snapshot, decision: &Decision) -> Vec<Sample> {
    static BASE_NAMES: LazyLock<[Name; BASE.len()]> = LazyLock::new(|| BASE.map(Arc::from));
    static COUNTS: LazyLock<[Name; 3]> = LazyLock::new(|| ["current", "ready", "desired"].map(Arc::from));

    let mut samples = Vec::with_capacity(COUNTS.len() + BASE.len() + decision.metrics.len());
    let mut add = |kind, name: &Name, value: f64| {
        if value.is_finite() {
            samples.push(Sample { series: Series { kind, name: name.clone() }, value });
        }
    };
    let counts = [decision.current, decision.ready, decision.desired];
    for (name, count) in COUNTS.iter().zip(counts) {
        add(Kind::Replicas, name, f64::from(count));
    }
    for (name, value) in &decision.metrics {
        add(kind(spec, name), name, *value);
    }
    let readiness = Readiness { warm_up: spec.warm_up, delay: spec.readiness_delay };
    for name in BASE_NAMES.iter() {
        if !spec.metrics.iter().any(|it| it.name == *name)
            && let Some(metric) = TargetMetric::of(name, &spec.target)
            && let Some(value) = aggregate(metric, snapshot, readiness, decision.at).for_growing()
        {
            add(Kind::Observed, name, value);
        }
    }
    samples
}

fn kind(spec: &Spec, name: &Name) -> Kind {
    match spec.metrics.iter().find(|it| it.name == *name).map(|it| &it.origin) {
        Some(Origin::Source | Origin::Target(_)) => Kind::Observed,
        // Trends, formulas, windows; and what a forecast foresees, which is no metric of the spec.
        Some(Origin::Formula(_) | Origin::Cron(_) | Origin::Trend { .. }) | None => Kind::Computed,
    }
}
