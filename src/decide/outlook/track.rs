//! Tracked metrics: the values at which they ask for one more replica and for one fewer.
//!
//! Found by halving, with the very formula that decides; so rounding, tolerance and replicas that do not count are in.

use serde::{Deserialize, Serialize};

use super::super::recommend::{Shown, Way, shown, wanted};
use super::rules::{MetricSeen, seen};
use super::{Present, Scene};
use crate::api::effective::{Goal, Origin, TrackSpec};
use crate::strategies::target_tracking::Measured;

/// How often the search doubles on its way to a value that is large enough; 2^31 replicas take 31.
const MAX_DOUBLINGS: u32 = 64;
/// Digits after the first that tell every number from its neighbors.
const MAX_DIGITS: usize = 16;
/// How far, as a fraction of it, the value that is told may be from the one that was found.
const ROUNDING: f64 = 1e-11;
/// What is this small beside the value to hold is told as 0.
const NEGLIGIBLE: f64 = 1e-9;

/// One tracked metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackOutlook {
    /// Its name, and what it shows.
    #[serde(flatten)]
    pub seen: MetricSeen,
    /// What is held.
    pub held: Held,
    /// The value to hold.
    pub target: f64,
    /// Dead band above it, as a fraction of it.
    pub tolerance_up: f64,
    /// Dead band below it, as a fraction of it.
    pub tolerance_down: f64,
    /// How many replicas it would like now; absent where it has no opinion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<u32>,
    /// From where on it asks for more; absent where no value does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Edge>,
    /// From where down it asks for fewer; absent where no value does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer: Option<Edge>,
}

/// What target tracking holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// Percent of the limit.
    Utilization,
    /// A value that each replica has, averaged.
    PerReplica,
    /// A value of the whole.
    Value,
    /// A value of the whole for each replica.
    AverageValue,
}

/// A value at which something changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// The value.
    pub value: f64,
    /// It changes at the very value; else beyond it.
    pub inclusive: bool,
}

pub(super) fn outlook(scene: &Scene<'_>, track: &TrackSpec) -> TrackOutlook {
    let spec = scene.present.spec;
    let present = look(scene, track);
    let (more, fewer) = edges(scene, track, present.as_ref());
    TrackOutlook {
        seen: seen(scene, track.metric, Way::Up),
        held: match track.goal {
            Goal::Utilization { .. } => Held::Utilization,
            Goal::PerReplica { .. } => Held::PerReplica,
            Goal::Value(_) => Held::Value,
            Goal::AverageValue(_) => Held::AverageValue,
        },
        target: track.goal.target(),
        tolerance_up: spec.scale_up.tolerance,
        tolerance_down: spec.scale_down.tolerance,
        wants: present.and_then(|it| ask(scene, track, &it)),
        more,
        fewer,
    }
}

/// At rest, only `activation` counts.
fn edges(scene: &Scene<'_>, track: &TrackSpec, present: Option<&Shown>) -> (Option<Edge>, Option<Edge>) {
    let spec = scene.present.spec;
    if spec.idle.is_some_and(|it| scene.count <= it.replicas) {
        let wakes = Edge { value: track.activation, inclusive: false };
        return (track.wakes.then_some(wakes), None);
    }
    let of_target = spec.metrics.get(track.metric.0).is_some_and(|it| matches!(it.origin, Origin::Target(_)));
    if of_target && scene.count == 0 {
        return (None, None);
    }
    let proposal = |value: f64| ask(scene, track, &at(value, track.goal, present));
    let pivot = match track.goal {
        Goal::AverageValue(target) => target * f64::from(scene.count),
        goal => goal.target(),
    };
    let count = scene.count;
    (
        lowest(pivot, track.goal.target(), |value| proposal(value).is_some_and(|it| it > count)),
        highest(pivot, |value| proposal(value).is_some_and(|it| it < count)),
    )
}

fn look(scene: &Scene<'_>, track: &TrackSpec) -> Option<Shown> {
    let reading = *scene.readings.get(track.metric.0)?;
    let Present { spec, memory, snapshot, .. } = scene.present;
    shown(spec, track, memory, snapshot, reading, scene.now)
}

fn ask(scene: &Scene<'_>, track: &TrackSpec, shown: &Shown) -> Option<u32> {
    wanted(scene.present.spec, track.goal, shown, scene.count, scene.present.decision.ready)
}

/// The same workload, were the metric at `value`: each replica that counts has its even share.
fn at(value: f64, goal: Goal, present: Option<&Shown>) -> Shown {
    let Some(Shown::Replicas(measured)) = present.filter(|it| !is_empty(it)) else {
        return Shown::Value(value);
    };
    let utilization = matches!(goal, Goal::Utilization { .. });
    let moved = measured.iter().map(|it| match *it {
        Measured::Counted { request, .. } => {
            let usage = if utilization { value * request / 100.0 } else { value };
            Measured::Counted { usage, request }
        }
        other => other,
    });
    Shown::Replicas(moved.collect())
}

/// The count is known, and no replica is listed.
fn is_empty(shown: &Shown) -> bool {
    matches!(shown, Shown::Replicas(measured) if measured.is_empty())
}

/// Where `test` becomes true above `pivot`, and stays it.
fn lowest(pivot: f64, target: f64, test: impl Fn(f64) -> bool) -> Option<Edge> {
    if !pivot.is_finite() || pivot < 0.0 || test(pivot) {
        return None;
    }
    let mut far = pivot.max(target);
    for _ in 0..MAX_DOUBLINGS {
        far *= 2.0;
        if !far.is_finite() {
            return None;
        }
        if test(far) {
            let (before, _) = halve(pivot, far, |value| !test(value));
            return Some(edge(before, test));
        }
    }
    None
}

/// Where `test` becomes true below `pivot`, and stays it down to zero.
fn highest(pivot: f64, test: impl Fn(f64) -> bool) -> Option<Edge> {
    if !pivot.is_finite() || pivot <= 0.0 || test(pivot) || !test(0.0) {
        return None;
    }
    let least = pivot * NEGLIGIBLE;
    if !test(least) {
        return Some(Edge { value: 0.0, inclusive: true });
    }
    let (last, _) = halve(least, pivot, &test);
    Some(edge(last, test))
}

/// Two neighboring numbers between `near`, for which `test` holds, and `far`, for which it does not; neither is
/// negative, so that their bits are in their order.
fn halve(near: f64, far: f64, test: impl Fn(f64) -> bool) -> (f64, f64) {
    let (mut near, mut far) = (near.to_bits(), far.to_bits());
    while far - near > 1 {
        let middle = near + (far - near) / 2;
        if test(f64::from_bits(middle)) { near = middle } else { far = middle }
    }
    (f64::from_bits(near), f64::from_bits(far))
}

/// `value` in the fewest digits that hit it but for the error of binary fractions, and on which side of it things
/// change.
fn edge(value: f64, test: impl Fn(f64) -> bool) -> Edge {
    let rounded = (0..=MAX_DIGITS).filter_map(|digits| format!("{value:.digits$e}").parse::<f64>().ok());
    let value = rounded.into_iter().find(|it| (it - value).abs() <= value * ROUNDING).unwrap_or(value);
    Edge { value, inclusive: test(value) }
}
