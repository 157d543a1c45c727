//! Limits of each replica, with the range in which they may move.

use serde::{Deserialize, Serialize};

use super::Scene;

/// One limit; every value as people write it in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitOutlook {
    /// Which: `cpuQuota`, `memoryMax`.
    pub limit: String,
    /// What it is.
    pub present: String,
    /// What the decision makes of it.
    pub wanted: String,
    /// Smallest.
    pub min: String,
    /// Largest.
    pub max: String,
}

/// None where the policy moves no limits, or nothing runs that has any.
pub(super) fn outlook(scene: &Scene<'_>) -> Vec<LimitOutlook> {
    let (Some(sizing), Some(resize)) = (&scene.present.spec.sizing, &scene.present.decision.resize) else {
        return Vec::new();
    };
    let limits = sizing.limits.iter().filter_map(|it| {
        let written = |value| it.kind.written(value);
        Some(LimitOutlook {
            limit: it.kind.name().to_owned(),
            present: written(resize.from.get(it.kind)?),
            wanted: written(resize.to.get(it.kind)?),
            min: written(it.min),
            max: written(it.max),
        })
    });
    limits.collect()
}
