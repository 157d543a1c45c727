//! From a scan and the record to the catalog and the next record.

use std::collections::BTreeMap;

use super::super::folder::{Scan, is_policy_name};
use super::super::load::Content;
use super::super::record::{DocumentKey, Good, KEEP_DELETED, Kind, Record};
use super::claims::Claims;
use super::cross;
use super::standing::{Standing, standings};
use super::targets::settle;
use super::{Catalog, Conflict, Contested, Fault, Place, PolicyEntry};
use crate::api::status::SourceRef;
use crate::model::key::PolicyKey;
use crate::units::Timestamp;

/// What the folder, as `scan` saw it, asks docktor to run, given what was recorded before and the ids of the
/// engines; and what is to be recorded now.
pub fn resolve(
    scan: &Scan,
    before: &Record,
    engines: &BTreeMap<String, String>,
    now: Timestamp,
) -> (Catalog, Record) {
    let claims = Claims::of(scan, before);
    let mut catalog = Catalog::default();
    let mut record = Record { documents: BTreeMap::new(), engines: engines.clone() };

    let (policies, others): (BTreeMap<_, _>, _) =
        standings(&claims, scan, before).into_iter().partition(|(key, _)| key.kind == Kind::ScalingPolicy);
    for (key, standing) in others {
        if let Some(good) = standing.next_good(None, now) {
            put_in_force(&mut catalog, &key, &good);
            record.documents.insert(key.clone(), good);
        }
        if !standing.mistakes.is_empty() {
            let place = place(&key.name, &standing.source);
            catalog.faults.push(Fault { kind: key.kind, place, mistakes: standing.mistakes, conflict: None });
        }
    }
    add_policies(&mut catalog, &mut record, policies, now);
    add_rivals(&mut catalog, &claims, &record);
    add_nameless(&mut catalog, &claims);
    add_unreadable(&mut catalog, scan, &record);
    list_by_file(&mut catalog);
    remember_deleted(&mut record, before, now);
    (catalog, record)
}

fn put_in_force(catalog: &mut Catalog, key: &DocumentKey, good: &Good) {
    let name = key.name.clone();
    match good.text.document().cloned() {
        Some(Content::ScalingProfile(it)) => {
            catalog.profiles.insert(name, it);
        }
        Some(Content::HostBudget(it)) => {
            catalog.budgets.insert(name, it);
        }
        Some(Content::Notifier(it)) => {
            catalog.notifiers.insert(name, it);
        }
        Some(Content::ScalingPolicy(_)) | None => {}
    }
}

fn add_policies(
    catalog: &mut Catalog,
    record: &mut Record,
    mut policies: BTreeMap<DocumentKey, Standing<'_>>,
    now: Timestamp,
) {
    let mut goods = BTreeMap::new();
    for (key, standing) in &mut policies {
        let mut profile = None;
        if let Some((loaded, Content::ScalingPolicy(policy))) =
            standing.fresh.map(|fresh| (fresh.loaded, fresh.document))
        {
            let mistakes = cross::check(policy, catalog, &standing.source.file, loaded);
            if mistakes.is_empty() {
                profile = policy.spec.profile.as_ref().and_then(|name| record.profile_text(name));
            } else {
                standing.mistakes = mistakes;
                standing.fresh = None;
            }
        }
        if let Some(good) = standing.next_good(profile, now) {
            goods.insert(key.name.clone(), good);
        }
    }
    let mut conflicts = settle(&mut goods, &record.engines);
    for (key, standing) in policies {
        let entry = entry(&key.name, standing, goods.get(&key.name), conflicts.remove(&key.name));
        catalog.policies.insert(entry.key.clone(), entry);
    }
    let key = |name: String| DocumentKey { kind: Kind::ScalingPolicy, name };
    record.documents.extend(goods.into_iter().map(|(name, good)| (key(name), good)));
}

fn entry(name: &str, standing: Standing<'_>, good: Option<&Good>, conflict: Option<Conflict>) -> PolicyEntry {
    let policy = good.and_then(|it| match it.text.document()? {
        Content::ScalingPolicy(policy) => Some(policy.clone()),
        _ => None,
    });
    let profile = good.and_then(|it| match it.profile.as_ref()?.document()? {
        Content::ScalingProfile(profile) => Some(profile.clone()),
        _ => None,
    });
    PolicyEntry {
        key: PolicyKey::new(name),
        name: name.to_owned(),
        source: standing.source,
        policy,
        running: good.map(Good::source),
        profile,
        generation: good.map_or(0, |it| it.generation),
        first_seen: good.map(|it| it.first_seen),
        mistakes: standing.mistakes,
        unreadable: standing.unreadable,
        conflict,
    }
}

/// An entry for a document that runs nothing and has no key of its own.
fn idle_entry(name: Option<&str>, source: SourceRef) -> PolicyEntry {
    let key = format!("{}#{}", source.file, source.document);
    PolicyEntry {
        name: name.unwrap_or(&key).to_owned(),
        key: PolicyKey::new(&key),
        source,
        policy: None,
        running: None,
        profile: None,
        generation: 0,
        first_seen: None,
        mistakes: Vec::new(),
        unreadable: None,
        conflict: None,
    }
}

fn add_rivals(catalog: &mut Catalog, claims: &Claims<'_>, record: &Record) {
    for (key, claim) in &claims.rivals {
        let owner = match claims.owners.get(key) {
            Some(owner) => owner.place(&key.name),
            None => {
                record.documents.get(key).map_or_else(|| claim.place(&key.name), |it| it.place(&key.name))
            }
        };
        let over = Contested::Name(key.name.clone());
        let conflict = Some(Conflict { over, owner, rival: claim.place(&key.name) });
        let mistakes = claim.document.document.as_ref().err().cloned().unwrap_or_default();
        if key.kind == Kind::ScalingPolicy {
            let entry = PolicyEntry { conflict, mistakes, ..idle_entry(Some(&key.name), claim.source()) };
            catalog.policies.insert(entry.key.clone(), entry);
        } else {
            catalog.faults.push(Fault { kind: key.kind, place: claim.place(&key.name), mistakes, conflict });
        }
    }
}

/// Documents without a readable name, save those whose place a policy holds that goes on from its last good text.
fn add_nameless(catalog: &mut Catalog, claims: &Claims<'_>) {
    for claim in &claims.nameless {
        let source = claim.source();
        let spoken_for =
            |it: &PolicyEntry| it.source.file == source.file && it.source.document == source.document;
        if !catalog.policies.values().any(spoken_for) {
            let mistakes = claim.document.document.as_ref().err().cloned().unwrap_or_default();
            let entry = PolicyEntry { mistakes, ..idle_entry(None, source) };
            catalog.policies.insert(entry.key.clone(), entry);
        }
    }
}

/// What could not be read: a problem each; and an entry for a file of which nothing is known.
fn add_unreadable(catalog: &mut Catalog, scan: &Scan, record: &Record) {
    for (path, why) in &scan.unreadable {
        let what = if path.is_empty() { "the policy folder" } else { path };
        catalog.problems.push(format!("cannot read {what}: {why}"));
        let file_name = path.rsplit('/').next().unwrap_or_default();
        let known = |it: &Good| it.deleted_at.is_none() && it.file == *path;
        if is_policy_name(file_name) && !record.documents.values().any(known) {
            let source = SourceRef { file: path.clone(), document: 0, sha256: String::new() };
            let entry = PolicyEntry { unreadable: Some(why.clone()), ..idle_entry(None, source) };
            catalog.policies.insert(entry.key.clone(), entry);
        }
    }
}

fn list_by_file(catalog: &mut Catalog) {
    let mut entries: Vec<_> = catalog.policies.values().collect();
    entries.sort_by_key(|it| it.source.document);
    let mut files: BTreeMap<String, Vec<PolicyKey>> = BTreeMap::new();
    for entry in entries {
        files.entry(entry.source.file.clone()).or_default().push(entry.key.clone());
    }
    catalog.files = files;
}

/// Documents that are gone stay recorded for a while: a name that comes back goes on where it was.
fn remember_deleted(record: &mut Record, before: &Record, now: Timestamp) {
    for (key, good) in &before.documents {
        let deleted_at = good.deleted_at.unwrap_or(now);
        if !record.documents.contains_key(key) && now.since(deleted_at) < KEEP_DELETED {
            let good = Good { deleted_at: Some(deleted_at), owns: None, ..good.clone() };
            record.documents.insert(key.clone(), good);
        }
    }
}

fn place(name: &str, source: &SourceRef) -> Place {
    Place { name: name.to_owned(), file: source.file.clone(), document: source.document }
}
