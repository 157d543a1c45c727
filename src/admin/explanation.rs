//! The present decision of a policy with all that a person may ask about it. Kept beside the read model, so that a
//! pass that changes nothing tells watchers nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::API_VERSION;
use crate::api::status::{DecisionRecord, Phase};
use crate::decide::outlook::{Outlook, Present, outlook};
use crate::model::approval::Proposal;
use crate::model::decision::Why;

/// Why a policy has the replicas that it has, and what would change that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `PolicyExplanation`.
    pub kind: String,
    /// The policy's name.
    pub policy: String,
    /// How it fares.
    pub phase: Phase,
    /// What was observed.
    pub observed: Observed,
    /// What was decided last, be it that nothing changes.
    pub decision: DecisionRecord,
    /// What stands between it and another decision.
    pub outlook: Outlook,
    /// The change that waits for a person, in mode `Approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// The last decision that was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<DecisionRecord>,
}

/// What a decision was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Replicas that run, start or restart; absent where they cannot be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<u32>,
    /// Of these, the ones able to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
    /// Present values by full name; missing ones are left out.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

impl Explanation {
    /// The explanation of that decision. `last` is the last one that asked for a change; it is told where docktor
    /// has acted since, which it does not in mode `Observe`.
    #[must_use]
    pub fn of(policy: &str, phase: Phase, present: &Present<'_>, last: Option<DecisionRecord>) -> Self {
        let decision = present.decision;
        let metrics = decision.metrics.iter().map(|(name, value)| (name.to_string(), *value));
        let seen = !matches!(decision.why, Why::Unreadable(_));
        let acted = |it: &DecisionRecord| present.memory.last_action.is_some_and(|at| at >= it.time);
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "PolicyExplanation".to_owned(),
            policy: policy.to_owned(),
            phase,
            observed: Observed {
                current: seen.then_some(decision.current),
                ready: seen.then_some(decision.ready),
                metrics: metrics.collect(),
            },
            decision: decision.record(),
            outlook: outlook(present),
            proposal: present.memory.approvals.proposal.clone(),
            last_change: last.filter(acted),
        }
    }
}
