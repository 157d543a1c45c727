//! The effective spec: a profile laid under a policy, then the defaults of the contract, written once here.
//! Expressions are compiled and names resolved, so that nothing further in checks again.

use std::sync::Arc;

use croner::Cron;
use jiff::tz::TimeZone;

use super::behavior::{
    Direction, Drain, Drift, Fallback, FallbackBehavior, Forecast, Limit, OnDrift, OnFailure, OnLimitsDrift,
    Op, Rule, Safety, ScaleIn, Schedule, Select, Step, Track, Victim, When,
};
use super::metric::MetricSource;
use super::policy::{Mode, OnDelete, Order, PolicySpec, Replicas};
use super::resources::Resources;
use super::target::Target;
use super::target_metric::{Aggregate, Resource, TargetMetric};
use super::trend_metric::{self, TrendKind};
use crate::expr::{Expr, ExprError};
use crate::units::{Bounds, BoundsError, Duration, MAX_REPLICAS};

/// A metric's full name.
pub type Name = Arc<str>;

/// Which metric of [`Spec::metrics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricIndex(pub usize);

/// Which band of [`Spec::bands`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BandIndex(pub usize);

/// The effective spec of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The policy's name, where it has one; what ids of proposals begin with.
    pub policy: Option<Name>,
    /// The workload.
    pub target: Target,
    /// How far docktor may go.
    pub mode: Mode,
    /// Time between two evaluations.
    pub interval: Duration,
    /// Samples are averaged over it.
    pub window: Duration,
    /// A replica younger than this does not count in averages.
    pub warm_up: Duration,
    /// How long after its start a replica without health check is taken for ready.
    pub readiness_delay: Duration,
    /// Fewest and most replicas, schedules aside. Without `replicas` in the policy: anything, and nothing moves.
    pub bounds: Bounds,
    /// How an idle workload shrinks; only where the minimum is 0 or `idle` is written.
    pub idle: Option<Idle>,
    /// Every metric that something below asks for. A formula or trend stands after what it reads.
    pub metrics: Vec<Metric>,
    /// The same metrics in the order of their names.
    pub by_name: Vec<MetricIndex>,
    /// The text of every `within` rule, each once.
    pub bands: Vec<Name>,
    /// Sources as they were written, by name.
    pub sources: Vec<(Name, MetricSource)>,
    /// When and how it grows.
    pub scale_up: DirectionSpec,
    /// When and how it shrinks.
    pub scale_down: DirectionSpec,
    /// Target tracking.
    pub track: Vec<TrackSpec>,
    /// Times with their own minimum and maximum.
    pub schedules: Vec<ScheduleSpec>,
    /// What to do when metrics cannot be read.
    pub fallback: FallbackSpec,
    /// A prediction that may raise the count ahead of the load.
    pub forecast: Option<ForecastSpec>,
    /// Which replica goes.
    pub victim: Victim,
    /// How it is emptied before.
    pub drain: Option<Drain>,
    /// What to do when somebody else changes the workload.
    pub drift: DriftSpec,
    /// Verification, and when to stop trying.
    pub safety: SafetySpec,
    /// Who comes first when a budget does not suffice.
    pub priority: i32,
    /// The notifiers that are told.
    pub notify: Vec<String>,
    /// What becomes of the workload when the policy is deleted.
    pub on_delete: OnDelete,
    /// Vertical scaling.
    pub sizing: Option<SizingSpec>,
    /// Which acts first where both ways of scaling are there.
    pub order: Option<Order>,
    /// Does the policy scale replicas at all?
    pub horizontal: bool,
}

/// How an idle workload shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// How many run while idle; below the minimum, or 0.
    pub replicas: u32,
    /// Without activity for this long, it is idle.
    pub after: Duration,
    /// The same where it never was active.
    pub initially_after: Duration,
}

/// One metric and where its value comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its full name.
    pub name: Name,
    /// Where its value comes from.
    pub origin: Origin,
}

/// Where a metric's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The target's own replicas.
    Target(TargetMetric),
    /// A source that is observed.
    Source,
    /// 1 while it is active, 0 otherwise.
    Cron(Box<ScheduleSpec>),
    /// Computed from other metrics.
    Formula(Formula),
    /// Made of another metric's recent values.
    Trend {
        /// Of which.
        of: MetricIndex,
        /// What is made of them.
        kind: TrendKind,
    },
}

/// An expression with its variables resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    /// The expression.
    pub expr: Expr,
    /// The metric that each of its variables reads.
    pub reads: Vec<MetricIndex>,
}

/// When and how the workload moves in one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectionSpec {
    /// How many rules must hold.
    pub when: When,
    /// Conditions.
    pub rules: Vec<CompiledRule>,
    /// For how many evaluations in a row.
    pub consecutive: u32,
    /// How far to go at once.
    pub step: Step,
    /// Was `step` written, in the policy or its profile?
    pub step_written: bool,
    /// Least time since the last scale-up, or for scaleDown the last action.
    pub cooldown: Duration,
    /// Look back this long and take the safest.
    pub window: Duration,
    /// Most change per period; no limit where there is none.
    pub limits: Vec<RateLimit>,
    /// Which of the limits holds.
    pub select: Select,
    /// Dead band of `track`, as a fraction of the target value.
    pub tolerance: f64,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledRule {
    /// As people would write it.
    pub text: Arc<str>,
    /// The group within which it agrees first.
    pub group: Option<Arc<str>>,
    /// What is tested.
    pub test: Test,
}

/// What a rule tests.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `metric op value`.
    Compare {
        /// Which metric.
        metric: MetricIndex,
        /// How it is compared.
        op: Op,
        /// With what.
        value: f64,
    },
    /// `lower` ≤ metric < `upper` for at least `points` points.
    Within {
        /// Where its points are remembered.
        band: BandIndex,
        /// Which metric.
        metric: MetricIndex,
        /// Inclusive lower end.
        lower: f64,
        /// Exclusive upper end.
        upper: f64,
        /// How many points.
        points: u32,
    },
    /// An expression.
    Expr(Formula),
}

/// Most change per period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// How much.
    pub amount: Amount,
    /// Within which time.
    pub period: Duration,
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Percent of the count at the period's start.
    Percent(f64),
    /// Replicas.
    Replicas(u32),
}

/// A metric with the value to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackSpec {
    /// Which metric.
    pub metric: MetricIndex,
    /// What is held, and how.
    pub goal: Goal,
    /// Above it the workload is active.
    pub activation: f64,
    /// Can it wake the workload? Metrics of the target cannot: at zero there are none.
    pub wakes: bool,
}

/// What is held, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Percent of the limit, over the replicas.
    Utilization {
        /// Of what.
        resource: Resource,
        /// Percent.
        target: f64,
    },
    /// A value of each replica, averaged (`cpu.avg`, `memory.p95`).
    PerReplica {
        /// The value to hold.
        target: f64,
    },
    /// A value of the whole.
    Value(f64),
    /// A value of the whole, per replica.
    AverageValue(f64),
}

impl Goal {
    /// The value to hold.
    #[must_use]
    pub const fn target(self) -> f64 {
        match self {
            Self::Utilization { target, .. }
            | Self::PerReplica { target }
            | Self::Value(target)
            | Self::AverageValue(target) => target,
        }
    }
}

/// A time with its own minimum and maximum.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleSpec {
    /// Unique in the policy.
    pub name: Name,
    /// Where its clock stands.
    pub zone: TimeZone,
    /// When it starts, in local time.
    pub start: Cron,
    /// When it ends.
    pub end: End,
    /// Fewest replicas meanwhile.
    pub min: Option<u32>,
    /// Most replicas meanwhile.
    pub max: Option<u32>,
    /// Higher goes first.
    pub priority: i32,
}

/// When a schedule ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// At that local time.
    At(Box<Cron>),
    /// So long after its start.
    After(Duration),
}

/// A prediction that may raise the count ahead of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastSpec {
    /// What is predicted.
    pub metric: MetricIndex,
    /// The name under which the predicted value is shown.
    pub shown: Name,
    /// How far ahead.
    pub horizon: Duration,
    /// Length of the season, where there is one.
    pub season: Option<Duration>,
    /// What one replica can take of the metric.
    pub average_value: f64,
    /// Share of the futures that the floor covers, above 0 and below 1.
    pub confidence: f64,
    /// Can it wake the workload? Metrics of the target cannot.
    pub wakes: bool,
}

/// What to do when metrics cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallbackSpec {
    /// It holds from this many failures in a row, plus one, on.
    pub after_failures: u32,
    /// How many replicas; not used by `Keep`.
    pub replicas: u32,
    /// How the number is used.
    pub behavior: FallbackBehavior,
}

/// What to do when somebody else changes the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftSpec {
    /// Fewer replicas than docktor left.
    pub decrease: OnDrift,
    /// More replicas than docktor left.
    pub increase: OnDrift,
    /// Other limits than docktor set.
    pub limits: OnLimitsDrift,
    /// Wait until nothing has changed for this long.
    pub settle: Duration,
    /// How long `Hold` keeps the count.
    pub hold_for: Duration,
}

/// Verification, and when to stop trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetySpec {
    /// How long a new replica must stay healthy once it is ready.
    pub verify: Duration,
    /// What becomes of a change that fails.
    pub on_failure: OnFailure,
    /// Failures in a row after which docktor stops trying.
    pub max_failures: u32,
    /// When it tries again; zero waits for `resume`.
    pub retry_after: Duration,
    /// Most scale-downs within an hour.
    pub max_scale_downs_per_hour: Option<u32>,
}

/// Why a policy has no effective spec. `validate` says all of it before, with more words.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// A field that is required.
    #[error("{path} is missing")]
    Missing {
        /// Where.
        path: String,
    },
    /// Minimum above maximum.
    #[error("replicas")]
    Bounds(#[from] BoundsError),
    /// An expression that is none.
    #[error("{path}")]
    Expr {
        /// Where.
        path: String,
        /// What is wrong with it.
        source: ExprError,
    },
    /// Fields that contradict each other.
    #[error("{path} needs {needs}")]
    Ambiguous {
        /// Where.
        path: String,
        /// What would be right.
        needs: &'static str,
    },
    /// A metric that no source gives.
    #[error("{path} asks for {metric}, which no source gives")]
    UnknownMetric {
        /// Where.
        path: String,
        /// Which.
        metric: String,
    },
    /// A time zone or cron expression that is none.
    #[error("{path} is no time zone or cron expression")]
    Time {
        /// Where.
        path: String,
    },
    /// A formula that reads itself, or formulas nested too deep.
    #[error("the formula {metric} reads itself")]
    Circular {
        /// Which.
        metric: String,
    },
}

mod compile;
mod defaults;
mod profiles;
mod sizing;
mod unsupported;

pub use defaults::{effective_policy, merged};
pub use profiles::{BUILT_IN, built_in};
pub use sizing::{Grouping, LimitSpec, ReserveSpec, SizingSpec};
pub use unsupported::{Unsupported, unsupported};

impl Spec {
    /// The effective spec of a policy and the profile that it names.
    ///
    /// # Errors
    /// When a required field is missing or fields contradict each other; never for a validated policy.
    pub fn effective(policy: &PolicySpec, profile: Option<&PolicySpec>) -> Result<Self, SpecError> {
        compile::compile(&defaults::merged(policy, profile), &effective_policy(policy, profile))
    }

    /// The same of the policy of that name.
    #[must_use]
    pub fn named(self, policy: &str) -> Self {
        Self { policy: Some(policy.into()), ..self }
    }
}

#[cfg(test)]
mod tests;
