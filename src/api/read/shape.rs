//! From the tree to a typed document, with every mistake of shape at once.
//!
//! Serde stops at the first mistake. So it is noted, a stand-in takes the place of what is wrong,
//! and the whole is tried again, until it succeeds or the bounds are reached.

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;

use super::Flaw;
use super::deserialize::{At, NodeDeserializer, Origin, Problem, Refusal};
use super::hint;
use super::source::Span;
use super::stand_in::ATTEMPTS;
use super::tree::{NodeId, Tree};
use crate::api::path::Path;

/// Most mistakes that one document reports.
pub(super) const MAX_MISTAKES: usize = 50;
/// Most attempts at one document; a mistake takes one to find and a few to get past.
const MAX_ROUNDS: usize = 8 * MAX_MISTAKES;

/// A document, as far as its shape is right.
pub(super) struct Shape<T> {
    /// With stand-ins at `broken`; `None` where too much is wrong.
    pub value: Option<T>,
    pub flaws: Vec<Flaw>,
    /// Where the value is not what was written.
    pub broken: Vec<Path>,
    /// Where secrets are written out.
    pub secrets: Vec<Span>,
}

/// What is known to be wrong with a tree.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Nodes that were refused, and the attempt of their stand-in.
    pub refused: HashMap<NodeId, usize>,
    /// Keys that name no field.
    pub dropped: HashSet<NodeId>,
    /// Fields that a mapping lacks, and the attempts of their stand-ins.
    pub added: HashMap<NodeId, Vec<(&'static str, usize)>>,
}

/// Reads the document of `tree` as a `T`.
pub(super) fn shape<T: DeserializeOwned>(tree: &Tree) -> Shape<T> {
    let mut state = State { tree, marks: Marks::default(), meant: HashSet::new(), found: Shape::empty() };
    let Some(root) = tree.root() else { return state.found };
    for _ in 0..MAX_ROUNDS {
        let node = NodeDeserializer { tree, marks: &state.marks, id: root };
        match T::deserialize(node) {
            Ok(value) => {
                state.found.value = Some(value);
                break;
            }
            Err(refusal) => {
                if state.found.flaws.len() >= MAX_MISTAKES || !state.mark(refusal) {
                    break;
                }
            }
        }
    }
    state.found
}

impl<T> Shape<T> {
    const fn empty() -> Self {
        Self { value: None, flaws: Vec::new(), broken: Vec::new(), secrets: Vec::new() }
    }
}

struct State<'t, T> {
    tree: &'t Tree,
    marks: Marks,
    /// Fields that an unknown key was probably meant to be.
    meant: HashSet<(NodeId, &'static str)>,
    found: Shape<T>,
}

impl<T> State<'_, T> {
    /// Notes what is wrong and makes the next attempt get past it. False when there is no way.
    fn mark(&mut self, refusal: Refusal) -> bool {
        match (refusal.at, refusal.problem) {
            (None, _) => false,
            (Some(At::StandIn(origin)), _) => self.try_another(origin),
            (Some(At::Node(map)), Problem::Missing(field)) => {
                self.miss(map, field);
                true
            }
            (Some(At::Node(key)), Problem::Unknown { found, fields }) => {
                self.drop_key(key, &found, fields);
                true
            }
            (Some(At::Node(key)), Problem::Surplus(message)) => {
                let path = self.tree.path(key);
                self.found.broken.push(path.clone());
                self.found.flaws.push(Flaw { span: self.tree.node(key).span, path, message });
                self.marks.dropped.insert(key)
            }
            (Some(At::Node(id)), Problem::LiteralSecret) => {
                self.found.secrets.push(self.tree.node(id).span);
                let message = "a secret is never written into a policy; put it into a file below the secrets \
                               folder and write `{file: NAME}`, or into a variable and write \
                               `{env: DOCKTOR_SECRET_NAME}`";
                self.refuse(id, message.to_owned())
            }
            (Some(At::Node(id)), Problem::Other(message)) => self.refuse(id, message),
        }
    }

    fn refuse(&mut self, id: NodeId, message: String) -> bool {
        let path = self.tree.path(id);
        self.found.broken.push(path.clone());
        self.found.flaws.push(Flaw { span: self.tree.handle(id), path, message });
        // A key that is a variant's name is never asked for a value: what it stands under is refused.
        let place = match self.tree.node(id).parent {
            Some(parent) if self.tree.is_key(id) => parent,
            _ => id,
        };
        self.found.broken.push(self.tree.path(place));
        self.marks.refused.insert(place, 0).is_none()
    }

    fn miss(&mut self, map: NodeId, field: &'static str) {
        let path = self.tree.path(map).key(field);
        if !self.meant.contains(&(map, field)) {
            let message = format!("`{field}` is missing here");
            self.found.flaws.push(Flaw { span: self.tree.handle(map), path: path.clone(), message });
        }
        self.found.broken.push(path);
        self.marks.added.entry(map).or_default().push((field, 0));
    }

    fn drop_key(&mut self, key: NodeId, found: &str, fields: &'static [&'static str]) {
        let path = self.tree.path(key);
        if let (Some(map), Some(meant)) =
            (self.tree.node(key).parent, hint::guess(found, fields.iter().copied()))
        {
            self.meant.insert((map, meant));
            if self.tree.field(map, meant).is_none() {
                self.found.broken.push(self.tree.path(map).key(meant));
            }
        }
        let suggestion = hint::suggest(found, fields, "the fields here are");
        let message = format!("unknown field `{}`{suggestion}", hint::shorten(found));
        self.found.broken.push(path.clone());
        self.found.flaws.push(Flaw { span: self.tree.node(key).span, path, message });
        self.marks.dropped.insert(key);
    }

    /// The stand-in did not fit: try its next form, or give up what contains it.
    fn try_another(&mut self, origin: Origin) -> bool {
        let (attempt, container) = match origin {
            Origin::Node(id) => (self.marks.refused.get_mut(&id), self.tree.node(id).parent),
            Origin::Field(map, field) => {
                let fields = self.marks.added.entry(map).or_default();
                (fields.iter_mut().find(|(name, _)| *name == field).map(|(_, attempt)| attempt), Some(map))
            }
        };
        let Some(attempt) = attempt else { return false };
        *attempt += 1;
        if *attempt < ATTEMPTS {
            return true;
        }
        let Some(container) = container else { return false };
        self.found.broken.push(self.tree.path(container));
        self.marks.refused.insert(container, 0).is_none()
    }
}
