//! What docktor tells Prometheus, judged by Prometheus' own `promtool`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use docktor::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use docktor::api::policy::Mode;
use docktor::api::status::{Action, Phase, ReplicaCounts, SourceRef, Status};
use docktor::model::key::PolicyKey;
use docktor::model::observation::Limits;
use docktor::telemetry::metrics::{ActionResult, Metrics, PolicyInfo};
use docktor::units::Timestamp;

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed; it is in the package `prometheus`");
    let text = every_family().render();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\nof\n{text}", String::from_utf8_lossy(&said));
}

fn every_family() -> Metrics {
    let metrics = Metrics::new("1.2.3");
    for policy in ["web", "worker"].map(PolicyKey::new) {
        let info = PolicyInfo { target: "compose/shop/web".to_owned(), mode: Mode::Auto, held: true };
        metrics.set_policy(&policy, info, &status());
        let limits = Limits { cpus: Some(1.5), memory: Some(1e9), tasks: Some(100.0), ..Limits::default() };
        metrics.set_limits(&policy, limits);
        metrics.evaluated(&policy, Timestamp::from_secs(1_795_000_000));
        metrics.metric_failed(&policy, "nats");
        metrics.decided(&policy, Action::ScaleUp);
        metrics.acted(&policy, "compose", ActionResult::Success, Duration::from_secs(3));
        metrics.acted(&policy, "compose", ActionResult::Failure, Duration::from_secs(3));
    }
    metrics.reconcile_took(Duration::from_micros(700));
    metrics.observe_took("nats", Duration::from_millis(2));
    metrics.set_workqueue_depth(1);
    metrics.workqueue_waited(Duration::from_millis(1));
    metrics.set_policies_invalid(1);
    metrics.set_sampled_replicas(2);
    metrics.replica_read("cgroup", Duration::from_micros(40));
    metrics
}

fn status() -> Status {
    Status {
        limits: None,
        observed_generation: 1,
        source: SourceRef { file: "web.yaml".to_owned(), document: 0, sha256: String::new() },
        phase: Phase::Active,
        replicas: Some(ReplicaCounts { current: 2, ready: 1, desired: 4, min: 2, max: 10 }),
        metrics: BTreeMap::from([("cpu.avg".to_owned(), 89.3), ("queue.backlog".to_owned(), 620.0)]),
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
