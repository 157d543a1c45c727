//! The text of a policy file: its lines, its documents, and the snippets that mistakes show.

use std::ops::Range;

/// A place in the text; both numbers from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

/// From `start` up to `end`, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub start: Position,
    pub end: Position,
}

impl Span {
    /// Just this place.
    pub const fn at(start: Position) -> Self {
        Self { start, end: start }
    }
}

/// A text and where its lines are. `\n`, `\r\n` and a lone `\r` end a line, as in YAML.
#[derive(Debug)]
pub(super) struct Source<'a> {
    text: &'a str,
    lines: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut lines = Vec::new();
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                lines.push(start..at + 1);
                start = at + 1;
            }
        }
        if start < bytes.len() || lines.is_empty() {
            lines.push(start..bytes.len());
        }
        Self { text, lines }
    }

    /// The text of line `number` (from 1) without its end; empty where there is no such line.
    pub fn line(&self, number: usize) -> &'a str {
        let range = number.checked_sub(1).and_then(|index| self.lines.get(index));
        range.map_or("", |range| self.text[range.clone()].trim_end_matches(['\r', '\n']))
    }

    /// The place behind the last character.
    pub fn end(&self) -> Position {
        match self.lines.last() {
            Some(last) if self.text[last.clone()].ends_with(['\n', '\r']) => {
                Position { line: self.lines.len() + 1, column: 1 }
            }
            _ => Position { line: self.lines.len(), column: self.line(self.lines.len()).chars().count() + 1 },
        }
    }

    /// The place nearest to `position` that the text has.
    pub fn clamp(&self, position: Position) -> Position {
        let line = position.line.clamp(1, self.lines.len());
        let end = if line < position.line { usize::MAX } else { position.column };
        Position { line, column: end.clamp(1, self.line(line).chars().count() + 1) }
    }

    /// The documents of the text: for each, the lines (from 0) that belong to it.
    ///
    /// In YAML a line that begins with `---` starts a document and one with `...` ends it, whatever
    /// came before; so a document that is broken does not take the next one along.
    pub fn documents(&self) -> Vec<Chunk<'a>> {
        let mut chunks = Vec::new();
        let mut open = Open::default();
        for number in 0..self.lines.len() {
            let line = self.line(number + 1);
            let line = if number == 0 { line.trim_start_matches('\u{feff}') } else { line };
            if is_marker(line, "---") {
                if open.marked || open.content {
                    chunks.push(self.chunk(&open, number));
                    open = Open { start: number, ..Open::default() };
                }
                open.marked = true;
                open.content = has_content(&line[3..]);
            } else if is_marker(line, "...") {
                if open.marked || open.content {
                    chunks.push(self.chunk(&open, number + 1));
                }
                open = Open { start: number + 1, ..Open::default() };
            } else if has_content(line) && (open.marked || open.content || !line.starts_with('%')) {
                open.content = true;
            } else if line.starts_with('%') {
                open.directive = true;
            }
        }
        if open.marked || open.content || open.directive {
            chunks.push(self.chunk(&open, self.lines.len()));
        }
        chunks
    }

    fn chunk(&self, open: &Open, end: usize) -> Chunk<'a> {
        let from = self.lines[open.start].start;
        let to = self.lines[end - 1].end;
        Chunk {
            first_line: open.start + 1,
            text: &self.text[from..to],
            content: open.content || open.directive,
        }
    }
}

/// What is known of the document that is being collected.
#[derive(Default)]
struct Open {
    start: usize,
    marked: bool,
    content: bool,
    directive: bool,
}

/// The text of one document.
#[derive(Debug, PartialEq)]
pub(super) struct Chunk<'a> {
    /// From 1.
    pub first_line: usize,
    pub text: &'a str,
    /// Is there more than markers and comments?
    pub content: bool,
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

fn has_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, &str, bool)> {
        let chunks = Source::new(text).documents();
        chunks.into_iter().map(|it| (it.first_line, it.text, it.content)).collect()
    }

    #[test]
    fn documents_begin_at_their_markers() {
        assert_eq!(texts(""), []);
        assert_eq!(texts("# nothing\n\n"), []);
        assert_eq!(texts("a: 1"), [(1, "a: 1", true)]);
        assert_eq!(
            texts("# c\n---\na: 1\n---\n\n--- b\n"),
            [(1, "# c\n---\na: 1\n", true), (4, "---\n\n", false), (6, "--- b\n", true)]
        );
        assert_eq!(
            texts("a\n...\n%YAML 1.2\n---\nb"),
            [(1, "a\n...\n", true), (3, "%YAML 1.2\n---\nb", true)]
        );
        assert_eq!(texts("a\r\n---\r\nb\r\n").len(), 2);
        assert_eq!(texts("a\r---\rb").len(), 2);
        assert_eq!(texts("---x\n ---\n"), [(1, "---x\n ---\n", true)]);
    }

    #[test]
    fn a_place_outside_of_the_text_is_brought_back_into_it() {
        let source = Source::new("ab\ncd\n");
        assert_eq!(source.clamp(Position { line: 9, column: 1 }), Position { line: 2, column: 3 });
        assert_eq!(source.clamp(Position { line: 0, column: 0 }), Position { line: 1, column: 1 });
        assert_eq!(Source::new("").clamp(Position { line: 3, column: 7 }), Position { line: 1, column: 1 });
    }
}
