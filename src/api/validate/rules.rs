//! Directions with their rules, steps and limits; target tracking.

use super::amounts::{DAY, HOUR, positive, some_time, within};
use super::expressions;
use super::findings::Findings;
use super::metrics::Names;
use crate::api::behavior::{Direction, Limit, Rule, Step, Track, Within};
use crate::api::path::Path;
use crate::api::read::hint::shorten;
use crate::api::trend_metric;
use crate::units::Duration;

/// Longest period of a limit; changes are remembered that long.
const LONGEST_PERIOD: Duration = Duration::from_secs(30 * 60);
/// Most evaluations in a row that may be asked for.
const MOST_CONSECUTIVE: u32 = 1_000;
/// Most points that `within` may ask for; so many are remembered.
const MOST_POINTS: u32 = 100;
/// Most rules, limits and tracked metrics of one policy, each.
const MOST_ITEMS: usize = 64;

/// Which way a direction leads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

pub(super) fn direction(
    direction: &Direction,
    way: Way,
    names: &Names<'_>,
    path: &Path,
    findings: &mut Findings,
) {
    if let Some(rules) = &direction.rules {
        few(rules.len(), &path.key("rules"), findings);
        for (index, it) in rules.iter().enumerate() {
            rule(it, names, &path.key("rules").index(index), findings);
        }
    }
    within(direction.consecutive, 1..=MOST_CONSECUTIVE, path.key("consecutive"), findings);
    if let Some(it) = direction.step {
        step(it, way, path.key("step"), findings);
    }
    within(direction.cooldown, Duration::ZERO..=DAY, path.key("cooldown"), findings);
    within(direction.stabilization_window, Duration::ZERO..=HOUR, path.key("stabilizationWindow"), findings);
    if let Some(limits) = &direction.limits {
        few(limits.len(), &path.key("limits"), findings);
        for (index, it) in limits.iter().enumerate() {
            limit(it, &path.key("limits").index(index), findings);
        }
    }
    if let Some(tolerance) = direction.tolerance
        && tolerance < 0.0
    {
        let message = format!("found `{tolerance}`; expected 0 or more, as in `0.1` for 10 %");
        findings.add(path.key("tolerance"), message);
    }
}

fn few(count: usize, path: &Path, findings: &mut Findings) {
    if count > MOST_ITEMS {
        findings.add(path.clone(), format!("found {count} items; expected at most {MOST_ITEMS}"));
    }
}

fn rule(rule: &Rule, names: &Names<'_>, path: &Path, findings: &mut Findings) {
    const FORMS: &str =
        "a rule is `{metric, op, value}`, `{metric, within: {lower, upper, points}}` or `{expr}`";
    let Rule { metric, op, value, expr, within, group } = rule;
    if group.as_ref().is_some_and(|group| group.trim().is_empty()) {
        findings.add(path.key("group"), "found nothing; expected a name");
    }
    if let Some(text) = expr {
        if metric.is_some() || op.is_some() || value.is_some() || within.is_some() {
            findings.add(path.clone(), format!("found `expr` together with other conditions; {FORMS}"));
        }
        expressions::condition(text, names, &path.key("expr"), findings);
        return;
    }
    let Some(metric) = metric else {
        findings.add(path.clone(), format!("found neither `metric` nor `expr`; {FORMS}"));
        return;
    };
    names.check(metric, &path.key("metric"), findings);
    match (op, value, within) {
        (Some(_), Some(_), None) => {}
        (None, None, Some(it)) => band(it, &path.key("within"), findings),
        (None, None, None) => {
            let message = "found no condition; add `op` and `value`, or `within`";
            findings.add_after(path.clone(), message, Vec::new());
        }
        (_, _, Some(it)) => {
            findings.add(path.clone(), "found `within` together with `op` or `value`; keep one");
            band(it, &path.key("within"), findings);
        }
        (Some(op), None, None) => findings.add(path.key("value"), format!("`op: \"{op}\"` needs a `value`")),
        (None, Some(_), None) => {
            findings.add(path.key("op"), "`value` needs an `op`, as in `op: \">\"`");
        }
    }
}

fn band(band: &Within, path: &Path, findings: &mut Findings) {
    match (band.lower, band.upper) {
        (None, None) => {
            findings.add(path.clone(), "found neither `lower` nor `upper`; expected at least one of them");
        }
        (Some(lower), Some(upper)) if lower >= upper => {
            findings.add(path.key("lower"), format!("lower {lower} is not below upper {upper}"));
        }
        _ => {}
    }
    within(band.points, 1..=MOST_POINTS, path.key("points"), findings);
}

fn step(step: Step, way: Way, path: Path, findings: &mut Findings) {
    let message = match (way, step) {
        (Way::Up, it) if !it.grows() => "scaleUp needs a step that grows: `+2`, `x1.5` or `+50%`",
        (Way::Down, it) if it.grows() => "scaleDown needs a step that shrinks: `-1`, `x0.6` or `-20%`",
        (Way::Down, Step::Percent(percent)) if percent < -100.0 => "a step down is at most `-100%`",
        (_, Step::Times(factor) | Step::Percent(factor)) if !factor.is_finite() => "the number is too large",
        _ => return,
    };
    findings.add(path, format!("found `{step}`; {message}"));
}

fn limit(limit: &Limit, path: &Path, findings: &mut Findings) {
    match (limit.percent, limit.replicas) {
        (Some(_), Some(_)) => findings.add(path.clone(), "found `percent` and `replicas` together; keep one"),
        (None, None) => {
            findings.add(path.clone(), "found neither `percent` nor `replicas`; expected one of them")
        }
        (Some(percent), None) => positive(Some(percent), path.key("percent"), findings),
        (None, Some(0)) => {
            findings.add(path.key("replicas"), "found `0`; expected 1 or more, or `select: Disabled`");
        }
        (None, Some(_)) => {}
    }
    some_time(Some(limit.period), LONGEST_PERIOD, path.key("period"), findings);
}

pub(super) fn track(tracks: &[Track], names: &Names<'_>, path: &Path, findings: &mut Findings) {
    few(tracks.len(), path, findings);
    for (index, track) in tracks.iter().enumerate() {
        let path = path.index(index);
        names.check(&track.metric, &path.key("metric"), findings);
        match (track.target, track.average_value) {
            (Some(_), Some(_)) => {
                findings.add(path.clone(), "found `target` and `averageValue` together; keep one");
            }
            (None, None) => {
                let metric = shorten(&track.metric);
                let message = format!(
                    "found neither `target` (the value to hold) nor `averageValue` (the value per replica) for `{metric}`"
                );
                findings.add(path.clone(), message);
            }
            _ => {}
        }
        let base = trend_metric::parse(&track.metric).map_or(track.metric.clone(), |(base, _)| base);
        if track.average_value.is_some() && base.ends_with(".utilization") {
            let message = "a utilization is an average already; write `target`";
            findings.add(path.key("averageValue"), message);
        }
        positive(track.target, path.key("target"), findings);
        positive(track.average_value, path.key("averageValue"), findings);
        if let Some(activation) = track.activation.filter(|activation| *activation < 0.0) {
            findings.add(path.key("activation"), format!("found `{activation}`; expected 0 or more"));
        }
    }
}
