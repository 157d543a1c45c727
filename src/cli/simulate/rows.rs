//! The rows of a trace, one after the other, with their mistakes told.

use std::io::{BufRead, Read};

use super::super::exit::{Exit, Failure};
use super::past::Trace;
use crate::simulation::trace::{Mistake, Reader, Row};

/// Longest line of a trace.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// Reads a trace. The room of a row is used again for the next.
pub(super) struct Rows {
    trace: Trace,
    reader: Reader,
    line: Vec<u8>,
    row: Row,
    read: u64,
}

impl Rows {
    /// Before the first row.
    pub(super) fn of(trace: Trace) -> Self {
        Self { trace, reader: Reader::new(), line: Vec::new(), row: Row::default(), read: 0 }
    }

    /// The next row; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<&mut Row>, Failure> {
        while self.next_line()? {
            if self.parse().map_err(|mistake| self.wrong(&mistake))? {
                self.read += 1;
                self.trace.saw(self.row.at);
                return Ok(Some(&mut self.row));
            }
        }
        Ok(None)
    }

    /// After the last row.
    ///
    /// # Errors
    /// When the trace ended too soon, or there was no row.
    pub(super) fn end(self) -> Result<(), Failure> {
        let name = self.trace.name.clone();
        self.trace.end()?;
        if self.read == 0 {
            return Err(Failure::say(Exit::NothingFound, format!("{name} has no row")));
        }
        Ok(())
    }

    /// What the trace is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.trace.name
    }

    /// A mistake in the row that was read last.
    pub(super) fn mistake(&self, message: String) -> Failure {
        self.wrong(&self.reader.mistake(message))
    }

    fn wrong(&self, mistake: &Mistake) -> Failure {
        Failure::say(Exit::Usage, format!("{}: {mistake}", self.trace.name))
    }

    /// False at the end.
    fn next_line(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        match self.trace.lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line) {
            Ok(bytes) => Ok(bytes > 0),
            Err(error) => {
                Err(Failure::say(Exit::Failed, format!("cannot read {}: {error}", self.trace.name)))
            }
        }
    }

    /// False where the line is no row.
    fn parse(&mut self) -> Result<bool, Mistake> {
        let message = match std::str::from_utf8(&self.line) {
            Ok(text) if text.ends_with('\n') || (self.line.len() as u64) < MAX_LINE => {
                return self.reader.read(text, &mut self.row);
            }
            Ok(_) => format!("it is longer than {MAX_LINE} bytes"),
            Err(_) => "it is not UTF-8".to_owned(),
        };
        // Counts the line that cannot be read.
        let _ = self.reader.read("", &mut self.row);
        Err(self.reader.mistake(message))
    }
}
