//! CSV: `at,current,cpu.avg,queue.backlog,…`. Every column but `at` and `current` is a metric.

use std::sync::Arc;

use csv_core::ReadRecordResult;

use super::{At, Row, TracedLimits, is_metric_name};
use crate::api::limits::LimitKind;

/// Most columns of a trace.
const MAX_COLUMNS: usize = 1_000;

/// What each column holds, and the reader with its buffers.
pub(super) struct Columns {
    kinds: Vec<Kind>,
    cells: Cells,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    At,
    Current,
    Metric(Arc<str>),
    Limit(LimitKind),
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kinds.fmt(f)
    }
}

impl Columns {
    /// The columns that a header names.
    pub(super) fn of(header: &str) -> Result<Self, String> {
        let mut cells = Cells::new();
        let mut kinds: Vec<Kind> = Vec::new();
        for name in cells.split(header)? {
            let kind = kind(name)?;
            if kinds.contains(&kind) {
                return Err(format!("the header names the column `{name}` twice"));
            }
            kinds.push(kind);
        }
        if !kinds.contains(&Kind::At) {
            return Err("a trace begins with a header that has a column `at`, as in `at,current,cpu.avg`, \
                        or is JSON Lines, as in `{\"at\": 0, \"current\": 2}`"
                .to_owned());
        }
        Ok(Self { kinds, cells })
    }

    /// Reads a line into a row, whose room is used again.
    pub(super) fn read(&mut self, line: &str, row: &mut Row) -> Result<(), String> {
        let mut cells = self.cells.split(line)?;
        let (found, expected) = (cells.len(), self.kinds.len());
        if found != expected {
            return Err(format!("the row has {found} cells, and the header {expected}"));
        }
        // Nothing of the row before may be taken for this one's.
        (row.current, row.replicas, row.scaled, row.limits) = (None, None, None, None);
        row.failed.clear();
        row.metrics.truncate(expected);
        let mut metrics = 0;
        for (kind, cell) in self.kinds.iter().zip(&mut cells) {
            match kind {
                Kind::At => moment(cell, &mut row.written),
                Kind::Current => row.current = count(cell)?,
                Kind::Metric(name) => {
                    put(&mut row.metrics, metrics, name, value(name, cell)?);
                    metrics += 1;
                }
                Kind::Limit(_) if cell.is_empty() => {}
                Kind::Limit(kind) => {
                    let value = kind.parse(cell).map_err(|error| format!("`limits.{kind}`: {error}"))?;
                    row.limits.get_or_insert_with(Box::<TracedLimits>::default).limits.set(*kind, value);
                }
            }
        }
        row.metrics.truncate(metrics);
        row.at = row.written.moment()?;
        Ok(())
    }
}

/// Sets the metric at that place; the row before had most likely the same one there.
fn put(metrics: &mut Vec<(Arc<str>, Option<f64>)>, index: usize, name: &Arc<str>, value: Option<f64>) {
    match metrics.get_mut(index) {
        Some((at, old)) if Arc::ptr_eq(at, name) => *old = value,
        Some(entry) => *entry = (Arc::clone(name), value),
        None => metrics.push((Arc::clone(name), value)),
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    if let Some(kind) = name.strip_prefix("limits.").and_then(LimitKind::named) {
        return Ok(Kind::Limit(kind));
    }
    Ok(match name {
        "at" => Kind::At,
        "current" => Kind::Current,
        name if is_metric_name(name) => Kind::Metric(name.into()),
        name => {
            return Err(format!(
                "the column `{name}` is neither `at`, `current`, nor a metric's full name, as in `cpu.avg`"
            ));
        }
    })
}

fn moment(cell: &str, written: &mut At) {
    match (serde_json::from_str(cell), written) {
        (Ok(number), written) => *written = At::Seconds(number),
        (Err(_), At::Moment(text)) => {
            text.clear();
            text.push_str(cell);
        }
        (Err(_), written) => *written = At::Moment(cell.to_owned()),
    }
}

fn count(cell: &str) -> Result<Option<u32>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    let whole = |value: &f64| value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(value);
    let value = cell.parse().ok().filter(whole);
    value.map(|it| Some(it as u32)).ok_or_else(|| {
        format!("`current` is `{cell}`; write a whole number from 0, or nothing where it is not known")
    })
}

fn value(name: &str, cell: &str) -> Result<Option<f64>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    cell.parse()
        .map(Some)
        .map_err(|_| format!("`{name}` is `{cell}`; write a number, or nothing where it is missing"))
}

/// Splits a line into cells. Its buffers are used again.
struct Cells {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    fn new() -> Self {
        Self { reader: csv_core::Reader::new(), text: Vec::new(), ends: Vec::new() }
    }

    fn split(&mut self, line: &str) -> Result<impl ExactSizeIterator<Item = &str>, String> {
        self.reader.reset();
        self.text.resize(line.len() + 1, 0);
        self.ends.resize(MAX_COLUMNS, 0);
        let (mut read, mut written, mut cells) = (0, 0, 0);
        loop {
            let input = &line.as_bytes()[read..];
            let (result, used, made, ended) =
                self.reader.read_record(input, &mut self.text[written..], &mut self.ends[cells..]);
            (read, written, cells) = (read + used, written + made, cells + ended);
            match result {
                // The line's end is the input's end; one more call says so.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => break,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(format!("a row has at most {MAX_COLUMNS} cells"));
                }
            }
        }
        let text = std::str::from_utf8(&self.text[..written]).map_err(|error| error.to_string())?;
        let (ends, mut start) = (&self.ends[..cells], 0);
        Ok(ends.iter().map(move |end| {
            let cell = &text[start..*end];
            start = *end;
            cell.trim()
        }))
    }
}
