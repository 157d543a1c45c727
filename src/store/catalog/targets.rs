//! Who owns which scale target: a policy that has it on record keeps it; with no record, the first in order of
//! (path, document index) gets it.

use std::collections::BTreeMap;

use super::super::load::Content;
use super::super::record::Good;
use super::{Conflict, Contested, Place};
use crate::api::target::{SystemdManager, Target};

/// Gives each target of `policies` (name and record) one owner, marks it there, and names the conflicts of the
/// others, by name.
pub fn settle(
    policies: &mut BTreeMap<String, Good>,
    engines: &BTreeMap<String, String>,
) -> BTreeMap<String, Conflict> {
    let mut wanted: BTreeMap<String, Vec<Wish>> = BTreeMap::new();
    for (name, good) in policies.iter_mut() {
        let Some(target) = target(good) else {
            good.owns = None;
            continue;
        };
        let written = identity(&target, &BTreeMap::new());
        let wish = Wish {
            owns: good.owns.as_ref() == Some(&written),
            written,
            place: good.place(name),
            shown: target.to_string(),
        };
        wanted.entry(identity(&target, engines)).or_default().push(wish);
    }
    let mut conflicts = BTreeMap::new();
    for mut wishes in wanted.into_values() {
        wishes.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let mut wishes = wishes.into_iter();
        let Some(owner) = wishes.next() else { continue };
        if let Some(good) = policies.get_mut(&owner.place.name) {
            good.owns = Some(owner.written);
        }
        for Wish { place: rival, shown, .. } in wishes {
            if let Some(good) = policies.get_mut(&rival.name) {
                good.owns = None;
            }
            let conflict = Conflict { over: Contested::Target(shown), owner: owner.place.clone(), rival };
            conflicts.insert(conflict.rival.name.clone(), conflict);
        }
    }
    conflicts
}

/// A policy that wants a target.
struct Wish {
    owns: bool,
    written: String,
    place: Place,
    shown: String,
}

impl Wish {
    /// Owners first, then by place.
    fn rank(&self) -> (bool, &str, usize) {
        (!self.owns, &self.place.file, self.place.document)
    }
}

fn target(good: &Good) -> Option<Target> {
    match good.text.document()? {
        Content::ScalingPolicy(policy) => policy.spec.target.clone(),
        _ => None,
    }
}

/// Equal for two targets that are the same workload, as far as the ids of engines are known.
fn identity(target: &Target, engines: &BTreeMap<String, String>) -> String {
    let engine = |address: &Option<String>| {
        let address = address.as_deref().unwrap_or_default();
        engines.get(address).map_or_else(|| format!("at {address}"), Clone::clone)
    };
    match target {
        Target::Compose(it) => format!("compose {} {} {}", engine(&it.docker), it.project, it.service),
        Target::Swarm(it) => format!("swarm {} {}", engine(&it.docker), it.service),
        Target::Systemd(it) => {
            let manager = it.manager.unwrap_or(SystemdManager::System);
            format!("systemd {manager:?} {}", it.unit)
        }
    }
}
