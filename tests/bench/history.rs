//! What history costs: a pass's share, the writer's speed, and the room that a sample takes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use docktor::api::Document;
use docktor::api::effective::Spec;
use docktor::api::read::read;
use docktor::decide::{Constraints, decide};
use docktor::history::{Archive, Entry, FILE, Recorder, Retention, entry, start};
use docktor::model::key::PolicyKey;
use docktor::model::memory::Memory;
use docktor::model::observation::{
    Health, Limits, Observation, Replica, ReplicaId, ReplicaPhase, Sample, Snapshot,
};
use docktor::telemetry::metrics::Metrics;
use docktor::units::Timestamp;
use tempfile::TempDir;

use crate::figure::{self, cost, micros};

const POLICY: &str = r#"
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {compose: {project: shop, service: web}}
  replicas: {min: 2, max: 10}
  scaleUp: {rules: [{metric: cpu.avg, op: ">", value: 75}]}
"#;
/// Evaluations that are written; a day of one policy on the usual interval.
const EVALUATIONS: i64 = 8_640;
/// Replicas of the workload, with five samples each.
const REPLICAS: u32 = 4;

pub fn measure() {
    let state = TempDir::new_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a folder");
    let metrics = Arc::new(Metrics::new("bench"));
    let (recorder, archive) = start(state.path(), Retention::default(), &metrics);
    let documents = read("web.yaml", POLICY.as_bytes());
    let Ok(Document::ScalingPolicy(policy)) = &documents[0].document else { panic!("{documents:?}") };
    let spec = Spec::effective(&policy.spec, None).expect("a spec");

    let samples = leave(&spec, 0).samples.len();
    let preparing = cost(2_000, || drop(leave(&spec, 1)));
    let decided = cost(2_000, || drop(decision(&spec, 1)));
    let sending = sending(&recorder, &spec);
    let say = |name: &str, value: &str| figure::print(&format!("history: {name}"), value, "");
    say("preparing an evaluation, on the pass", &micros(preparing.time.saturating_sub(decided.time)));
    say("handing it to the writer, on the pass", &micros(sending));

    let writing = write(&recorder, &spec);
    let values = EVALUATIONS as f64 * samples as f64;
    recorder.close();
    let bytes = std::fs::metadata(state.path().join(FILE)).expect("the file").len() as f64;
    say("evaluations written", &format!("{:.0} a second", EVALUATIONS as f64 / writing.as_secs_f64()));
    say("samples written, means included", &format!("{:.0} a second", values / writing.as_secs_f64()));
    say("room of a sample, its share of the means included", &format!("{:.1} bytes", bytes / values));
    read_back(&archive, &say);
}

/// The median time of one `record`, with room in the channel.
fn sending(recorder: &Recorder, spec: &Spec) -> Duration {
    let mut entries: Vec<_> = (0..500).map(|n| leave(spec, -n)).collect();
    let times = std::iter::from_fn(|| {
        let entry = entries.pop()?;
        let began = Instant::now();
        recorder.record(entry);
        Some(began.elapsed())
    });
    let median = figure::median(times.collect());
    recorder.flush();
    median
}

fn write(recorder: &Recorder, spec: &Spec) -> Duration {
    let entries: Vec<_> = (1..=EVALUATIONS).map(|n| leave(spec, n)).collect();
    let began = Instant::now();
    for part in entries.chunks(500) {
        part.iter().for_each(|it| recorder.record(it.clone()));
        recorder.flush();
    }
    began.elapsed()
}

fn read_back(archive: &Archive, say: &impl Fn(&str, &str)) {
    let began = Instant::now();
    let mut past = archive.past("web", Timestamp::from_millis(0)).expect("it can be read").expect("a past");
    let mut rows = 0;
    loop {
        let page = past.page().expect("it can be read");
        if page.is_empty() {
            break;
        }
        rows += page.iter().map(|it| it.line().len().min(1)).sum::<usize>();
    }
    let speed = rows as f64 / began.elapsed().as_secs_f64();
    say("rows read as a trace", &format!("{speed:.0} a second"));
}

fn leave(spec: &Spec, n: i64) -> Entry {
    let (snapshot, decision) = decision(spec, n);
    let samples = entry::samples(spec, &snapshot, &decision);
    Entry { policy: PolicyKey::new("web"), generation: 1, at: decision.at, samples, decision: None }
}

fn decision(spec: &Spec, n: i64) -> (Snapshot, docktor::model::decision::Decision) {
    let now = Timestamp::from_secs(1_795_000_000 + n * 10);
    let replicas = (1..=REPLICAS).map(|number| replica(number, now)).collect();
    let metrics = [("queue.backlog".to_owned(), Observation::Value(n as f64))].into();
    let snapshot = Snapshot { replicas, metrics, evaluation: true, ..Snapshot::default() };
    let decision = decide(spec, &mut Memory::default(), &snapshot, &Constraints::default(), now);
    (snapshot, decision)
}

fn replica(number: u32, now: Timestamp) -> Replica {
    let sample = |n: i64| Sample {
        at: Timestamp::from_millis(now.as_millis() - n * 2_000),
        cpu: Some(40.0 + n as f64 / 3.0),
        memory: Some(1e8 + n as f64),
        tasks: Some(7.0),
        ..Sample::default()
    };
    Replica {
        restarts: 0,
        id: ReplicaId::new(&format!("web-{number}")),
        name: format!("web-{number}"),
        number,
        phase: ReplicaPhase::Running,
        health: Health::NoCheck,
        created_at: None,
        started_at: None,
        change: None,
        outdated: false,
        samples: (0..5).map(sample).collect(),
        limits: Limits { cpus: Some(1.0), memory: Some(1e9), tasks: Some(100.0), ..Limits::default() },
    }
}
