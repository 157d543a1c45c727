//! From the bytes of a policy file to its documents, and from a stored text back to its document.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::api::Document;
use crate::api::read::{Mistake, Parsed, read};

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
    pub document: Result<Arc<Document>, Vec<Mistake>>,
}

/// Reads the documents of the file `path`, which is only a name here.
pub fn load(path: &str, bytes: &[u8]) -> LoadedFile {
    let documents = read(path, bytes).into_iter().map(LoadedDocument::from).collect();
    LoadedFile { sha256: sha256(bytes), documents }
}

/// Reads a text that was a valid document of `path` when it was stored. `None` when this build refuses it.
pub fn reload(path: &str, text: &str) -> Option<Arc<Document>> {
    read(path, text.as_bytes()).into_iter().next()?.document.ok().map(Arc::new)
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> Arc<str> {
    format!("{:x}", Sha256::digest(bytes)).into()
}

impl From<Parsed> for LoadedDocument {
    fn from(parsed: Parsed) -> Self {
        let Parsed { index, name, kind, line, text, document } = parsed;
        Self { index, name, kind, line, text: text.into(), document: document.map(Arc::new) }
    }
}
