//! An explanation told to a person: short, in order, in plain sentences. Nothing here reasons; it has only words.

mod sentences;

pub use sentences::many;
use sentences::{Teller, number};

use super::explanation::Explanation;
use super::view::word;
use crate::api::status::{Action, DecisionRecord, TrailLine};
use crate::decide::outlook::{Course, Outlook, SetBy};
use crate::decide::recommend::Way;
use crate::units::Timestamp;

/// Longest line; what is longer goes on in the next one.
const WIDTH: usize = 100;

/// The lines of the story, as it is told at `now`.
#[must_use]
pub fn story(it: &Explanation, now: Timestamp) -> Vec<String> {
    let tell = Teller { policy: &it.policy, now };
    let mut lines = vec![format!("{}: {}.", it.policy, outcome(&it.decision))];
    let mut section = |title: &str, body: Vec<String>| {
        if !body.is_empty() {
            lines.extend([String::new(), title.to_owned()]);
            lines.extend(body.iter().flat_map(|line| wrapped(line)));
        }
    };
    section("Now", vec![now_line(it)]);
    section("Observed", observed(&tell, it));
    section("Decided", decided(&tell, &it.decision));
    section("What held it back", vec![held_back(&tell, &it.outlook)]);
    section("To grow", course(&tell, &it.outlook, Way::Up));
    section("To shrink", course(&tell, &it.outlook, Way::Down));
    section("Next", next(&tell, &it.outlook));
    if let Some(last) = &it.last_change {
        let body = format!("{}: {}, because {}", tell.past(last.time), outcome(last), last.reason);
        section("Last change", vec![body]);
    }
    lines
}

/// What the policy needs, where nobody has decided anything: its rules and tracked metrics alone.
#[must_use]
pub fn needs(policy: &str, outlook: &Outlook, now: Timestamp) -> Vec<String> {
    let tell = Teller { policy, now };
    let mut lines = Vec::new();
    for (title, way) in [("To grow", Way::Up), ("To shrink", Way::Down)] {
        lines.extend([title.to_owned()]);
        lines.extend(course(&tell, outlook, way).iter().flat_map(|line| wrapped(line)));
        lines.push(String::new());
    }
    lines.pop();
    lines
}

/// What a decision does, in a few words.
#[must_use]
pub fn outcome(decision: &DecisionRecord) -> String {
    let DecisionRecord { action, from, to, .. } = decision;
    match action {
        Action::None => format!("stay at {}", many(*from, "replica")),
        Action::ScaleUp => format!("scale up from {from} to {}", many(*to, "replica")),
        Action::ScaleDown => format!("scale down from {from} to {}", many(*to, "replica")),
    }
}

fn now_line(it: &Explanation) -> String {
    let bounds = &it.outlook.bounds;
    let (phase, mode) = (word(&it.phase), word(&it.outlook.mode));
    let (min, max) = (set_by(&bounds.min_set_by), set_by(&bounds.max_set_by));
    let counts = format!("{} of {} ready", it.observed.ready, many(it.observed.current, "replica"));
    format!("{counts}; minimum {}{min}, maximum {}{max}; mode {mode}, phase {phase}", bounds.min, bounds.max)
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
        let times = many(missing.evaluations, "evaluation");
        lines.push(format!("{} is missing, for {times} in a row", missing.metric));
    }
    if let Some(fallback) = &it.outlook.fallback {
        lines.extend(tell.fallback(fallback, !it.outlook.missing.is_empty()));
    }
    if let Some(left) = it.outlook.drifted_from {
        lines.push(format!("somebody else changed the count; docktor had left {left}"));
    }
    lines
}

fn decided(tell: &Teller<'_>, decision: &DecisionRecord) -> Vec<String> {
    let mut before = decision.from;
    let mut lines = Vec::with_capacity(decision.trail.len() + 1);
    for line in &decision.trail {
        lines.push(trail_line(line, before));
        before = line.replicas.unwrap_or(before);
    }
    lines.push(format!("{}, because {}", tell.result(decision), decision.reason));
    lines
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

fn held_back(tell: &Teller<'_>, outlook: &Outlook) -> String {
    outlook.held_back.as_ref().map_or_else(|| "nothing".to_owned(), |it| tell.barrier(it))
}

fn course(tell: &Teller<'_>, outlook: &Outlook, way: Way) -> Vec<String> {
    let Course { rules, barriers, reach, .. } = match way {
        Way::Up => &outlook.grow,
        Way::Down => &outlook.shrink,
    };
    let mut lines = rules.as_ref().map(|it| tell.rules(it)).unwrap_or_default();
    lines.extend(outlook.track.iter().map(|it| tell.track(it, outlook, way)));
    lines.extend(outlook.rest.as_ref().and_then(|it| tell.rest(it, way)));
    lines.extend(barriers.iter().map(|it| format!("not now: {}", tell.barrier(it))));
    if barriers.is_empty() && *reach != outlook.count {
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
    for (verb, course) in [("grow", &outlook.grow), ("shrink", &outlook.shrink)] {
        lines.push(tell.may(verb, course.may));
    }
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

/// Indented, and broken between words where it is too long.
fn wrapped(line: &str) -> Vec<String> {
    let indent = 2 + line.len() - line.trim_start().len();
    let mut lines = Vec::new();
    let mut rest = line.trim_start();
    let mut hang = indent;
    while rest.chars().count() + hang > WIDTH {
        let room = rest.char_indices().nth(WIDTH - hang).map_or(rest.len(), |(at, _)| at);
        let Some(cut) = rest[..room].rfind(' ').or_else(|| rest.find(' ')) else { break };
        lines.push(format!("{:hang$}{}", "", rest[..cut].trim_end()));
        rest = rest[cut..].trim_start();
        hang = indent + 2;
    }
    lines.push(format!("{:hang$}{rest}", ""));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_itself() {
        let line = format!("  - {}", "word ".repeat(30).trim_end());
        let lines = wrapped(&line);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|it| it.chars().count() <= WIDTH), "{lines:?}");
        assert!(lines[0].starts_with("    - word") && lines[1].starts_with("      word"), "{lines:?}");
        assert_eq!(wrapped(&"x".repeat(300)), [format!("  {}", "x".repeat(300))], "nothing is cut");
    }
}
