//! What one pass costs that changes nothing: the real reconcile, with its files, over a workload in memory.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use docktor::actuators::Actuator;
use docktor::admin::Admin;
use docktor::clock::Clock;
use docktor::controller::forecast::Forecasts;
use docktor::controller::reconcile::Parts;
use docktor::controller::state::Policy;
use docktor::history::Recorder;
use docktor::model::key::PolicyKey;
use docktor::store::Store;
use docktor::store::memory::MemoryStore;
use docktor::store::sidecar::Sidecars;
use docktor::telemetry::event::Events;
use docktor::telemetry::metrics::Metrics;
use docktor::testing::World;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::allocations;
use crate::figure::{self, median, micros};

const INTERVAL: Duration = Duration::from_secs(10);
/// Passes before any is measured: the window of scaleDown is full then.
const WARM_UP: usize = 60;
const RUNS: usize = 600;

const POLICY: &str = r#"
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {compose: {project: shop, service: web}}
  replicas: {min: 2, max: 10}
  scaleUp: {rules: [{metric: cpu.avg, op: ">", value: 75}], consecutive: 3, step: "+2", cooldown: 60s}
  scaleDown: {rules: [{metric: cpu.avg, op: "<", value: 20}], consecutive: 10, step: "-1"}
"#;

/// What passes cost and leave behind.
struct Passes {
    time: Duration,
    allocations: u64,
    memory: Writes,
    sidecar: Writes,
}

/// How often a file was replaced.
struct Writes {
    file: PathBuf,
    inode: Option<u64>,
    count: u32,
    bytes: u64,
}

pub fn measure() {
    let on_disk = run(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let in_memory = run(Path::new("/dev/shm"));
    let say = |name: &str, value: &str| figure::print(&format!("pass without action: {name}"), value, "");
    say("state on a disk", &micros(on_disk.time));
    say("state in /dev/shm", &micros(in_memory.time));
    say("allocations", &on_disk.allocations.to_string());
    say("durable writes (two fsyncs each)", &format!("{:.2} a pass", on_disk.memory.per_pass()));
    say("bytes of a durable write", &on_disk.memory.bytes.to_string());
    say("sidecar writes (no fsync)", &format!("{:.2} a pass", on_disk.sidecar.per_pass()));
}

fn run(below: &Path) -> Passes {
    let folders = TempDir::new_in(below).expect("a folder");
    std::fs::create_dir(folders.path().join("policies")).expect("a folder");
    std::fs::write(folders.path().join("policies/web.yaml"), POLICY).expect("a file");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(passes(folders.path()))
}

async fn passes(folders: &Path) -> Passes {
    let clock = Clock::starting_at("2026-11-22T06:00:00Z".parse().expect("a time"));
    let world = World::new(clock, 2);
    let (policies, state) = (folders.join("policies"), folders.join("state"));
    let store = Store::open(&policies, &state, clock.now()).expect("a store");
    let parts = parts(&policies, &state, clock, &world, &store);
    let entry = store.get(&PolicyKey::new("web")).expect("the policy").clone();
    let mut policy = Policy::load(entry, &parts);

    let mut memory = Writes::of(state.join("memory/web.json"));
    let mut sidecar = Writes::of(policies.join("web.status.yaml"));
    let (mut times, mut counts) = (Vec::new(), Vec::new());
    for n in 0..WARM_UP + RUNS {
        // Another value each time, and never one that a rule is about.
        world.set_load(Some(80.0 + (n % 10) as f64));
        tokio::time::advance(INTERVAL).await;
        let (began, before) = (Instant::now(), allocations::so_far());
        parts.reconcile(&mut policy).await;
        if n >= WARM_UP {
            times.push(began.elapsed());
            counts.push(allocations::so_far() - before);
            memory.look();
            sidecar.look();
        }
    }
    assert_eq!(world.log(), Vec::<String>::new(), "the benchmark means to change nothing");
    Passes { time: median(times), allocations: median(counts), memory, sidecar }
}

fn parts(policies: &Path, state: &Path, clock: Clock, world: &Arc<World>, store: &Store) -> Parts {
    let metrics = Arc::new(Metrics::new("bench"));
    let (admin, _orders) = Admin::new();
    let (wakes, _waking) = mpsc::channel(1);
    let target = Arc::clone(world);
    Parts {
        clock,
        actuators: Box::new(move |_| Ok(Arc::clone(&target) as Arc<dyn Actuator>)),
        usage: Arc::clone(world) as _,
        memories: Arc::new(MemoryStore::open(state).expect("a state folder")),
        sidecars: Arc::new(Sidecars::new(policies, None, state)),
        stop: store.stop_file().clone(),
        history: Recorder::off(),
        admin,
        events: Arc::new(Events::new(clock, Arc::clone(&metrics))),
        metrics,
        wakes,
        growth: Arc::new(tokio::sync::Semaphore::new(8)),
        forecasts: Forecasts::default(),
        changes: AtomicU64::new(0),
    }
}

impl Writes {
    fn of(file: PathBuf) -> Self {
        Self { file, inode: None, count: 0, bytes: 0 }
    }

    /// A file that is replaced has another inode than the one before.
    fn look(&mut self) {
        let metadata = std::fs::metadata(&self.file).expect("the first pass has written it");
        let inode = Some(metadata.ino());
        if self.inode.is_some() && self.inode != inode {
            self.count += 1;
        }
        self.inode = inode;
        self.bytes = metadata.len();
    }

    fn per_pass(&self) -> f64 {
        f64::from(self.count) / (RUNS - 1) as f64
    }
}
