//! How a policy moves: rules, steps, tracking, limits, schedules, fallback, safety.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// When and how the workload moves in one direction.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Direction {
    /// How many rules must hold: `Any` by default for scaleUp, `All` for scaleDown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Conditions on metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// For how many evaluations in a row they must hold; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive: Option<u32>,
    /// How far to go at once; `+1` and `-1` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// Least time since the last scale-up (scaleUp) or the last action either way (scaleDown); 0s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Duration>,
    /// Look back this long and take the safest recommendation; 0s for scaleUp, 5m for scaleDown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stabilization_window: Option<Duration>,
    /// Most change per period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<Limit>>,
    /// Which of the limits holds; `Max` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,
    /// Dead band of `track` in this direction, as a fraction of the target value; 0.1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

/// How many rules must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum When {
    /// One is enough.
    Any,
    /// All of them.
    All,
}

/// A condition: `metric` with `op` and `value`, `metric` with `within`, or `expr`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// `<source>.<field>`, or the source's name where it has one value; `.avg5m`, `.avg15m` or `.slope` after it is its trend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// How the metric is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// A CEL expression over the metrics, all of them doubles, that gives true or false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// A band in which the metric must lie for several points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Rules of one group speak with one voice: one of them that holds is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// How a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Op {
    /// Above.
    #[serde(rename = ">")]
    Above,
    /// Above or equal.
    #[serde(rename = ">=")]
    AtLeast,
    /// Below.
    #[serde(rename = "<")]
    Below,
    /// Below or equal.
    #[serde(rename = "<=")]
    AtMost,
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
}

impl Op {
    /// Does `left op right` hold?
    #[must_use]
    #[expect(clippy::float_cmp, reason = "people who write == mean exactly equal")]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Above => left > right,
            Self::AtLeast => left >= right,
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}

/// A band: `lower` ≤ value < `upper`, for at least `points` of the window's points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Within {
    /// Inclusive lower end; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Exclusive upper end; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// How many points must lie in it; 5 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
}

/// How far to go at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// `+n` or `-n` replicas.
    By(i64),
    /// `xF`: this many times as many.
    Times(f64),
    /// `+P%` or `-P%` of the present count.
    Percent(f64),
}

crate::units::text_form!(
    Step,
    "Step",
    r"^([+-][1-9][0-9]*|x[0-9]+(\.[0-9]+)?|[+-][0-9]+(\.[0-9]+)?%)$",
    "A step: \"+2\", \"-1\", \"x1.5\", \"+50%\" or \"-20%\""
);

impl Step {
    /// Does it lead to more (`true`) or fewer replicas?
    #[must_use]
    pub fn grows(self) -> bool {
        match self {
            Self::By(count) => count > 0,
            Self::Times(factor) => factor > 1.0,
            Self::Percent(percent) => percent > 0.0,
        }
    }
}

impl FromStr for Step {
    type Err = crate::units::UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || {
            crate::units::UnitError::new(
                text,
                "a step is one of \"+2\", \"-1\", \"x1.5\", \"+50%\", \"-20%\", and not zero",
            )
        };
        let plain =
            |number: &str| number.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !number.is_empty();
        let step = if let Some(factor) = text.strip_prefix('x') {
            if !plain(factor) {
                return Err(refuse());
            }
            Self::Times(factor.parse().map_err(|_| refuse())?)
        } else {
            let sign = match text.as_bytes().first() {
                Some(b'+') => 1.0,
                Some(b'-') => -1.0,
                _ => return Err(refuse()),
            };
            let rest = &text[1..];
            match rest.strip_suffix('%') {
                Some(percent) if plain(percent) => {
                    Self::Percent(sign * percent.parse::<f64>().map_err(|_| refuse())?)
                }
                None if plain(rest) => Self::By(text.parse().map_err(|_| refuse())?),
                _ => return Err(refuse()),
            }
        };
        let idle = matches!(step, Self::By(0)) || matches!(step, Self::Percent(p) if p == 0.0);
        if idle || matches!(step, Self::Times(f) if f == 1.0) { Err(refuse()) } else { Ok(step) }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(count) => write!(f, "{count:+}"),
            Self::Times(factor) => write!(f, "x{factor}"),
            Self::Percent(percent) => write!(f, "{percent:+}%"),
        }
    }
}

/// Most change per period: `percent` or `replicas`, exactly one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Percent of the count at the period's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// The period; at most 30m.
    pub period: Duration,
}

/// Which of several limits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction at all.
    Disabled,
}

/// Target tracking: enough replicas to bring a metric to its target value. Exactly one of `target`, `averageValue`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Track {
    /// `<source>.<field>`, or the source's name where it has one value; `.avg5m`, `.avg15m` or `.slope` after it is its trend.
    pub metric: String,
    /// The value to hold: percent for `*.utilization`, else the metric's own unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// The value to hold per replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_value: Option<f64>,
    /// Above it the workload is active and leaves zero; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<f64>,
}

/// A time with its own minimum and maximum. Exactly one of `end`, `duration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// Unique in the policy.
    pub name: String,
    /// IANA time zone, as in `Europe/Berlin`.
    pub timezone: String,
    /// Five-field cron expression.
    pub start: String,
    /// Five-field cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Fewest replicas meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// Most replicas meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Which holds where several are active; higher first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}

/// A prediction that may raise the count ahead of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forecast {
    /// What is predicted.
    pub metric: String,
    /// How far ahead.
    pub horizon: Duration,
    /// Length of the season; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub season: Option<Duration>,
    /// What one replica can take of the metric.
    pub average_value: f64,
    /// Share of the futures that the floor covers, above 0 and below 1; 0.9 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// How many replicas when metrics cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// It holds from failure number `afterFailures` + 1 in a row on; 3 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_failures: Option<u32>,
    /// How many; needed for all behaviors but `Keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// How the number is used; `Static` where `replicas` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<FallbackBehavior>,
}

/// How the fallback's number is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FallbackBehavior {
    /// That many.
    Static,
    /// The present count where that is higher.
    CurrentIfHigher,
    /// The present count where that is lower.
    CurrentIfLower,
    /// The present count.
    Keep,
}

/// Which replica goes, and how it is emptied before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleIn {
    /// Which of the healthy and current replicas goes; `HighestNumber` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub victim: Option<Victim>,
    /// What happens before it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
}

/// Which replica goes. Unhealthy, then outdated ones always go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Victim {
    /// As Compose does it.
    #[default]
    HighestNumber,
    /// The one made last.
    Newest,
    /// The one made first.
    Oldest,
    /// The one that uses the least CPU.
    LeastBusy,
}

/// How a replica is emptied before it is stopped.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drain {
    /// A signal that tells it, as in `SIGTERM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// A path that is posted to, in the replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// A CEL expression that is true once it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
    /// Longest wait; 30s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What to do when somebody else changes the workload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drift {
    /// Fewer replicas than docktor left; `Restore` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decrease: Option<OnDrift>,
    /// More replicas than docktor left; `Adopt` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increase: Option<OnDrift>,
    /// Other limits than docktor set; `Restore` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<OnLimitsDrift>,
    /// Wait until nothing has changed for this long; 5s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Duration>,
    /// How long `Hold` keeps the count; 30m by default.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub hold_for: Option<Duration>,
}

/// What to do when somebody else changes the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnDrift {
    /// Back to the last desired count.
    Restore,
    /// Go on from the new count.
    Adopt,
    /// Keep the new count for a while.
    Hold,
}

/// What to do when somebody else changes the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnLimitsDrift {
    /// Back to the last desired limits.
    #[default]
    Restore,
    /// Go on from the new limits.
    Adopt,
}

/// Verification of changes, and when to stop trying.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Safety {
    /// How long a new replica must stay healthy once it is ready; 60s by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Duration>,
    /// What becomes of a change that fails; `Rollback` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Failures in a row after which docktor stops trying; 3, for limits 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// When it tries again; 10m, for limits 0s, which waits for `resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Most scale-downs within an hour; no limit by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_scale_downs_per_hour: Option<u32>,
}

/// What becomes of a change that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// New replicas that failed are removed; old limits come back.
    #[default]
    Rollback,
    /// Everything stays as it is.
    Keep,
}
