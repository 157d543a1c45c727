//! What a policy asks for by its text and the values of its status file, where no controller explains it.
//! Windows, limits, cooldowns and holds are the controller's to know; nothing is said of them here.

use std::collections::BTreeMap;

use super::origin::Origin;
use crate::admin::story;
use crate::admin::view::PolicyView;
use crate::api::effective::Spec;
use crate::api::policy::Mode;
use crate::decide::outlook::{Barrier, Course, Outlook, Present, outlook};
use crate::decide::{Constraints, decide};
use crate::model::memory::Memory;
use crate::model::observation::{Observation, Snapshot};
use crate::units::Timestamp;

/// The lines that tell it; none where a controller was asked, or the text cannot be read.
#[must_use]
pub fn needs(origin: &Origin, view: &PolicyView, now: Timestamp) -> Vec<String> {
    let Origin::Folder(folder) = origin else { return Vec::new() };
    let Some(spec) = folder.spec(view).filter(|it| it.horizontal) else { return Vec::new() };
    let outlook = guess(Spec { mode: Mode::Auto, ..spec }, view, now);
    let name = &view.metadata.name;
    let count = story::many(outlook.count, "replica");
    let by = if view.status.replicas.is_some() { "its text and its status file" } else { "its text alone" };
    let known = format!("What {name} asks for at {count}, by {by}:");
    let head = [String::new(), known, String::new()];
    head.into_iter().chain(story::needs(name, &outlook, now)).collect()
}

/// The outlook of a controller that has just begun and sees what the status file tells.
fn guess(spec: Spec, view: &PolicyView, now: Timestamp) -> Outlook {
    let current = view.status.replicas.map_or(spec.bounds.min().max(1), |it| it.current);
    let metrics = view.status.metrics.iter();
    let metrics: BTreeMap<_, _> =
        metrics.map(|(name, value)| (name.clone(), Observation::Value(*value))).collect();
    let snapshot = Snapshot { current: Some(current), metrics, ..Snapshot::default() };
    let mut memory = Memory { first_seen: Some(now), scaled_to_zero: current == 0, ..Memory::default() };
    let constraints = Constraints::default();
    let decision = decide(&spec, &mut memory, &snapshot, &constraints, now);
    let present = Present {
        spec: &spec,
        memory: &memory,
        snapshot: &snapshot,
        constraints: &constraints,
        decision: &decision,
        next_evaluation: None,
    };
    let outlook = outlook(&present);
    let open = |mut it: Course| {
        it.barriers.retain(|barrier| *barrier == Barrier::NobodyAsks);
        Course { reach: outlook.count, ..it }
    };
    Outlook { grow: open(outlook.grow.clone()), shrink: open(outlook.shrink.clone()), ..outlook }
}
