//! The catalog: what the policy folder, with what is recorded of it, asks docktor to run.
//!
//! `resolve` is a pure function of one scan, the record and the time; applied again to the record that it gives,
//! it gives the same catalog. That is why a restart ends where the running controller is.

mod claims;
mod cross;
mod resolve;
mod standing;
mod targets;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use resolve::resolve;

use super::Changes;
use super::record::Kind;
use crate::api::budget::HostBudget;
use crate::api::notifier::Notifier;
use crate::api::policy::ScalingPolicy;
use crate::api::profile::ScalingProfile;
use crate::api::read::Mistake;
use crate::api::status::SourceRef;
use crate::model::key::{Generation, PolicyKey};
use crate::units::Timestamp;

/// What the folder asks docktor to run, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Everything that a person would look for under policies: also the invalid and the conflicting.
    pub policies: BTreeMap<PolicyKey, PolicyEntry>,
    /// The policies of each file, in the order of its documents; what its sidecar shows.
    pub files: BTreeMap<String, Vec<PolicyKey>>,
    /// Profiles in force, by name; without the built-in ones.
    pub profiles: BTreeMap<String, Arc<ScalingProfile>>,
    /// Budgets in force, by name.
    pub budgets: BTreeMap<String, Arc<HostBudget>>,
    /// Notifiers in force, by name.
    pub notifiers: BTreeMap<String, Arc<Notifier>>,
    /// What is wrong with documents of other kinds than policies.
    pub faults: Vec<Fault>,
    /// What could not be read or recorded, for people.
    pub problems: Vec<String>,
}

/// A policy as it stands in the folder, and what runs of it.
#[derive(Debug, Clone)]
pub struct PolicyEntry {
    /// Unique; the name, or `<file>#<index>` for a document that has none that can be read or that is another's.
    pub key: PolicyKey,
    /// The name as it is written, or the key.
    pub name: String,
    /// Where the document stands now, and the content it is in.
    pub source: SourceRef,
    /// What runs: the present text, or the last good one. `None` where there never was one.
    pub policy: Option<Arc<ScalingPolicy>>,
    /// The content that `policy` is from; differs from `source` while a newer text is wrong.
    pub running: Option<SourceRef>,
    /// The profile of the folder that `policy` names, as it was when the policy was last good.
    /// `None` where it names none or a built-in one.
    pub profile: Option<Arc<ScalingProfile>>,
    /// Counts the changes of the spec; 0 where there never was a good one. A changed profile does not count.
    pub generation: Generation,
    /// When docktor first saw a good text of it.
    pub first_seen: Option<Timestamp>,
    /// What is wrong with the present text. `policy` then is the last good one.
    pub mistakes: Vec<Mistake>,
    /// Why the present text cannot be read, where it cannot. `policy` then is the last good one.
    pub unreadable: Option<String>,
    /// Another policy has the name or the scale target; this one must not act.
    pub conflict: Option<Conflict>,
}

/// Two documents want what only one can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What both want.
    pub over: Contested,
    /// The document that has it: its name and place.
    pub owner: Place,
    /// The document that does not.
    pub rival: Place,
}

/// What only one document can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contested {
    /// A name among the documents of a kind.
    Name(String),
    /// A scale target, as people write it.
    Target(String),
}

/// A document, for people: its name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Which document of the file, from 0.
    pub document: usize,
}

/// What is wrong with a profile, budget or notifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its kind.
    pub kind: Kind,
    /// The document.
    pub place: Place,
    /// What is wrong with its text. The last good one is in force, if there was one.
    pub mistakes: Vec<Mistake>,
    /// Another document has its name.
    pub conflict: Option<Conflict>,
}

impl PolicyEntry {
    /// May it be run: is there a good text, and nobody else who has its name or target?
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.policy.is_some() && self.conflict.is_none()
    }

    /// Everything that is wrong with it, each rendered for people.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let mistakes = self.mistakes.iter().map(ToString::to_string);
        let unreadable =
            self.unreadable.as_ref().map(|why| format!("cannot read {}: {why}", self.source.file));
        mistakes.chain(unreadable).chain(self.conflict.as_ref().map(ToString::to_string)).collect()
    }
}

impl PartialEq for PolicyEntry {
    /// Most entries of a rescan share their documents with those of the one before: pointers tell at once.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            key,
            name,
            source,
            policy,
            running,
            profile,
            generation,
            first_seen,
            mistakes,
            unreadable,
            conflict,
        } = self;
        (key, name, source, running, generation)
            == (&other.key, &other.name, &other.source, &other.running, &other.generation)
            && (first_seen, mistakes, unreadable, conflict)
                == (&other.first_seen, &other.mistakes, &other.unreadable, &other.conflict)
            && same(policy.as_ref(), other.policy.as_ref())
            && same(profile.as_ref(), other.profile.as_ref())
    }
}

fn same<T: PartialEq>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    }
}

impl Catalog {
    /// What differs in `next`; its lists are in order.
    pub(super) fn changes_to(&self, next: &Self) -> Changes {
        let changed = |(key, entry): (&PolicyKey, &PolicyEntry)| {
            (self.policies.get(key) != Some(entry)).then(|| key.clone())
        };
        Changes {
            changed: next.policies.iter().filter_map(changed).collect(),
            deleted: self.policies.keys().filter(|key| !next.policies.contains_key(key)).cloned().collect(),
            others_changed: self.profiles != next.profiles
                || self.budgets != next.budgets
                || self.notifiers != next.notifiers
                || self.faults != next.faults,
            new_problems: next.problems.iter().filter(|it| !self.problems.contains(it)).cloned().collect(),
            look_again: None,
        }
    }
}

impl fmt::Display for Contested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "the name `{name}`"),
            Self::Target(target) => write!(f, "the scale target {target}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, file, document } = self;
        write!(f, "{name} (document {document} of {file})")
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { over, owner, rival } = self;
        write!(f, "{over} is wanted by two documents: {owner} has it, {rival} does not run")
    }
}
