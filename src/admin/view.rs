//! The read model that every screen shares: a policy with its status, in Kubernetes' form.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::API_VERSION;
use crate::api::behavior::Direction;
use crate::api::policy::{Mode, PolicySpec};
use crate::api::status::{DecisionRecord, Status};
use crate::history::StoredDecision;
pub use crate::model::approval::{Answer, Proposal, Verdict};
pub use crate::model::memory::{Hold, HoldDirection};
use crate::units::{Duration, Timestamp};

/// A policy as `docktorctl get policy NAME -o yaml` and the API show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `ScalingPolicy`.
    pub kind: String,
    /// Name, labels, generation, age.
    pub metadata: ViewMetadata,
    /// The spec as it was written; absent where it never could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<PolicySpec>,
    /// The spec with profile and defaults laid under it; what `describe` prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<PolicySpec>,
    /// How it fares.
    pub status: Status,
    /// The mode in force: the spec's, or the one that a person set while running.
    pub mode: Mode,
    /// A person's hold, while one is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The change that waits for a person, in mode `Approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// The change that a person has approved, and that is not begun yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Answer>,
    /// Metrics with their thresholds, in the order of the rules, for tables.
    #[serde(default)]
    pub signals: Vec<Signal>,
    /// The mistakes of the present text, rendered with file, line, column, path and snippet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
    /// The latest decisions that changed something or were kept from it, oldest first; bounded.
    #[serde(default)]
    pub decisions: Vec<DecisionRecord>,
}

/// Name, labels, generation, age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewMetadata {
    /// The policy's name.
    pub name: String,
    /// For selection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For people and other programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// docktor's own counter of spec changes.
    pub generation: u64,
    /// When docktor first saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
}

/// A metric of a rule with its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// The metric's full name.
    pub metric: String,
    /// Its present value; absent while missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it is compared with.
    pub threshold: f64,
}

impl Signal {
    /// The signals of a spec: metrics of its scaleUp rules and tracked ones, then those that only scaleDown asks for.
    #[must_use]
    pub fn of(spec: &PolicySpec, values: &BTreeMap<String, f64>) -> Vec<Self> {
        let rules = |direction: &Option<Direction>| {
            let rules = direction.as_ref().and_then(|it| it.rules.clone()).unwrap_or_default();
            rules.into_iter().filter_map(|rule| Some((rule.metric?, rule.value?)))
        };
        let tracked = spec.track.iter().flatten();
        let tracked = tracked.filter_map(|it| Some((it.metric.clone(), it.target.or(it.average_value)?)));

        let mut signals: Vec<Self> = Vec::new();
        for (metric, threshold) in rules(&spec.scale_up).chain(tracked) {
            signals.push(Self { value: values.get(&metric).copied(), metric, threshold });
        }
        for (metric, threshold) in rules(&spec.scale_down) {
            if !signals.iter().any(|it| it.metric == metric) {
                signals.push(Self { value: values.get(&metric).copied(), metric, threshold });
            }
        }
        signals
    }
}

/// What a person asks to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldRequest {
    /// For how long.
    #[serde(rename = "for")]
    pub hold_for: Duration,
    /// Which direction; both by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<HoldDirection>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a person says to a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerRequest {
    /// The proposal's id, as in `web-7f3k`.
    pub id: String,
    /// Yes or no.
    pub verdict: Verdict,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What `docktorctl mode` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModeRequest {
    /// The mode from now on.
    pub mode: Mode,
}

/// A decision of one policy, where decisions of several stand together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    /// The policy's name.
    pub policy: String,
    /// The decision itself.
    #[serde(flatten)]
    pub decision: DecisionRecord,
}

impl DecisionView {
    /// The decisions that a view shows, oldest first.
    pub fn of(view: &PolicyView) -> impl Iterator<Item = Self> + '_ {
        let policy = &view.metadata.name;
        view.decisions.iter().map(|it| Self { policy: policy.clone(), decision: it.clone() })
    }
}

impl From<StoredDecision> for DecisionView {
    fn from(stored: StoredDecision) -> Self {
        Self { policy: stored.policy, decision: stored.record }
    }
}

/// Several objects, in Kubernetes' form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `List`.
    pub kind: String,
    /// The objects.
    pub items: Vec<T>,
}

impl<T> List<T> {
    /// The list of `items`.
    #[must_use]
    pub fn of(items: Vec<T>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: "List".to_owned(), items }
    }
}

/// The word for an enum's variant, as it stands in JSON and YAML.
#[must_use]
pub fn word(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A change of one policy, as watchers are told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// What became of it.
    #[serde(rename = "type")]
    pub turn: Turn,
    /// How it is now; how it was last, where it is gone.
    pub object: Arc<PolicyView>,
}

/// What became of an object; Kubernetes' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Turn {
    /// The reader had not seen it.
    Added,
    /// It looks different.
    Modified,
    /// It is gone.
    Deleted,
}

/// A small view for tests.
#[cfg(test)]
pub(crate) fn sample(name: &str) -> PolicyView {
    serde_json::from_value(serde_json::json!({
        "apiVersion": API_VERSION, "kind": "ScalingPolicy", "mode": "Auto",
        "metadata": {"name": name, "generation": 1, "labels": {"tier": "front"}},
        "status": {
            "observedGeneration": 1, "phase": "Active", "conditions": [],
            "source": {"file": format!("{name}.yaml"), "document": 0, "sha256": ""},
        },
    }))
    .expect("the sample is a view")
}
