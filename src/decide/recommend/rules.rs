//! Rules of scaleUp and scaleDown: whether each holds, whether they hold together, and for how long they have.

use std::collections::VecDeque;

use super::super::observe::Reading;
use super::{Outcome, Standing, Way, blind};
use crate::api::behavior::When;
use crate::api::effective::{CompiledRule, DirectionSpec, MetricIndex, Name, Spec, Test};
use crate::model::decision::{Evidence, Why};
use crate::model::memory::{Band, Memory, Point};
use crate::strategies::threshold;
use crate::units::{Duration, Timestamp};

/// Most points that a `within` rule looks at.
pub const MAX_POINTS: usize = 1_000;

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

pub(in crate::decide) fn known(readings: &[Reading], metric: MetricIndex, way: Way) -> Option<f64> {
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

pub(super) fn standing(
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

pub(in crate::decide) fn points<'a>(rule: &CompiledRule, memory: &'a Memory) -> Option<&'a VecDeque<Point>> {
    match rule.test {
        Test::Within { band, .. } => memory.bands.get(band.0).map(|it| &it.points),
        Test::Compare { .. } | Test::Expr(_) => None,
    }
}

pub(in crate::decide) fn reads(rule: &CompiledRule) -> &[MetricIndex] {
    match &rule.test {
        Test::Compare { metric, .. } | Test::Within { metric, .. } => std::slice::from_ref(metric),
        Test::Expr(formula) => &formula.reads,
    }
}

pub(in crate::decide) fn why(
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

/// Brings what is remembered of bands into the spec's order, and forgets what no rule asks for any more.
pub(super) fn align(bands: &mut Vec<Band>, rules: &[Name]) {
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

pub(super) fn note_points(spec: &Spec, memory: &mut Memory, readings: &[Reading], now: Timestamp) {
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
