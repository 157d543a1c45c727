//! From YAML events to a tree: anchors, aliases, merge keys, duplicate keys, and the bounds on all of them.
//!
//! YAML 1.2 has no merge keys, but everybody who writes Compose files expects `<<: *defaults` to
//! work, so it does: a field that is written wins over a merged one, an earlier mapping of a list
//! over a later one.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::Flaw;
use super::shape::MAX_MISTAKES;
use super::source::Span;
use super::syntax;
use super::tree::{Entry, NodeId, Scalar, Style, Tree, Value, position};
use crate::api::path::Path;

/// Most values in one document, those that aliases repeat included. A large policy has a few hundred.
const MAX_NODES: usize = 20_000;
/// Most bytes of text that the aliases of one document repeat.
const MAX_REPEATED_BYTES: usize = 1024 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// The tree of the one document in `text`, as far as it could be built, and what is wrong with it.
/// `offset` lines stand before `text` in its file.
pub(super) fn build(text: &str, offset: usize) -> Built {
    let mut builder = Builder { offset, ..Builder::default() };
    let mut extent = Extent::Whole;
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((Event::DocumentStart(_), span)) => {
                documents += 1;
                let second =
                    || builder.flaw(builder.span(span), "a document ends here; begin the next with `---`");
                if documents > 1 { Err(second()) } else { Ok(()) }
            }
            Ok((event, span)) => builder.event(event, builder.span(span)),
            Err(error) => Err(syntax::explain(&error, text, offset)),
        };
        if let Err(flaw) = step {
            builder.flaws.push(flaw);
            extent = Extent::CutOff;
        }
        if builder.flaws.len() >= MAX_MISTAKES {
            extent = Extent::CutOff;
        }
        if extent == Extent::CutOff {
            break;
        }
    }
    builder.finish(extent)
}

/// What has become of a document's text.
pub(super) struct Built {
    pub tree: Tree,
    pub flaws: Vec<Flaw>,
    pub extent: Extent,
}

/// How much of a document is in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// After a mistake of syntax, or beyond a bound, the rest is not there.
    CutOff,
}

#[derive(Default)]
struct Builder {
    offset: usize,
    tree: Tree,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    repeated_bytes: usize,
    flaws: Vec<Flaw>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    id: NodeId,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<NodeId>,
    seen: HashSet<Rc<str>>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Flaw> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = self.style(style, tag.as_deref(), span);
                let id = self.add(Value::Scalar(Scalar { text: text.into(), style }), span)?;
                self.anchors.insert(anchor, id);
                self.attach(id);
            }
            Event::SequenceStart(anchor, tag) => {
                self.enter(Value::List(Vec::new()), anchor, tag.as_deref(), span)?
            }
            Event::MappingStart(anchor, tag) => {
                self.enter(Value::Map(Vec::new()), anchor, tag.as_deref(), span)?
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(anchor) => {
                let Some(original) = self.anchors.get(&anchor).copied() else {
                    return Err(self.flaw(span, "this alias stands inside of what it refers to"));
                };
                let id = self.copy(original, self.open.len(), span)?;
                self.attach(id);
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn enter(&mut self, value: Value, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Flaw> {
        self.check_depth(self.open.len(), span)?;
        if let Some(tag) =
            tag.filter(|tag| !(tag.is_yaml_core_schema() && ["map", "seq"].contains(&&*tag.suffix)))
        {
            let flaw = self.unknown_tag(tag, span);
            self.flaws.push(flaw);
        }
        let id = self.add(value, span)?;
        self.open.push(Open { id, anchor, key: None, seen: HashSet::new() });
        Ok(())
    }

    fn leave(&mut self) {
        let Some(open) = self.open.pop() else { return };
        self.merge(open.id);
        self.anchors.insert(open.anchor, open.id);
        self.attach(open.id);
    }

    /// Puts a finished node where it belongs: at the root, into a list, or as key or value into a mapping.
    fn attach(&mut self, id: NodeId) {
        let Some(open) = self.open.last_mut() else {
            self.tree.set_root(id);
            return;
        };
        let parent = open.id;
        self.tree.node_mut(id).parent = Some(parent);
        match &mut self.tree.node_mut(parent).value {
            Value::List(items) => items.push(id),
            Value::Map(entries) => match open.key.take() {
                None => open.key = Some(id),
                Some(key) => {
                    entries.push(Entry { key, value: id });
                    self.check_key(parent, key);
                }
            },
            Value::Scalar(_) => {}
        }
    }

    /// Takes the newest entry out again when its key is no text, or was there before.
    fn check_key(&mut self, map: NodeId, key: NodeId) {
        let span = self.tree.node(key).span;
        let text = self.tree.text(key).cloned();
        let message = match text {
            None => "a key must be a plain word; found a list or mapping".to_owned(),
            Some(text) => {
                let is_new = self.open.last_mut().is_none_or(|open| open.seen.insert(Rc::clone(&text)));
                if is_new {
                    return;
                }
                format!("`{}` is written twice here; keep one", super::hint::shorten(&text))
            }
        };
        let path = self.path().key(self.tree.text(key).map_or("", |text| text));
        if let Value::Map(entries) = &mut self.tree.node_mut(map).value {
            entries.pop();
        }
        self.flaws.push(Flaw { span, path, message });
    }

    /// Replaces `<<` by the fields of the mappings that it names.
    fn merge(&mut self, map: NodeId) {
        let Value::Map(entries) = &self.tree.node(map).value else { return };
        let is_merge = |entry: &Entry| matches!(&self.tree.node(entry.key).value, Value::Scalar(key) if &*key.text == "<<" && key.style == Style::Plain);
        let Some(at) = entries.iter().position(is_merge) else { return };
        let mut entries = entries.clone();
        let merged = entries.remove(at);
        let sources = match &self.tree.node(merged.value).value {
            Value::List(items) => items.clone(),
            Value::Map(_) | Value::Scalar(_) => vec![merged.value],
        };
        let mut seen: HashSet<Rc<str>> =
            entries.iter().filter_map(|entry| self.tree.text(entry.key).cloned()).collect();
        for source in sources {
            let Value::Map(fields) = &self.tree.node(source).value else {
                let span = self.tree.handle(source);
                let path = self.path().key("<<");
                let message = "`<<` takes a mapping or a list of mappings, as in `<<: *defaults`".to_owned();
                self.flaws.push(Flaw { span, path, message });
                continue;
            };
            for field in fields.clone() {
                if self.tree.text(field.key).cloned().is_some_and(|key| seen.insert(key)) {
                    self.tree.node_mut(field.key).parent = Some(map);
                    self.tree.node_mut(field.value).parent = Some(map);
                    entries.push(field);
                }
            }
        }
        self.tree.node_mut(map).value = Value::Map(entries);
    }

    /// A copy of the node `original` with all that is in it, as an alias stands for it.
    fn copy(&mut self, original: NodeId, depth: usize, alias: Span) -> Result<NodeId, Flaw> {
        self.check_depth(depth, alias)?;
        self.check_count(alias)?;
        let span = self.tree.node(original).span;
        match self.tree.node(original).value.clone() {
            Value::Scalar(scalar) => {
                self.repeated_bytes += scalar.text.len();
                if self.repeated_bytes > MAX_REPEATED_BYTES {
                    let limit = MAX_REPEATED_BYTES / 1024;
                    return Err(self.flaw(
                        alias,
                        format!("aliases repeat more than {limit} KiB of text; write less of them"),
                    ));
                }
                self.add(Value::Scalar(scalar), span)
            }
            Value::List(items) => {
                let copy = self.add(Value::List(Vec::new()), span)?;
                let mut copies = Vec::with_capacity(items.len());
                for item in items {
                    copies.push(self.copy_into(copy, item, depth, alias)?);
                }
                self.tree.node_mut(copy).value = Value::List(copies);
                Ok(copy)
            }
            Value::Map(entries) => {
                let copy = self.add(Value::Map(Vec::new()), span)?;
                let mut copies = Vec::with_capacity(entries.len());
                for Entry { key, value } in entries {
                    let key = self.copy_into(copy, key, depth, alias)?;
                    let value = self.copy_into(copy, value, depth, alias)?;
                    copies.push(Entry { key, value });
                }
                self.tree.node_mut(copy).value = Value::Map(copies);
                Ok(copy)
            }
        }
    }

    fn copy_into(
        &mut self,
        parent: NodeId,
        original: NodeId,
        depth: usize,
        alias: Span,
    ) -> Result<NodeId, Flaw> {
        let id = self.copy(original, depth + 1, alias)?;
        self.tree.node_mut(id).parent = Some(parent);
        Ok(id)
    }

    fn add(&mut self, value: Value, span: Span) -> Result<NodeId, Flaw> {
        self.check_count(span)?;
        Ok(self.tree.add(value, span))
    }

    fn check_count(&self, span: Span) -> Result<(), Flaw> {
        if self.tree.len() < MAX_NODES {
            return Ok(());
        }
        let message =
            format!("a document has at most {MAX_NODES} values, those that aliases repeat included");
        Err(self.flaw(span, message))
    }

    fn check_depth(&self, depth: usize, span: Span) -> Result<(), Flaw> {
        if depth < MAX_DEPTH {
            Ok(())
        } else {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            Err(Flaw { span, path: Path::root(), message })
        }
    }

    fn style(&mut self, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Style {
        let written = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let Some(tag) = tag else { return written };
        match &*tag.suffix {
            "str" if tag.is_yaml_core_schema() => Style::Quoted,
            "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => Style::Plain,
            _ => {
                let flaw = self.unknown_tag(tag, span);
                self.flaws.push(flaw);
                written
            }
        }
    }

    fn unknown_tag(&self, tag: &Tag, span: Span) -> Flaw {
        self.flaw(span, format!("the tag `{tag}` means nothing here; take it away"))
    }

    /// Where the next value goes. What is open is not in the tree yet, so the tree cannot tell.
    fn path(&self) -> Path {
        self.open.iter().fold(Path::root(), |path, open| match (&self.tree.node(open.id).value, open.key) {
            (Value::List(items), _) => path.index(items.len()),
            (_, Some(key)) => path.key(self.tree.text(key).map_or("", |text| text)),
            (_, None) => path,
        })
    }

    fn flaw(&self, span: Span, message: impl Into<String>) -> Flaw {
        Flaw { span, path: self.path(), message: message.into() }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span { start: position(span.start, self.offset), end: position(span.end, self.offset) }
    }

    /// Closes what is open, so that what was read before a mistake can be looked at.
    fn finish(mut self, extent: Extent) -> Built {
        while !self.open.is_empty() {
            self.leave();
        }
        Built { tree: self.tree, flaws: self.flaws, extent }
    }
}
