//! In-memory ends for simulations of the loop: a workload whose replicas take time to start, share a load,
//! fail on demand, and are changed by other hands. Real components have tests of their own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::actuators::{Actuator, ActuatorError, Afterwards, NewLimit, Observed, Obstacle, Resizing};
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::clock::Clock;
use crate::controller::observe::Usage;
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;
use crate::model::observation::{Health, HostCapacity, Limits, Replica, ReplicaId, ReplicaPhase, Sample};
use crate::sources::pressure::Trigger;
use crate::units::{Duration, Timestamp};

/// A workload in memory, on the clock's time.
pub struct World {
    clock: Clock,
    inner: Mutex<Inner>,
}

struct Inner {
    replicas: Vec<Instance>,
    next_number: u32,
    load: Option<f64>,
    start_delay: Duration,
    stop_delay: Duration,
    reachable: bool,
    refuse_starts: u32,
    unhealthy: bool,
    host: HostCapacity,
    memory: Option<f64>,
    on_resize: OnResize,
    log: Vec<String>,
    trace: Vec<(Timestamp, String)>,
}

struct Instance {
    id: ReplicaId,
    number: u32,
    started_at: Timestamp,
    ready_at: Timestamp,
    change: Option<ChangeId>,
    phase: ReplicaPhase,
    unhealthy: bool,
    restarts: u32,
    limits: Limits,
}

/// What happens when limits are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResize {
    /// They are set.
    Obey,
    /// Nothing is changed, and an error given: as if in use.
    Refuse,
    /// They are set in part, and an error is given.
    Break,
    /// They are set, and the replica dies of it.
    Die,
    /// They are set, and the replica dies of it and is restarted.
    DieAndRestart,
    /// The call never returns.
    Hang,
    /// Nothing is changed, and nobody answers.
    Vanish,
    /// Nothing is changed: it is not allowed.
    Deny,
}

const GIB: f64 = 1_073_741_824.0;

impl World {
    /// `replicas` replicas that have run for an hour, without load.
    #[must_use]
    pub fn new(clock: Clock, replicas: u32) -> Arc<Self> {
        let inner = Inner {
            replicas: Vec::new(),
            next_number: 1,
            load: Some(0.0),
            start_delay: Duration::from_secs(1),
            stop_delay: Duration::from_secs(1),
            reachable: true,
            refuse_starts: 0,
            unhealthy: false,
            host: HostCapacity { cpus: Some(16.0), memory: Some(GIB * 64.0), tasks: Some(32_768.0) },
            memory: None,
            on_resize: OnResize::Obey,
            log: Vec::new(),
            trace: Vec::new(),
        };
        let world = Self { clock, inner: Mutex::new(inner) };
        let past = clock.now().minus(Duration::from_secs(3_600));
        for _ in 0..replicas {
            world.lock().add(past, past, None);
        }
        Arc::new(world)
    }

    /// The load of all replicas together, in percent of one core; `None`: nothing can be sampled.
    pub fn set_load(&self, load: Option<f64>) {
        self.lock().load = load;
    }

    /// How long a replica takes from its start until it is healthy.
    pub fn set_start_delay(&self, delay: Duration) {
        self.lock().start_delay = delay;
    }

    /// How long a replica takes to stop.
    pub fn set_stop_delay(&self, delay: Duration) {
        self.lock().stop_delay = delay;
    }

    /// Whether the engine answers.
    pub fn set_reachable(&self, reachable: bool) {
        self.lock().reachable = reachable;
    }

    /// The next `count` calls to start replicas fail.
    pub fn refuse_starts(&self, count: u32) {
        self.lock().refuse_starts = count;
    }

    /// Whether replicas that are made from now on turn unhealthy once they ran for their start delay.
    pub fn make_unhealthy(&self, unhealthy: bool) {
        self.lock().unhealthy = unhealthy;
    }

    /// What each replica uses of memory, in bytes.
    pub fn set_memory(&self, memory: Option<f64>) {
        self.lock().memory = memory;
    }

    /// What happens from now on when limits are set.
    pub fn on_resize(&self, happens: OnResize) {
        self.lock().on_resize = happens;
    }

    /// Every replica fails, and is restarted at once.
    pub fn crash(&self) {
        self.lock().replicas.iter_mut().for_each(|it| it.restarts += 1);
    }

    /// Another hand sets a limit of every replica.
    pub fn set_limit_from_outside(&self, kind: LimitKind, value: Option<f64>) {
        let mut inner = self.lock();
        inner.replicas.iter_mut().for_each(|it| it.set_limit(NewLimit { kind, value }));
        inner.log.push(format!("outside: {kind}"));
    }

    /// A limit of the first replica.
    #[must_use]
    pub fn limit(&self, kind: LimitKind) -> Option<f64> {
        self.lock().replicas.first()?.limits.of(kind)
    }

    /// Another hand brings the workload to `replicas`.
    pub fn scale_from_outside(&self, replicas: usize) {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.replicas.truncate(replicas);
        while inner.replicas.len() < replicas {
            inner.add(now, now, None);
        }
        inner.log.push(format!("outside: {replicas}"));
    }

    /// How many replicas run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.lock().replicas.iter().filter(|it| it.phase == ReplicaPhase::Running).count()
    }

    /// The numbers of the replicas that run, in order.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<_> = self.lock().replicas.iter().map(|it| it.number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// What was done to the workload, in order.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// What each look at the workload saw, as the row of a trace in JSON Lines.
    #[must_use]
    pub fn trace(&self) -> Vec<(Timestamp, String)> {
        self.lock().trace.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, started_at: Timestamp, ready_at: Timestamp, change: Option<ChangeId>) -> ReplicaId {
        let number = self.next_number;
        self.next_number += 1;
        let id = ReplicaId::new(&format!("replica-{number}"));
        let phase = ReplicaPhase::Running;
        let unhealthy = self.unhealthy && change.is_some();
        self.replicas.push(Instance {
            id: id.clone(),
            number,
            started_at,
            ready_at,
            change,
            phase,
            unhealthy,
            restarts: 0,
            limits: Limits {
                host: self.host,
                ..self.replicas.first().map(|it| it.limits).unwrap_or_default()
            },
        });
        id
    }

    fn row(&self, seen: &[Replica], now: Timestamp) -> String {
        let replicas = seen.iter().filter(|it| it.phase != ReplicaPhase::Stopped).map(|it| {
            let draining = it.phase == ReplicaPhase::Draining;
            let about = serde_json::json!({
                "cpu": self.share(&it.id),
                "ready": it.health == Health::Healthy,
                "age": it.started_at.map(|at| now.since(at).as_millis() as f64 / 1_000.0),
                "phase": if draining { "draining" } else { "running" },
            });
            (it.name.clone(), about)
        });
        let replicas: serde_json::Map<_, _> = replicas.collect();
        serde_json::json!({"at": now.to_string(), "replicas": replicas}).to_string()
    }

    /// What a replica uses, in percent of one core.
    fn share(&self, replica: &ReplicaId) -> Option<f64> {
        let running = || self.replicas.iter().filter(|it| it.phase == ReplicaPhase::Running);
        running().find(|it| it.id == *replica)?;
        Some(self.load? / running().count() as f64)
    }

    /// Sets at most so many limits of each replica.
    fn resize(&mut self, resizing: &Resizing, most: usize) {
        let mut told = Vec::new();
        for instance in &mut self.replicas {
            let limits = resizing.replicas.get(&instance.id).into_iter().flatten().take(most);
            for limit in limits {
                instance.set_limit(*limit);
                let value = limit.value.map_or_else(|| "none".to_owned(), |it| limit.kind.written(it));
                told.push(format!("{} {value}", limit.kind));
            }
        }
        self.log.push(format!("resize: {}", told.join(", ")));
    }

    fn reach(&self) -> Result<(), ActuatorError> {
        if self.reachable {
            return Ok(());
        }
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        Err(ActuatorError::Unreachable { endpoint: "memory".to_owned(), source: source.into() })
    }
}

impl Instance {
    fn seen(&self, now: Timestamp, retiring: &[ReplicaId]) -> Replica {
        let health = match (now >= self.ready_at, self.unhealthy) {
            (false, _) => Health::Starting,
            (true, false) => Health::Healthy,
            (true, true) => Health::Unhealthy,
        };
        let draining = retiring.contains(&self.id) && self.phase == ReplicaPhase::Running;
        Replica {
            restarts: self.restarts,
            id: self.id.clone(),
            name: self.id.to_string(),
            number: self.number,
            phase: if draining { ReplicaPhase::Draining } else { self.phase },
            health,
            created_at: Some(self.started_at),
            started_at: Some(self.started_at),
            change: self.change.clone(),
            outdated: false,
            samples: Vec::new(),
            limits: self.limits,
        }
    }
}

impl Actuator for World {
    fn observe<'a>(&'a self, retiring: &'a [ReplicaId]) -> BoxFuture<'a, Result<Observed, ActuatorError>> {
        async move {
            let now = self.clock.now();
            let mut inner = self.lock();
            inner.reach()?;
            let replicas: Vec<_> = inner.replicas.iter().map(|it| it.seen(now, retiring)).collect();
            let row = inner.row(&replicas, now);
            inner.trace.push((now, row));
            Ok(Observed { replicas, ..Observed::default() })
        }
        .boxed()
    }

    fn grow<'a>(
        &'a self,
        _: &'a PolicyKey,
        change: &'a ChangeId,
        count: u32,
    ) -> BoxFuture<'a, Result<Vec<ReplicaId>, ActuatorError>> {
        async move {
            let now = self.clock.now();
            let mut inner = self.lock();
            inner.reach()?;
            if inner.refuse_starts > 0 {
                inner.refuse_starts -= 1;
                let source = std::io::Error::other("no space left");
                return Err(ActuatorError::Failed { action: "start".to_owned(), source: source.into() });
            }
            let ready_at = now.plus(inner.start_delay);
            let made = (0..count).map(|_| inner.add(now, ready_at, Some(change.clone()))).collect();
            inner.log.push(format!("grow: {count}"));
            Ok(made)
        }
        .boxed()
    }

    fn retire<'a>(
        &'a self,
        replicas: &'a [ReplicaId],
        afterwards: Afterwards,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        async move {
            let delay = {
                let inner = self.lock();
                inner.reach()?;
                inner.stop_delay
            };
            tokio::time::sleep(delay.get()).await;
            let mut inner = self.lock();
            match afterwards {
                Afterwards::Remove => inner.replicas.retain(|it| !replicas.contains(&it.id)),
                Afterwards::Keep => {
                    inner.replicas.iter_mut().filter(|it| replicas.contains(&it.id)).for_each(Instance::stop);
                }
            }
            inner.log.push(format!("retire: {}", replicas.len()));
            Ok(())
        }
        .boxed()
    }

    fn resize<'a>(&'a self, resizing: &'a Resizing) -> BoxFuture<'a, Result<(), ActuatorError>> {
        async move {
            if self.lock().on_resize == OnResize::Hang {
                self.lock().resize(resizing, usize::MAX);
                std::future::pending::<()>().await;
            }
            let mut inner = self.lock();
            inner.reach()?;
            match inner.on_resize {
                OnResize::Obey | OnResize::Hang => inner.resize(resizing, usize::MAX),
                OnResize::Refuse => {
                    let (reason, message) = (Reason::LimitInUse, "memory is in use".to_owned());
                    return Err(ActuatorError::Refused(Obstacle { reason, message }));
                }
                OnResize::Vanish => {
                    let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    return Err(ActuatorError::Unreachable {
                        endpoint: "memory".to_owned(),
                        source: source.into(),
                    });
                }
                OnResize::Deny => {
                    let (reason, message) = (Reason::PermissionDenied, "not allowed".to_owned());
                    return Err(ActuatorError::Refused(Obstacle { reason, message }));
                }
                OnResize::Break => {
                    inner.resize(resizing, 1);
                    inner.on_resize = OnResize::Obey;
                    let source = std::io::Error::other("the manager refused the value");
                    return Err(ActuatorError::Failed {
                        action: "set limits".to_owned(),
                        source: source.into(),
                    });
                }
                OnResize::Die => {
                    inner.resize(resizing, usize::MAX);
                    inner.on_resize = OnResize::Obey;
                    inner.replicas.iter_mut().for_each(|it| it.phase = ReplicaPhase::Failed);
                }
                OnResize::DieAndRestart => {
                    inner.resize(resizing, usize::MAX);
                    inner.on_resize = OnResize::Obey;
                    inner.replicas.iter_mut().for_each(|it| it.restarts += 1);
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn sweep(&self) -> BoxFuture<'_, Result<u32, ActuatorError>> {
        async move { self.lock().reach().map(|()| 0) }.boxed()
    }
}

impl Instance {
    fn set_limit(&mut self, limit: NewLimit) {
        let field = match limit.kind {
            LimitKind::CpuQuota => &mut self.limits.cpus,
            LimitKind::MemoryMax => &mut self.limits.memory,
            LimitKind::MemoryHigh => &mut self.limits.memory_high,
            LimitKind::TasksMax => &mut self.limits.tasks,
            LimitKind::CpuWeight => &mut self.limits.cpu_weight,
            LimitKind::IoWeight => &mut self.limits.io_weight,
            LimitKind::AllowedCpus => &mut self.limits.allowed_cpus,
        };
        let cores = if limit.kind == LimitKind::CpuQuota { 100.0 } else { 1.0 };
        *field = limit.value.map(|it| it / cores);
    }

    fn stop(&mut self) {
        self.phase = ReplicaPhase::Stopped;
    }
}

impl Usage for World {
    fn watch(&self, _: &PolicyKey, _: Vec<ReplicaId>, _: Duration, _: Duration) {}

    fn listen(&self, _: &PolicyKey, _: &[Trigger]) {}

    fn forget(&self, _: &PolicyKey) {}

    fn window(&self, replica: &ReplicaId, _: Timestamp, to: Timestamp) -> Vec<Sample> {
        let inner = self.lock();
        let (share, memory) = (inner.share(replica), inner.memory);
        share.into_iter().map(|cpu| Sample { at: to, cpu: Some(cpu), memory, ..Sample::default() }).collect()
    }

    fn limits(&self, _: &ReplicaId) -> Option<Limits> {
        None
    }
}
