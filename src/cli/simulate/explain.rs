//! `simulate --explain AT`: the story of the decision at one row, in place of the table.

use super::super::exit::{Exit, Failure};
use super::super::output::{Format, Output, unsupported};
use super::policy::Policy;
use super::rows::Rows;
use crate::admin::explanation::Explanation;
use crate::admin::story::story;
use crate::api::status::{Action, DecisionRecord, Phase};
use crate::decide::Constraints;
use crate::decide::outlook::Present;
use crate::model::decision::Decision;
use crate::simulation::replay::Replay;
use crate::simulation::trace::Row;
use crate::units::Timestamp;

/// Tells the decision at the first row whose `at` that is.
///
/// # Errors
/// `Usage` for a mistake in the trace before that row; `NothingFound` where there is no such row.
pub(super) fn run(
    at: Timestamp,
    policy: &Policy,
    mut rows: Rows,
    format: &Format,
    output: &mut Output,
) -> Result<(), Failure> {
    if !matches!(format, Format::Table | Format::Json | Format::Yaml) {
        return Err(unsupported("simulate --explain", "a story, json and yaml"));
    }
    let mut replay = Replay::new(policy.spec.clone());
    let (mut last_change, mut begun, mut before) = (None, None::<DecisionRecord>, None);
    while let Some(row) = rows.next()? {
        if row.at > at {
            break;
        }
        let decision = replay.decide(row);
        // A change is one only once this row shows that the workload followed it.
        if let Some(begun) = begun.take().filter(|it| replay.memory().last_action == Some(it.time)) {
            last_change = Some(begun);
        }
        if row.at == at {
            let told = explanation(&policy.name, &replay, row, &decision, last_change);
            return match format {
                Format::Table => output.lines(story(&told, row.at)),
                format => output.structured(format, &told).map(drop),
            };
        }
        if decision.action != Action::None {
            begun = Some(decision.record());
        }
        before = Some(row.written.clone());
    }
    let before = before.and_then(|it| serde_json::to_string(&it).ok());
    let hint = before.map_or_else(String::new, |it| format!("; the row before that is at {it}"));
    Err(Failure::say(Exit::NothingFound, format!("{} has no row at that moment{hint}", rows.name())))
}

fn explanation(
    name: &str,
    replay: &Replay,
    row: &Row,
    decision: &Decision,
    last_change: Option<DecisionRecord>,
) -> Explanation {
    let spec = replay.spec();
    let present = Present {
        spec,
        memory: replay.memory(),
        snapshot: replay.snapshot(),
        constraints: &Constraints::default(),
        decision,
        next_evaluation: Some(row.at.plus(spec.interval)),
    };
    Explanation::of(name, Phase::Active, &present, last_change)
}

/// A moment as traces write it: seconds, or RFC 3339.
///
/// # Errors
/// What would be right.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let seconds = || text.parse::<f64>().ok().filter(|it| it.is_finite());
    let millis = || seconds().map(|it| Timestamp::from_millis((it * 1_000.0).round() as i64));
    text.parse().ok().or_else(millis).ok_or_else(|| {
        "a row's `at` is a number of seconds, as in `30`, or a time, as in `2026-11-22T06:29:00Z`".to_owned()
    })
}
