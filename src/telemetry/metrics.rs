//! docktor's own Prometheus metrics: what records them, and their text form. The families that have a label
//! `policy` are in `policy_series`, those of the process in `process`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Histogram, HistogramOpts, HistogramVec, IntGauge, Opts, Registry, TextEncoder};

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
