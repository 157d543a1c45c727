//! From the bytes of a policy file to documents, with every mistake at its place.
//!
//! YAML events become a tree whose nodes know where they were written (`build`), the tree becomes a
//! typed document (`shape`), and the document is checked as a whole (`super::validate`). Each step
//! goes on after a mistake as far as that makes sense, so that one run shows them all.

mod build;
mod deserialize;
pub(super) mod hint;
mod mistake;
mod scalar;
mod shape;
mod source;
mod stand_in;
mod syntax;
mod tree;

pub use mistake::Mistake;

use serde::de::DeserializeOwned;

use self::build::{Built, Extent};
use self::shape::MAX_MISTAKES;
use self::source::{Chunk, Position, Source, Span};
use self::tree::{NodeId, Tree, Value};
use super::path::Path;
use super::validate;
use super::{API_VERSION, Document, KINDS};

/// Largest file that is read. A thousand policies take a tenth of it.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most documents of one file.
pub const MAX_DOCUMENTS: usize = 1_000;

/// One document of a file, read or refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Which document of the file, from 0, empty ones counted.
    pub index: usize,
    /// `metadata.name`, where it can be read.
    pub name: Option<String>,
    /// `kind`, where it can be read.
    pub kind: Option<String>,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The source text of this document alone; reading it gives the same document.
    pub text: String,
    /// The document, or everything that is wrong with it.
    pub document: Result<Document, Vec<Mistake>>,
}

/// Reads all documents of a policy file; `file` is only its name. Empty documents are left out.
///
/// A document that is no valid YAML does not take those after it along: `---` at the start of a
/// line begins a new one, whatever stands before.
#[must_use]
pub fn read(file: &str, bytes: &[u8]) -> Vec<Parsed> {
    if bytes.len() > MAX_FILE_BYTES {
        let limit = MAX_FILE_BYTES / 1024 / 1024;
        let message = format!("the file has {} bytes; at most {limit} MiB are read", bytes.len());
        return vec![unreadable(file, 0, &Source::new(""), Position { line: 1, column: 1 }, message)];
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => return vec![not_utf8(file, bytes, error.valid_up_to())],
    };
    let source = Source::new(text);
    let mut parsed = Vec::new();
    for (index, chunk) in source.documents().into_iter().enumerate() {
        if index >= MAX_DOCUMENTS {
            let place = Position { line: chunk.first_line, column: 1 };
            let message =
                format!("more than {MAX_DOCUMENTS} documents in one file; those from here on are not read");
            parsed.push(unreadable(file, index, &source, place, message));
            break;
        }
        if chunk.content {
            parsed.extend(read_document(file, &source, index, &chunk));
        }
    }
    parsed
}

/// The mistakes that `findings` are in a document of `file`, for checks that look at other documents too.
/// `text` and `line` are the document's, as in [`Parsed`].
#[must_use]
pub fn locate(file: &str, text: &str, line: usize, findings: Vec<validate::Finding>) -> Vec<Mistake> {
    let Built { tree, .. } = build::build(text, 0);
    let begin =
        if text.starts_with("---") { 1 } else { tree.root().map_or(1, |it| tree.node(it).span.start.line) };
    let lines_before = line.saturating_sub(begin);
    let Built { tree, .. } = build::build(text, lines_before);
    let whole = "\n".repeat(lines_before) + text;
    let source = Source::new(&whole);
    let place = |finding: validate::Finding| {
        let span = tree.nearest(&finding.path).map_or(Span::at(source.end()), |node| tree.handle(node));
        let secrets: &[Span] = if finding.reveals == validate::Reveals::Secret { &[span] } else { &[] };
        show(file, &source, Flaw { span, path: finding.path, message: finding.message }, secrets)
    };
    findings.into_iter().take(MAX_MISTAKES).map(place).collect()
}

/// What is wrong at a place of the text, before it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flaw {
    span: Span,
    path: Path,
    message: String,
}

/// `None` for a document that says nothing.
fn read_document(file: &str, source: &Source<'_>, index: usize, chunk: &Chunk<'_>) -> Option<Parsed> {
    let built = build::build(chunk.text, chunk.first_line - 1);
    let tree = &built.tree;
    if built.flaws.is_empty() && tree.root().is_none_or(|root| is_null(tree, root)) {
        return None;
    }
    let head = Head::of(tree);
    let Reading { document, mut flaws, secrets } = interpret(&built, &head);
    flaws.sort_by_key(|flaw| flaw.span.start);
    let mut mistakes: Vec<Mistake> = Vec::new();
    for flaw in flaws.into_iter().take(MAX_MISTAKES) {
        let mistake = show(file, source, flaw, &secrets);
        let is_new = |old: &Mistake| {
            (old.line, old.column, &old.message) != (mistake.line, mistake.column, &mistake.message)
        };
        if mistakes.iter().all(is_new) {
            mistakes.push(mistake);
        }
    }
    Some(Parsed {
        index,
        line: tree.root().map_or(chunk.first_line, |root| first_line(tree, root, chunk)),
        name: head.name,
        kind: head.kind.map(|(kind, _)| kind),
        text: chunk.text.to_owned(),
        document: match document {
            Some(document) if mistakes.is_empty() => Ok(document),
            _ => Err(mistakes),
        },
    })
}

fn first_line(tree: &Tree, root: NodeId, chunk: &Chunk<'_>) -> usize {
    let begins =
        if chunk.text.starts_with("---") { chunk.first_line } else { tree.node(root).span.start.line };
    begins.max(chunk.first_line)
}

fn is_null(tree: &Tree, id: NodeId) -> bool {
    matches!(&tree.node(id).value, Value::Scalar(scalar) if scalar.is_null())
}

/// What a document says of itself, as far as it can be read.
#[derive(Default)]
struct Head {
    api_version: Option<(String, NodeId)>,
    kind: Option<(String, NodeId)>,
    name: Option<String>,
}

impl Head {
    fn of(tree: &Tree) -> Self {
        let Some(root) = tree.root() else { return Self::default() };
        let text = |map: NodeId, key: &str| {
            let value = tree.field(map, key)?.value;
            let text = tree.text(value).filter(|_| !is_null(tree, value))?;
            Some((text.to_string(), value))
        };
        let metadata = tree.field(root, "metadata");
        Self {
            api_version: text(root, "apiVersion"),
            kind: text(root, "kind"),
            name: metadata.and_then(|entry| text(entry.value, "name")).map(|(name, _)| name),
        }
    }
}

/// What has become of a document.
#[derive(Default)]
struct Reading {
    document: Option<Document>,
    flaws: Vec<Flaw>,
    /// Where secrets are written out.
    secrets: Vec<Span>,
}

impl Reading {
    fn add(mut self, span: Span, path: Path, message: String) -> Self {
        self.flaws.push(Flaw { span, path, message });
        self
    }
}

fn interpret(built: &Built, head: &Head) -> Reading {
    let tree = &built.tree;
    let mut reading = Reading { flaws: built.flaws.clone(), ..Reading::default() };
    let Some(root) = tree.root() else { return reading };
    let is_whole = built.extent == Extent::Whole;
    if !matches!(tree.node(root).value, Value::Map(_)) {
        let message = format!("expected a mapping that begins with `apiVersion: {API_VERSION}`");
        return if is_whole { reading.add(tree.node(root).span, Path::root(), message) } else { reading };
    }
    if head.kind.is_none() && head.api_version.is_none() {
        let first = KINDS[0];
        let message = format!(
            "this is no document of docktor; one begins with `apiVersion: {API_VERSION}` and `kind: {first}`"
        );
        return if is_whole { reading.add(tree.handle(root), Path::root(), message) } else { reading };
    }
    if let Some((version, at)) = &head.api_version
        && version != API_VERSION
    {
        let message = format!("found `{}`; this build knows `{API_VERSION}`", hint::shorten(version));
        reading = reading.add(tree.node(*at).span, tree.path(*at), message);
    }
    let Some((kind, at)) = &head.kind else {
        let message = format!("`kind` is missing; it is {}", hint::list(&KINDS, "or"));
        return if is_whole {
            reading.add(tree.handle(root), Path::root().key("kind"), message)
        } else {
            reading
        };
    };
    match kind.as_str() {
        "ScalingPolicy" => finish(built, reading, Document::ScalingPolicy),
        "ScalingProfile" => finish(built, reading, Document::ScalingProfile),
        "HostBudget" => finish(built, reading, Document::HostBudget),
        "Notifier" => finish(built, reading, Document::Notifier),
        other => {
            let suggestion = hint::suggest(other, &KINDS, "the kinds are");
            let message = format!("unknown kind `{}`{suggestion}", hint::shorten(other));
            reading.add(tree.node(*at).span, tree.path(*at), message)
        }
    }
}

/// Reads the document as the `T` that its kind says, and checks it as a whole.
fn finish<T: DeserializeOwned>(built: &Built, mut reading: Reading, wrap: fn(T) -> Document) -> Reading {
    let tree = &built.tree;
    let shape = shape::shape::<T>(tree);
    reading.secrets.extend(shape.secrets);
    if built.extent == Extent::CutOff {
        // What the rest would say is not known: nothing can be called missing or wrong.
        return reading;
    }
    let mut broken = shape.broken;
    broken.extend(reading.flaws.iter().map(|flaw| flaw.path.clone()));
    reading.flaws.extend(shape.flaws);
    reading.document = shape.value.map(wrap);
    for finding in reading.document.iter().flat_map(validate::document) {
        let is_spoiled = |place: &Path| broken.iter().any(|broken| broken.touches(place));
        if is_spoiled(&finding.path) || finding.depends_on.iter().any(is_spoiled) {
            continue;
        }
        let Some(node) = tree.nearest(&finding.path) else { continue };
        if finding.reveals == validate::Reveals::Secret {
            reading.secrets.push(tree.node(node).span);
        }
        reading.flaws.push(Flaw { span: tree.handle(node), path: finding.path, message: finding.message });
    }
    reading
}

fn show(file: &str, source: &Source<'_>, flaw: Flaw, secrets: &[Span]) -> Mistake {
    let start = source.clamp(flaw.span.start);
    let end = source.clamp(flaw.span.end).max(start);
    Mistake {
        file: file.to_owned(),
        line: start.line,
        column: start.column,
        path: flaw.path.to_string(),
        message: flaw.message,
        snippet: mistake::snippet(source, Span { start, end }, secrets),
    }
}

/// A document of which not even the tree is known.
fn unreadable(file: &str, index: usize, source: &Source<'_>, place: Position, message: String) -> Parsed {
    let flaw = Flaw { span: Span::at(place), path: Path::root(), message };
    let mistake = show(file, source, flaw, &[]);
    Parsed {
        index,
        name: None,
        kind: None,
        line: place.line,
        text: String::new(),
        document: Err(vec![mistake]),
    }
}

fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> Parsed {
    let text = String::from_utf8_lossy(bytes);
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let source = Source::new(&text);
    let line = Source::new(&before);
    let place = line.end();
    let message =
        format!("byte {valid} of the file ({:#04x}) is no UTF-8; save the file as UTF-8", bytes[valid]);
    unreadable(file, 0, &source, place, message)
}

#[cfg(test)]
mod tests;
