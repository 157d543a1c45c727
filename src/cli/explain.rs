//! `explain`: a decision's trail, told as a story. Nothing here reasons again; every line is the controller's.

use super::args::{Global, bare_name};
use super::exit::{Exit, Failure};
use super::origin::Origin;
use super::output::{Format, Output, Table, age, unsupported};
use crate::admin::view::{DecisionView, List, PolicyView, word};
use crate::api::status::{Action, DecisionRecord, TrailLine};
use crate::clock::Clock;
use crate::units::Timestamp;

/// Run `explain`.
///
/// # Errors
/// Why there is nothing to tell.
pub async fn run(
    name: &str,
    tail: Option<usize>,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let name = bare_name(name);
    let view = Origin::find(global).await?.policy(name).await?;
    let view = view.ok_or_else(|| {
        Failure::say(
            Exit::NothingFound,
            format!("there is no policy `{name}`; see `docktorctl get policies`"),
        )
    })?;
    let decisions = decisions(&view);
    let recent = &decisions[decisions.len().saturating_sub(tail.unwrap_or(usize::MAX))..];
    match (&global.output, tail) {
        (Format::Table, Some(_)) if !recent.is_empty() => output.lines(table(recent)),
        (Format::Table, Some(_)) => Err(Failure::say(Exit::NothingFound, "no decision yet")),
        (Format::Table, None) => tell(&view, Clock::system().now(), output),
        (Format::Wide | Format::Name, _) => Err(unsupported("explain", "a story, json, yaml and jsonpath")),
        (format, Some(_)) => {
            output.structured(format, &List::of(recent.iter().collect::<Vec<_>>())).map(drop)
        }
        (format, None) => match view.status.last_decision {
            Some(decision) => {
                output.structured(format, &DecisionView { policy: name.to_owned(), decision }).map(drop)
            }
            None => Err(Failure::say(Exit::NothingFound, "no decision yet")),
        },
    }
}

/// All decisions that are known of a policy, oldest first, the last one included.
#[must_use]
pub fn decisions(view: &PolicyView) -> Vec<DecisionView> {
    let last = view.status.last_decision.iter();
    let last = last.filter(|it| view.decisions.last().is_none_or(|kept| kept.time < it.time));
    let policy = &view.metadata.name;
    let all = view.decisions.iter().chain(last);
    all.map(|it| DecisionView { policy: policy.clone(), decision: it.clone() }).collect()
}

/// Decisions as the lines of a table.
#[must_use]
pub fn table(decisions: &[DecisionView]) -> Vec<String> {
    let mut table = Table::new(vec!["TIME", "POLICY", "ACTION", "FROM→TO", "REASON"]);
    table.lines(decisions.iter().map(|DecisionView { policy, decision: it }| {
        let limit = it.limited_by.as_ref().map(|limit| format!(" (limited by {limit})")).unwrap_or_default();
        vec![
            clock_time(it.time),
            policy.clone(),
            word(&it.action),
            format!("{}→{}", it.from, it.to),
            format!("{}{limit}", it.reason),
        ]
    }))
}

/// The last decision as a story.
fn tell(view: &PolicyView, now: Timestamp, output: &mut Output) -> Result<(), Failure> {
    let name = &view.metadata.name;
    let Some(decision) = &view.status.last_decision else {
        output.line(format!("{name} is {}: no decision has been made yet.", word(&view.status.phase)))?;
        for mistake in &view.mistakes {
            output.line(mistake)?;
        }
        return Ok(());
    };
    let ago = age(now.since(decision.time));
    output.line(format!("{name}, {ago} ago ({}): {}", clock_time(decision.time), outcome(decision)))?;
    output.line("")?;
    let mut before = decision.from;
    for line in &decision.trail {
        output.line(trail_line(line, before))?;
        before = line.replicas.unwrap_or(before);
    }
    if !decision.trail.is_empty() {
        output.line("")?;
    }
    output.line(format!("Because {}.", decision.reason))?;
    if let Some(limit) = &decision.limited_by {
        output.line(format!("Limited by {limit}."))?;
    }
    output.line(present(view, now))?;
    Ok(())
}

fn outcome(decision: &DecisionRecord) -> String {
    let DecisionRecord { action, from, to, .. } = decision;
    match action {
        Action::None => format!("stay at {}", replicas(*from)),
        Action::ScaleUp => format!("scale up from {from} to {}", replicas(*to)),
        Action::ScaleDown => format!("scale down from {from} to {}", replicas(*to)),
    }
}

fn trail_line(line: &TrailLine, before: u32) -> String {
    let stage = word(&line.stage);
    let number = match line.replicas {
        Some(after) if after != before => format!("{before}→{after}"),
        Some(after) => after.to_string(),
        None => String::new(),
    };
    format!("  {stage:<10} {number:>7}  {}", line.message)
}

/// How it stands now.
fn present(view: &PolicyView, now: Timestamp) -> String {
    let status = &view.status;
    let mut sentences = vec![format!("Now it is {}", word(&status.phase))];
    if let Some(counts) = status.replicas {
        sentences.push(format!(
            "{} of {} ready, {} desired, bounds {} to {}",
            counts.ready, counts.current, counts.desired, counts.min, counts.max
        ));
    }
    let next = status.next_allowed.unwrap_or_default();
    for (direction, at) in [("up", next.up), ("down", next.down)] {
        if let Some(at) = at.filter(|it| *it > now) {
            sentences.push(format!("next {direction} in {}", age(at.since(now))));
        }
    }
    if let Some(hold) = &view.hold {
        sentences.push(format!("held by {} until {}", hold.by, clock_time(hold.until)));
    }
    format!("{}.", sentences.join("; "))
}

fn replicas(count: u32) -> String {
    if count == 1 { "1 replica".to_owned() } else { format!("{count} replicas") }
}

/// A moment to the second.
#[must_use]
pub fn clock_time(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_millis().div_euclid(1_000)).to_string()
}
