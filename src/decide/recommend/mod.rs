//! Recommend: what rules and target tracking would like, each by itself. `consecutive` counts here.

mod rules;
mod track;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::forecast;
use super::observe::Reading;
use crate::api::effective::{Goal, MetricIndex, Spec};
use crate::model::decision::Why;
use crate::model::memory::Memory;
use crate::model::observation::Snapshot;
use crate::strategies::step;
use crate::units::Timestamp;

pub use rules::{MAX_POINTS, test, together};
pub(super) use rules::{known, points, reads, why};
pub(super) use track::{Shown, shown, wanted};

use rules::{align, note_points, standing};
use track::{Size, tracked};

/// Which way a direction's rules point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// scaleUp.
    Up,
    /// scaleDown.
    Down,
}

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// It touches a value that is not there. It does not fire.
    Unknown,
}

/// What one recommender would like.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// How many replicas.
    pub replicas: u32,
    /// Why.
    pub why: Why,
}

/// How the rules of one direction stand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// They hold now.
    pub hold: bool,
    /// They hold, and did so for `consecutive` evaluations.
    pub satisfied: bool,
    /// For how many evaluations in a row they have held.
    pub times: u32,
    /// A rule touches a value that should be there and is not.
    pub lacking: bool,
    /// There are rules, and every one of them has lacked its metric for more than `afterFailures` evaluations.
    pub blind: bool,
}

/// What all recommenders would like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recommendations {
    /// One each from scaleUp rules, scaleDown rules, and every entry of `track`, where it has an opinion.
    pub proposals: Vec<Proposal>,
    /// scaleUp rules.
    pub up: Standing,
    /// scaleDown rules.
    pub down: Standing,
    /// An entry of `track` lacks its metric, or has it for a part of the replicas only.
    pub track_lacking: bool,
    /// How many entries of `track` have lacked their metric for more than `afterFailures` evaluations.
    pub blind_tracks: usize,
    /// The floor that the forecast lays under all of them. It is no proposal: it has no say in shrinking.
    pub floor: Option<Proposal>,
}

/// What all recommenders would like for a workload of `from` replicas. Moves `consecutive`, `failures` and
/// `points` of the memory, on evaluations alone.
pub fn recommend(
    spec: &Spec,
    memory: &mut Memory,
    snapshot: &Snapshot,
    readings: &[Reading],
    from: u32,
    ready: u32,
    now: Timestamp,
) -> Recommendations {
    align(&mut memory.bands, &spec.bands);
    if snapshot.evaluation {
        count_failures(spec, memory, readings);
        note_points(spec, memory, readings, now);
        memory.last_evaluation = Some(now);
    }
    let spent = !snapshot.evaluation && acted_since_evaluation(memory);
    let up = standing(spec, &spec.scale_up, Way::Up, memory, readings, snapshot.evaluation);
    let down = standing(spec, &spec.scale_down, Way::Down, memory, readings, snapshot.evaluation);
    let mut result = Recommendations { up, down, ..Recommendations::default() };
    if result.up.satisfied && !spent {
        let why = why(spec, &spec.scale_up, Way::Up, memory, readings, result.up.times);
        let replicas = step::apply(spec.scale_up.step, from);
        result.proposals.push(Proposal { replicas, why });
    }
    if result.down.satisfied && !spent && rules_shrink_by_themselves(spec) {
        let why = why(spec, &spec.scale_down, Way::Down, memory, readings, result.down.times);
        let replicas = step::apply(spec.scale_down.step, from);
        result.proposals.push(Proposal { replicas, why });
    }
    for track in &spec.track {
        let reading = readings.get(track.metric.0).copied().unwrap_or(Reading::Missing);
        match tracked(spec, track, memory, snapshot, reading, Size { from, ready }, now) {
            Some(proposal) => result.proposals.push(proposal),
            None => result.track_lacking |= !matches!(reading, Reading::NotApplicable),
        }
        let whole = matches!(track.goal, Goal::Value(_) | Goal::AverageValue(_));
        result.track_lacking |= reading.is_failure() || (whole && matches!(reading, Reading::Partial(_)));
        result.blind_tracks += usize::from(blind(&[track.metric], spec, memory));
    }
    result.floor = floor(spec, snapshot, from, now);
    result
}

fn floor(spec: &Spec, snapshot: &Snapshot, from: u32, now: Timestamp) -> Option<Proposal> {
    let forecast = spec.forecast.as_ref().filter(|it| from > 0 || it.wakes)?;
    let floor = forecast::floor(forecast, snapshot.forecast.as_ref(), now)?;
    let why = Why::Forecast {
        metric: spec.metrics.get(forecast.metric.0)?.name.clone(),
        value: floor.value,
        horizon: forecast.horizon,
        model: floor.model,
        confidence: forecast.confidence,
        replicas: floor.replicas,
    };
    Some(Proposal { replicas: floor.replicas, why })
}

/// A step is taken once for each evaluation: its own new replicas wake passes, on rules that still hold.
pub(super) fn acted_since_evaluation(memory: &Memory) -> bool {
    memory.last_action.is_some_and(|acted| memory.last_evaluation.is_none_or(|evaluated| acted >= evaluated))
}

/// scaleDown rules recommend by themselves where `scaleDown.step` is written; else they only permit what others
/// recommend.
#[must_use]
pub fn rules_shrink_by_themselves(spec: &Spec) -> bool {
    spec.scale_down.step_written
}

/// Has one of these metrics been missing for more than `afterFailures` evaluations?
fn blind(metrics: &[MetricIndex], spec: &Spec, memory: &Memory) -> bool {
    metrics.iter().filter_map(|it| spec.metrics.get(it.0)).any(|metric| {
        memory.failures.get(&*metric.name).is_some_and(|count| *count > spec.fallback.after_failures)
    })
}

fn count_failures(spec: &Spec, memory: &mut Memory, readings: &[Reading]) {
    if !memory.failures.is_empty() {
        let in_use: BTreeSet<&str> = spec.metrics.iter().map(|it| &*it.name).collect();
        memory.failures.retain(|name, _| in_use.contains(&**name));
    }
    for (metric, reading) in spec.metrics.iter().zip(readings) {
        match reading {
            Reading::Missing | Reading::Failed => {
                let count = memory.failures.entry(metric.name.to_string()).or_default();
                *count = count.saturating_add(1);
            }
            Reading::Value(_) | Reading::Partial(_) => {
                memory.failures.remove(&*metric.name);
            }
            Reading::WarmingUp | Reading::NotApplicable => {}
        }
    }
}
