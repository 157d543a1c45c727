//! A controller over a world in memory and a folder on disk, which can be killed and started again.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use docktor::actuators::Actuator;
use docktor::admin::Admin;
use docktor::admin::order::{AdminError, Order};
use docktor::admin::story::story;
use docktor::admin::view::{AnswerRequest, HoldRequest, PolicyView, Verdict};
use docktor::api::condition::{Condition, ConditionType};
use docktor::api::policy::Mode;
use docktor::api::status::Status;
use docktor::clock::Clock;
use docktor::controller::forecast::{Forecasts, NoPast, Past};
use docktor::controller::reconcile::Parts;
use docktor::controller::{Controller, Wake};
use docktor::history::{self, Archive, Recorder, Retention};
use docktor::model::key::PolicyKey;
use docktor::store::Store;
use docktor::store::memory::MemoryStore;
use docktor::store::sidecar::Sidecars;
use docktor::store::watch::Watcher;
use docktor::telemetry::event::{EventRecord, Events};
use docktor::telemetry::metrics::Metrics;
use docktor::testing::World;
use docktor::units::Duration;
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A policy that grows above 75 % of a core and shrinks below 20 %.
pub const POLICY: &str = r#"
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {compose: {project: shop, service: web}}
  mode: Auto
  interval: 5s
  window: 5s
  replicas: {min: 2, max: 10}
  warmUp: 5s
  scaleUp:
    rules: [{metric: cpu.avg, op: ">", value: 75}]
    consecutive: 2
    step: "+2"
    cooldown: 20s
  scaleDown:
    rules: [{metric: cpu.avg, op: "<", value: 20}]
    consecutive: 3
    step: "-1"
    stabilizationWindow: 30s
  safety: {verify: 10s, maxFailures: 3, retryAfter: 10m}
"#;

/// A controller that runs.
pub struct Loop {
    folders: TempDir,
    clock: Clock,
    /// The workload.
    pub world: Arc<World>,
    admin: Admin,
    events: Arc<Events>,
    history: Recorder,
    controller: JoinHandle<()>,
    wakes: mpsc::Sender<Wake>,
    past: Arc<dyn Past>,
    story: Vec<String>,
}

impl Loop {
    /// A controller over `replicas` replicas and one policy.
    pub async fn start(replicas: u32, policy: &str) -> Self {
        Self::start_with(replicas, policy, Arc::new(NoPast)).await
    }

    /// The same, where the time before is known.
    pub async fn start_with(replicas: u32, policy: &str, past: Arc<dyn Past>) -> Self {
        Self::start_prepared(replicas, policy, past, |_| {}).await
    }

    /// The same over a workload that is prepared before anybody looks at it.
    pub async fn start_prepared(
        replicas: u32,
        policy: &str,
        past: Arc<dyn Past>,
        prepare: impl FnOnce(&World),
    ) -> Self {
        let clock = Clock::starting_at("2026-11-22T06:00:00Z".parse().expect("a time"));
        let folders = TempDir::new().expect("a folder");
        std::fs::create_dir(folders.path().join("policies")).expect("a folder");
        let world = World::new(clock, replicas);
        prepare(&world);
        let Begun { admin, events, history, controller, wakes } = begin(&folders, clock, &world, &past);
        let run = Self {
            folders,
            clock,
            world,
            admin,
            events,
            history,
            controller,
            wakes,
            past,
            story: Vec::new(),
        };
        run.write("web.yaml", policy);
        let mut run = run;
        run.kill_and_start_again().await;
        run
    }

    /// Lets `time` pass, and keeps a line of it every few seconds.
    pub async fn pass(&mut self, time: Duration) {
        let end = self.clock.now().plus(time);
        while self.clock.now() < end {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            let line = self.views().first().map_or_else(String::new, |it| {
                let status = &it.status;
                format!(
                    "{:?} {:?} {:?}",
                    status.phase,
                    status.replicas,
                    status.last_decision.as_ref().map(|it| &it.reason)
                )
            });
            self.story.push(format!("{} runs {} {line}", self.clock.now(), self.world.running()));
        }
    }

    /// Lets a moment pass, short against any interval.
    pub async fn moment(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    /// What happened, for the message of a test that fails.
    pub fn story(&self) -> String {
        format!("{}\n{}\n{:#?}", self.story.join("\n"), self.world.log().join(", "), self.views())
    }

    /// Ends the controller as a `kill -9` would, and starts another on the same folders.
    pub async fn kill_and_start_again(&mut self) {
        self.kill_and_start_again_after(Duration::ZERO).await;
    }

    /// The same with nothing in control meanwhile.
    pub async fn kill_and_start_again_after(&mut self, down: Duration) {
        self.controller.abort();
        let _ = (&mut self.controller).await;
        tokio::time::sleep(down.get()).await;
        let begun = begin(&self.folders, self.clock, &self.world, &self.past);
        (self.admin, self.events, self.history, self.controller) =
            (begun.admin, begun.events, begun.history, begun.controller);
        self.wakes = begun.wakes;
        self.pass(Duration::from_secs(5)).await;
    }

    /// The present decision as `docktorctl explain` tells it.
    pub fn explained(&self) -> String {
        let explanation = self.admin.explanation(&web()).expect("something is decided");
        story(&explanation, self.clock.now()).join("\n")
    }

    pub fn is_explained(&self) -> bool {
        self.admin.explanation(&web()).is_some()
    }

    pub fn views(&self) -> Vec<Arc<PolicyView>> {
        self.admin.policies()
    }

    /// What was stored so far.
    pub fn archive(&self) -> Archive {
        self.history.flush();
        self.admin.archive().clone()
    }

    pub fn state(&self) -> std::path::PathBuf {
        self.folders.path().join("state")
    }

    pub fn status(&self) -> Status {
        self.admin.policy(&web()).expect("the policy is shown").status.clone()
    }

    pub fn condition(&self, kind: ConditionType) -> Condition {
        let conditions = self.status().conditions;
        conditions
            .iter()
            .find(|it| it.kind == kind)
            .cloned()
            .unwrap_or_else(|| panic!("{kind:?}: {conditions:?}"))
    }

    /// What this controller told, oldest first.
    pub fn events(&self) -> Vec<EventRecord> {
        self.events.recent()
    }

    /// The kernel says that replicas are under pressure.
    pub async fn press(&self) {
        self.wakes.send(Wake::Pressure(web())).await.expect("a controller");
    }

    pub async fn hold(&self, hold_for: Duration) {
        let request = HoldRequest { hold_for, direction: None, reason: None };
        self.admin.order(Order::Hold { key: web(), request, by: "test".to_owned() }).await.expect("held");
    }

    pub async fn answer(&self, id: &str, verdict: Verdict) -> Result<(), AdminError> {
        let request = AnswerRequest { id: id.to_owned(), verdict, reason: None };
        self.admin.order(Order::Answer { key: web(), request, by: "test".to_owned() }).await
    }

    pub async fn resume(&self) {
        self.admin.order(Order::Resume { key: web(), by: "test".to_owned() }).await.expect("resumed");
    }

    pub async fn set_mode(&self, mode: Mode) {
        self.admin.order(Order::SetMode { key: web(), mode, by: "test".to_owned() }).await.expect("set");
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("a file");
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).expect("a file")
    }

    pub fn exists(&self, file: &str) -> bool {
        self.path(file).exists()
    }

    pub fn remove(&self, file: &str) {
        std::fs::remove_file(self.path(file)).expect("a file");
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folders.path().join("policies").join(file)
    }
}

fn web() -> PolicyKey {
    PolicyKey::new("web")
}

/// What runs, and its ends.
struct Begun {
    admin: Admin,
    events: Arc<Events>,
    history: Recorder,
    controller: JoinHandle<()>,
    wakes: mpsc::Sender<Wake>,
}

fn begin(folders: &TempDir, clock: Clock, world: &Arc<World>, past: &Arc<dyn Past>) -> Begun {
    let (policies, state) = (folders.path().join("policies"), folders.path().join("state"));
    let metrics = Arc::new(Metrics::new("test"));
    let memories = MemoryStore::open(&state).expect("a state folder");
    let store = Store::open(&policies, &state, clock.now()).expect("a store");
    let (history, archive) = history::start(&state, Retention::default(), &metrics);
    let (admin, orders) = Admin::with_history(archive);
    let (wakes, waking) = mpsc::channel(64);
    let events = Arc::new(Events::new(clock, Arc::clone(&metrics)));
    let target = Arc::clone(world);
    let parts = Parts {
        clock,
        actuators: Box::new(move |_| Ok(Arc::clone(&target) as Arc<dyn Actuator>)),
        usage: Arc::clone(world) as _,
        memories: Arc::new(memories),
        sidecars: Arc::new(Sidecars::new(&policies, None, &state)),
        stop: store.stop_file().clone(),
        history: history.clone(),
        admin: admin.clone(),
        events: Arc::clone(&events),
        metrics,
        growth: Arc::new(Semaphore::new(8)),
        wakes: wakes.clone(),
        forecasts: Forecasts::new(Arc::clone(past)),
        changes: AtomicU64::new(0),
    };
    let watcher = Watcher::new(Some(Duration::from_secs(2)));
    let controller = Controller::new(Arc::new(parts), store, watcher, waking, orders);
    let controller = tokio::spawn(controller.run(CancellationToken::new()));
    Begun { admin, events, history, controller, wakes }
}
