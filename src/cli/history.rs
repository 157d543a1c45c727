//! `history`: what was decided for a policy, further back than `get decisions` reaches.

use std::path::Path;

use super::args::{Global, HistoryArgs, bare_name};
use super::client::segment;
use super::exit::{Exit, Failure};
use super::explain::clock_time;
use super::origin::controller;
use super::output::{Format, Output, Table};
use crate::admin::story::movement;
use crate::admin::view::{DecisionView, List, word};
use crate::clock::Clock;
use crate::history::{Archive, FILE};
use crate::units::Timestamp;

/// Most decisions that are shown; the newest.
const MAX_DECISIONS: usize = 1_000;

/// Run `history`.
///
/// # Errors
/// Why there is nothing to show.
pub async fn run(args: &HistoryArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let name = bare_name(&args.name);
    let since = args.since.moment(Clock::system().now());
    let decisions = match &args.state_dir {
        Some(folder) => {
            let stored = stored(folder)?.decisions(Some(name), since, MAX_DECISIONS);
            let stored = stored.map_err(|error| Failure::new(Exit::Failed, error))?;
            stored.into_iter().map(DecisionView::from).collect()
        }
        None => asked(name, since, global).await?,
    };
    if decisions.len() == MAX_DECISIONS {
        eprintln!("docktorctl: note: these are the newest {MAX_DECISIONS}; choose another --since");
    }
    if decisions.is_empty() {
        let message = format!("nothing was decided for `{name}` since {}", clock_time(since));
        return Err(Failure::say(Exit::NothingFound, message));
    }
    match &global.output {
        Format::Table | Format::Wide => output.lines(table(&decisions)),
        Format::JsonLines => decisions.iter().try_for_each(|it| Ok(output.line(serde_json::to_string(it)?)?)),
        format => output.structured(format, &List::of(decisions)).map(drop),
    }
}

/// The history in a state folder.
///
/// # Errors
/// When there is none.
pub(super) fn stored(folder: &Path) -> Result<Archive, Failure> {
    let missing = |what: String| Err(Failure::say(Exit::Failed, what));
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Err(error) => missing(format!("cannot read {shown}: {error}")),
        Ok(_) if folder.join(FILE).exists() => Ok(Archive::offline(folder)),
        Ok(_) => missing(format!(
            "{shown} has no {FILE}; give the state folder of a controller that keeps a history"
        )),
    }
}

async fn asked(name: &str, since: Timestamp, global: &Global) -> Result<Vec<DecisionView>, Failure> {
    let path = format!(
        "/api/v1/policies/{}/decisions?since={}&limit={MAX_DECISIONS}",
        segment(name),
        segment(&since.to_string())
    );
    Ok(controller(global).await?.get::<List<DecisionView>>(&path).await?.items)
}

fn table(decisions: &[DecisionView]) -> Vec<String> {
    let mut table = Table::new(vec!["TIME", "ACTION", "FROM→TO", "REASON", "LIMITED BY"]);
    table.lines(decisions.iter().map(|DecisionView { decision: it, .. }| {
        vec![
            clock_time(it.time),
            word(&it.action),
            movement(it),
            it.reason.clone(),
            it.limited_by.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }))
}
