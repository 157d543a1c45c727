//! Who owns which name: of all documents that want one, the recorded owner keeps it; with no record, the first in
//! order of (path, document index) gets it.

use std::collections::BTreeMap;

use super::super::folder::Scan;
use super::super::load::LoadedDocument;
use super::super::record::{DocumentKey, Kind, Record};
use super::Place;
use crate::api::status::SourceRef;

/// A document of a file that could be read.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub file: &'a str,
    pub sha256: &'a str,
    pub document: &'a LoadedDocument,
}

/// All documents of a scan, by what becomes of them.
#[derive(Debug, Default)]
pub struct Claims<'a> {
    /// The one document of each name.
    pub owners: BTreeMap<DocumentKey, Claim<'a>>,
    /// Documents that want a name which another has.
    pub rivals: Vec<(DocumentKey, Claim<'a>)>,
    /// Documents whose name or kind cannot be read; always invalid.
    pub nameless: Vec<Claim<'a>>,
}

impl<'a> Claims<'a> {
    /// Sorts the documents of a scan.
    pub fn of(scan: &'a Scan, record: &Record) -> Self {
        let mut claims = Self::default();
        let mut wanted: BTreeMap<DocumentKey, Vec<Claim<'a>>> = BTreeMap::new();
        for (file, loaded) in &scan.files {
            for document in loaded.documents.iter() {
                let claim = Claim { file, sha256: &loaded.sha256, document };
                match claim.key(record) {
                    Some(key) => wanted.entry(key).or_default().push(claim),
                    None => claims.nameless.push(claim),
                }
            }
        }
        for (key, mut rivals) in wanted {
            if let Some(owner) = owner(&key, &rivals, scan, record) {
                claims.owners.insert(key.clone(), rivals.remove(owner));
            }
            claims.rivals.extend(rivals.into_iter().map(|claim| (key.clone(), claim)));
        }
        claims
    }
}

impl Claim<'_> {
    /// Which document it is or, where it is invalid, means to be.
    fn key(&self, record: &Record) -> Option<DocumentKey> {
        if let Ok(document) = &self.document.document {
            let name = document.metadata().name.clone();
            return Some(DocumentKey { kind: Kind::of(document), name });
        }
        let name = self.document.name.clone().filter(|name| is_label(name))?;
        if let Some(kind) = self.document.kind.as_deref().and_then(Kind::named) {
            return Some(DocumentKey { kind, name });
        }
        // The kind is what is wrong with it: it means to be what stood in this file under this name.
        let key = DocumentKey { kind: Kind::ScalingPolicy, name };
        let recorded = record.documents.get(&key)?;
        (recorded.deleted_at.is_none() && recorded.file == self.file).then_some(key)
    }

    /// Where it stands, for programs.
    pub fn source(&self) -> SourceRef {
        SourceRef {
            file: self.file.to_owned(),
            document: self.document.index,
            sha256: self.sha256.to_owned(),
        }
    }

    /// Where it stands, for people.
    pub fn place(&self, name: &str) -> Place {
        Place { name: name.to_owned(), file: self.file.to_owned(), document: self.document.index }
    }
}

/// Which of the claims, in order of (path, index), owns the name. `None`: a recorded file that cannot be read now.
fn owner(key: &DocumentKey, claims: &[Claim<'_>], scan: &Scan, record: &Record) -> Option<usize> {
    let Some(recorded) = record.documents.get(key).filter(|it| it.deleted_at.is_none()) else {
        return Some(0);
    };
    let in_file = |claim: &Claim<'_>| claim.file == recorded.file;
    let exact = claims.iter().position(|it| in_file(it) && it.document.index == recorded.document);
    let moved = || claims.iter().position(in_file);
    match exact.or_else(moved) {
        None if scan.unreadable_at(&recorded.file).is_some() => None,
        found => Some(found.unwrap_or(0)),
    }
}

/// Is it an RFC 1123 label, so that it can stand as a name anywhere?
fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
