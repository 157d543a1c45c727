//! Rules as a person wants to see them: what each sees, what it needs, and how often that has been so.

use serde::{Deserialize, Serialize};

use super::super::observe::Reading;
use super::super::recommend::{self, Outcome, Way};
use super::Scene;
use crate::api::behavior::{Op, Step, When};
use crate::api::effective::{CompiledRule, DirectionSpec, MetricIndex, Origin, Test};
use crate::strategies::step;
use crate::units::{Duration, Timestamp};

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RulesOutlook {
    /// How many of them must hold.
    pub when: When,
    /// The rules, as they are written.
    pub rules: Vec<RuleOutlook>,
    /// They hold together now.
    pub hold: bool,
    /// For how many evaluations in a row they have held.
    pub in_a_row: u32,
    /// For how many they must.
    pub needed: u32,
    /// How many more it takes, if they hold from now on.
    pub evaluations_left: u32,
    /// When the last of these is due, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Timestamp>,
    /// What they then do.
    pub role: RulesRole,
}

/// What rules do that hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum RulesRole {
    /// They ask for this count.
    Ask(u32),
    /// They move limits by this step.
    Resize(Step),
    /// They permit what others ask for.
    Permit,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleOutlook {
    /// As it is written.
    pub rule: String,
    /// The group in which one that holds is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Does it hold?
    pub outcome: Outcome,
    /// The metrics that it reads, with what they show.
    pub sees: Vec<MetricSeen>,
    /// What the metric is compared with, where the rule is a comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
    /// Points in its band, where the rule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Points>,
}

/// What a metric is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Needs {
    /// How.
    pub op: Op,
    /// With what.
    pub value: f64,
}

/// Points in a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Points {
    /// How many of the last points lay in it.
    pub inside: u32,
    /// How many it takes.
    pub needed: u32,
}

/// What a metric shows to one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricSeen {
    /// Its full name.
    pub metric: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_value: Option<NoValue>,
}

/// Why a metric has no value for one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoValue {
    /// There is none.
    Missing,
    /// Its source could not be read.
    Failed,
    /// A replica that counts had no sample, so nothing goes down by it.
    Partial,
    /// A trend has not seen its whole window yet, so nothing goes down by it.
    Filling {
        /// So much it has seen.
        seen: Duration,
        /// So long the window is.
        window: Duration,
        /// When it is full.
        full_at: Timestamp,
    },
    /// A slope takes values of two moments.
    OneMoment,
    /// The metric of which it is a trend has no value now.
    Stale,
    /// Replicas run, and none of them counts yet.
    WarmingUp,
    /// It means nothing at present.
    NotApplicable,
}

/// How the rules of that direction stand; `None` where there are none.
pub(super) fn outlook(scene: &Scene<'_>, way: Way) -> Option<RulesOutlook> {
    let spec = scene.present.spec;
    let (direction, standing) = match way {
        Way::Up => (&spec.scale_up, &scene.found.up),
        Way::Down => (&spec.scale_down, &scene.found.down),
    };
    if direction.rules.is_empty() {
        return None;
    }
    let in_a_row = if standing.hold { standing.times } else { 0 };
    let evaluations_left = direction.consecutive.saturating_sub(in_a_row);
    Some(RulesOutlook {
        when: direction.when,
        rules: direction.rules.iter().map(|it| rule(scene, it, way)).collect(),
        hold: standing.hold,
        in_a_row,
        needed: direction.consecutive,
        evaluations_left,
        earliest: earliest(scene, evaluations_left),
        role: role(scene, direction, way),
    })
}

fn role(scene: &Scene<'_>, direction: &DirectionSpec, way: Way) -> RulesRole {
    match way {
        Way::Down if !recommend::rules_shrink_by_themselves(scene.present.spec) => RulesRole::Permit,
        Way::Up | Way::Down if !scene.present.spec.horizontal => RulesRole::Resize(direction.step),
        Way::Up | Way::Down => RulesRole::Ask(step::apply(direction.step, scene.count)),
    }
}

/// When the last of so many evaluations is due.
fn earliest(scene: &Scene<'_>, left: u32) -> Option<Timestamp> {
    let more = left.checked_sub(1)?;
    let after = scene.present.spec.interval.as_millis().saturating_mul(i64::from(more));
    let next = scene.present.next_evaluation?;
    Some(Timestamp::from_millis(next.as_millis().saturating_add(after)))
}

fn rule(scene: &Scene<'_>, rule: &CompiledRule, way: Way) -> RuleOutlook {
    let points = recommend::points(rule, scene.present.memory);
    let in_band = points.map_or(0, |it| it.iter().filter(|it| it.inside).count());
    RuleOutlook {
        rule: rule.text.to_string(),
        group: rule.group.as_deref().map(str::to_owned),
        outcome: recommend::test(rule, way, &scene.readings, points),
        sees: recommend::reads(rule).iter().map(|it| seen(scene, *it, way)).collect(),
        needs: match rule.test {
            Test::Compare { op, value, .. } => Some(Needs { op, value }),
            Test::Within { .. } | Test::Expr(_) => None,
        },
        points: match rule.test {
            Test::Within { points: needed, .. } => {
                Some(Points { inside: u32::try_from(in_band).unwrap_or(u32::MAX), needed })
            }
            Test::Compare { .. } | Test::Expr(_) => None,
        },
    }
}

/// What that metric shows to one direction.
pub(super) fn seen(scene: &Scene<'_>, metric: MetricIndex, way: Way) -> MetricSeen {
    let value = recommend::known(&scene.readings, metric, way);
    let reading = scene.readings.get(metric.0).copied().unwrap_or(Reading::Missing);
    let name = scene.present.spec.metrics.get(metric.0).map(|it| it.name.to_string());
    let no_value = match reading {
        _ if value.is_some() => None,
        Reading::Value(_) => None,
        Reading::Partial(_) => Some(filling(scene, metric).unwrap_or(NoValue::Partial)),
        Reading::Missing => Some(NoValue::Missing),
        Reading::Failed => Some(NoValue::Failed),
        Reading::WarmingUp => {
            Some(trend_since(scene, metric).map_or(NoValue::WarmingUp, |_| NoValue::OneMoment))
        }
        Reading::NotApplicable => Some(NoValue::NotApplicable),
    };
    MetricSeen { metric: name.unwrap_or_default(), value, no_value }
}

/// Since when a trend has had values, and how far it looks back; `None` where it has none, or is no trend.
fn trend_since(scene: &Scene<'_>, metric: MetricIndex) -> Option<(Timestamp, Duration)> {
    let metrics = &scene.present.spec.metrics;
    let Origin::Trend { of, kind } = metrics.get(metric.0)?.origin else { return None };
    let recent = scene.present.memory.trends.get(&*metrics.get(of.0)?.name)?;
    Some((recent.since()?, kind.window()))
}

/// What a trend lacks that has values.
fn filling(scene: &Scene<'_>, metric: MetricIndex) -> Option<NoValue> {
    let (since, window) = trend_since(scene, metric)?;
    let full_at = since.plus(window);
    if full_at <= scene.now {
        return Some(NoValue::Stale);
    }
    Some(NoValue::Filling { seen: scene.now.since(since), window, full_at })
}
