//! How decisions are printed: as they come, in batches.

use super::super::exit::Failure;
use super::super::output::{Format, Output, Table, number};
use super::policy::Policy;
use crate::api::status::Action;
use crate::model::decision::{Decision, Resize};
use crate::simulation::replay::Simulated;
use crate::simulation::report::{Report, Summing};
use crate::simulation::svg::Plot;
use crate::simulation::trace::Row;

/// Rows of a table that are laid out together.
const BATCH_ROWS: usize = 1_000;
/// Bytes that are written together.
const BATCH_BYTES: usize = 64 * 1024;

/// Prints decisions in one of the formats.
pub(super) struct Printer<'a> {
    output: &'a mut Output,
    form: Form,
    summing: Summing,
    reports: bool,
}

enum Form {
    Table { table: Table, columns: Columns, rows: Vec<Vec<String>> },
    Lines { text: String },
    Json { text: String, first: bool },
    Plot(Box<Plot>),
}

/// What a table shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    Replicas,
    /// Of a policy that moves limits.
    WithLimits,
}

impl<'a> Printer<'a> {
    pub(super) fn new(format: &Format, policy: &Policy, reports: bool, output: &'a mut Output) -> Self {
        let form = match format {
            Format::Json => Form::Json { text: String::from("{\"decisions\": [\n"), first: true },
            Format::JsonLines => Form::Lines { text: String::new() },
            Format::Svg => Form::Plot(Box::new(Plot::new(&policy.name))),
            _ => {
                let vertical = policy.spec.sizing.is_some();
                let columns = if vertical { Columns::WithLimits } else { Columns::Replicas };
                Form::Table { table: Table::new(columns.heads()), columns, rows: Vec::new() }
            }
        };
        Self { output, form, summing: Summing::default(), reports }
    }

    pub(super) fn row(&mut self, row: &Row, decision: &Decision) -> Result<(), Failure> {
        self.summing.add(decision);
        match &mut self.form {
            Form::Plot(plot) => plot.add(decision),
            Form::Table { rows, columns, .. } => rows.push(columns.cells(row, decision)),
            Form::Lines { text } => {
                text.push_str(&serde_json::to_string(&Simulated::new(row, decision))?);
                text.push('\n');
            }
            Form::Json { text, first } => {
                if !std::mem::take(first) {
                    text.push_str(",\n");
                }
                text.push_str(&serde_json::to_string(&Simulated::new(row, decision))?);
            }
        }
        self.flush(Due::WhenFull)
    }

    fn flush(&mut self, due: Due) -> Result<(), Failure> {
        match &mut self.form {
            Form::Table { table, rows, .. } if due == Due::Now || rows.len() >= BATCH_ROWS => {
                let lines = table.lines(std::mem::take(rows));
                self.output.lines(lines)
            }
            Form::Lines { text } | Form::Json { text, .. }
                if due == Due::Now || text.len() >= BATCH_BYTES =>
            {
                self.output.raw(&std::mem::take(text))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Prints what is left.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        let report = (self.reports && self.summing.report().rows > 0).then(|| self.summing.report().clone());
        match &mut self.form {
            Form::Json { text, .. } => {
                text.push_str("\n]");
                if let Some(report) = &report {
                    text.push_str(&format!(",\n\"report\": {}", serde_json::to_string(report)?));
                }
                text.push_str("}\n");
            }
            Form::Lines { text } => {
                if let Some(report) = &report {
                    text.push_str(&format!("{{\"report\": {}}}\n", serde_json::to_string(report)?));
                }
            }
            Form::Plot(plot) => {
                self.output.raw(&plot.draw())?;
                if let Some(report) = &report {
                    for line in sentences(report) {
                        eprintln!("{line}");
                    }
                }
                return Ok(());
            }
            Form::Table { .. } => {}
        }
        self.flush(Due::Now)?;
        match (&self.form, report) {
            (Form::Table { .. }, Some(report)) => {
                self.output.line("")?;
                self.output.lines(sentences(&report))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    WhenFull,
}

impl Columns {
    fn heads(self) -> Vec<&'static str> {
        match self {
            Self::Replicas => vec!["AT", "CURRENT", "DESIRED", "ACTION", "REASON"],
            Self::WithLimits => vec!["AT", "CURRENT", "DESIRED", "ACTION", "LIMITS", "REASON"],
        }
    }

    fn cells(self, row: &Row, decision: &Decision) -> Vec<String> {
        let mut cells = cells(row, decision);
        if self == Self::WithLimits {
            let resize = decision.resize.as_ref();
            let limits = resize.map_or_else(|| "-".to_owned(), |it| resized(it));
            cells.insert(cells.len() - 1, limits);
        }
        cells
    }
}

/// All limits, those that change with what they become: `cpuQuota 200%->300%, tasksMax 250`.
fn resized(resize: &Resize) -> String {
    let each = resize.from.iter().map(|(kind, from)| match resize.to.get(kind) {
        Some(to) if to.total_cmp(&from).is_ne() => {
            format!("{kind} {}->{}", kind.written(from), kind.written(to))
        }
        _ => format!("{kind} {}", kind.written(from)),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn cells(row: &Row, decision: &Decision) -> Vec<String> {
    let action = match decision.action {
        Action::None => "-",
        Action::ScaleUp => "ScaleUp",
        Action::ScaleDown => "ScaleDown",
    };
    let limit = decision.limited_by.map(|it| format!(" (limited by {it})")).unwrap_or_default();
    vec![
        row.written.to_string(),
        decision.current.to_string(),
        decision.desired.to_string(),
        action.to_owned(),
        format!("{}{limit}", decision.reason()),
    ]
}

fn sentences(it: &Report) -> Vec<String> {
    let hours = |seconds: f64| number(seconds / 3_600.0);
    let mut lines = vec![
        format!("{} rows over {} hours", it.rows, hours(it.seconds)),
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
    lines
}
