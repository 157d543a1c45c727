//! Recommend: what rules and target tracking would like, each by itself. `consecutive` counts here.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::forecast;
use super::observe::{self, Readiness, Reading};
use crate::api::behavior::When;
use crate::api::effective::{
    CompiledRule, DirectionSpec, Goal, MetricIndex, Name, Origin, Spec, Test, TrackSpec,
};
use crate::model::decision::{Evidence, Why};
use crate::model::memory::{Band, Memory, Point};
use crate::model::observation::{ReplicaId, Snapshot};
use crate::strategies::step;
use crate::strategies::target_tracking::{self, Measured, Tolerance};
use crate::strategies::threshold;
use crate::units::{Duration, Timestamp};

/// Most points that a `within` rule looks at.
pub const MAX_POINTS: usize = 1_000;

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

/// Does that rule hold? `points` are those of a `within` rule, oldest first, the present one included.
#[must_use]
pub fn test(
    rule: &CompiledRule,
    way: Way,
    readings: &[Reading],
    points: Option<&VecDeque<Point>>,
) -> Outcome {
    let value = |metric: MetricIndex| known(readings, metric, way);
    let holds = match &rule.test {
        Test::Compare { metric, op, value: threshold } => value(*metric).map(|it| op.holds(it, *threshold)),
        Test::Within { metric, points: needed, .. } => value(*metric)
            .map(|_| threshold::enough(points.into_iter().flatten().map(|it| it.inside), *needed)),
        Test::Expr(formula) => formula.expr.eval_condition(&|index| value(*formula.reads.get(index)?)),
    };
    match holds {
        Some(true) => Outcome::Holds,
        Some(false) => Outcome::Fails,
        None => Outcome::Unknown,
    }
}

pub(super) fn known(readings: &[Reading], metric: MetricIndex, way: Way) -> Option<f64> {
    let reading = readings.get(metric.0)?;
    match way {
        Way::Up => reading.for_growing(),
        Way::Down => reading.for_shrinking(),
    }
}

/// Do rules with these outcomes hold together? Rules of one group speak with one voice: as in Nomad, one of them
/// that holds is enough, and those that do not hold have no opinion. So with `All`, rules that stand alone each have
/// a veto, and those of a group have it together.
#[must_use]
pub fn together(when: When, rules: &[CompiledRule], outcomes: &[Outcome]) -> Outcome {
    let units = rules.iter().enumerate().filter_map(|(index, rule)| {
        let Some(group) = &rule.group else { return outcomes.get(index).copied() };
        let of_group = |it: &CompiledRule| it.group.as_ref() == Some(group);
        if rules[..index].iter().any(of_group) {
            return None;
        }
        let inner = rules.iter().zip(outcomes).filter(|(it, _)| of_group(it)).map(|(_, outcome)| *outcome);
        Some(any(inner))
    });
    match when {
        When::Any => any(units),
        When::All => all(units),
    }
}

fn any(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.fold(Outcome::Fails, |sum, it| match (sum, it) {
        (Outcome::Holds, _) | (_, Outcome::Holds) => Outcome::Holds,
        (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
        (Outcome::Fails, Outcome::Fails) => Outcome::Fails,
    })
}

fn all(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.fold(Outcome::Holds, |sum, it| match (sum, it) {
        (Outcome::Fails, _) | (_, Outcome::Fails) => Outcome::Fails,
        (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
        (Outcome::Holds, Outcome::Holds) => Outcome::Holds,
    })
}

fn standing(
    spec: &Spec,
    direction: &DirectionSpec,
    way: Way,
    memory: &mut Memory,
    readings: &[Reading],
    evaluation: bool,
) -> Standing {
    if direction.rules.is_empty() {
        return Standing::default();
    }
    let (mut lacking, mut every_one_blind) = (false, true);
    let mut outcomes = Vec::with_capacity(direction.rules.len());
    for rule in &direction.rules {
        let outcome = test(rule, way, readings, points(rule, memory));
        let unknown = outcome == Outcome::Unknown;
        lacking |= unknown && reads(rule).iter().any(|it| lacks(readings, *it, way));
        every_one_blind &= unknown && blind(reads(rule), spec, memory);
        outcomes.push(outcome);
    }
    let hold = together(direction.when, &direction.rules, &outcomes) == Outcome::Holds;
    let counter = match way {
        Way::Up => &mut memory.consecutive.up,
        Way::Down => &mut memory.consecutive.down,
    };
    if evaluation {
        *counter = if hold { counter.saturating_add(1) } else { 0 };
    }
    let times = *counter;
    let satisfied = hold && times >= direction.consecutive;
    Standing { hold, satisfied, times, lacking, blind: every_one_blind }
}

/// Is there no value where there should be one?
pub(super) fn lacks(readings: &[Reading], metric: MetricIndex, way: Way) -> bool {
    let applies = readings.get(metric.0).is_some_and(|it| *it != Reading::NotApplicable);
    applies && known(readings, metric, way).is_none()
}

pub(super) fn points<'a>(rule: &CompiledRule, memory: &'a Memory) -> Option<&'a VecDeque<Point>> {
    match rule.test {
        Test::Within { band, .. } => memory.bands.get(band.0).map(|it| &it.points),
        Test::Compare { .. } | Test::Expr(_) => None,
    }
}

pub(super) fn reads(rule: &CompiledRule) -> &[MetricIndex] {
    match &rule.test {
        Test::Compare { metric, .. } | Test::Within { metric, .. } => std::slice::from_ref(metric),
        Test::Expr(formula) => &formula.reads,
    }
}

/// Has one of these metrics been missing for more than `afterFailures` evaluations?
fn blind(metrics: &[MetricIndex], spec: &Spec, memory: &Memory) -> bool {
    metrics.iter().filter_map(|it| spec.metrics.get(it.0)).any(|metric| {
        memory.failures.get(&*metric.name).is_some_and(|count| *count > spec.fallback.after_failures)
    })
}

pub(super) fn why(
    spec: &Spec,
    direction: &DirectionSpec,
    way: Way,
    memory: &Memory,
    readings: &[Reading],
    times: u32,
) -> Why {
    let mut held = Vec::with_capacity(direction.rules.len());
    for rule in &direction.rules {
        if test(rule, way, readings, points(rule, memory)) == Outcome::Holds {
            held.extend(evidence(spec, rule, way, readings));
        }
    }
    Why::Rules { held, times, needed: direction.consecutive }
}

fn evidence(spec: &Spec, rule: &CompiledRule, way: Way, readings: &[Reading]) -> Option<Evidence> {
    Some(match &rule.test {
        Test::Compare { metric, op, value } => Evidence::Compared {
            metric: spec.metrics.get(metric.0)?.name.clone(),
            value: known(readings, *metric, way)?,
            op: *op,
            threshold: *value,
        },
        Test::Within { metric, .. } => {
            Evidence::Within { rule: rule.text.clone(), value: known(readings, *metric, way)? }
        }
        Test::Expr(_) => Evidence::Expression(rule.text.clone()),
    })
}

/// How large the workload is.
#[derive(Clone, Copy)]
struct Size {
    /// What a change starts from.
    from: u32,
    /// Replicas able to work.
    ready: u32,
}

fn tracked(
    spec: &Spec,
    track: &TrackSpec,
    memory: &Memory,
    snapshot: &Snapshot,
    reading: Reading,
    Size { from, ready }: Size,
    now: Timestamp,
) -> Option<Proposal> {
    let metric = spec.metrics.get(track.metric.0)?;
    let shown = shown(spec, track, memory, snapshot, reading, now)?;
    let replicas = wanted(spec, track.goal, &shown, from, ready)?;
    // Where no replica is old enough for the reading, others may still count here.
    let value = reading.for_growing().unwrap_or_else(|| shown.in_use(track.goal));
    let per_replica = matches!(track.goal, Goal::AverageValue(_));
    let why = Why::Track { metric: metric.name.clone(), value, target: track.goal.target(), per_replica };
    Some(Proposal { replicas, why })
}

/// What target tracking looks at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// Each replica by itself.
    Replicas(Vec<Measured>),
    /// One value.
    Value(f64),
}

impl Shown {
    fn in_use(&self, goal: Goal) -> f64 {
        match (self, goal) {
            (Self::Value(value), _) => *value,
            (Self::Replicas(measured), Goal::Utilization { .. }) => target_tracking::percent_in_use(measured),
            (Self::Replicas(measured), _) => target_tracking::average_in_use(measured),
        }
    }
}

/// What an entry of `track` looks at now; `None` where there is nothing to look at.
pub(super) fn shown(
    spec: &Spec,
    track: &TrackSpec,
    memory: &Memory,
    snapshot: &Snapshot,
    reading: Reading,
    now: Timestamp,
) -> Option<Shown> {
    let metric = spec.metrics.get(track.metric.0)?;
    let per_replica = matches!(track.goal, Goal::Utilization { .. } | Goal::PerReplica { .. });
    match metric.origin {
        // A trace may give the value itself; then there are no replicas to look at.
        Origin::Target(of_target) if per_replica && !snapshot.metrics.contains_key(&*metric.name) => {
            let readiness = Readiness { warm_up: spec.warm_up, delay: spec.readiness_delay };
            let was_ready = |id: &ReplicaId| memory.replicas.get(id).is_some_and(|it| it.was_ready);
            Some(Shown::Replicas(observe::measured(of_target, snapshot, readiness, was_ready, now)))
        }
        _ => reading.for_growing().map(Shown::Value),
    }
}

/// How many replicas hold the target value, given what is shown.
pub(super) fn wanted(spec: &Spec, goal: Goal, shown: &Shown, from: u32, ready: u32) -> Option<u32> {
    let tolerance = Tolerance { up: spec.scale_up.tolerance, down: spec.scale_down.tolerance };
    match (goal, shown) {
        (Goal::Utilization { target, .. }, Shown::Replicas(measured)) => {
            target_tracking::utilization(measured, from, target, tolerance)
        }
        (_, Shown::Replicas(measured)) => {
            target_tracking::per_replica(measured, from, goal.target(), tolerance)
        }
        (Goal::Utilization { target, .. }, Shown::Value(value)) => {
            target_tracking::value(step::whole_part(*value), target, from, ready, tolerance)
        }
        (Goal::PerReplica { target } | Goal::Value(target), Shown::Value(value)) => {
            target_tracking::value(*value, target, from, ready, tolerance)
        }
        (Goal::AverageValue(target), Shown::Value(value)) => {
            target_tracking::average_value(*value, target, from, tolerance)
        }
    }
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

/// Brings what is remembered of bands into the spec's order, and forgets what no rule asks for any more.
fn align(bands: &mut Vec<Band>, rules: &[Name]) {
    if bands.len() == rules.len() && bands.iter().zip(rules).all(|(band, rule)| *band.rule == **rule) {
        return;
    }
    let mut known = std::mem::take(bands);
    bands.extend(rules.iter().map(|rule| {
        let found = known.iter().position(|it| *it.rule == **rule);
        let new = || Band { rule: rule.to_string(), points: VecDeque::new() };
        found.map_or_else(new, |index| known.swap_remove(index))
    }));
}

fn note_points(spec: &Spec, memory: &mut Memory, readings: &[Reading], now: Timestamp) {
    if memory.bands.is_empty() {
        return;
    }
    for rule in spec.scale_up.rules.iter().chain(&spec.scale_down.rules) {
        let Test::Within { band, metric, lower, upper, points } = rule.test else { continue };
        let Some(value) = readings.get(metric.0).and_then(|it| it.for_growing()) else { continue };
        let Some(band) = memory.bands.get_mut(band.0) else { continue };
        let most = points_kept(points, spec.window, spec.interval);
        let inside = threshold::Band { lower, upper }.contains(value);
        note_point(&mut band.points, Point { at: now, inside }, most);
    }
}

fn note_point(points: &mut VecDeque<Point>, point: Point, most: usize) {
    // The same rule in both directions notes its point once.
    if points.back().is_some_and(|it| it.at == point.at) {
        return;
    }
    points.push_back(point);
    while points.len() > most {
        points.pop_front();
    }
}

/// The points of the window; at least as many as the rule needs.
fn points_kept(needed: u32, window: Duration, interval: Duration) -> usize {
    let of_window = window.as_millis() / interval.as_millis().max(1);
    usize::try_from(of_window).unwrap_or(MAX_POINTS).max(needed as usize).min(MAX_POINTS)
}
