//! Traces: what was observed of a workload, a row for each moment, as CSV or as JSON Lines. Parses one line at a
//! time and keeps none; files are read by the caller.

mod csv;
mod json;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::limits::LimitSet;
use crate::model::observation::{HostCapacity, ReplicaPhase};
use crate::units::{MAX_REPLICAS, Timestamp};

/// The metric that a closed loop reads: work items that arrive per second.
pub const ARRIVALS: &str = "arrivals";

/// A moment of a trace, in the form in which it was given.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum At {
    /// Seconds since 1970-01-01T00:00:00Z, or since whatever the trace takes for its beginning.
    Seconds(serde_json::Number),
    /// RFC 3339.
    Moment(String),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// When.
    pub at: Timestamp,
    /// The same as it was written.
    pub written: At,
    /// How many run, where the row says so.
    pub current: Option<u32>,
    /// The replicas, where the row lists them.
    pub replicas: Option<Vec<TracedReplica>>,
    /// Values by full name; `None` for a value that is missing.
    pub metrics: Vec<(Arc<str>, Option<f64>)>,
    /// Sources that could not be read.
    pub failed: Vec<String>,
    /// A change that docktor made at this moment.
    pub scaled: Option<Scaled>,
    /// Limits of each replica and what the host has, where the row says so.
    pub limits: Option<Box<TracedLimits>>,
}

/// What a row tells of limits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TracedLimits {
    /// Limits of each replica.
    pub limits: LimitSet,
    /// What the host has.
    pub host: HostCapacity,
}

impl TracedLimits {
    /// What is told later goes over what was told before.
    pub fn update(&mut self, later: &Self) {
        later.limits.iter().for_each(|(kind, value)| self.limits.set(kind, value));
        let HostCapacity { cpus, memory, tasks } = later.host;
        self.host = HostCapacity {
            cpus: cpus.or(self.host.cpus),
            memory: memory.or(self.host.memory),
            tasks: tasks.or(self.host.tasks),
        };
    }
}

/// A replica as a trace tells of it. What it does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TracedReplica {
    /// Its name.
    pub name: String,
    /// CPU in percent of its limit; `Some(None)` for "there was no sample".
    pub cpu: Option<Option<f64>>,
    /// CPU in percent of one core.
    pub cpu_one_core: Option<Option<f64>>,
    /// Memory in percent of its limit.
    pub memory: Option<Option<f64>>,
    /// Able to work.
    pub ready: Option<bool>,
    /// Seconds since its start.
    pub age: Option<f64>,
    /// Where it is in its life.
    pub phase: Option<Phase>,
}

/// Where a replica of a trace is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not yet running.
    Pending,
    /// Running.
    Running,
    /// Exited by itself.
    Failed,
    /// On its way out.
    Draining,
}

impl From<Phase> for ReplicaPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Running => Self::Running,
            Phase::Failed => Self::Failed,
            Phase::Draining => Self::Draining,
        }
    }
}

/// A change that docktor made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaled {
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
}

/// What is wrong in a trace, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Mistake {
    /// From 1.
    pub line: u64,
    /// What was found, and what would be right.
    pub message: String,
}

/// Reads a trace line by line. The first line that says something tells CSV from JSON Lines.
#[derive(Debug, Default)]
pub struct Reader {
    line: u64,
    form: Option<Form>,
    latest: Option<Timestamp>,
    /// The latest moment as it was written.
    written: At,
}

#[derive(Debug)]
enum Form {
    Csv(Box<csv::Columns>),
    JsonLines,
}

impl Reader {
    /// At the beginning of a trace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The row that this line is; `None` for CSV's header, empty lines, and lines that begin with `#`.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn row(&mut self, line: &str) -> Result<Option<Row>, Mistake> {
        let mut row = Row::default();
        Ok(self.read(line, &mut row)?.then_some(row))
    }

    /// The same into a row whose room is used again; false where the line is no row.
    ///
    /// # Errors
    /// What is wrong with the line; `row` then means nothing.
    pub fn read(&mut self, line: &str, row: &mut Row) -> Result<bool, Mistake> {
        self.line += 1;
        let is_row = self.parse(line, row).map_err(|message| self.mistake(message))?;
        if is_row {
            self.check(row).map_err(|message| self.mistake(message))?;
            self.latest = Some(row.at);
            self.written.clone_from(&row.written);
        }
        Ok(is_row)
    }

    /// A mistake in the line that was read last.
    #[must_use]
    pub fn mistake(&self, message: String) -> Mistake {
        Mistake { line: self.line, message }
    }

    fn parse(&mut self, line: &str, row: &mut Row) -> Result<bool, String> {
        let line = if self.line == 1 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(false);
        }
        match &mut self.form {
            Some(Form::Csv(columns)) => columns.read(line, row)?,
            Some(Form::JsonLines) => *row = json::row(line)?,
            None if line.starts_with('{') => {
                self.form = Some(Form::JsonLines);
                *row = json::row(line)?;
            }
            None => {
                self.form = Some(Form::Csv(Box::new(csv::Columns::of(line)?)));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check(&self, row: &Row) -> Result<(), String> {
        if self.latest.is_some_and(|latest| row.at < latest) {
            return Err(format!(
                "`at` goes backwards, from {} to {}; rows stand in their order",
                self.written, row.written
            ));
        }
        let counts = [("current", row.current), ("scaled.from", row.scaled.map(|it| it.from))];
        for (name, count) in counts.into_iter().chain([("scaled.to", row.scaled.map(|it| it.to))]) {
            if count.is_some_and(|it| it > MAX_REPLICAS) {
                return Err(format!("`{name}` is above {MAX_REPLICAS}, the most replicas there can be"));
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seconds(seconds) => seconds.fmt(f),
            Self::Moment(text) => f.write_str(text),
        }
    }
}

impl Default for At {
    fn default() -> Self {
        Self::Seconds(0.into())
    }
}

impl At {
    /// Another moment in the same form.
    #[must_use]
    pub fn at(&self, moment: Timestamp) -> Self {
        let millis = moment.as_millis();
        match self {
            Self::Seconds(_) if millis % 1_000 == 0 => Self::Seconds((millis / 1_000).into()),
            Self::Seconds(_) => {
                let seconds = serde_json::Number::from_f64(millis as f64 / 1_000.0);
                Self::Seconds(seconds.unwrap_or_else(|| 0.into()))
            }
            Self::Moment(_) => Self::Moment(moment.to_string()),
        }
    }

    /// The moment that is meant.
    fn moment(&self) -> Result<Timestamp, String> {
        match self {
            Self::Seconds(seconds) => {
                let millis = seconds.as_f64().unwrap_or(f64::NAN) * 1_000.0;
                let moment = Timestamp::from_millis(millis.round() as i64);
                // Beyond the years that a calendar has, schedules mean nothing.
                moment
                    .is_in_calendar()
                    .then_some(moment)
                    .ok_or_else(|| format!("`at` {seconds} is beyond the year 9999"))
            }
            Self::Moment(text) => text.parse().map_err(|_| {
                format!(
                    "`at` is `{text}`; write seconds, as in `15`, or a moment, as in `2026-11-22T06:29:00Z`"
                )
            }),
        }
    }
}

/// Is it written like the full name of a metric: `latency`, `queue.backlog`, `memory.oomKills`?
fn is_metric_name(name: &str) -> bool {
    let word = |it: &str| {
        it.starts_with(|c: char| c.is_ascii_lowercase())
            && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match name.split_once('.') {
        Some((source, field)) => word(source) && word(field),
        None => word(name),
    }
}

#[cfg(test)]
mod tests;
