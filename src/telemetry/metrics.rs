//! docktor's own Prometheus metrics: what records them, and their text form. The families that have a label
//! `policy` are in `policy_series`, those of the process in `process`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntGauge, Opts, Registry, TextEncoder,
};

use super::policy_series::PolicySeries;
pub use super::policy_series::{ActionResult, PolicyInfo};
use super::process;
use crate::api::status::{Action, Status};
use crate::model::key::PolicyKey;
use crate::model::observation::Limits;
use crate::units::Timestamp;

/// From a pass without action (well below a millisecond) up to the longest that `act` may take, 5 s, and beyond.
const SECONDS: [f64; 11] = [0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From one replica's cgroup files (tens of microseconds) up to a slow engine.
const READ_SECONDS: [f64; 9] = [0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.001, 0.005, 0.02, 0.1, 1.0];

/// All metrics of this process, in a registry of its own.
pub struct Metrics {
    registry: Registry,
    policies: Mutex<PolicySeries>,
    reconcile_duration: Histogram,
    observe_duration: HistogramVec,
    act_duration: HistogramVec,
    workqueue_depth: IntGauge,
    workqueue_latency: Histogram,
    policies_invalid: IntGauge,
    sampled_replicas: IntGauge,
    replica_read_duration: HistogramVec,
    history_errors: IntCounter,
    history_dropped: IntCounter,
}

impl Metrics {
    /// All metrics at nothing, and `docktor_build_info` with this version.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let registry = Registry::new();
        let build_info =
            register(&registry, Gauge::with_opts(build_info_opts(version)).expect("valid family"));
        build_info.set(1.0);
        Self {
            policies: Mutex::default(),
            reconcile_duration: histogram(
                &registry,
                "docktor_reconcile_duration_seconds",
                "How long one pass over one policy took.",
            ),
            observe_duration: histograms(
                &registry,
                "docktor_observe_duration_seconds",
                "How long a pass waited for a metric source, by kind of source.",
                "source",
                &SECONDS,
            ),
            act_duration: histograms(
                &registry,
                "docktor_act_duration_seconds",
                "How long a change took from its start to its end, by kind of actuator.",
                "actuator",
                &[1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0],
            ),
            workqueue_depth: gauge(
                &registry,
                "docktor_workqueue_depth",
                "Policies that wait for a pass now.",
            ),
            workqueue_latency: histogram(
                &registry,
                "docktor_workqueue_latency_seconds",
                "How long policies waited for their pass after it was due.",
            ),
            policies_invalid: gauge(
                &registry,
                "docktor_policies_invalid",
                "Documents of the policy folder whose present text is wrong.",
            ),
            sampled_replicas: gauge(
                &registry,
                "docktor_sampled_replicas",
                "Replicas that are sampled in the background.",
            ),
            replica_read_duration: histograms(
                &registry,
                "docktor_replica_read_duration_seconds",
                "How long one reading of one replica took, by what it was read from.",
                "source",
                &READ_SECONDS,
            ),
            history_errors: counter(
                &registry,
                "docktor_history_errors_total",
                "Failures to write the history.",
            ),
            history_dropped: counter(
                &registry,
                "docktor_history_dropped_total",
                "Passes that the history lacks, because they could not be written in time.",
            ),
            registry,
        }
    }

    /// What the status of a policy now says, and what it is about.
    pub fn set_policy(&self, policy: &PolicyKey, info: PolicyInfo, status: &Status) {
        self.policies().entry(policy).set_status(info, status);
    }

    /// The limits of a policy's target as a whole (a systemd unit), where it has any.
    pub fn set_limits(&self, policy: &PolicyKey, limits: Limits) {
        self.policies().entry(policy).set_limits(limits);
    }

    /// A pass evaluated a policy at this moment.
    pub fn evaluated(&self, policy: &PolicyKey, at: Timestamp) {
        self.policies().entry(policy).evaluated(at);
    }

    /// A metric source of a policy could not be read.
    pub fn metric_failed(&self, policy: &PolicyKey, source: &'static str) {
        self.policies().entry(policy).metric_failed(source);
    }

    /// A pass decided.
    pub fn decided(&self, policy: &PolicyKey, action: Action) {
        self.policies().entry(policy).decided(action);
    }

    /// A change ended.
    pub fn acted(&self, policy: &PolicyKey, actuator: &'static str, result: ActionResult, took: Duration) {
        self.policies().entry(policy).acted(actuator, result);
        self.act_duration.with_label_values(&[actuator]).observe(took.as_secs_f64());
    }

    /// A policy is gone: so are its series.
    pub fn forget(&self, policy: &PolicyKey) {
        self.policies().forget(policy);
    }

    /// One pass over one policy took this long.
    pub fn reconcile_took(&self, took: Duration) {
        self.reconcile_duration.observe(took.as_secs_f64());
    }

    /// A metric source of this kind answered, or failed to, after this long.
    pub fn observe_took(&self, source: &'static str, took: Duration) {
        self.observe_duration.with_label_values(&[source]).observe(took.as_secs_f64());
    }

    /// So many policies wait for a pass now.
    pub fn set_workqueue_depth(&self, policies: usize) {
        self.workqueue_depth.set(count(policies));
    }

    /// A policy waited this long for its pass after it was due.
    pub fn workqueue_waited(&self, waited: Duration) {
        self.workqueue_latency.observe(waited.as_secs_f64());
    }

    /// So many documents of the folder are wrong now.
    pub fn set_policies_invalid(&self, documents: usize) {
        self.policies_invalid.set(count(documents));
    }

    /// So many replicas are sampled now.
    pub fn set_sampled_replicas(&self, replicas: usize) {
        self.sampled_replicas.set(count(replicas));
    }

    /// One reading of one replica took this long.
    pub fn replica_read(&self, source: &'static str, took: Duration) {
        self.replica_read_duration.with_label_values(&[source]).observe(took.as_secs_f64());
    }

    /// The history could not be written.
    pub fn history_failed(&self) {
        self.history_errors.inc();
    }

    /// So many passes are not in the history, as they could not be written in time.
    pub fn history_dropped(&self, passes: usize) {
        self.history_dropped.inc_by(u64::try_from(passes).unwrap_or(u64::MAX));
    }

    /// All of it in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut write = |family: MetricFamily| {
            // A family without a series has no line at all; the encoder would refuse it.
            if !family.get_metric().is_empty() {
                TextEncoder::new().encode_utf8(&[family], &mut text).expect("names and help are fixed");
            }
        };
        self.policies().families().for_each(&mut write);
        self.registry.gather().into_iter().for_each(&mut write);
        process::families().into_iter().for_each(&mut write);
        text
    }

    fn policies(&self) -> MutexGuard<'_, PolicySeries> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build_info_opts(version: &str) -> Opts {
    Opts::new("docktor_build_info", "What runs; always 1.").const_label("version", version)
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::new(name, help).expect("valid family"))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::new(name, help).expect("valid family"))
}

fn histogram(registry: &Registry, name: &str, help: &str) -> Histogram {
    let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    register(registry, Histogram::with_opts(opts).expect("valid family"))
}

fn histograms(registry: &Registry, name: &str, help: &str, label: &str, seconds: &[f64]) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(seconds.to_vec());
    register(registry, HistogramVec::new(opts, &[label]).expect("valid family"))
}

fn register<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, family: C) -> C {
    registry.register(Box::new(family.clone())).expect("each family is registered once");
    family
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
    use crate::api::policy::Mode;
    use crate::api::status::{Phase, ReplicaCounts, SourceRef};

    fn status(metrics: &[(&str, f64)]) -> Status {
        Status {
            limits: None,
            observed_generation: 1,
            source: SourceRef { file: "web.yaml".to_owned(), document: 0, sha256: String::new() },
            phase: Phase::Active,
            replicas: Some(ReplicaCounts { current: 2, ready: 1, desired: 4, min: 2, max: 10 }),
            metrics: metrics
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect::<BTreeMap<_, _>>(),
            conditions: vec![Condition {
                kind: ConditionType::Ready,
                status: ConditionStatus::True,
                reason: Reason::Reconciled,
                message: String::new(),
                last_transition_time: Timestamp::default(),
            }],
            last_decision: None,
            last_scale_time: None,
            next_allowed: None,
        }
    }

    fn info() -> PolicyInfo {
        PolicyInfo { target: "compose/shop/web".to_owned(), mode: Mode::Auto, held: false }
    }

    /// Every family, with a point in each.
    fn all() -> Metrics {
        let metrics = Metrics::new("1.2.3");
        let web = PolicyKey::new("web");
        metrics.set_policy(&web, info(), &status(&[("cpu.avg", 89.3), ("queue.backlog", 620.0)]));
        let limits = Limits { cpus: Some(1.5), memory: Some(1e9), tasks: Some(100.0), ..Limits::default() };
        metrics.set_limits(&web, limits);
        metrics.evaluated(&web, Timestamp::from_secs(1_795_000_000));
        metrics.metric_failed(&web, "nats");
        metrics.decided(&web, Action::ScaleUp);
        metrics.acted(&web, "compose", ActionResult::Success, Duration::from_secs(3));
        metrics.reconcile_took(Duration::from_micros(700));
        metrics.observe_took("nats", Duration::from_millis(2));
        metrics.set_workqueue_depth(1);
        metrics.workqueue_waited(Duration::from_millis(1));
        metrics.set_policies_invalid(1);
        metrics.set_sampled_replicas(2);
        metrics.replica_read("cgroup", Duration::from_micros(40));
        metrics
    }

    #[test]
    fn every_family_of_the_contract_is_there() {
        let text = all().render();
        for line in [
            r#"docktor_policy_info{policy="web",mode="Auto",phase="Active",target="compose/shop/web"} 1"#,
            r#"docktor_policy_replicas_current{policy="web"} 2"#,
            r#"docktor_policy_replicas_ready{policy="web"} 1"#,
            r#"docktor_policy_replicas_desired{policy="web"} 4"#,
            r#"docktor_policy_replicas_min{policy="web"} 2"#,
            r#"docktor_policy_replicas_max{policy="web"} 10"#,
            r#"docktor_policy_cpu_limit_cores{policy="web"} 1.5"#,
            r#"docktor_policy_memory_limit_bytes{policy="web"} 1000000000"#,
            r#"docktor_policy_tasks_limit{policy="web"} 100"#,
            r#"docktor_policy_metric_value{policy="web",metric="cpu.avg"} 89.3"#,
            r#"docktor_policy_condition{policy="web",type="Ready",status="true"} 1"#,
            r#"docktor_policy_condition{policy="web",type="Ready",status="false"} 0"#,
            r#"docktor_policy_held{policy="web"} 0"#,
            r#"docktor_policy_last_evaluation_timestamp_seconds{policy="web"} 1795000000"#,
            r#"docktor_metric_errors_total{policy="web",source="nats"} 1"#,
            r#"docktor_decisions_total{policy="web",action="ScaleUp"} 1"#,
            r#"docktor_actions_total{policy="web",actuator="compose",result="success"} 1"#,
            "docktor_reconcile_duration_seconds_count 1",
            r#"docktor_observe_duration_seconds_count{source="nats"} 1"#,
            r#"docktor_act_duration_seconds_count{actuator="compose"} 1"#,
            "docktor_workqueue_depth 1",
            "docktor_workqueue_latency_seconds_count 1",
            "docktor_policies_invalid 1",
            r#"docktor_build_info{version="1.2.3"} 1"#,
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_metric_is_absent_while_missing() {
        let metrics = all();
        metrics.set_policy(&PolicyKey::new("web"), info(), &status(&[("queue.backlog", 0.0)]));
        let text = metrics.render();
        assert!(!text.contains("cpu.avg"), "{text}");
        assert!(text.contains(r#"docktor_policy_metric_value{policy="web",metric="queue.backlog"} 0"#));
    }

    #[test]
    fn a_deleted_policys_series_go_with_it_and_the_others_stay() {
        let metrics = all();
        metrics.decided(&PolicyKey::new("webhook"), Action::None);
        metrics.forget(&PolicyKey::new("web"));
        let text = metrics.render();
        assert!(!text.contains(r#"policy="web""#), "{text}");
        assert!(text.contains(r#"policy="webhook""#), "{text}");
    }

    #[test]
    fn the_reference_page_names_every_family_with_its_type() {
        let page = include_str!("../../docs/metrics.md");
        for line in all().render().lines() {
            let Some(rest) = line.strip_prefix("# TYPE ") else { continue };
            let (name, kind) = rest.split_once(' ').unwrap();
            let row = format!("| `{name}` | {kind} |");
            assert!(page.contains(&row), "docs/metrics.md lacks the row {row}");
        }
    }

    #[test]
    fn a_name_that_needs_escaping_makes_no_second_line() {
        let metrics = Metrics::new("1.2.3");
        metrics.decided(&PolicyKey::new("a\"b\\c\nd"), Action::None);
        assert!(metrics.render().contains(r#"policy="a\"b\\c\nd""#));
    }
}
