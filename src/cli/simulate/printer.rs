//! How decisions are printed: as they come, in batches.

use serde::Serialize;

use super::super::args::{ReportChoice, SimulateArgs};
use super::super::exit::Failure;
use super::super::output::{Format, Output, Table, number};
use super::super::policies;
use super::policy::Policy;
use super::report;
use crate::api::status::{Action, LimitLevels};
use crate::model::decision::{Decision, Resize};
use crate::simulation::report::Report;
use crate::simulation::shown::Shown;
use crate::simulation::svg::Plot;
use crate::simulation::trial::{Lane, Step};

/// Rows of a table that are laid out together.
const BATCH_ROWS: usize = 1_000;
/// Bytes that are written together.
const BATCH_BYTES: usize = 64 * 1024;

/// Prints the decisions of one policy, or of two side by side, in one of the formats.
pub(super) struct Printer<'a> {
    output: &'a mut Output,
    form: Form,
    names: Vec<String>,
    choice: Option<ReportChoice>,
    reports: Vec<Report>,
}

enum Form {
    Table { table: Table, columns: Columns, rows: Vec<Vec<String>> },
    Lines { text: Vec<u8> },
    Json { text: Vec<u8>, first: bool },
    Plot(Box<Plot>),
}

/// What a table shows.
#[derive(Debug, Clone, Copy)]
struct Columns {
    /// Of a modelled workload, what it shows.
    workload: bool,
    /// Of policies that move limits, these.
    limits: bool,
}

/// Two decisions of one moment.
#[derive(Serialize)]
struct Compared<'a> {
    at: &'a crate::simulation::trace::At,
    differs: bool,
    decisions: Vec<Shown<'a>>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(
        format: &Format,
        policies: &[Policy],
        args: &SimulateArgs,
        output: &'a mut Output,
    ) -> Self {
        let names: Vec<String> = policies.iter().map(|it| it.name.clone()).collect();
        let form = match format {
            Format::Json => Form::Json { text: b"{".to_vec(), first: true },
            Format::JsonLines => Form::Lines { text: Vec::new() },
            Format::Svg => {
                let policies = policies.iter().map(|it| (&*it.name, &it.spec));
                Form::Plot(Box::new(Plot::new(policies)))
            }
            _ => {
                let limits = policies.iter().any(|it| it.spec.sizing.is_some());
                let columns = Columns { workload: args.workload.is_closed_loop(), limits };
                Form::Table { table: Table::new(columns.heads(&names)), columns, rows: Vec::new() }
            }
        };
        Self { output, form, names, choice: args.report, reports: Vec::new() }
    }

    pub(super) fn step(&mut self, step: Step<'_>) -> Result<(), Failure> {
        if self.choice == Some(ReportChoice::Only) {
            return Ok(());
        }
        match &mut self.form {
            Form::Plot(plot) => plot.add(step),
            Form::Table { rows, columns, .. } => rows.push(columns.cells(step)),
            Form::Lines { text } => {
                write(text, step, &self.names)?;
                text.push(b'\n');
            }
            Form::Json { text, first } => {
                text.extend_from_slice(if std::mem::take(first) { b"\"decisions\": [\n" } else { b",\n" });
                write(text, step, &self.names)?;
            }
        }
        self.flush(Due::WhenFull)
    }

    /// The sums, to be printed at the end where they were asked for.
    pub(super) fn sum_up(&mut self, lanes: &[Lane]) {
        if self.choice.is_some() {
            self.reports = lanes.iter().map(Lane::report).filter(|it| it.rows > 0).collect();
        }
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
                self.output.bytes(text)?;
                text.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Prints what is left.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        let only = self.choice == Some(ReportChoice::Only);
        match &mut self.form {
            Form::Json { text, first } => {
                text.extend_from_slice(match (only, *first) {
                    (true, _) => b"",
                    (false, true) => b"\"decisions\": [\n\n]",
                    (false, false) => b"\n]",
                });
                if let Some(report) = report::members(&self.names, &self.reports)? {
                    text.extend_from_slice(if only { b"" } else { b",\n" });
                    text.extend_from_slice(report.as_bytes());
                }
                text.extend_from_slice(b"}\n");
            }
            Form::Lines { text } => {
                if let Some(report) = report::members(&self.names, &self.reports)? {
                    text.extend_from_slice(format!("{{{}}}\n", report.replace('\n', " ")).as_bytes());
                }
            }
            Form::Plot(plot) => {
                self.output.raw(&plot.draw())?;
                for line in report::lines(&self.names, &self.reports) {
                    eprintln!("{line}");
                }
                return Ok(());
            }
            Form::Table { .. } => {}
        }
        if matches!(self.form, Form::Table { .. }) && only {
            return self.output.lines(report::lines(&self.names, &self.reports));
        }
        self.flush(Due::Now)?;
        if matches!(self.form, Form::Table { .. }) && !self.reports.is_empty() {
            self.output.line("")?;
            self.output.lines(report::lines(&self.names, &self.reports))?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    WhenFull,
}

fn write(text: &mut Vec<u8>, step: Step<'_>, names: &[String]) -> Result<(), Failure> {
    if let [lane] = step.lanes {
        if let Some(decision) = lane.decision() {
            serde_json::to_writer(text, &Shown { policy: None, at: step.at, decision, world: lane.world() })?;
        }
        return Ok(());
    }
    let decisions = step.lanes.iter().zip(names);
    let decisions: Vec<_> = decisions
        .filter_map(|(lane, name)| {
            let decision = lane.decision()?;
            Some(Shown { policy: Some(name), at: step.at, decision, world: lane.world() })
        })
        .collect();
    let differs = decisions.windows(2).any(|it| differ(it[0].decision, it[1].decision));
    Ok(serde_json::to_writer(text, &Compared { at: step.at, differs, decisions })?)
}

/// Do they want other counts, or other limits where both move them?
fn differ(one: &Decision, other: &Decision) -> bool {
    let limits = one.resize.as_ref().zip(other.resize.as_ref());
    one.desired != other.desired || limits.is_some_and(|(one, other)| one.to != other.to)
}

impl Columns {
    fn heads(self, names: &[String]) -> Vec<&str> {
        let mut heads = vec!["AT"];
        match names {
            [_] => {
                heads.push("CURRENT");
                heads.extend(self.workload.then_some(["READY", "BACKLOG"]).into_iter().flatten());
                heads.extend(["DESIRED", "ACTION"]);
            }
            names => {
                heads.extend(names.iter().map(String::as_str));
                heads.push("DIFF");
            }
        }
        heads.extend(self.limits.then_some("LIMITS"));
        heads.push("REASON");
        heads
    }

    fn cells(self, step: Step<'_>) -> Vec<String> {
        let decisions: Vec<&Decision> = step.lanes.iter().filter_map(Lane::decision).collect();
        let mut cells = vec![step.at.to_string()];
        match (&decisions[..], step.lanes) {
            ([decision], [lane]) => {
                cells.push(decision.current.to_string());
                if let Some(world) = lane.world() {
                    cells.extend([decision.ready.to_string(), number(world.backlog())]);
                }
                cells.extend([decision.desired.to_string(), action(decision.action).to_owned()]);
            }
            ([first, second], _) => {
                let difference = i64::from(second.desired) - i64::from(first.desired);
                cells.extend([first.desired.to_string(), second.desired.to_string()]);
                cells.push(if difference == 0 { String::new() } else { format!("{difference:+}") });
            }
            _ => {}
        }
        cells.extend(self.limits.then(|| of_each(&decisions, limits)));
        cells.push(of_each(&decisions, reason));
        cells
    }
}

/// What is said of every decision; once, where it is the same.
fn of_each(decisions: &[&Decision], say: fn(&Decision) -> String) -> String {
    let mut said: Vec<String> = decisions.iter().map(|it| say(it)).collect();
    said.dedup();
    said.join(" / ")
}

fn limits(decision: &Decision) -> String {
    decision.resize.as_ref().map_or_else(|| "-".to_owned(), |it| resized(it))
}

fn resized(resize: &Resize) -> String {
    policies::limits(LimitLevels { current: resize.before(), desired: resize.after() }, &[])
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::None => "-",
        Action::ScaleUp => "ScaleUp",
        Action::ScaleDown => "ScaleDown",
    }
}

fn reason(decision: &Decision) -> String {
    let limit = decision.limited_by.map(|it| format!(" (limited by {it})")).unwrap_or_default();
    format!("{}{limit}", decision.reason())
}
