//! An explanation told to a person: short, in order, in plain sentences. Nothing here reasons; it has only words.

mod sentences;
mod unseen;

pub use sentences::many;
use sentences::{Teller, number};

use super::explanation::Explanation;
use super::view::{PolicyView, word};
use crate::api::status::{Action, DecisionRecord, TrailLine};
use crate::decide::outlook::{
    Barrier, BoundsOutlook, Course, ForecastOutlook, LimitOutlook, May, Outlook, SetBy,
};
use crate::decide::recommend::Way;
use crate::model::approval::{Proposal, REJECTION_LASTS};
use crate::model::decision::Resize;
use crate::units::Timestamp;

/// Longest line; what is longer goes on in the next one.
pub const WIDTH: usize = 100;
/// Shortest length of a line that is kept to.
const LEAST_WIDTH: usize = 40;
/// What a section's lines stand behind, and what goes on in the next line.
const INDENT: usize = 2;

/// To whom a story is told.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// When.
    pub now: Timestamp,
    /// Longest line that the reader sees whole.
    pub width: usize,
    /// The policy as other screens show it, where the reader has it.
    pub view: Option<&'a PolicyView>,
}

/// The lines of the story, as it is told at `now` to somebody who knows nothing else of the policy.
#[must_use]
pub fn story(it: &Explanation, now: Timestamp) -> Vec<String> {
    story_for(it, &Reader { now, width: WIDTH, view: None })
}

/// The lines of the story.
#[must_use]
pub fn story_for(it: &Explanation, reader: &Reader<'_>) -> Vec<String> {
    let tell = Teller { policy: &it.policy, target: &it.outlook.target, now: reader.now };
    let width = reader.width.clamp(LEAST_WIDTH, WIDTH);
    let mut lines = wrapped(&headline(it), 0, width);
    let unseen = unseen::reason(&it.outlook);
    let sections = match unseen {
        Some(reason) => unseen::sections(&tell, it, reason, reader),
        None => sections(&tell, it),
    };
    lines.extend(mistakes(reader));
    for (title, body) in sections.into_iter().filter(|(_, body)| !body.is_empty()) {
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(body.iter().flat_map(|line| wrapped(line, INDENT, width)));
    }
    lines
}

/// What is wrong with the present text, as it stands.
fn mistakes(reader: &Reader<'_>) -> Vec<String> {
    let mistakes = reader.view.map_or(&[][..], |it| &it.mistakes);
    if mistakes.is_empty() {
        return Vec::new();
    }
    let title = "The present text is wrong, so the last good one goes on";
    let lines = mistakes.iter().flat_map(|it| it.lines()).map(|line| format!("  {line}"));
    [String::new(), title.to_owned()].into_iter().chain(lines).collect()
}

fn sections(tell: &Teller<'_>, it: &Explanation) -> Vec<(&'static str, Vec<String>)> {
    let (grow, shrink) = titles(&it.outlook);
    vec![
        ("Now", vec![now_line(it)]),
        ("Observed", observed(tell, it)),
        ("Decided", decided(it)),
        ("Waits for approval", waits(tell, it)),
        ("What held it back", held_back(tell, &it.outlook)),
        (grow, course(tell, &it.outlook, Way::Up, Counts::Known)),
        (shrink, course(tell, &it.outlook, Way::Down, Counts::Known)),
        ("Next", next(tell, &it.outlook)),
        ("Last change", last_change(tell, it)),
    ]
}

const fn titles(outlook: &Outlook) -> (&'static str, &'static str) {
    if outlook.horizontal { ("To grow", "To shrink") } else { ("To raise limits", "To lower limits") }
}

fn headline(it: &Explanation) -> String {
    let policy = &it.policy;
    if unseen::reason(&it.outlook).is_some() {
        return format!("{policy}: the target cannot be seen, so nothing changes.");
    }
    let outcome = outcome(&it.decision);
    if only_looks_on(it) {
        return format!("{policy}: would {outcome} (mode {}).", word(&it.outlook.mode));
    }
    match &it.proposal {
        None if !it.outlook.horizontal && it.decision.action == Action::None => {
            format!("{policy}: limits stay.")
        }
        Some(Proposal { id, plan, .. }) => format!("{policy}: {outcome}; {id} waits for approval: {plan}."),
        None => format!("{policy}: {outcome}."),
    }
}

fn waits(tell: &Teller<'_>, it: &Explanation) -> Vec<String> {
    let Some(Proposal { id, plan, reason, since, until }) = &it.proposal else { return Vec::new() };
    vec![
        format!("{id}: {plan}, because {reason}"),
        format!("asked {}; can be answered until {}", tell.past(*since), tell.time(*until)),
        format!(
            "`docktorctl approve {id}` lets it be made once, `docktorctl reject {id}` forbids it for {REJECTION_LASTS}"
        ),
    ]
}

/// A change is decided that the mode does not let happen.
fn only_looks_on(it: &Explanation) -> bool {
    it.decision.action != Action::None && !it.outlook.mode.acts()
}

fn last_change(tell: &Teller<'_>, it: &Explanation) -> Vec<String> {
    let line = |last: &DecisionRecord| {
        let approval = last.approval.as_ref().map(|it| format!(" (approved as {it})")).unwrap_or_default();
        format!("{}: {}, because {}{approval}", tell.past(last.time), outcome(last), last.reason)
    };
    it.last_change.iter().map(line).collect()
}

/// What the policy needs, where nobody has decided anything: its rules and tracked metrics alone.
#[must_use]
pub fn needs(policy: &str, outlook: &Outlook, now: Timestamp) -> Vec<String> {
    let tell = Teller { policy, target: &outlook.target, now };
    let mut lines = Vec::new();
    for (title, way) in [("To grow", Way::Up), ("To shrink", Way::Down)] {
        lines.extend([title.to_owned()]);
        lines.extend(
            course(&tell, outlook, way, Counts::Unknown).iter().flat_map(|line| wrapped(line, INDENT, WIDTH)),
        );
        lines.push(String::new());
    }
    lines.pop();
    lines
}

/// What a decision does, in a few words.
#[must_use]
pub fn outcome(decision: &DecisionRecord) -> String {
    let DecisionRecord { action, from, to, .. } = decision;
    if let Some(limits) = resized(decision) {
        return format!("change limits: {limits}");
    }
    match action {
        Action::None if decision.limits.is_some() => "stay as it is".to_owned(),
        Action::None => format!("stay at {}", many(*from, "replica")),
        Action::ScaleUp => format!("scale up from {from} to {}", many(*to, "replica")),
        Action::ScaleDown => format!("scale down from {from} to {}", many(*to, "replica")),
    }
}

/// What a decision moves, in short: `2→3`, `cpuQuota 200% -> 300%`, or that limits stay too.
#[must_use]
pub fn movement(decision: &DecisionRecord) -> String {
    match (resized(decision), &decision.limits) {
        (Some(limits), _) => limits,
        (None, Some(_)) if decision.from == decision.to => "as it is".to_owned(),
        (None, _) => format!("{}→{}", decision.from, decision.to),
    }
}

/// The limits that a decision changes, before and after; `None` where it changes none.
#[must_use]
pub fn resized(decision: &DecisionRecord) -> Option<String> {
    let (from, to) = (decision.limits_before.as_ref()?, decision.limits.as_ref()?);
    Some(Resize::between(**from, **to).to_string())
}

fn now_line(it: &Explanation) -> String {
    let (phase, mode) = (word(&it.phase), word(&it.outlook.mode));
    let (ready, current) = (it.observed.ready.unwrap_or(0), it.observed.current.unwrap_or(0));
    let mut parts = vec![format!("{ready} of {} ready", many(current, "replica"))];
    parts.extend(it.outlook.horizontal.then(|| bounds(&it.outlook.bounds)));
    parts.extend(it.outlook.limits.iter().map(limit));
    parts.push(format!("mode {mode}, phase {phase}"));
    parts.join("; ")
}

fn bounds(it: &BoundsOutlook) -> String {
    let (min, max) = (set_by(&it.min_set_by), set_by(&it.max_set_by));
    format!("minimum {}{min}, maximum {}{max}", it.min, it.max)
}

/// `cpuQuota 300% (may be 100% to 800%)`.
fn limit(it: &LimitOutlook) -> String {
    format!("{} {} (may be {} to {})", it.limit, it.present, it.min, it.max)
}

fn set_by(it: &SetBy) -> String {
    match it {
        SetBy::Policy => String::new(),
        SetBy::Schedule(name) => format!(" by schedule {name}"),
        SetBy::Target => " by the target".to_owned(),
    }
}

fn observed(tell: &Teller<'_>, it: &Explanation) -> Vec<String> {
    let values: Vec<_> =
        it.observed.metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
    let values = if values.is_empty() { "no metric has a value".to_owned() } else { values.join(", ") };
    let mut lines = vec![format!("{values} ({})", tell.past(it.decision.time))];
    for missing in &it.outlook.missing {
        lines.push(match missing.evaluations {
            0 => format!("{} is missing", missing.metric),
            count => format!("{} is missing, for {} in a row", missing.metric, many(count, "evaluation")),
        });
    }
    if let Some(fallback) = &it.outlook.fallback {
        lines.extend(tell.fallback(fallback, !it.outlook.missing.is_empty()));
    }
    if let Some(left) = it.outlook.drifted_from {
        lines.push(format!("somebody else changed the count; docktor had left {left}"));
    }
    lines
}

fn decided(it: &Explanation) -> Vec<String> {
    let decision = &it.decision;
    let mut before = decision.from;
    let mut lines = Vec::with_capacity(decision.trail.len() + 1);
    for line in &decision.trail {
        lines.push(trail_line(line, before));
        before = line.replicas.unwrap_or(before);
    }
    lines.push(format!("{}, because {}", result(it), decision.reason));
    lines
}

fn result(it: &Explanation) -> String {
    let decision = &it.decision;
    let would = only_looks_on(it);
    match (resized(decision), decision.action) {
        (Some(limits), _) if would => format!("so limits would change: {limits}"),
        (Some(limits), _) => format!("so limits change: {limits}"),
        (None, Action::None) if !it.outlook.horizontal => "so limits stay".to_owned(),
        (None, Action::None) => format!("so it stays at {}", decision.to),
        (None, Action::ScaleUp | Action::ScaleDown) if would => {
            format!("so it would go from {} to {}", decision.from, decision.to)
        }
        (None, Action::ScaleUp | Action::ScaleDown) => {
            format!("so it goes from {} to {}", decision.from, decision.to)
        }
    }
}

/// One line of a trail: the stage, the number after it, what it did.
#[must_use]
pub fn trail_line(line: &TrailLine, before: u32) -> String {
    let stage = word(&line.stage);
    let number = match line.replicas {
        Some(after) if after != before => format!("{before}→{after}"),
        Some(after) => after.to_string(),
        None => String::new(),
    };
    format!("{stage:<10} {number:>7}  {}", line.message)
}

fn held_back(tell: &Teller<'_>, outlook: &Outlook) -> Vec<String> {
    if outlook.held_back.is_empty() {
        return vec!["nothing".to_owned()];
    }
    outlook.held_back.iter().map(|it| tell.barrier(it)).collect()
}

/// Are the evaluations in a row known, or has nobody counted?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Known,
    Unknown,
}

fn course(tell: &Teller<'_>, outlook: &Outlook, way: Way, counts: Counts) -> Vec<String> {
    let Course { rules, barriers, reach, .. } = match way {
        Way::Up => &outlook.grow,
        Way::Down => &outlook.shrink,
    };
    let mut lines = rules.as_ref().map(|it| tell.rules(it)).unwrap_or_default();
    lines.extend(rules.as_ref().filter(|_| counts == Counts::Known).and_then(|it| tell.in_a_row(it)));
    lines.extend(outlook.track.iter().map(|it| tell.track(it, outlook, way)));
    lines.extend(outlook.rest.as_ref().and_then(|it| tell.rest(it, way)));
    lines.extend(outlook.forecast.as_ref().filter(|_| way == Way::Up).map(forecast));
    // What has ended since the decision, the next pass will see.
    let barriers: Vec<_> = barriers.iter().filter(|it| it.until().is_none_or(|at| at > tell.now)).collect();
    lines.extend(barriers.iter().map(|it| format!("not now: {}", tell.barrier(it))));
    if outlook.horizontal && barriers.is_empty() && *reach != outlook.count {
        let (far, whole) = match way {
            Way::Up => ("at most", outlook.bounds.max),
            Way::Down => ("no fewer than", outlook.bounds.min),
        };
        if *reach != whole {
            lines.push(format!("at once: {far} {reach}"));
        }
    }
    lines
}

fn next(tell: &Teller<'_>, outlook: &Outlook) -> Vec<String> {
    let interval = outlook.next.interval;
    let mut lines = vec![match outlook.next.evaluation {
        Some(at) => format!("evaluation at {}, then every {interval}", tell.time(at)),
        None => format!("an evaluation every {interval}"),
    }];
    let (grow, shrink) =
        if outlook.horizontal { ("grow", "shrink") } else { ("raise limits", "lower limits") };
    lines.push(
        grows_by_schedule(tell, outlook).unwrap_or_else(|| tell.may(grow, due(outlook, &outlook.grow))),
    );
    lines.push(
        shrinks_by_schedule(tell, outlook).unwrap_or_else(|| tell.may(shrink, due(outlook, &outlook.shrink))),
    );
    if let Some(change) = &outlook.bounds.next {
        let why = match change.schedules.as_slice() {
            [] => "no schedule is active then".to_owned(),
            names => format!("schedule {}", names.join(", ")),
        };
        let at = tell.time(change.at);
        lines.push(format!("minimum {}, maximum {} from {at}: {why}", change.min, change.max));
    }
    lines
}

/// Other bounds are to come that are above the count, and nothing stands in their way.
fn grows_by_schedule(tell: &Teller<'_>, outlook: &Outlook) -> Option<String> {
    let change = outlook.bounds.next.as_ref().filter(|it| it.min > outlook.count)?;
    let free = outlook.grow.barriers.iter().all(Barrier::yields_to_bounds);
    let at_rest = outlook.rest.is_some_and(|it| it.at_rest);
    (free && !at_rest).then(|| format!("it grows to {} at {}", change.min, tell.time(change.at)))
}

/// The same of bounds below it; or only the present minimum keeps the count up, and it is to become lower.
fn shrinks_by_schedule(tell: &Teller<'_>, outlook: &Outlook) -> Option<String> {
    let change = outlook.bounds.next.as_ref()?;
    let barriers = &outlook.shrink.barriers;
    let at = tell.time(change.at);
    if change.max < outlook.count && barriers.iter().all(Barrier::yields_to_bounds) {
        return Some(format!("it shrinks to {} at {at}", change.max));
    }
    let kept_up = |it: &Barrier| matches!(it, Barrier::Min { .. });
    let ends = |it: &Barrier| kept_up(it) || it.until().is_some_and(|until| until <= change.at);
    let falls = change.min < outlook.bounds.min && change.min < outlook.count;
    (falls && barriers.iter().any(kept_up) && barriers.iter().all(ends))
        .then(|| format!("it may shrink at {at} at the earliest"))
}

/// When a change may happen. That a window ends wakes nobody; the next evaluation sees it.
fn due(outlook: &Outlook, course: &Course) -> May {
    let (May::At(at), Some(next)) = (course.may, outlook.next.evaluation) else { return course.may };
    let of_window = |it: &Barrier| matches!(it, Barrier::Window { until, .. } if *until == at);
    let interval = outlook.next.interval.as_millis();
    if !course.barriers.iter().any(of_window) || interval <= 0 {
        return course.may;
    }
    let late = at.as_millis().saturating_sub(next.as_millis()).max(0);
    let evaluations = late / interval + i64::from(late % interval > 0);
    May::At(Timestamp::from_millis(next.as_millis().saturating_add(evaluations.saturating_mul(interval))))
}

fn forecast(it: &ForecastOutlook) -> String {
    match it {
        ForecastOutlook::Needs { because, .. } => because.clone(),
        ForecastOutlook::Learning { has, needs } => format!("forecast: learning, has {has} of {needs}"),
        ForecastOutlook::Silent => "forecast: there is no prediction for now".to_owned(),
    }
}

/// Indented, and broken between words where it is too long.
fn wrapped(line: &str, indent: usize, width: usize) -> Vec<String> {
    let indent = indent + line.len() - line.trim_start().len();
    let mut lines = Vec::new();
    let mut rest = line.trim_start();
    let mut hang = indent;
    while rest.chars().count() + hang > width {
        let room = rest.char_indices().nth(width.saturating_sub(hang)).map_or(rest.len(), |(at, _)| at);
        let Some(cut) = rest[..room].rfind(' ').or_else(|| rest.find(' ')) else { break };
        lines.push(format!("{:hang$}{}", "", rest[..cut].trim_end()));
        rest = rest[cut..].trim_start();
        hang = indent + INDENT;
    }
    lines.push(format!("{:hang$}{rest}", ""));
    lines
}

#[cfg(test)]
mod tests;
