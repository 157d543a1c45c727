//! What the systems before docktor decide, put to it through the simulation: real policies, real traces, and the
//! count that the Kubernetes HPA, KEDA or the Nomad Autoscaler would come to.

mod activation;
mod behavior;
mod cron;
mod hpa_behavior;
mod hpa_calculator;
mod keda;
mod nomad;
mod rules;
mod schedules;
mod sizing;
mod tracking;

use docktor::api::Document;
use docktor::api::condition::Reason;
use docktor::api::effective::{Spec, built_in};
use docktor::api::read::read;
use docktor::model::decision::{Decision, Limitation};
use docktor::simulation::replay::{Replay, Simulated};
use docktor::simulation::trace::{Reader, Row};

/// Grows as fast as it likes and shrinks at once.
const FREE: &str = "
  scaleUp: {limits: [{replicas: 2147483647, period: 1s}]}
  scaleDown: {stabilizationWindow: 0s}
";
/// A queue and a latency that a trace gives.
const SOURCES: &str = "
  metrics:
    queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}
    latency: {prometheus: {url: 'http://h:9090', query: q}}
";

/// A scale target that has replicas.
const WEB: &str = "compose: {project: shop, service: web}";

/// What a policy of this target, whose other `spec` is this, makes of each row of a trace.
fn replayed<T>(target: &str, spec: &str, trace: &str, told: impl Fn(&Row, &Decision) -> T) -> Vec<T> {
    let text = format!(
        "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {{name: web}}\nspec:\n  \
         target: {{{target}}}\n{spec}"
    );
    let mut documents = read("web.yaml", text.as_bytes());
    let document = documents.pop().expect("there is a document").document;
    let Ok(Document::ScalingPolicy(policy)) = document else { panic!("{text}\n{document:?}") };
    let profile = policy.spec.profile.as_deref().and_then(built_in);
    let mut replay = Replay::new(Spec::effective(&policy.spec, profile.as_ref()).unwrap());
    let mut reader = Reader::new();
    let rows = trace.lines().filter_map(|line| reader.row(line).unwrap());
    rows.map(|row| told(&row, &replay.decide(&row))).collect()
}

/// The decisions, row by row, as `simulate` shows them.
fn decisions(spec: &str, trace: &str) -> Vec<Simulated> {
    decisions_of(WEB, spec, trace)
}

/// The same of another target.
fn decisions_of(target: &str, spec: &str, trace: &str) -> Vec<Simulated> {
    replayed(target, spec, trace, Simulated::new)
}

/// The counts that are decided, and what `ScalingLimited` says of each.
fn outcomes(spec: &str, trace: &str) -> Vec<(u32, Reason)> {
    let reason = |it: &Decision| it.limited_by.and_then(Limitation::reason);
    replayed(WEB, spec, trace, |_, it| (it.desired, reason(it).unwrap_or(Reason::DesiredWithinRange)))
}

/// The counts that are decided, row by row.
fn desired(spec: &str, trace: &str) -> Vec<u32> {
    decisions(spec, trace).iter().map(|it| it.desired).collect()
}

/// The count that the last row decides.
fn last(spec: &str, trace: &str) -> u32 {
    *desired(spec, trace).last().expect("a trace has a row")
}
