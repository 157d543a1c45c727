//! How each name stands in the folder: its present text, what is wrong with that, what was recorded before.

use std::collections::BTreeMap;

use super::super::folder::Scan;
use super::super::load::{Content, LoadedDocument};
use super::super::record::{DocumentKey, Good, Record, StoredText};
use super::claims::{Claim, Claims};
use crate::api::read::Mistake;
use crate::api::status::SourceRef;
use crate::model::key::Generation;
use crate::units::Timestamp;

/// How one name stands. A name without one has no document: it is deleted or never was.
#[derive(Debug)]
pub struct Standing<'a> {
    /// Where its document is now.
    pub source: SourceRef,
    /// Its present text, where that is good.
    pub fresh: Option<Fresh<'a>>,
    /// What is wrong with the present text.
    pub mistakes: Vec<Mistake>,
    /// Why there is no present text to look at.
    pub unreadable: Option<String>,
    /// What was recorded, of a deleted document too.
    pub recorded: Option<&'a Good>,
}

/// A good document of the folder.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a> {
    pub loaded: &'a LoadedDocument,
    pub document: &'a Content,
}

/// The standing of every name that has one.
pub fn standings<'a>(
    claims: &Claims<'a>,
    scan: &Scan,
    record: &'a Record,
) -> BTreeMap<DocumentKey, Standing<'a>> {
    let owned =
        claims.owners.iter().map(|(key, claim)| (key.clone(), present(*claim, record.documents.get(key))));
    let lost = |(key, good): (&DocumentKey, &'a Good)| {
        let lost = good.deleted_at.is_none() && !claims.owners.contains_key(key);
        lost.then(|| hidden(good, claims, scan, record).map(|standing| (key.clone(), standing))).flatten()
    };
    owned.chain(record.documents.iter().filter_map(lost)).collect()
}

fn present<'a>(claim: Claim<'a>, recorded: Option<&'a Good>) -> Standing<'a> {
    let loaded = claim.document;
    let (fresh, mistakes) = match &loaded.document {
        Ok(document) => (Some(Fresh { loaded, document }), Vec::new()),
        Err(mistakes) => (None, mistakes.clone()),
    };
    Standing { source: claim.source(), fresh, mistakes, unreadable: None, recorded }
}

/// A recorded name that no document has now, but perhaps one that cannot be read: because its file cannot, because
/// a document of its file has no readable name, or because a new name at its very place is invalid.
fn hidden<'a>(good: &'a Good, claims: &Claims<'_>, scan: &Scan, record: &Record) -> Option<Standing<'a>> {
    let mut source =
        SourceRef { file: good.file.clone(), document: good.document, sha256: good.sha256.to_string() };
    if let Some(why) = scan.unreadable_at(&good.file) {
        let unreadable = Some(why.to_owned());
        return Some(Standing {
            source,
            fresh: None,
            mistakes: Vec::new(),
            unreadable,
            recorded: Some(good),
        });
    }
    let file = scan.files.get(&good.file)?;
    let nameless = claims.nameless.iter().filter(|it| it.file == good.file);
    // Of a name that was recorded before, even if it was deleted, this standing would change with the next look.
    let renamed = claims.owners.iter().filter(|(key, claim)| {
        let same_place = claim.file == good.file && claim.document.index == good.document;
        same_place && !record.documents.contains_key(*key)
    });
    let suspects = nameless.chain(renamed.map(|(_, claim)| claim));
    let mistakes: Vec<_> =
        suspects.filter_map(|it| it.document.document.as_ref().err()).flatten().cloned().collect();
    source.sha256 = file.sha256.to_string();
    let standing = Standing { source, fresh: None, mistakes, unreadable: None, recorded: Some(good) };
    (!standing.mistakes.is_empty()).then_some(standing)
}

impl Standing<'_> {
    /// What is to be recorded: the present text where it is good, else the last good one.
    pub fn next_good(&self, profile: Option<StoredText>, now: Timestamp) -> Option<Good> {
        let (file, document) = (self.source.file.clone(), self.source.document);
        let Some(fresh) = self.fresh else {
            return self.recorded.map(|it| Good { file, document, deleted_at: None, ..it.clone() });
        };
        Some(Good {
            good_file: file.clone(),
            file,
            good_document: document,
            document,
            sha256: self.source.sha256.as_str().into(),
            text: StoredText::new(&fresh.loaded.text, fresh.document),
            profile,
            generation: self.generation(fresh),
            first_seen: self.recorded.map_or(now, |it| it.first_seen),
            owns: self.recorded.and_then(|it| it.owns.clone()),
            deleted_at: None,
        })
    }

    /// One more than recorded where the spec differs; other changes of the text do not count.
    fn generation(&self, fresh: Fresh<'_>) -> Generation {
        let Some(recorded) = self.recorded else { return 1 };
        let same = recorded.text.is(&fresh.loaded.text)
            || recorded.text.document().is_some_and(|last| last.has_spec_of(fresh.document));
        recorded.generation + Generation::from(!same)
    }
}
