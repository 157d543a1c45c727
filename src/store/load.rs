//! From the bytes of a policy file to its documents, and from a stored text back to its document.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::api::budget::HostBudget;
use crate::api::notifier::Notifier;
use crate::api::policy::ScalingPolicy;
use crate::api::profile::ScalingProfile;
use crate::api::read::{Mistake, Parsed, read};
use crate::api::{Document, Metadata};

/// What a policy file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedFile {
    /// SHA-256 of its bytes, in hex.
    pub sha256: Arc<str>,
    /// Its documents, in order.
    pub documents: Arc<[LoadedDocument]>,
}

/// One document of a file; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedDocument {
    /// Which document of the file, from 0.
    pub index: usize,
    /// `metadata.name`, where it can be read.
    pub name: Option<String>,
    /// `kind`, where it can be read.
    pub kind: Option<String>,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The source text of this document alone.
    pub text: Arc<str>,
    /// The document, or everything that is wrong with it.
    pub document: Result<Content, Vec<Mistake>>,
}

/// A document that is shared by all who look at it.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// How one workload is scaled.
    ScalingPolicy(Arc<ScalingPolicy>),
    /// Named defaults.
    ScalingProfile(Arc<ScalingProfile>),
    /// What all policies of the host may use together.
    HostBudget(Arc<HostBudget>),
    /// Where events are told.
    Notifier(Arc<Notifier>),
}

/// Reads the documents of the file `path`, which is only a name here.
pub fn load(path: &str, bytes: &[u8]) -> LoadedFile {
    let documents = read(path, bytes).into_iter().map(LoadedDocument::from).collect();
    LoadedFile { sha256: sha256(bytes), documents }
}

/// Reads a text that was a valid document of `path` when it was stored. `None` when this build refuses it.
pub fn reload(path: &str, text: &str) -> Option<Content> {
    read(path, text.as_bytes()).into_iter().next()?.document.ok().map(Content::from)
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> Arc<str> {
    format!("{:x}", Sha256::digest(bytes)).into()
}

impl Content {
    /// Name and labels.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::ScalingPolicy(it) => &it.metadata,
            Self::ScalingProfile(it) => &it.metadata,
            Self::HostBudget(it) => &it.metadata,
            Self::Notifier(it) => &it.metadata,
        }
    }

    /// Do both ask for the same, whatever their name, labels and comments?
    pub fn has_spec_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ScalingPolicy(one), Self::ScalingPolicy(other)) => one.spec == other.spec,
            (Self::ScalingProfile(one), Self::ScalingProfile(other)) => one.spec == other.spec,
            (Self::HostBudget(one), Self::HostBudget(other)) => one.spec == other.spec,
            (Self::Notifier(one), Self::Notifier(other)) => one.spec == other.spec,
            _ => false,
        }
    }
}

impl From<Document> for Content {
    fn from(document: Document) -> Self {
        match document {
            Document::ScalingPolicy(it) => Self::ScalingPolicy(it.into()),
            Document::ScalingProfile(it) => Self::ScalingProfile(it.into()),
            Document::HostBudget(it) => Self::HostBudget(it.into()),
            Document::Notifier(it) => Self::Notifier(it.into()),
        }
    }
}

impl From<Parsed> for LoadedDocument {
    fn from(parsed: Parsed) -> Self {
        let Parsed { index, name, kind, line, text, document } = parsed;
        Self { index, name, kind, line, text: text.into(), document: document.map(Content::from) }
    }
}
