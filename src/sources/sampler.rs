//! The background sampler: reads every watched replica again and again, and keeps the samples of the longest
//! window, so that no pass ever waits for one.
//!
//! One task reads all replicas. A cgroup reading is a few reads of kernel memory that never wait for a disk, far
//! cheaper than the hop to a blocking thread, so it is done in place, with a yield between replicas. Readings that
//! wait for an engine overlap; how many may, the meter bounds. A slow one keeps no other replica waiting.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::pressure::{Alarm, Trigger};
use super::reading::{Gauge, Meter, MeterError, Reading};
use crate::clock::Clock;
use crate::model::key::PolicyKey;
use crate::model::observation::{Limits, ReplicaId, Sample};
use crate::telemetry::metrics::Metrics;
use crate::units::{self, Timestamp};

/// A window is seen at this many moments, as far as the bounds of the period allow.
const SAMPLES_PER_WINDOW: u32 = 5;
/// Never sampled more often than this. Every reading falls on a multiple of it, so that many policies make few
/// wake-ups.
const SHORTEST_PERIOD: Duration = Duration::from_millis(500);
/// Sampled at least this often, as far as `MAX_SAMPLES` allows.
const LONGEST_PERIOD: Duration = Duration::from_secs(5);
/// Most samples that are kept of one replica: an hour of them at the longest period.
const MAX_SAMPLES: u32 = 720;
/// A reading that takes longer counts as failed.
const READ_TIMEOUT: Duration = Duration::from_secs(4);

/// Samples watched replicas in the background, and remembers.
pub struct Sampler {
    clock: Clock,
    meter: Arc<dyn Meter>,
    metrics: Arc<Metrics>,
    shared: Mutex<Shared>,
    changed: Notify,
    pressed: OnceLock<Box<Pressed>>,
}

/// Who is told that replicas of a policy are under pressure.
type Pressed = dyn Fn(&PolicyKey) + Send + Sync;

/// What passes and the sampling task share. Never locked across an await.
#[derive(Default)]
struct Shared {
    watches: BTreeMap<PolicyKey, Watch>,
    series: HashMap<ReplicaId, Series>,
    /// Of which pressure the policies want to hear at once; only those that do.
    triggers: HashMap<PolicyKey, Arc<[Trigger]>>,
}

/// The replicas of one policy, and when to sample them.
struct Watch {
    replicas: Vec<ReplicaId>,
    period: Duration,
    /// When they are to be sampled next, on the clock's `elapsed`.
    due: Duration,
}

/// What is remembered of one replica.
struct Series {
    /// Who watches it; of several, who asked last.
    policy: PolicyKey,
    samples: VecDeque<Sample>,
    /// How many samples fill the window.
    keep: usize,
    limits: Limits,
    /// Its present life began while it was watched, and has no sample yet.
    reborn: bool,
}

/// A gauge, and what it read last; owned by the sampling task alone.
struct Attached {
    gauge: Box<dyn Gauge>,
    last: Option<Reading>,
    alarm: Alarm,
}

impl Sampler {
    /// A sampler that watches nothing yet and samples nothing until `run`.
    #[must_use]
    pub fn new(clock: Clock, meter: Arc<dyn Meter>, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            meter,
            metrics,
            shared: Mutex::default(),
            changed: Notify::new(),
            pressed: OnceLock::new(),
        }
    }

    /// Samples these replicas from now on, and no other ones for this policy: often enough for `window`, and at
    /// least once an `interval`. To be called by every pass; name only replicas that run.
    pub fn watch(
        &self,
        policy: &PolicyKey,
        replicas: Vec<ReplicaId>,
        window: units::Duration,
        interval: units::Duration,
    ) {
        let period = sampling_period(window.get(), interval.get());
        let keep = samples_to_keep(window.get(), period);
        let next = tick_before(self.clock.elapsed()) + SHORTEST_PERIOD;
        if self.lock().watch(policy, replicas, period, keep, next) {
            self.changed.notify_one();
        }
    }

    /// Listens for such pressure on this policy's replicas from now on, and for no other. After the first sample that
    /// shows it, `on_pressure` is told.
    pub fn listen(&self, policy: &PolicyKey, triggers: &[Trigger]) {
        let mut shared = self.lock();
        if shared.triggers.get(policy).map_or(&[][..], |it| it) == triggers {
            return;
        }
        if triggers.is_empty() {
            shared.triggers.remove(policy);
        } else {
            shared.triggers.insert(policy.clone(), triggers.into());
        }
    }

    /// Whom to tell that replicas of a policy are under pressure; the first one counts. Must return at once.
    pub fn on_pressure(&self, tell: impl Fn(&PolicyKey) + Send + Sync + 'static) {
        let _ = self.pressed.set(Box::new(tell));
    }

    /// Samples this policy's replicas no longer, and forgets what it knew of them.
    pub fn forget(&self, policy: &PolicyKey) {
        let mut shared = self.lock();
        let watch = shared.watches.remove(policy);
        shared.triggers.remove(policy);
        for replica in watch.into_iter().flat_map(|watch| watch.replicas) {
            shared.leave(policy, &replica);
        }
        drop(shared);
        self.changed.notify_one();
    }

    /// The samples of a replica after `from`, up to and with `to`, oldest first. Never waits; empty when there
    /// are none.
    #[must_use]
    pub fn window(&self, replica: &ReplicaId, from: Timestamp, to: Timestamp) -> Vec<Sample> {
        let shared = self.lock();
        let samples = shared.series.get(replica).into_iter().flat_map(|series| &series.samples);
        samples.filter(|sample| from < sample.at && sample.at <= to).copied().collect()
    }

    /// The limits of a replica as they were read last, with what its host has; none before the first reading.
    #[must_use]
    pub fn limits(&self, replica: &ReplicaId) -> Option<Limits> {
        let shared = self.lock();
        shared.series.get(replica).filter(|series| !series.samples.is_empty()).map(|series| series.limits)
    }

    /// Samples until `stop`. Run it once.
    pub async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.sample_forever()).await;
    }

    async fn sample_forever(&self) {
        let mut gauges = HashMap::new();
        let mut busy = HashSet::new();
        let mut readings = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = self.due_or_changed() => {
                    for (replica, policy) in self.take_due(&mut gauges) {
                        // One that is still being read is left out of this round.
                        if busy.insert(replica.clone()) {
                            let attached = gauges.remove(&replica);
                            readings.push(self.sample(replica, policy, attached));
                        }
                    }
                }
                Some((replica, attached)) = readings.next(), if !readings.is_empty() => {
                    busy.remove(&replica);
                    gauges.extend(attached.map(|attached| (replica, attached)));
                }
            }
        }
    }

    /// Returns when a replica is to be sampled, and when what is watched changed.
    async fn due_or_changed(&self) {
        let now = self.clock.elapsed();
        let due = self.lock().watches.values().map(|watch| watch.due.saturating_sub(now)).min();
        match due {
            Some(Duration::ZERO) => {}
            Some(wait) => {
                let _ = tokio::time::timeout(wait, self.changed.notified()).await;
            }
            None => self.changed.notified().await,
        }
    }

    /// The replicas to be sampled now. Gauges of those that nobody watches any more are let go.
    fn take_due(&self, gauges: &mut HashMap<ReplicaId, Attached>) -> HashMap<ReplicaId, PolicyKey> {
        let mut shared = self.lock();
        gauges.retain(|replica, _| shared.series.contains_key(replica));
        self.metrics.set_sampled_replicas(shared.series.len());
        shared.take_due(self.clock.elapsed())
    }

    /// Reads one replica once and remembers the sample. Gives the gauge back while it is of use.
    async fn sample(
        &self,
        replica: ReplicaId,
        policy: PolicyKey,
        attached: Option<Attached>,
    ) -> (ReplicaId, Option<Attached>) {
        let reading = tokio::time::timeout(READ_TIMEOUT, self.read(&replica, attached)).await;
        tokio::task::yield_now().await;
        let attached = match reading {
            Ok(Ok((mut attached, sample))) => {
                self.remember(&replica, sample, &attached);
                self.heed(&policy, &mut attached);
                Some(attached)
            }
            Ok(Err(MeterError::Gone { .. })) => {
                self.lock().restart(&replica);
                None
            }
            Ok(Err(error @ MeterError::Unreadable { .. })) => {
                tracing::debug!(%policy, %replica, error = &error as &dyn std::error::Error, "no sample");
                self.metrics.metric_failed(&policy, "replica");
                None
            }
            Err(_elapsed) => {
                tracing::debug!(%policy, %replica, timeout = ?READ_TIMEOUT, "no sample in time");
                self.metrics.metric_failed(&policy, "replica");
                None
            }
        };
        (replica, attached)
    }

    async fn read(
        &self,
        replica: &ReplicaId,
        attached: Option<Attached>,
    ) -> Result<(Attached, Sample), MeterError> {
        let mut attached = match attached {
            Some(attached) => attached,
            None => {
                Attached { gauge: self.meter.attach(replica).await?, last: None, alarm: Alarm::default() }
            }
        };
        let started = self.clock.elapsed();
        let reading = attached.gauge.read().await?;
        let took = self.clock.elapsed().saturating_sub(started);
        self.metrics.replica_read(attached.gauge.source().as_str(), took);
        let sample = reading.sample(self.clock.now(), attached.last.as_ref());
        attached.last = Some(reading);
        Ok((attached, sample))
    }

    /// Tells of an alarm that rang before this sample, and listens for what the policy wants to hear of now.
    fn heed(&self, policy: &PolicyKey, attached: &mut Attached) {
        if attached.alarm.take()
            && let Some(tell) = self.pressed.get()
        {
            tell(policy);
        }
        let triggers = self.lock().triggers.get(policy).cloned();
        let triggers = triggers.as_deref().unwrap_or_default();
        if !attached.alarm.is_for(triggers) {
            attached.alarm = attached.gauge.alarm(triggers);
        }
    }

    fn remember(&self, replica: &ReplicaId, mut sample: Sample, attached: &Attached) {
        // No longer watched meanwhile: nothing to remember it in.
        if let Some(series) = self.lock().series.get_mut(replica) {
            let reading = attached.last.unwrap_or_default();
            if std::mem::take(&mut series.reborn) {
                // All that its counter has, it has from this life.
                sample.oom_kills = reading.oom_kills.map(|count| count as f64);
            }
            series.push(sample);
            series.limits = reading.limits;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Was anything new in it, so that the sampling task must look again?
    fn watch(
        &mut self,
        policy: &PolicyKey,
        replicas: Vec<ReplicaId>,
        period: Duration,
        keep: usize,
        next: Duration,
    ) -> bool {
        let mut new = false;
        for replica in &replicas {
            let series = self.series.entry(replica.clone()).or_insert_with(|| {
                new = true;
                Series {
                    policy: policy.clone(),
                    samples: VecDeque::new(),
                    keep,
                    limits: Limits::default(),
                    reborn: false,
                }
            });
            series.policy = policy.clone();
            series.keep = keep;
        }
        let due = match self.watches.get(policy) {
            Some(watch) if !new && watch.period == period => watch.due,
            _ => {
                new = true;
                next
            }
        };
        let before = self.watches.insert(policy.clone(), Watch { replicas: replicas.clone(), period, due });
        for replica in before.into_iter().flat_map(|watch| watch.replicas) {
            if !replicas.contains(&replica) {
                self.leave(policy, &replica);
            }
        }
        new
    }

    /// Forgets a replica, unless another policy watches it now.
    fn leave(&mut self, policy: &PolicyKey, replica: &ReplicaId) {
        if self.series.get(replica).is_some_and(|series| series.policy == *policy) {
            self.series.remove(replica);
        }
    }

    /// The replicas that are due, each with its policy. Sets when they are due next; missed samples are not
    /// made up for.
    fn take_due(&mut self, now: Duration) -> HashMap<ReplicaId, PolicyKey> {
        let mut due = HashMap::new();
        for (policy, watch) in self.watches.iter_mut().filter(|(_, watch)| watch.due <= now) {
            due.extend(watch.replicas.iter().map(|replica| (replica.clone(), policy.clone())));
            watch.due = tick_before(now) + watch.period;
        }
        due
    }

    /// What a replica did in an earlier life says nothing of the present one.
    fn restart(&mut self, replica: &ReplicaId) {
        if let Some(series) = self.series.get_mut(replica) {
            series.samples = VecDeque::new();
            series.reborn = true;
        }
    }
}

impl Series {
    fn push(&mut self, sample: Sample) {
        self.samples.push_back(sample);
        while self.samples.len() > self.keep {
            self.samples.pop_front();
        }
    }
}

/// How often the replicas of a policy are sampled: a whole number of shortest periods.
fn sampling_period(window: Duration, interval: Duration) -> Duration {
    let wanted = (window / SAMPLES_PER_WINDOW).min(interval).clamp(SHORTEST_PERIOD, LONGEST_PERIOD);
    let thinnest = window / MAX_SAMPLES;
    if thinnest > wanted { tick_before(thinnest) + SHORTEST_PERIOD } else { tick_before(wanted) }
}

/// How many samples fill a window; two more, as it may begin between two samples and be asked for late.
fn samples_to_keep(window: Duration, period: Duration) -> usize {
    let in_window = window.as_millis().div_ceil(period.as_millis());
    usize::try_from(in_window).map_or(MAX_SAMPLES as usize, |count| count.min(MAX_SAMPLES as usize)) + 2
}

/// The last multiple of the shortest period that is not after `time`.
fn tick_before(time: Duration) -> Duration {
    let tick = SHORTEST_PERIOD.as_nanos();
    let nanos = time.as_nanos() / tick * tick;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;
    use crate::api::target_metric::{Contended, Stall};
    use crate::sources::reading::GaugeSource;

    /// Replicas that burn half a core, from when this host of theirs was made; the tests stop and restart them.
    struct FakeHost {
        clock: Clock,
        /// The life of replica `a`; 0 is none at all.
        life: AtomicU64,
        readings: AtomicU64,
        /// The kernel says that there is pressure.
        pressed: Arc<AtomicBool>,
    }

    struct FakeGauge {
        host: Arc<FakeHost>,
        replica: ReplicaId,
        life: u64,
    }

    struct FakeMeter(Arc<FakeHost>);

    impl Meter for FakeMeter {
        fn attach<'a>(&'a self, replica: &'a ReplicaId) -> BoxFuture<'a, Result<Box<dyn Gauge>, MeterError>> {
            async {
                let (host, replica) = (self.0.clone(), replica.clone());
                match host.life.load(Ordering::Relaxed) {
                    0 => Err(MeterError::Gone { replica }),
                    life => Ok(Box::new(FakeGauge { host, replica, life }) as Box<dyn Gauge>),
                }
            }
            .boxed()
        }
    }

    impl Gauge for FakeGauge {
        fn read(&mut self) -> BoxFuture<'_, Result<Reading, MeterError>> {
            async {
                match self.replica.as_str() {
                    "broken" => {
                        let (replica, source) = (self.replica.clone(), "no answer".into());
                        return Err(MeterError::Unreadable { replica, source });
                    }
                    "stuck" => std::future::pending().await,
                    _ => {}
                }
                if self.host.life.load(Ordering::Relaxed) != self.life {
                    return Err(MeterError::Gone { replica: self.replica.clone() });
                }
                self.host.readings.fetch_add(1, Ordering::Relaxed);
                let taken = self.host.clock.elapsed();
                let limits = Limits { cpus: Some(2.0), ..Limits::default() };
                let oom_kills = Some(self.life);
                Ok(Reading {
                    taken,
                    cpu: Some(taken / 2),
                    tasks: Some(3),
                    oom_kills,
                    limits,
                    ..Reading::default()
                })
            }
            .boxed()
        }

        fn source(&self) -> GaugeSource {
            GaugeSource::Cgroup
        }

        fn alarm(&self, triggers: &[Trigger]) -> Alarm {
            Alarm::by_hand(triggers, Arc::clone(&self.host.pressed))
        }
    }

    /// A sampler under way, on paused time.
    struct Bench {
        host: Arc<FakeHost>,
        sampler: Arc<Sampler>,
        metrics: Arc<Metrics>,
        clock: Clock,
        stop: CancellationToken,
    }

    impl Bench {
        fn new() -> Self {
            let clock = Clock::starting_at(Timestamp::from_secs(1_000));
            let host =
                Arc::new(FakeHost { clock, life: 1.into(), readings: 0.into(), pressed: Arc::default() });
            let metrics = Arc::new(Metrics::new("0.0.0"));
            let meter = Arc::new(FakeMeter(host.clone()));
            let sampler = Arc::new(Sampler::new(clock, meter, metrics.clone()));
            let stop = CancellationToken::new();
            tokio::spawn({
                let (sampler, stop) = (sampler.clone(), stop.clone());
                async move { sampler.run(stop).await }
            });
            Self { host, sampler, metrics, clock, stop }
        }

        fn watch(&self, replicas: &[&str], window: u64) {
            let replicas = replicas.iter().map(|id| ReplicaId::new(id)).collect();
            let (window, interval) = (units::Duration::from_secs(window), units::Duration::from_secs(10));
            self.sampler.watch(&PolicyKey::new("web"), replicas, window, interval);
        }

        fn samples(&self, replica: &str, window: u64) -> Vec<Sample> {
            let now = self.clock.now();
            let from = now.minus(units::Duration::from_secs(window));
            self.sampler.window(&ReplicaId::new(replica), from, now)
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            self.stop.cancel();
        }
    }

    async fn seconds(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_has_a_sample_of_every_period_and_all_but_the_very_first_have_a_rate() {
        let bench = Bench::new();
        bench.watch(&["a", "b"], 10);
        assert_eq!(bench.samples("a", 10), []);
        seconds(60).await;
        for replica in ["a", "b"] {
            let samples = bench.samples(replica, 10);
            assert_eq!(samples.len(), 5, "{samples:?}");
            assert!(samples.iter().all(|it| it.cpu == Some(50.0) && it.tasks == Some(3.0)), "{samples:?}");
        }
        let limits = bench.sampler.limits(&ReplicaId::new("a")).unwrap();
        assert_eq!(limits.cpus, Some(2.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_replica_is_read_at_once_and_has_a_rate_one_period_later() {
        let bench = Bench::new();
        bench.watch(&["a"], 10);
        tokio::time::sleep(Duration::from_millis(501)).await;
        let cpu = |samples: Vec<Sample>| samples.iter().map(|it| it.cpu).collect::<Vec<_>>();
        assert_eq!(cpu(bench.samples("a", 10)), [None]);
        seconds(2).await;
        assert_eq!(cpu(bench.samples("a", 10)), [None, Some(50.0)]);
        // One more beside it waits no longer.
        bench.watch(&["a", "b"], 10);
        tokio::time::sleep(Duration::from_millis(501)).await;
        assert_eq!(cpu(bench.samples("b", 10)), [None]);
    }

    #[tokio::test(start_paused = true)]
    async fn passes_that_name_the_same_replicas_again_do_not_disturb_the_rhythm() {
        let bench = Bench::new();
        for _ in 0..100 {
            bench.watch(&["a"], 10);
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        let readings = bench.host.readings.load(Ordering::Relaxed);
        assert_eq!(readings, 30, "60 s at one reading every 2 s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_replica_starts_anew() {
        let bench = Bench::new();
        bench.watch(&["a"], 10);
        seconds(20).await;
        bench.host.life.store(2, Ordering::Relaxed);
        seconds(4).await;
        let samples = bench.samples("a", 10);
        assert_eq!(samples.len(), 1, "the life before is forgotten: {samples:?}");
        assert_eq!(samples[0].cpu, None);
        assert_eq!(samples[0].oom_kills, Some(2.0), "nobody was killed in this life before it began");
    }

    #[tokio::test(start_paused = true)]
    async fn kills_from_before_it_was_watched_are_not_counted() {
        let bench = Bench::new();
        bench.watch(&["a"], 10);
        seconds(3).await;
        let kills: Vec<_> = bench.samples("a", 10).iter().map(|it| it.oom_kills).collect();
        assert_eq!(kills, [None, Some(0.0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_vanished_has_no_samples_and_comes_back_when_it_runs_again() {
        let bench = Bench::new();
        bench.watch(&["a"], 10);
        seconds(20).await;
        bench.host.life.store(0, Ordering::Relaxed);
        seconds(4).await;
        assert_eq!(bench.samples("a", 60), []);
        assert_eq!(bench.sampler.limits(&ReplicaId::new("a")), None);
        bench.host.life.store(1, Ordering::Relaxed);
        seconds(20).await;
        assert!(bench.samples("a", 10).len() >= 4);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_read_keeps_no_other_one_waiting_and_is_counted() {
        let bench = Bench::new();
        bench.watch(&["broken", "stuck", "a"], 10);
        seconds(60).await;
        assert_eq!(bench.samples("a", 10).len(), 5);
        assert_eq!(bench.samples("broken", 60), []);
        assert_eq!(bench.samples("stuck", 60), []);
        let text = bench.metrics.render();
        assert!(text.contains(r#"docktor_metric_errors_total{policy="web",source="replica"}"#), "{text}");
        assert!(text.contains("docktor_sampled_replicas 3"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn pressure_is_told_once_and_when_a_sample_shows_it() {
        let bench = Bench::new();
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        bench.sampler.on_pressure(move |policy| {
            assert_eq!(*policy, PolicyKey::new("web"));
            count.fetch_add(1, Ordering::Relaxed);
        });
        let second = units::Duration::from_secs(1);
        let (on, stall) = (Contended::Cpu, Stall::Some);
        let trigger = Trigger { on, stall, threshold: second, window: second };
        bench.watch(&["a"], 10);
        bench.sampler.listen(&PolicyKey::new("web"), &[trigger]);
        seconds(10).await;
        assert_eq!(told.load(Ordering::Relaxed), 0);
        let before = bench.host.readings.load(Ordering::Relaxed);
        bench.host.pressed.store(true, Ordering::Relaxed);
        while told.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(bench.host.readings.load(Ordering::Relaxed), before + 1);
        seconds(10).await;
        assert_eq!(told.load(Ordering::Relaxed), 1);
        // A policy that wants to hear of it no more.
        bench.sampler.listen(&PolicyKey::new("web"), &[]);
        seconds(10).await;
        assert!(bench.sampler.lock().triggers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_is_neither_kept_nor_read() {
        let bench = Bench::new();
        bench.watch(&["a", "b"], 10);
        seconds(20).await;
        bench.watch(&["b"], 10);
        assert_eq!(bench.samples("a", 60), []);
        assert!(!bench.samples("b", 60).is_empty());
        bench.sampler.forget(&PolicyKey::new("web"));
        assert_eq!(bench.samples("b", 60), []);
        seconds(1).await;
        let before = bench.host.readings.load(Ordering::Relaxed);
        seconds(60).await;
        assert_eq!(bench.host.readings.load(Ordering::Relaxed), before);
        assert!(bench.sampler.lock().series.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_however_long_it_runs_and_however_long_the_window_is() {
        let bench = Bench::new();
        let day = 24 * 3_600;
        bench.watch(&["a"], day);
        seconds(3 * day).await;
        let samples = bench.samples("a", 3 * day).len();
        assert!((700..=MAX_SAMPLES as usize + 2).contains(&samples), "{samples}");
        let oldest = bench.samples("a", 3 * day)[0].at;
        assert!(bench.clock.now().since(oldest) >= units::Duration::from_secs(day), "the window is covered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wider_window_keeps_what_was_sampled() {
        let bench = Bench::new();
        bench.watch(&["a"], 10);
        seconds(10).await;
        bench.watch(&["a"], 60);
        assert!(bench.samples("a", 60).len() >= 4);
    }

    #[test]
    fn the_period_follows_the_window_within_its_bounds() {
        for (window, interval, millis) in [
            (10, 10, 2_000),
            (1, 10, 500),
            (60, 10, 5_000),
            (60, 2, 2_000),
            (13, 10, 2_500),
            (3_600, 30, 5_000),
            (36_000, 30, 50_500),
        ] {
            let period = sampling_period(Duration::from_secs(window), Duration::from_secs(interval));
            assert_eq!(period, Duration::from_millis(millis), "{window} s, every {interval} s");
        }
    }
}
