//! `explain`: the present decision, told as a story. Nothing here reasons again; every line is the controller's.
//! Without a controller, the last decision that the status file tells of, and what the policy's text asks for.

use super::args::{Global, bare_name};
use super::exit::{Exit, Failure};
use super::offline;
use super::origin::Origin;
use super::output::{Format, Output, Table, age, unsupported};
use crate::admin::story::{self, Reader, movement, outcome, trail_line};
use crate::admin::view::{DecisionView, List, PolicyView, word};
use crate::api::condition::{Condition, ConditionStatus, Reason};
use crate::api::status::Phase;
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
    let origin = Origin::find(global).await?;
    let view = origin.policy(name).await?.ok_or_else(|| {
        Failure::say(
            Exit::NothingFound,
            format!("there is no policy `{name}`; see `docktorctl get policies`"),
        )
    })?;
    if let Some(tail) = tail {
        return last(&view, tail, &global.output, output);
    }
    let explanation = origin.explanation(name).await?;
    match (&global.output, explanation) {
        (Format::Table, Some(it)) => {
            let reader = Reader { now: Clock::system().now(), width: width(), view: Some(&view) };
            output.lines(story::story_for(&it, &reader))
        }
        (Format::Table, None) => {
            let now = Clock::system().now();
            tell(&view, &origin, now, output)?;
            output.lines(offline::needs(&origin, &view, now))
        }
        (Format::Wide | Format::Name, _) => Err(unsupported("explain", "a story, json, yaml and jsonpath")),
        (format, Some(it)) => output.structured(format, &it).map(drop),
        (format, None) => match view.status.last_decision {
            Some(decision) => {
                output.structured(format, &DecisionView { policy: name.to_owned(), decision }).map(drop)
            }
            None => Err(Failure::say(Exit::NothingFound, "no decision yet")),
        },
    }
}

/// How long a line the reader says to see.
fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|it| it.parse().ok()).unwrap_or(story::WIDTH)
}

/// The last decisions in short.
fn last(view: &PolicyView, count: usize, format: &Format, output: &mut Output) -> Result<(), Failure> {
    let decisions = decisions(view);
    let recent = &decisions[decisions.len().saturating_sub(count)..];
    match format {
        Format::Table if !recent.is_empty() => output.lines(table(recent)),
        Format::Table => Err(Failure::say(Exit::NothingFound, "no decision yet")),
        Format::Wide | Format::Name => Err(unsupported("explain --tail", "a table, json, yaml and jsonpath")),
        format => output.structured(format, &List::of(recent.iter().collect::<Vec<_>>())).map(drop),
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
            movement(it),
            format!("{}{limit}", it.reason),
        ]
    }))
}

/// The last decision as a story.
fn tell(view: &PolicyView, origin: &Origin, now: Timestamp, output: &mut Output) -> Result<(), Failure> {
    let name = &view.metadata.name;
    if view.status.phase == Phase::Disabled {
        let on = format!("`docktorctl mode {name} Auto` turns it on");
        return Ok(output.line(format!("{name} is Disabled: docktor leaves it alone; {on}."))?);
    }
    let Some(decision) = &view.status.last_decision else {
        output.line(format!("{name} is {}: no decision has been made yet.", word(&view.status.phase)))?;
        let refused = view.status.conditions.iter().filter(|it| it.status == ConditionStatus::False);
        // Mistakes are told below, all of them.
        let told_below = |it: &&Condition| it.reason == Reason::InvalidPolicy && !view.mistakes.is_empty();
        for refusal in refused.filter(|it| !told_below(it)) {
            output.line(format!("{}: {}", word(&refusal.reason), refusal.message))?;
        }
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
        output.line(format!("  {}", trail_line(line, before)))?;
        before = line.replicas.unwrap_or(before);
    }
    if !decision.trail.is_empty() {
        output.line("")?;
    }
    output.line(format!("Because {}.", decision.reason))?;
    if let Some(limit) = &decision.limited_by {
        output.line(format!("Limited by {limit}."))?;
    }
    output.line(present(view, origin, now))?;
    Ok(())
}

/// How it stands now.
fn present(view: &PolicyView, origin: &Origin, now: Timestamp) -> String {
    let status = &view.status;
    let by = match origin {
        Origin::Folder(_) => "By its status file it is",
        Origin::Controller(_) => "Now it is",
    };
    let mut sentences = vec![format!("{by} {}", word(&status.phase))];
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

/// A moment to the second.
#[must_use]
pub fn clock_time(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_millis().div_euclid(1_000)).to_string()
}
