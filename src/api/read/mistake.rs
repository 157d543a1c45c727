//! A mistake in a policy file, and how it is shown.
//!
//! What is shown goes to logs, sidecars and screens; so a secret that somebody wrote into a policy
//! is blotted out, wherever the mistake itself is.

use std::fmt;

use super::source::{Source, Span};

/// Widest part of a source line that a snippet shows, in characters.
const SNIPPET_WIDTH: usize = 120;
/// How much of a long line is shown before the place.
const SNIPPET_LEAD: usize = 40;
/// What stands for the rest of a long line: in ASCII, so that no terminal needs more room for it.
const ELLIPSIS: &str = "...";
/// Fields whose text is a secret, even in a document that does not parse.
const SECRET_FIELDS: [&str; 8] =
    ["password", "token", "secret", "routingKey", "nkey", "key", "credentials", "signature"];

/// What is wrong in a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// The file, as it was named to `read`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The place in the document: `spec.scaleUp.rules[1].op`. Empty for the document itself.
    pub path: String,
    /// What was found, and what would be right.
    pub message: String,
    /// The source line with carets under the place.
    pub snippet: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, message, snippet } = self;
        write!(f, "error: {message}\n --> {file}:{line}:{column}")?;
        if !path.is_empty() {
            write!(f, " ({path})")?;
        }
        snippet.as_ref().map_or(Ok(()), |snippet| write!(f, "\n{snippet}"))
    }
}

/// The line at `span` with carets under it; `secrets` are blotted out.
pub(super) fn snippet(source: &Source<'_>, span: Span, secrets: &[Span]) -> Option<String> {
    let number = span.start.line;
    let line = blot(source.line(number), number, secrets);
    if line.iter().all(|c| c.is_whitespace()) {
        return None;
    }
    let start = (span.start.column - 1).min(line.len());
    let end = if span.end.line == number { span.end.column - 1 } else { line.len() };
    let trimmed = line.iter().rposition(|c| !c.is_whitespace()).map_or(0, |last| last + 1);
    let end = end.min(trimmed).max(start + 1);

    let from = if line.len() > SNIPPET_WIDTH { start.saturating_sub(SNIPPET_LEAD) } else { 0 };
    let shown: Vec<char> = line.iter().skip(from).take(SNIPPET_WIDTH).copied().collect();
    let mut text = String::new();
    let mut carets = String::new();
    if from > 0 {
        text.push_str(ELLIPSIS);
        carets.extend(ELLIPSIS.chars().map(|_| ' '));
    }
    let cut = from + shown.len() < line.len();
    for at in from..=from + shown.len() {
        let (drawn, width) = match shown.get(at - from) {
            Some('\t') => ("    ".to_owned(), 4),
            Some(c) if c.is_control() => ("\u{fffd}".to_owned(), 1),
            Some(c) => (c.to_string(), 1),
            None => (String::new(), 1),
        };
        text.push_str(&drawn);
        let caret = if (start..end).contains(&at) { '^' } else { ' ' };
        carets.extend(std::iter::repeat_n(caret, width));
    }
    if cut {
        text.push_str(ELLIPSIS);
    }
    let gutter = " ".repeat(number.to_string().len());
    Some(format!("{gutter} |\n{number} | {}\n{gutter} | {}", text.trim_end(), carets.trim_end()))
}

/// The characters of a line, with `*` for those that are secret.
fn blot(line: &str, number: usize, secrets: &[Span]) -> Vec<char> {
    let mut chars: Vec<char> = line.chars().collect();
    for span in secrets.iter().filter(|span| (span.start.line..=span.end.line).contains(&number)) {
        let from = if span.start.line == number { span.start.column - 1 } else { 0 };
        let to = if span.end.line == number { span.end.column - 1 } else { chars.len() };
        blot_range(&mut chars, from, to);
    }
    for (from, to) in credentials_in_url(&chars).into_iter().chain(secret_fields(&chars)) {
        blot_range(&mut chars, from, to);
    }
    chars
}

fn blot_range(chars: &mut [char], from: usize, to: usize) {
    let to = to.min(chars.len());
    for c in chars.get_mut(from..to).into_iter().flatten().filter(|c| !c.is_whitespace()) {
        *c = '*';
    }
}

/// Where `user:password` stands in `scheme://user:password@host`.
fn credentials_in_url(chars: &[char]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for at in 2..chars.len() {
        if chars[at - 2..=at] != [':', '/', '/'] {
            continue;
        }
        let rest = &chars[at + 1..];
        let authority = rest.iter().position(|c| matches!(c, '/' | '?' | '#') || c.is_whitespace());
        let authority = &rest[..authority.unwrap_or(rest.len())];
        if let Some(end) = authority.iter().rposition(|c| *c == '@') {
            found.push((at + 1, at + 1 + end));
        }
    }
    found
}

/// Where the text of a field stands that is always a secret. References in braces are none.
fn secret_fields(chars: &[char]) -> Vec<(usize, usize)> {
    let line: String = chars.iter().collect();
    let mut found = Vec::new();
    for field in SECRET_FIELDS {
        for (at, _) in line.match_indices(field) {
            if line[..at].ends_with(|c: char| c.is_alphanumeric()) {
                continue;
            }
            let after = line[at + field.len()..].trim_start_matches(['"', '\'']).trim_start();
            let Some(value) = after.strip_prefix(':').map(str::trim_start) else { continue };
            if value.is_empty() || value.starts_with(['{', '#', '*', '&', '<']) {
                continue;
            }
            let from = line[..line.len() - value.len()].chars().count();
            let length = if value.starts_with(['"', '\'']) {
                value.chars().skip(1).position(|c| value.starts_with(c)).map(|end| end + 2)
            } else {
                value.chars().position(|c| matches!(c, ',' | '}'))
            };
            found.push((from, from + length.unwrap_or_else(|| value.chars().count())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::source::Position;
    use super::*;

    fn span(line: usize, from: usize, to: usize) -> Span {
        Span { start: Position { line, column: from }, end: Position { line, column: to } }
    }

    #[test]
    fn the_carets_stand_under_the_place() {
        let source = Source::new("a: 1\n\tmode: ärger auto\n");
        assert_eq!(
            snippet(&source, span(2, 14, 18), &[]).unwrap(),
            "  |\n2 |     mode: ärger auto\n  |                 ^^^^"
        );
        assert_eq!(snippet(&source, span(1, 4, 5), &[]).unwrap(), "  |\n1 | a: 1\n  |    ^");
        assert_eq!(snippet(&Source::new("\n\n"), span(1, 1, 1), &[]), None);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = snippet(&Source::new(&text), span(1, 501, 502), &[]).unwrap();
        let lines: Vec<_> = shown.lines().collect();
        let most = "1 | ".len() + SNIPPET_WIDTH + 2 * ELLIPSIS.len();
        assert!(lines[1].chars().count() <= most, "{shown}");
        assert!(shown.is_ascii(), "no terminal shifts it: {shown}");
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().nth(caret), Some('X'), "{shown}");
    }

    #[test]
    fn secrets_are_never_shown() {
        for text in [
            "url: amqp://me:hunter2@host/",
            "url: redis://hunter2@host",
            "password: hunter2",
            "auth: {user: me, password: \"hunter2\"}",
            "{token: 'hunter2', a: b}",
            "\"password\" : hunter2",
        ] {
            let shown = snippet(&Source::new(text), span(1, 1, 2), &[]).unwrap();
            assert!(!shown.contains("hunter2") && shown.contains('*'), "{shown}");
        }
        let source = Source::new("key: hunter2");
        assert!(!snippet(&source, span(1, 1, 2), &[span(1, 6, 13)]).unwrap().contains("hunter2"));
        let shown = snippet(&Source::new("password: {file: rabbit}"), span(1, 1, 2), &[]).unwrap();
        assert!(shown.contains("{file: rabbit}"));
    }
}
