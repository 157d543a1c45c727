//! Mistakes of YAML itself, in words that help.

use saphyr_parser::ScanError;

use super::Flaw;
use super::source::{Position, Source, Span};
use super::tree::position;
use crate::api::path::Path;

/// What the parser's `error` in `text` means to people; `offset` lines stand before `text` in its file.
pub(super) fn explain(error: &ScanError, text: &str, offset: usize) -> Flaw {
    let place = position(*error.marker(), 0);
    let source = Source::new(text);
    let place = source.clamp(place);
    let (place, reason) =
        recognise(&source, place).unwrap_or_else(|| (place, in_plain_words(error.info()).to_owned()));
    let span = Span::at(Position { line: place.line + offset, column: place.column });
    Flaw { span, path: Path::root(), message: format!("this is no valid YAML: {reason}") }
}

/// What the parser says, where there is a better way to say it.
fn in_plain_words(info: &str) -> &str {
    match info {
        "while parsing a flow sequence, expected ',' or ']'" => "a list is not closed; expected `,` or `]`",
        "while parsing a flow mapping, did not find expected ',' or '}'" => {
            "a mapping is not closed; expected `,` or `}`"
        }
        "while parsing a node, did not find expected node content" => "expected a value here",
        "while scanning a quoted scalar, found unexpected end of stream" => "a quoted text is not closed",
        "while parsing a block mapping, did not find expected key" => {
            "this does not belong to the lines before; check the indentation, and quotes above"
        }
        "while parsing a block collection, did not find expected '-' indicator" => {
            "expected the next `- ` of the list; check the indentation"
        }
        "while parsing node, found unknown anchor" => {
            "this alias has no anchor; `&name` must stand before `*name`, in the same document"
        }
        "simple key expect ':'" | "simple key expected" => "expected `key: value`",
        "found unprintable character" => "there is an unprintable character here",
        other => other,
    }
}

/// The mistakes that people make most, told by the lines around the place.
fn recognise(source: &Source<'_>, place: Position) -> Option<(Position, String)> {
    let nearby = (place.line.saturating_sub(1).max(1)..=place.line).rev();
    for number in nearby {
        let line = source.line(number);
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t') {
            let place = Position { line: number, column: tab + 1 };
            return Some((place, "a tab indents this line; indent with spaces".to_owned()));
        }
        if let Some(at) = unquoted(line, "op:", &['>', '<', '=', '!']) {
            let place = Position { line: number, column: at };
            return Some((place, "the operator needs quotes, as in `op: \">\"`".to_owned()));
        }
        if let Some(at) = unquoted_anywhere(line, &['@', '`', '%']) {
            let place = Position { line: number, column: at };
            return Some((place, "a value cannot begin with this sign; write it in quotes".to_owned()));
        }
    }
    None
}

/// The column (from 1) of the value after `key` where it begins with one of `signs`.
fn unquoted(line: &str, key: &str, signs: &[char]) -> Option<usize> {
    let after = line.find(key)? + key.len();
    let rest = &line[after..];
    let value = rest.trim_start();
    let column = line[..after].chars().count() + (rest.len() - value.len()) + 1;
    value.starts_with(signs).then_some(column)
}

fn unquoted_anywhere(line: &str, signs: &[char]) -> Option<usize> {
    let after = line.find(": ")? + 2;
    let value = line[after..].trim_start();
    let column = line[..line.len() - value.len()].chars().count() + 1;
    value.starts_with(signs).then_some(column)
}
