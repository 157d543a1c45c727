//! Recommend: what rules and target tracking would like, each by itself. `consecutive` counts here.

use std::collections::{BTreeSet, VecDeque};

use super::observe::{self, Readiness, Reading};
use crate::api::behavior::When;
use crate::api::effective::{
    CompiledRule, DirectionSpec, Goal, MetricIndex, Name, Origin, Spec, Test, TrackSpec,
};
use crate::model::decision::{Evidence, Why};
use crate::model::memory::{Band, Memory, Point};
use crate::model::observation::Snapshot;
use crate::strategies::step;
use crate::strategies::target_tracking::{self, Tolerance};
use crate::units::{Duration, Timestamp};

/// Most points that a `within` rule looks at.
pub const MAX_POINTS: usize = 1_000;

/// Which way a direction's rules point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// scaleUp.
    Up,
    /// scaleDown.
    Down,
}

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        match tracked(spec, track, snapshot, reading, from, ready, now) {
            Some(proposal) => result.proposals.push(proposal),
            None => result.track_lacking |= !matches!(reading, Reading::NotApplicable),
        }
        let whole = matches!(track.goal, Goal::Value(_) | Goal::AverageValue(_));
        result.track_lacking |= reading.is_failure() || (whole && matches!(reading, Reading::Partial(_)));
        result.blind_tracks += usize::from(blind(&[track.metric], spec, memory));
    }
    result
}

/// A step is taken once for each evaluation: its own new replicas wake passes, on rules that still hold.
fn acted_since_evaluation(memory: &Memory) -> bool {
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
        Test::Within { metric, points: needed, .. } => value(*metric).map(|_| {
            let inside = points.map_or(0, |it| it.iter().filter(|it| it.inside).count());
            inside >= *needed as usize
        }),
        Test::Expr(formula) => formula.expr.eval_condition(&|index| value(*formula.reads.get(index)?)),
    };
    match holds {
        Some(true) => Outcome::Holds,
        Some(false) => Outcome::Fails,
        None => Outcome::Unknown,
    }
}

fn known(readings: &[Reading], metric: MetricIndex, way: Way) -> Option<f64> {
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
fn lacks(readings: &[Reading], metric: MetricIndex, way: Way) -> bool {
    let applies = readings.get(metric.0).is_some_and(|it| *it != Reading::NotApplicable);
    applies && known(readings, metric, way).is_none()
}

fn points<'a>(rule: &CompiledRule, memory: &'a Memory) -> Option<&'a VecDeque<Point>> {
    match rule.test {
        Test::Within { band, .. } => memory.bands.get(band.0).map(|it| &it.points),
        Test::Compare { .. } | Test::Expr(_) => None,
    }
}

fn reads(rule: &CompiledRule) -> &[MetricIndex] {
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

fn why(
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

fn tracked(
    spec: &Spec,
    track: &TrackSpec,
    snapshot: &Snapshot,
    reading: Reading,
    from: u32,
    ready: u32,
    now: Timestamp,
) -> Option<Proposal> {
    let tolerance = Tolerance { up: spec.scale_up.tolerance, down: spec.scale_down.tolerance };
    let metric = spec.metrics.get(track.metric.0)?;
    // A trace may give the value itself; then there are no replicas to look at.
    let of_replicas = match metric.origin {
        Origin::Target(of_target) if !snapshot.metrics.contains_key(&*metric.name) => Some(of_target),
        _ => None,
    };
    let readiness = Readiness { warm_up: spec.warm_up, delay: spec.readiness_delay };
    let (replicas, target, per_replica) = match (track.goal, of_replicas) {
        (Goal::Utilization { target, .. }, Some(of_target)) => {
            let measured = observe::measured(of_target, snapshot, readiness, now);
            (target_tracking::utilization(&measured, from, target, tolerance)?, target, false)
        }
        (Goal::PerReplica { target }, Some(of_target)) => {
            let measured = observe::measured(of_target, snapshot, readiness, now);
            (target_tracking::per_replica(&measured, from, target, tolerance)?, target, false)
        }
        (Goal::Utilization { target, .. }, None) => {
            let observed = step::whole_part(reading.for_growing()?);
            (target_tracking::value(observed, target, from, ready, tolerance)?, target, false)
        }
        (Goal::PerReplica { target }, None) | (Goal::Value(target), _) => {
            (target_tracking::value(reading.for_growing()?, target, from, ready, tolerance)?, target, false)
        }
        (Goal::AverageValue(target), _) => {
            (target_tracking::average_value(reading.for_growing()?, target, from, tolerance)?, target, true)
        }
    };
    let value = reading.for_growing().unwrap_or(f64::NAN);
    let why = Why::Track { metric: metric.name.clone(), value, target, per_replica };
    Some(Proposal { replicas, why })
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
        note_point(&mut band.points, Point { at: now, inside: lower <= value && value < upper }, most);
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
