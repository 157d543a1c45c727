//! Limits of each replica, with the range in which they may move.

use serde::{Deserialize, Serialize};

use super::Scene;

/// One limit; every value as people write it in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitOutlook {
    /// Which: `cpuQuota`, `memoryMax`.
    pub limit: String,
    /// What it is; `none` where there is no limit.
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
    let (before, after) = (resize.before(), resize.after());
    let limits = sizing.limits.iter().filter_map(|it| {
        let written = |value| it.kind.written(value);
        resize.from.get(it.kind)?;
        Some(LimitOutlook {
            limit: it.kind.name().to_owned(),
            present: it.kind.written_or_none(before.get(it.kind)),
            wanted: it.kind.written_or_none(after.get(it.kind)),
            min: written(it.min),
            max: written(it.max),
        })
    });
    limits.collect()
}
