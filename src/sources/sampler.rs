//! The background sampler: reads every watched replica again and again, and keeps the samples of the longest
//! window, so that no pass ever waits for one.
//!
//! One task reads all replicas. A cgroup reading is a few reads of kernel memory that never wait for a disk, far
//! cheaper than the hop to a blocking thread, so it is done in place, with a yield between replicas; readings
//! through the Docker API overlap, at most `MAX_CONCURRENT_READS` at a time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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
/// Most readings under way at the same time.
const MAX_CONCURRENT_READS: usize = 8;
/// A reading that takes longer counts as failed.
const READ_TIMEOUT: Duration = Duration::from_secs(4);

/// Samples watched replicas in the background, and remembers.
pub struct Sampler {
    clock: Clock,
    meter: Arc<dyn Meter>,
    metrics: Arc<Metrics>,
    shared: Mutex<Shared>,
    changed: Notify,
}

/// What passes and the sampling task share. Never locked across an await.
#[derive(Default)]
struct Shared {
    watches: BTreeMap<PolicyKey, Watch>,
    series: HashMap<ReplicaId, Series>,
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
}

/// A gauge, and what it read last; owned by the sampling task alone.
struct Attached {
    gauge: Box<dyn Gauge>,
    last: Option<Reading>,
}

impl Sampler {
    /// A sampler that watches nothing yet and samples nothing until `run`.
    #[must_use]
    pub fn new(clock: Clock, meter: Arc<dyn Meter>, metrics: Arc<Metrics>) -> Self {
        Self { clock, meter, metrics, shared: Mutex::default(), changed: Notify::new() }
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

    /// Samples this policy's replicas no longer, and forgets what it knew of them.
    pub fn forget(&self, policy: &PolicyKey) {
        let mut shared = self.lock();
        let watch = shared.watches.remove(policy);
        for replica in watch.into_iter().flat_map(|watch| watch.replicas) {
            shared.leave(policy, &replica);
        }
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
        loop {
            match self.until_due() {
                None => self.changed.notified().await,
                Some(wait) if !wait.is_zero() => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.changed.notified() => {}
                    }
                }
                Some(_) => self.sample_due(&mut gauges).await,
            }
        }
    }

    /// How long until the next replica is to be sampled; none when none is watched.
    fn until_due(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        self.lock().watches.values().map(|watch| watch.due.saturating_sub(now)).min()
    }

    /// Samples every replica that is due.
    async fn sample_due(&self, gauges: &mut HashMap<ReplicaId, Attached>) {
        let due = {
            let mut shared = self.lock();
            gauges.retain(|replica, _| shared.series.contains_key(replica));
            self.metrics.set_sampled_replicas(shared.series.len());
            shared.take_due(self.clock.elapsed())
        };

        let mut round = stream::iter(due)
            .map(|(replica, policy)| {
                let attached = gauges.remove(&replica);
                self.sample(replica, policy, attached)
            })
            .buffer_unordered(MAX_CONCURRENT_READS);
        let mut attached = Vec::new();
        while let Some((replica, gauge)) = round.next().await {
            attached.extend(gauge.map(|gauge| (replica, gauge)));
        }
        drop(round);
        gauges.extend(attached);
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
            Ok(Ok((attached, sample))) => {
                self.remember(&replica, sample, &attached);
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
            None => Attached { gauge: self.meter.attach(replica).await?, last: None },
        };
        let started = self.clock.elapsed();
        let reading = attached.gauge.read().await?;
        let took = self.clock.elapsed().saturating_sub(started);
        self.metrics.replica_read(attached.gauge.source().as_str(), took);
        let sample = reading.sample(self.clock.now(), attached.last.as_ref());
        attached.last = Some(reading);
        Ok((attached, sample))
    }

    fn remember(&self, replica: &ReplicaId, sample: Sample, attached: &Attached) {
        // No longer watched meanwhile: nothing to remember it in.
        if let Some(series) = self.lock().series.get_mut(replica) {
            series.push(sample);
            series.limits = attached.last.map(|reading| reading.limits).unwrap_or_default();
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
                Series { policy: policy.clone(), samples: VecDeque::new(), keep, limits: Limits::default() }
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
