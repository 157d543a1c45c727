//! A document as a tree of nodes that know where they were written.

use std::rc::Rc;

use super::source::{Position, Span};
use crate::api::path::{Path, Segment};

/// A node of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(usize);

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<NodeId>),
    Map(Vec<Entry>),
}

/// A scalar as it was written. Shared, so that aliases do not multiply memory.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub text: Rc<str>,
    pub style: Style,
}

/// How a scalar was written, as far as its meaning depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// It may be a number, a truth value, or nothing at all.
    Plain,
    /// In quotes: text, whatever it looks like.
    Quoted,
    /// After `|` or `>`: text.
    Block,
}

/// A field of a mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub key: NodeId,
    pub value: NodeId,
}

/// A value, its place, and what contains it.
#[derive(Debug)]
pub(super) struct Node {
    pub value: Value,
    pub span: Span,
    pub parent: Option<NodeId>,
}

/// A document, or the part of it that could be read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    root: Option<NodeId>,
}

impl Tree {
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub const fn root(&self) -> Option<NodeId> {
        self.root
    }

    pub const fn set_root(&mut self, root: NodeId) {
        self.root = Some(root);
    }

    pub fn add(&mut self, value: Value, span: Span) -> NodeId {
        self.nodes.push(Node { value, span, parent: None });
        NodeId(self.nodes.len() - 1)
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0]
    }

    /// The text of a scalar; nothing for other nodes.
    pub fn text(&self, id: NodeId) -> Option<&Rc<str>> {
        match &self.node(id).value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The field `key` of the mapping `id`.
    pub fn field(&self, id: NodeId, key: &str) -> Option<Entry> {
        let Value::Map(entries) = &self.node(id).value else { return None };
        entries.iter().copied().find(|entry| self.text(entry.key).is_some_and(|text| &**text == key))
    }

    /// Is the node the key of a field?
    pub fn is_key(&self, id: NodeId) -> bool {
        let parent = self.node(id).parent.map(|parent| &self.node(parent).value);
        matches!(parent, Some(Value::Map(entries)) if entries.iter().any(|entry| entry.key == id))
    }

    /// Where the node is in the document. A key has the path of its value.
    pub fn path(&self, id: NodeId) -> Path {
        let mut steps = Vec::new();
        let mut child = id;
        while let Some(parent) = self.node(child).parent {
            match &self.node(parent).value {
                Value::Map(entries) => {
                    let entry = entries.iter().find(|entry| entry.value == child || entry.key == child);
                    let key = entry.and_then(|entry| self.text(entry.key)).map_or("", |text| text);
                    steps.push(Segment::Key(key.to_owned()));
                }
                Value::List(items) => {
                    let index = items.iter().position(|item| *item == child).unwrap_or_default();
                    steps.push(Segment::Index(index));
                }
                Value::Scalar(_) => {}
            }
            child = parent;
        }
        steps.into_iter().rev().fold(Path::root(), |path, step| path.with(step))
    }

    /// The node at `path`, or the nearest one around it.
    pub fn nearest(&self, path: &Path) -> Option<NodeId> {
        let mut id = self.root?;
        for segment in path.segments() {
            let next = match (segment, &self.node(id).value) {
                (Segment::Key(key), _) => self.field(id, key).map(|entry| entry.value),
                (Segment::Index(index), Value::List(items)) => items.get(*index).copied(),
                (Segment::Index(_), _) => None,
            };
            let Some(next) = next else { break };
            id = next;
        }
        Some(id)
    }

    /// Where to point to speak of the node: a scalar on one line itself, else the key that it stands under.
    pub fn handle(&self, id: NodeId) -> Span {
        let node = self.node(id);
        if let Value::Scalar(scalar) = &node.value {
            let has_a_place = match scalar.style {
                Style::Plain => !scalar.text.is_empty(),
                Style::Quoted => true,
                Style::Block => false,
            };
            if has_a_place {
                return node.span;
            }
        }
        let parent = node.parent.map(|parent| &self.node(parent).value);
        if let Some(Value::Map(entries)) = parent
            && let Some(entry) = entries.iter().find(|entry| entry.value == id)
        {
            return self.node(entry.key).span;
        }
        match &node.value {
            Value::Map(entries) => entries.first().map_or(node.span, |entry| self.node(entry.key).span),
            Value::Scalar(_) | Value::List(_) => node.span,
        }
    }
}

/// `marker` as the parser has it, `offset` lines further down.
pub(super) fn position(marker: saphyr_parser::Marker, offset: usize) -> Position {
    Position { line: marker.line() + offset, column: marker.col() + 1 }
}
