//! The way to rest and from it: how long there has been no work, and what would be some.

use serde::{Deserialize, Serialize};

use super::super::activate::{Activity, Resting};
use super::super::draft::activity;
use super::Scene;
use crate::units::{Duration, Timestamp};

/// How a workload that may rest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rest {
    /// How many replicas it has at rest.
    pub replicas: u32,
    /// It is at rest.
    pub at_rest: bool,
    /// Is there work? Absent where nobody can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<bool>,
    /// For how long there has been none.
    pub idle_for: Duration,
    /// Without work for this long, it goes to rest.
    pub after: Duration,
    /// When that is, if no work comes.
    pub rests_at: Timestamp,
    /// It then rests by itself; else once scaleDown rules ask for it.
    pub by_itself: bool,
}

pub(super) fn outlook(scene: &Scene<'_>) -> Option<Rest> {
    let spec = scene.present.spec;
    let memory = scene.present.memory;
    let idle = spec.idle?;
    let at_rest = scene.count <= idle.replicas;
    let (activity, resting) = activity(spec, &scene.readings, &scene.found, at_rest);
    let first_seen = memory.first_seen.unwrap_or(scene.now);
    let (start, after) = match (activity, memory.last_active) {
        (Activity::Active, _) => (scene.now, idle.after),
        (_, Some(last)) => (last, idle.after),
        (_, None) => (first_seen, idle.initially_after),
    };
    Some(Rest {
        replicas: idle.replicas,
        at_rest,
        work: match activity {
            Activity::Active => Some(true),
            Activity::Inactive => Some(false),
            Activity::Unknown => None,
        },
        idle_for: scene.now.since(start),
        after,
        rests_at: start.plus(after),
        by_itself: resting == Resting::AtOnce,
    })
}
