//! What the store must know across restarts: the last good text of each document, generations, and who owns
//! which target. The journal that holds it is beside, in `journal`.

mod journal;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

pub use journal::Journal;

use super::catalog::Place;
use super::load::{Content, reload};
use crate::api::status::SourceRef;
use crate::model::key::Generation;
use crate::units::{Duration, Timestamp};

/// How long a deleted document is remembered, so that a checkout loses nothing.
pub const KEEP_DELETED: Duration = Duration::from_secs(24 * 3_600);

/// What the store must know across restarts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// Every document that was good once and is not forgotten.
    pub documents: BTreeMap<DocumentKey, Good>,
    /// The ids of engines by address; the default engine has the empty one.
    pub engines: BTreeMap<String, String>,
}

/// Which document: names are unique within a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentKey {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// The kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// How one workload is scaled.
    ScalingPolicy,
    /// Named defaults.
    ScalingProfile,
    /// What all policies may use together.
    HostBudget,
    /// Where events are told.
    Notifier,
}

/// A document as it was when it was last good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Good {
    /// The file that has the document now, good or not.
    pub file: String,
    /// Which document of that file.
    pub document: usize,
    /// The file that had the good text.
    pub good_file: String,
    /// Which document of it.
    pub good_document: usize,
    /// SHA-256 of that file then.
    pub sha256: Arc<str>,
    /// The text itself.
    pub text: StoredText,
    /// A policy: the text of the profile from the folder that it was good with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<StoredText>,
    /// Counts the changes of its spec.
    pub generation: Generation,
    /// When docktor first saw it.
    pub first_seen: Timestamp,
    /// A policy: the scale target that it owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owns: Option<String>,
    /// Since when it is gone from the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// The text of a document that was good, read when it is first asked for. Cheap to clone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredText {
    text: Arc<str>,
    #[serde(skip)]
    document: OnceLock<Option<Content>>,
}

impl Kind {
    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::ScalingPolicy, Self::ScalingProfile, Self::HostBudget, Self::Notifier]
            .into_iter()
            .find(|kind| kind.to_string() == name)
    }

    /// The kind of that document.
    pub const fn of(document: &Content) -> Self {
        match document {
            Content::ScalingPolicy(_) => Self::ScalingPolicy,
            Content::ScalingProfile(_) => Self::ScalingProfile,
            Content::HostBudget(_) => Self::HostBudget,
            Content::Notifier(_) => Self::Notifier,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Record {
    /// Is it time to forget a document?
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let deleted = self.documents.values().filter_map(|it| it.deleted_at);
        deleted.min().is_some_and(|at| now.since(at) >= KEEP_DELETED)
    }

    /// The text of the profile in force of that name, if it is from the folder.
    pub fn profile_text(&self, name: &str) -> Option<StoredText> {
        let key = DocumentKey { kind: Kind::ScalingProfile, name: name.to_owned() };
        self.documents.get(&key).filter(|it| it.deleted_at.is_none()).map(|it| it.text.clone())
    }
}

impl Good {
    /// The content that the good text is from.
    pub fn source(&self) -> SourceRef {
        let Self { good_file, good_document, sha256, .. } = self;
        SourceRef { file: good_file.clone(), document: *good_document, sha256: sha256.to_string() }
    }

    /// Where the document stands now, for people.
    pub fn place(&self, name: &str) -> Place {
        Place { name: name.to_owned(), file: self.file.clone(), document: self.document }
    }
}

impl StoredText {
    /// The text of that document.
    pub fn new(text: &Arc<str>, document: &Content) -> Self {
        Self { text: text.clone(), document: OnceLock::from(Some(document.clone())) }
    }

    /// Is it this text?
    pub fn is(&self, text: &str) -> bool {
        *self.text == *text
    }

    /// What it says. `None` when this build refuses it, though an earlier one did not.
    pub fn document(&self) -> Option<&Content> {
        self.document.get_or_init(|| reload("last good text", &self.text)).as_ref()
    }
}

impl PartialEq for StoredText {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text) || self.text == other.text
    }
}

impl fmt::Debug for StoredText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
