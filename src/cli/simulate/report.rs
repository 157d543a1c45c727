//! `--report` as text and as JSON: of one policy, or of two side by side with their differences.

use serde_json::{Map, Value};

use super::super::exit::Failure;
use super::super::output::{Table, number};
use crate::simulation::report::Report;
use crate::units::Duration;

/// As people read it; nothing where there is no report.
pub(super) fn lines(names: &[String], reports: &[Report]) -> Vec<String> {
    match reports {
        [] => Vec::new(),
        [only] => sentences(only),
        all => side_by_side(names, all),
    }
}

/// Members of an object: `"report": …`, or of two policies `"reports": …, "difference": …`; nothing where there is
/// no report.
pub(super) fn members(names: &[String], reports: &[Report]) -> Result<Option<String>, Failure> {
    let members = match reports {
        [] => return Ok(None),
        [only] => format!("\"report\": {}", serde_json::to_string(only)?),
        all => {
            let values: Vec<Value> = all.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
            let difference = match &values[..] {
                [first, second, ..] => difference(first, second),
                _ => Value::Null,
            };
            let reports: Vec<Value> = names.iter().zip(values).map(|(name, it)| named(name, it)).collect();
            format!("\"reports\": {},\n\"difference\": {difference}", Value::Array(reports))
        }
    };
    Ok(Some(members))
}

fn named(name: &str, report: Value) -> Value {
    let mut all = Map::from_iter([("policy".to_owned(), Value::from(name))]);
    if let Value::Object(report) = report {
        all.extend(report);
    }
    Value::Object(all)
}

/// How much more every number of `second` is.
fn difference(first: &Value, second: &Value) -> Value {
    match (first, second) {
        (Value::Object(first), Value::Object(second)) => {
            let both =
                second.iter().filter_map(|(key, it)| Some((key.clone(), difference(first.get(key)?, it))));
            Value::Object(both.collect())
        }
        (first, second) => match (first.as_i64(), second.as_i64()) {
            (Some(first), Some(second)) => Value::from(second - first),
            _ => Value::from(second.as_f64().unwrap_or(f64::NAN) - first.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

fn sentences(it: &Report) -> Vec<String> {
    let mut lines = vec![
        span(it),
        format!("replica-hours          {}", number(it.replica_hours)),
        format!("replicas               {} to {}", it.fewest, it.most),
        format!("seconds under          {}", number(it.seconds_under_provisioned)),
        format!("seconds over           {}", number(it.seconds_over_provisioned)),
        format!("actions                {} ({} up, {} down)", it.actions, it.scale_ups, it.scale_downs),
        format!("flaps                  {}", it.flaps),
    ];
    if it.rows_with_missing_metrics > 0 {
        lines.push(format!("rows with gaps         {}", it.rows_with_missing_metrics));
    }
    if let Some(it) = &it.workload {
        let turned_away = match it.work_turned_away > 0.0 {
            true => format!(", {} turned away", number(it.work_turned_away)),
            false => String::new(),
        };
        lines.extend([
            format!(
                "work done              {} of {}{turned_away}",
                number(it.work_done),
                number(it.work_arrived)
            ),
            format!("seconds with backlog   {}", number(it.seconds_with_backlog)),
            format!("worst backlog          {}", number(it.worst_backlog)),
            format!("worst wait             {}s", number(it.worst_wait_seconds)),
            format!("mean utilization       {}%", number(it.mean_utilization)),
        ]);
    }
    lines
}

/// How many rows over how long a time: `481 rows over 2 hours`.
fn span(it: &Report) -> String {
    let time = Duration::from_millis((it.seconds * 1_000.0) as u64);
    let rows = if it.rows == 1 { "row" } else { "rows" };
    match it.seconds {
        0.0 => format!("{} {rows}", it.rows),
        ..3_600.0 => format!("{} {rows} over {time}", it.rows),
        3_600.0 => format!("{} {rows} over 1 hour", it.rows),
        seconds => format!("{} {rows} over {} hours", it.rows, number(seconds / 3_600.0)),
    }
}

fn side_by_side(names: &[String], reports: &[Report]) -> Vec<String> {
    let mut header = vec![String::new()];
    header.extend(names.iter().cloned());
    header.push("DIFFERENCE".to_owned());
    let figures: Vec<_> = reports.iter().map(figures).collect();
    let [first, second] = &figures[..] else { return Vec::new() };
    let rows = first.iter().zip(second).map(|((name, one), (_, other))| {
        let difference = other - one;
        let sign = if difference > 0.0 { "+" } else { "" };
        let difference =
            if difference == 0.0 { String::new() } else { format!("{sign}{}", number(difference)) };
        vec![(*name).to_owned(), number(*one), number(*other), difference]
    });
    Table::new(header).lines(rows)
}

fn figures(it: &Report) -> Vec<(&'static str, f64)> {
    let mut figures = vec![
        ("rows", it.rows as f64),
        ("hours", it.seconds / 3_600.0),
        ("replica-hours", it.replica_hours),
        ("fewest replicas", f64::from(it.fewest)),
        ("most replicas", f64::from(it.most)),
        ("seconds under", it.seconds_under_provisioned),
        ("seconds over", it.seconds_over_provisioned),
        ("actions", it.actions as f64),
        ("scale-ups", it.scale_ups as f64),
        ("scale-downs", it.scale_downs as f64),
        ("flaps", it.flaps as f64),
        ("rows with gaps", it.rows_with_missing_metrics as f64),
    ];
    if let Some(it) = &it.workload {
        figures.extend([
            ("work done", it.work_done),
            ("work turned away", it.work_turned_away),
            ("seconds with backlog", it.seconds_with_backlog),
            ("worst backlog", it.worst_backlog),
            ("worst wait, seconds", it.worst_wait_seconds),
            ("mean utilization, %", it.mean_utilization),
        ]);
    }
    figures
}
