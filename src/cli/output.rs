//! How answers are printed: tables, JSON, YAML, names, jsonpath; what the terminal can show.

use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

use anstream::AutoStream;
use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, ContentArrangement, Table as Layout, Width};
use serde::Serialize;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::jsonpath::{JsonPath, JsonPathError};
use crate::units::{Duration, Timestamp};

/// Spaces between two columns.
const COLUMN_GAP: u16 = 3;

/// How an answer is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A table.
    Table,
    /// A table with more columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `kind/name`, one a line.
    Name,
    /// What a template picks.
    JsonPath(JsonPath),
    /// JSON, one object a line; of `simulate` and `history` alone.
    JsonLines,
    /// A picture; of `simulate` alone.
    Svg,
}

/// Why a text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is no such format.
    #[error(
        "the formats are table, wide, json, yaml, name and jsonpath=TEMPLATE; of `simulate` also jsonl and svg, of `history` also jsonl"
    )]
    Unknown,
    /// The template is wrong.
    #[error(transparent)]
    Template(#[from] JsonPathError),
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Ok(match text {
            "table" => Self::Table,
            "wide" => Self::Wide,
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            "name" => Self::Name,
            "jsonl" => Self::JsonLines,
            "svg" => Self::Svg,
            _ => match text.strip_prefix("jsonpath=") {
                Some(template) => Self::JsonPath(template.parse()?),
                None => return Err(FormatError::Unknown),
            },
        })
    }
}

/// Standard output: plain when it is piped or `NO_COLOR` is set, ASCII where the terminal has no UTF-8.
pub struct Output {
    stream: AutoStream<io::Stdout>,
    glyphs: Glyphs,
    prints: Prints,
}

/// What a command can print, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prints {
    /// The command.
    pub command: &'static str,
    /// Its formats.
    pub formats: &'static str,
}

/// Which characters the reader can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Any.
    Utf8,
    /// ASCII alone.
    Ascii,
}

impl Output {
    /// The standard output of this process, for a command that can print that.
    #[must_use]
    pub fn standard(prints: Prints) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        let locale = locale.into_iter().find(|it| !it.is_empty()).unwrap_or_default().to_ascii_uppercase();
        let utf8 = io::stdout().is_terminal() && (locale.contains("UTF-8") || locale.contains("UTF8"));
        let glyphs = if utf8 { Glyphs::Utf8 } else { Glyphs::Ascii };
        Self { stream: AutoStream::auto(io::stdout()), glyphs, prints }
    }

    /// One line.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.stream, "{}", self.glyphs.shown(text.as_ref()))
    }

    /// Several lines.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn lines(&mut self, lines: Vec<String>) -> Result<(), Failure> {
        Ok(lines.into_iter().try_for_each(|line| self.line(line))?)
    }

    /// Text as it is, without a line's end. It has no colours that would have to be taken out for a pipe.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn raw(&mut self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// The same for text that was made as bytes.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn bytes(&mut self, text: &[u8]) -> io::Result<()> {
        let mut plain = self.stream.as_inner();
        plain.write_all(text)?;
        plain.flush()
    }

    /// `value` in a format that is no table; `None` for tables, which the caller prints.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn structured(&mut self, format: &Format, value: &impl Serialize) -> Result<Option<()>, Failure> {
        match format {
            Format::Json => self.raw(&(serde_json::to_string_pretty(value)? + "\n"))?,
            Format::Yaml => self.raw(&yaml(value)?)?,
            Format::JsonPath(template) => self.raw(&template.render(&serde_json::to_value(value)?))?,
            Format::Name => {
                for name in names(&serde_json::to_value(value)?) {
                    self.line(name)?;
                }
            }
            Format::JsonLines | Format::Svg => {
                return Err(unsupported(self.prints.command, self.prints.formats));
            }
            Format::Table | Format::Wide => return Ok(None),
        }
        Ok(Some(()))
    }
}

impl Glyphs {
    /// `text` in characters that the reader can see.
    fn shown(self, text: &str) -> String {
        if self == Self::Utf8 || text.is_ascii() {
            return text.to_owned();
        }
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '→' => shown.push_str("->"),
                '↔' => shown.push_str("<->"),
                '≤' => shown.push_str("<="),
                '≥' => shown.push_str(">="),
                '…' => shown.push_str("..."),
                '×' => shown.push('x'),
                '÷' => shown.push('/'),
                '−' | '–' | '—' => shown.push('-'),
                c => shown.push(c),
            }
        }
        shown
    }
}

/// A plain table as kubectl prints them. Rows that come later keep the columns where they are.
#[derive(Debug)]
pub struct Table {
    header: Vec<String>,
    widths: Vec<u16>,
    header_is_due: bool,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(header: Vec<impl Into<String>>) -> Self {
        let widths = vec![0; header.len()];
        Self { header: header.into_iter().map(Into::into).collect(), widths, header_is_due: true }
    }

    /// The lines of `rows`, below the header the first time.
    pub fn lines(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
        let mut layout = Layout::new();
        layout.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if std::mem::take(&mut self.header_is_due) {
            layout.add_row(self.header.clone());
        }
        for row in rows {
            layout.add_row(row.into_iter().map(|cell| one_line(&cell)));
        }
        for column in layout.column_iter_mut() {
            column.set_padding((0, COLUMN_GAP));
        }
        for (width, content) in self.widths.iter_mut().zip(layout.column_max_content_widths()) {
            *width = content.max(*width);
        }
        let widths = self.widths.iter().map(|it| Width::Fixed(it + COLUMN_GAP));
        layout.set_constraints(widths.map(ColumnConstraint::Absolute));
        layout.lines().map(|line| line.trim_end().to_owned()).filter(|it| !it.is_empty()).collect()
    }
}

/// YAML as people write it: by way of JSON, so that no enum becomes a YAML tag.
///
/// # Errors
/// When the value has no JSON form.
pub fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_yaml::to_string(&serde_json::to_value(value)?)?)
}

/// Text that fits into one row.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `policy/web` for each object.
fn names(value: &Value) -> Vec<String> {
    let objects = value["items"].as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let name = |it: &Value| {
        let policy = it["metadata"]["name"].as_str().or_else(|| it["policy"].as_str())?;
        Some(format!("policy/{policy}"))
    };
    objects.iter().filter_map(name).collect()
}

/// A number as tables show it: whole, or with as many digits as tell something.
#[must_use]
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    let rounded = if magnitude >= 1_000.0 {
        value.round()
    } else if magnitude >= 1.0 {
        (value * 10.0).round() / 10.0
    } else {
        (value * 1_000.0).round() / 1_000.0
    };
    format!("{rounded}")
}

/// A length of time as kubectl shows ages: `45s`, `3m20s`, `25h`, `3d4h`.
#[must_use]
pub fn age(duration: Duration) -> String {
    let seconds = duration.get().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large, unit, small, small_unit| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// The age of something that began at `since`; `<unknown>` where nobody knows.
#[must_use]
pub fn age_since(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(|| "<unknown>".to_owned(), |since| age(now.since(since)))
}

/// A format that a command cannot print is wrong usage.
#[must_use]
pub fn unsupported(command: &str, formats: &str) -> Failure {
    Failure::say(Exit::Usage, format!("`{command}` prints {formats} only; choose another -o"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_look_as_kubectl_shows_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (600, "10m"),
            (10_799, "179m"),
            (12_000, "3h20m"),
            (90_000, "25h"),
            (273_600, "3d4h"),
            (864_000, "10d"),
            (70_000_000, "2y80d"),
            (300_000_000, "9y"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn numbers_are_as_long_as_they_tell_something() {
        for (value, text) in [
            (89.333, "89.3"),
            (75.0, "75"),
            (620.04, "620"),
            (0.2512, "0.251"),
            (12_345.6, "12346"),
            (-1.25, "-1.3"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn rows_that_come_later_keep_their_columns() {
        let mut table = Table::new(vec!["NAME", "PHASE"]);
        let row = |name: &str| vec![name.to_owned(), "Active".to_owned()];
        assert_eq!(table.lines([row("web-front")]), ["NAME        PHASE", "web-front   Active"]);
        assert_eq!(table.lines([row("api")]), ["api         Active"]);
    }

    #[test]
    fn a_terminal_without_utf8_gets_ascii() {
        assert_eq!(Glyphs::Ascii.shown("2→4, x ≥ 1…"), "2->4, x >= 1...");
        assert_eq!(Glyphs::Utf8.shown("2→4"), "2→4");
    }

    #[test]
    fn a_format_has_a_name_or_a_template() {
        assert_eq!("wide".parse(), Ok(Format::Wide));
        assert!(matches!("jsonpath={.a}".parse(), Ok(Format::JsonPath(_))));
        assert_eq!("xml".parse::<Format>(), Err(FormatError::Unknown));
        assert!(matches!("jsonpath={.a".parse::<Format>(), Err(FormatError::Template(_))));
    }
}
