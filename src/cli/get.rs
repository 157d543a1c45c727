//! `get policies|decisions|events`, once or watching.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::{GetArgs, Global, Kind};
use super::client::{Client, Message, Messages, segment};
use super::exit::{Exit, Failure};
use super::explain;
use super::jsonpath::JsonPath;
use super::origin::{Origin, controller};
use super::output::{Format, Output, Table, age_since};
use super::policies::{Width, header, row};
use crate::admin::view::{DecisionView, List, PolicyChange, Turn, word};
use crate::clock::Clock;
use crate::telemetry::event::EventRecord;

/// Run `get`.
///
/// # Errors
/// Why there is nothing to show.
pub async fn run(args: &GetArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let usage = |sentence| Failure::say(Exit::Usage, sentence);
    let (kind, names) = Kind::with_names(&args.kind, &args.names).map_err(usage)?;
    match (kind, args.watch) {
        (Kind::Policies, false) => policies(args, &names, global, output).await,
        (Kind::Policies, true) => watch_policies(args, &names, global, output).await,
        (Kind::Decisions, false) => decisions(args, &names, global, output).await,
        (Kind::Decisions, true) => Err(usage("decisions cannot be watched; use `get events -w`".to_owned())),
        (Kind::Events, _) => events(args, &names, global, output).await,
    }
}

async fn policies(
    args: &GetArgs,
    names: &[String],
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut found = Origin::find(global).await?.policies(names, Some(&args.selector)).await?;
    sort(&mut found.policies, args.sort_by.as_ref())?;
    if let [name] = names
        && !found.policies.is_empty()
        && output.structured(&global.output, &found.policies[0])?.is_some()
    {
        debug_assert_eq!(&found.policies[0].metadata.name, name);
        return Ok(());
    }
    let printed = output.structured(&global.output, &List::of(found.policies.iter().collect::<Vec<_>>()))?;
    if printed.is_none() && !found.policies.is_empty() {
        let width = width_of(&global.output);
        let now = Clock::system().now();
        let rows = found.policies.iter().map(|it| row(it, width, now));
        output.lines(Table::new(header(width)).lines(rows))?;
    }
    found.complain("policies")
}

async fn watch_policies(
    args: &GetArgs,
    names: &[String],
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = watchable(global).await?;
    let width = width_of(&global.output);
    let mut table = Table::new(header(width));
    let mut last_rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let path = format!("/api/v1/events?only=policies&labelSelector={}", segment(&args.selector.text));
    loop {
        let mut stream = client.events(&path).await?;
        let mut batch = Vec::new();
        let mut synced = false;
        loop {
            let message = next(&mut stream, &client).await?;
            match message.event.as_str() {
                "policy" => batch.extend(
                    Some(read::<PolicyChange>(&message)?)
                        .filter(|it| names.is_empty() || names.contains(&it.object.metadata.name)),
                ),
                "synced" => synced = true,
                "lagged" => break,
                _ => {}
            }
            if !synced {
                continue;
            }
            let changes = std::mem::take(&mut batch);
            if matches!(global.output, Format::Table | Format::Wide) {
                let now = Clock::system().now();
                let rows: Vec<_> = changes
                    .iter()
                    .filter_map(|it| changed_row(it, row(&it.object, width, now), &mut last_rows))
                    .collect();
                if !rows.is_empty() {
                    output.lines(table.lines(rows))?;
                }
            } else {
                for change in changes {
                    print_one(output, &global.output, &change.object)?;
                }
            }
        }
    }
}

/// The row of a change, unless it looks like the last one. The age alone is no change.
fn changed_row(
    change: &PolicyChange,
    mut row: Vec<String>,
    last_rows: &mut BTreeMap<String, Vec<String>>,
) -> Option<Vec<String>> {
    let name = change.object.metadata.name.clone();
    if change.turn == Turn::Deleted {
        last_rows.remove(&name);
        if let Some(phase) = row.get_mut(3) {
            "Deleted".clone_into(phase);
        }
        return Some(row);
    }
    let mut compared = row.clone();
    compared.remove(header(Width::Narrow).len() - 1);
    let same = last_rows.insert(name, compared.clone()).is_some_and(|it| it == compared);
    (!same).then_some(row)
}

async fn decisions(
    args: &GetArgs,
    names: &[String],
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let found = Origin::find(global).await?.policies(names, Some(&args.selector)).await?;
    if !found.missing.is_empty() {
        return found.complain("policies");
    }
    let mut decisions: Vec<_> = found.policies.iter().flat_map(explain::decisions).collect();
    decisions.sort_by_key(|it| it.decision.time);
    sort(&mut decisions, args.sort_by.as_ref())?;
    if output
        .structured(&global.output, &List::of(decisions.iter().collect::<Vec<&DecisionView>>()))?
        .is_none()
        && !decisions.is_empty()
    {
        output.lines(explain::table(&decisions))?;
    }
    if decisions.is_empty() { Err(Failure::say(Exit::NothingFound, "no decisions found")) } else { Ok(()) }
}

async fn events(
    args: &GetArgs,
    names: &[String],
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = watchable(global).await?;
    let of_names = |it: &EventRecord| {
        names.is_empty()
            || it.policy.as_ref().is_some_and(|policy| names.iter().any(|name| name == policy.as_str()))
    };
    let mut stream = client.events("/api/v1/events?only=events").await?;
    let mut kept = Vec::new();
    loop {
        let message = next(&mut stream, &client).await?;
        match message.event.as_str() {
            "event" => kept.extend(Some(read::<EventRecord>(&message)?).filter(of_names)),
            "synced" => break,
            _ => {}
        }
    }
    sort(&mut kept, args.sort_by.as_ref())?;
    let mut table = Table::new(vec!["LAST SEEN", "TYPE", "REASON", "POLICY", "MESSAGE"]);
    let tabular = matches!(global.output, Format::Table | Format::Wide);
    if !args.watch {
        output.structured(&global.output, &List::of(kept.iter().collect::<Vec<_>>()))?;
        if kept.is_empty() {
            return Err(Failure::say(Exit::NothingFound, "no events found"));
        }
    }
    if tabular && !kept.is_empty() {
        output.lines(table.lines(kept.iter().map(event_row)))?;
    } else if args.watch {
        kept.iter().try_for_each(|it| print_one(output, &global.output, it))?;
    }
    if !args.watch {
        return Ok(());
    }
    loop {
        let message = next(&mut stream, &client).await?;
        match message.event.as_str() {
            "event" => {
                let event: EventRecord = read(&message)?;
                match (of_names(&event), tabular) {
                    (true, true) => output.lines(table.lines([event_row(&event)]))?,
                    (true, false) => print_one(output, &global.output, &event)?,
                    (false, _) => {}
                }
            }
            "lagged" => {
                return Err(Failure::say(
                    Exit::Failed,
                    "events came faster than they were read; some are lost",
                ));
            }
            _ => {}
        }
    }
}

fn event_row(event: &EventRecord) -> Vec<String> {
    vec![
        age_since(Some(event.time), Clock::system().now()),
        word(&event.severity),
        event.reason.clone(),
        event.policy.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        event.message.clone(),
    ]
}

/// Only a controller can be watched.
async fn watchable(global: &Global) -> Result<Client, Failure> {
    if global.policies.is_some() && global.socket.is_none() && global.server.is_none() {
        return Err(Failure::say(
            Exit::Usage,
            "a policy folder alone has no events and cannot be watched; leave out --policies",
        ));
    }
    controller(global).await
}

async fn next(stream: &mut Messages, client: &Client) -> Result<Message, Failure> {
    let ended = || {
        Failure::say(Exit::Unreachable, format!("{} ended the stream; docktor is stopping", client.name()))
    };
    stream.next().await?.ok_or_else(ended)
}

fn read<T: DeserializeOwned>(message: &Message) -> Result<T, Failure> {
    Ok(serde_json::from_str(&message.data)?)
}

fn print_one(output: &mut Output, format: &Format, object: &impl Serialize) -> Result<(), Failure> {
    if *format == Format::Yaml {
        output.line("---")?;
    }
    output.structured(format, object)?;
    if matches!(format, Format::JsonPath(_)) {
        output.line("")?;
    }
    Ok(())
}

const fn width_of(format: &Format) -> Width {
    if matches!(format, Format::Wide) { Width::Wide } else { Width::Narrow }
}

/// Sort by what `path` finds in each object: numbers as numbers, text as text, what has none first.
fn sort<T: Serialize>(items: &mut Vec<T>, path: Option<&JsonPath>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let mut keyed = Vec::new();
    for item in items.drain(..) {
        let key = path.first(&serde_json::to_value(&item)?).cloned();
        keyed.push((key, item));
    }
    keyed.sort_by(|(left, _), (right, _)| {
        let number = |it: &Option<serde_json::Value>| it.as_ref().and_then(serde_json::Value::as_f64);
        let text = |it: &Option<serde_json::Value>| it.as_ref().and_then(|it| it.as_str().map(str::to_owned));
        let numbers = number(left).partial_cmp(&number(right)).unwrap_or(std::cmp::Ordering::Equal);
        numbers.then_with(|| text(left).cmp(&text(right)))
    });
    items.extend(keyed.into_iter().map(|(_, item)| item));
    Ok(())
}
