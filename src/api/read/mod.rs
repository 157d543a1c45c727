//! From the bytes of a policy file to documents, with every mistake at its place.

mod mistake;

pub use mistake::Mistake;

use super::Document;

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

/// Reads all documents of the policy file `file`, which is only a name here.
#[must_use]
pub fn read(file: &str, bytes: &[u8]) -> Vec<Parsed> {
    // A first thin version: one document, without positions.
    let text = String::from_utf8_lossy(bytes).into_owned();
    let policy: Result<super::policy::ScalingPolicy, _> = serde_yaml::from_str(&text);
    let name = policy.as_ref().ok().map(|it| it.metadata.name.clone());
    let kind = policy.as_ref().ok().map(|it| it.kind.clone());
    let document = policy.map(Document::ScalingPolicy).map_err(|error| {
        vec![Mistake {
            file: file.to_owned(),
            line: 1,
            column: 1,
            path: String::new(),
            message: error.to_string(),
            snippet: None,
        }]
    });
    vec![Parsed { index: 0, name, kind, line: 1, text, document }]
}
