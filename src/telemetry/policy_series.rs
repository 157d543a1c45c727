//! The metric families that have a label `policy`.
//!
//! Kept as one small record a policy and turned into families when asked, rather than as one object a series: a
//! forgotten policy cannot leave a series behind, and a thousand policies cost little.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use serde::Serialize;

use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::policy::Mode;
use crate::api::status::{Action, Phase, ReplicaCounts, Status};
use crate::model::key::PolicyKey;
use crate::model::observation::Limits;
use crate::units::Timestamp;

/// What a policy is about: the labels of `docktor_policy_info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInfo {
    /// The target as the policy names it, such as `compose/shop/web`.
    pub target: String,
    /// The mode in force.
    pub mode: Mode,
    /// Is it held by a person now?
    pub held: bool,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionResult {
    /// Done and verified.
    Success,
    /// Failed, or rolled back.
    Failure,
}

/// What is told of every policy.
#[derive(Default)]
pub(super) struct PolicySeries(BTreeMap<PolicyKey, Series>);

/// What is told of one policy.
#[derive(Default)]
pub(super) struct Series {
    info: Option<(PolicyInfo, Phase)>,
    replicas: Option<ReplicaCounts>,
    limits: Limits,
    values: BTreeMap<String, f64>,
    conditions: Vec<(ConditionType, ConditionStatus)>,
    last_evaluation: Option<Timestamp>,
    metric_errors: BTreeMap<&'static str, u64>,
    decisions: BTreeMap<Action, u64>,
    actions: BTreeMap<(&'static str, ActionResult), u64>,
}

/// Further labels of a point, and its value.
type Point = (Vec<(&'static str, String)>, f64);

/// One family: its name, type and help, and the points that one policy has in it.
struct Family {
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    points: fn(&Series) -> Vec<Point>,
}

/// Every family with a label `policy`.
const FAMILIES: [Family; 16] = [
    Family {
        name: "docktor_policy_info",
        kind: MetricType::GAUGE,
        help: "What a policy is about, and its phase; always 1.",
        points: Series::info,
    },
    Family {
        name: "docktor_policy_replicas_current",
        kind: MetricType::GAUGE,
        help: "Replicas that run, start or restart.",
        points: |it| it.count(|replicas| replicas.current),
    },
    Family {
        name: "docktor_policy_replicas_ready",
        kind: MetricType::GAUGE,
        help: "Replicas that are able to work.",
        points: |it| it.count(|replicas| replicas.ready),
    },
    Family {
        name: "docktor_policy_replicas_desired",
        kind: MetricType::GAUGE,
        help: "Replicas that docktor wants.",
        points: |it| it.count(|replicas| replicas.desired),
    },
    Family {
        name: "docktor_policy_replicas_min",
        kind: MetricType::GAUGE,
        help: "Fewest replicas, as schedules now have it.",
        points: |it| it.count(|replicas| replicas.min),
    },
    Family {
        name: "docktor_policy_replicas_max",
        kind: MetricType::GAUGE,
        help: "Most replicas, as schedules now have it.",
        points: |it| it.count(|replicas| replicas.max),
    },
    Family {
        name: "docktor_policy_cpu_limit_cores",
        kind: MetricType::GAUGE,
        help: "CPU limit of the target; absent where it has none.",
        points: |it| only(it.limits.cpus),
    },
    Family {
        name: "docktor_policy_memory_limit_bytes",
        kind: MetricType::GAUGE,
        help: "Memory limit of the target; absent where it has none.",
        points: |it| only(it.limits.memory),
    },
    Family {
        name: "docktor_policy_tasks_limit",
        kind: MetricType::GAUGE,
        help: "Most processes and threads of the target; absent where it has no such limit.",
        points: |it| only(it.limits.tasks),
    },
    Family {
        name: "docktor_policy_metric_value",
        kind: MetricType::GAUGE,
        help: "Present value of a metric; absent while missing.",
        points: |it| {
            it.values.iter().map(|(metric, value)| (vec![("metric", metric.clone())], *value)).collect()
        },
    },
    Family {
        name: "docktor_policy_condition",
        kind: MetricType::GAUGE,
        help: "1 for the status that a condition has, 0 for the others.",
        points: Series::conditions,
    },
    Family {
        name: "docktor_policy_held",
        kind: MetricType::GAUGE,
        help: "1 while a person holds the policy.",
        points: |it| only(it.info.as_ref().map(|(info, _)| f64::from(u8::from(info.held)))),
    },
    Family {
        name: "docktor_policy_last_evaluation_timestamp_seconds",
        kind: MetricType::GAUGE,
        help: "When a pass last evaluated the policy.",
        points: |it| only(it.last_evaluation.map(|at| at.as_millis() as f64 / 1_000.0)),
    },
    Family {
        name: "docktor_metric_errors_total",
        kind: MetricType::COUNTER,
        help: "Times that a metric source could not be read, by kind of source.",
        points: |it| {
            it.metric_errors
                .iter()
                .map(|(source, times)| (vec![("source", (*source).to_owned())], *times as f64))
                .collect()
        },
    },
    Family {
        name: "docktor_decisions_total",
        kind: MetricType::COUNTER,
        help: "Decisions, by what they did.",
        points: |it| {
            it.decisions
                .iter()
                .map(|(action, times)| (vec![("action", word(action))], *times as f64))
                .collect()
        },
    },
    Family {
        name: "docktor_actions_total",
        kind: MetricType::COUNTER,
        help: "Changes that ended, by kind of actuator and result.",
        points: |it| {
            it.actions
                .iter()
                .map(|((actuator, result), times)| {
                    (vec![("actuator", (*actuator).to_owned()), ("result", word(result))], *times as f64)
                })
                .collect()
        },
    },
];

impl PolicySeries {
    /// What is told of a policy; decisions begin at 0, so that the first one counts in a rate.
    pub(super) fn entry(&mut self, policy: &PolicyKey) -> &mut Series {
        self.0.entry(policy.clone()).or_insert_with(|| Series {
            decisions: [Action::None, Action::ScaleUp, Action::ScaleDown].map(|action| (action, 0)).into(),
            ..Series::default()
        })
    }

    pub(super) fn forget(&mut self, policy: &PolicyKey) {
        self.0.remove(policy);
    }

    /// One family after the other, so that only one is in memory at a time.
    pub(super) fn families(&self) -> impl Iterator<Item = MetricFamily> + '_ {
        FAMILIES.iter().map(|family| family.of(&self.0))
    }
}

impl Series {
    pub(super) fn set_status(&mut self, info: PolicyInfo, status: &Status) {
        self.info = Some((info, status.phase));
        self.replicas = status.replicas;
        self.values.clone_from(&status.metrics);
        self.conditions = status.conditions.iter().map(|it| (it.kind, it.status)).collect();
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn evaluated(&mut self, at: Timestamp) {
        self.last_evaluation = Some(at);
    }

    pub(super) fn metric_failed(&mut self, source: &'static str) {
        *self.metric_errors.entry(source).or_default() += 1;
    }

    pub(super) fn decided(&mut self, action: Action) {
        *self.decisions.entry(action).or_default() += 1;
    }

    pub(super) fn acted(&mut self, actuator: &'static str, result: ActionResult) {
        *self.actions.entry((actuator, result)).or_default() += 1;
    }

    fn info(&self) -> Vec<Point> {
        let Some((info, phase)) = &self.info else { return vec![] };
        vec![(vec![("mode", word(&info.mode)), ("phase", word(phase)), ("target", info.target.clone())], 1.0)]
    }

    fn count(&self, of: fn(&ReplicaCounts) -> u32) -> Vec<Point> {
        only(self.replicas.as_ref().map(|replicas| f64::from(of(replicas))))
    }

    fn conditions(&self) -> Vec<Point> {
        let statuses = [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown];
        let points = self.conditions.iter().flat_map(|(kind, now)| {
            statuses.map(|status| {
                let labels = vec![("type", word(kind)), ("status", word(&status).to_lowercase())];
                (labels, f64::from(u8::from(status == *now)))
            })
        });
        points.collect()
    }
}

impl Family {
    fn of(&self, policies: &BTreeMap<PolicyKey, Series>) -> MetricFamily {
        let metrics = policies.iter().flat_map(|(policy, series)| {
            (self.points)(series).into_iter().map(|point| self.metric(policy, point))
        });
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(metrics.collect());
        family
    }

    fn metric(&self, policy: &PolicyKey, (labels, value): Point) -> Metric {
        let policy = std::iter::once(("policy", policy.as_str().to_owned()));
        let mut metric = Metric::from_label(policy.chain(labels).map(pair).collect());
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    }
}

fn pair((name, value): (&str, String)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value);
    pair
}

/// The one point of a family without further labels, or none.
fn only(value: Option<f64>) -> Vec<Point> {
    value.map(|value| (vec![], value)).into_iter().collect()
}

/// The word for an enum's value, the same as in YAML.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("a label is a word, not {other:?}"),
    }
}
