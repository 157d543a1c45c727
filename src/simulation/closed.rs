//! The closed loop: the rows that a policy sees are made by a modelled workload, and the workload follows what the
//! policy decides. The trace gives the arrivals, and whatever else the model does not make.
//!
//! It decides on the policy's own interval, from the first row to the last. What a row gives holds until the next.
//! Replicas leave at once on a scale-down; replicas that fail their start or `safety.verify` are not modelled.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;

use super::trace::{ARRIVALS, Row, TracedReplica};
use super::world::{MAX_MODELLED_REPLICAS, MAX_RATE, Model, ModelledReplica, Totals, World};
use crate::api::effective::{Origin, Spec};
use crate::api::metric::MetricSource;
use crate::decide::Constraints;
use crate::decide::verify::READY_WITHIN;
use crate::model::decision::Decision;
use crate::model::observation::ReplicaId;
use crate::units::{Duration, Timestamp};

/// Most evaluations between two rows of a trace.
pub const MAX_EVALUATIONS_BETWEEN_ROWS: i64 = 1_000_000;
/// Most evaluations whose CPU is averaged over `window`.
const MAX_WINDOW: usize = 10_000;

/// A workload that is modelled, and how the policy's metrics see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// What kind of workload it is.
    pub model: Model,
    /// The metric that shows its latency in seconds.
    pub latency: Option<String>,
    /// The source that shows its queue; every queue of the policy where none is named.
    pub queue: Option<String>,
}

/// Why a policy and a modelled workload do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The latency has no such metric to be shown by.
    #[error(
        "the policy has no metric `{name}` from prometheus, http or push that could show the latency; {}",
        there_are(found)
    )]
    Latency {
        /// What was asked for.
        name: String,
        /// What there is.
        found: Vec<String>,
    },
    /// The queue has no such source to be shown by.
    #[error("the policy has no queue `{name}` among its metrics; {}", there_are(found))]
    Queue {
        /// What was asked for.
        name: String,
        /// What there is.
        found: Vec<String>,
    },
    /// There is no count that the workload could follow.
    #[error(
        "it scales no replicas, and in a closed loop a modelled workload follows their count; replay a trace without \
         --closed-loop and the flags that imply it"
    )]
    NoReplicas,
    /// None to begin with means that somebody turned the workload off.
    #[error(
        "a workload of 0 replicas that the policy does not take to zero itself is one that somebody turned off; \
         begin with at least 1"
    )]
    TurnedOff,
}

fn there_are(found: &[String]) -> String {
    if found.is_empty() { "it has none".to_owned() } else { format!("it has `{}`", found.join("`, `")) }
}

/// What a metric shows of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Backlog,
    RateIn,
    RateOut,
    Latency,
}

/// A policy's modelled workload on its way through a trace.
#[derive(Debug, Clone)]
pub struct ClosedLoop {
    workload: Workload,
    interval: Duration,
    window: Duration,
    /// A replica that is not ready after this is not waited for any more.
    starting_for: Duration,
    shown: Vec<(Arc<str>, Shows)>,
    world: Option<World>,
    due: Timestamp,
    /// As it was when the policy last looked.
    before: Totals,
    /// Moments of the window with [`Totals::busy`] then.
    busy: VecDeque<(Timestamp, f64)>,
    /// What the policy sees.
    row: Row,
    /// How many metrics of `row` the trace gave; the model makes the rest.
    given: usize,
    left_aside: Vec<Arc<str>>,
}

impl ClosedLoop {
    /// Before the first row.
    ///
    /// # Errors
    /// When the policy scales no replicas, or has no metric as `workload` names it.
    pub fn new(spec: &Spec, workload: Workload) -> Result<Self, Mismatch> {
        if !spec.horizontal {
            return Err(Mismatch::NoReplicas);
        }
        let shown = shown(spec, &workload)?;
        if workload.model.initial_replicas == 0 && spec.idle.is_none_or(|it| it.replicas > 0) {
            return Err(Mismatch::TurnedOff);
        }
        Ok(Self {
            workload,
            interval: spec.interval,
            window: spec.window.max(spec.interval),
            starting_for: Duration::from_millis(
                (READY_WITHIN.as_millis() + spec.readiness_delay.as_millis()).unsigned_abs(),
            ),
            shown,
            world: None,
            due: Timestamp::default(),
            before: Totals::default(),
            busy: VecDeque::new(),
            row: Row { replicas: Some(Vec::new()), ..Row::default() },
            given: 0,
            left_aside: Vec::new(),
        })
    }

    /// When it decides next; `None` before the first row.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.world.as_ref().map(|_| self.due)
    }

    /// What the policy saw last.
    #[must_use]
    pub const fn row(&self) -> &Row {
        &self.row
    }

    /// The workload; `None` before the first row.
    #[must_use]
    pub const fn world(&self) -> Option<&World> {
        self.world.as_ref()
    }

    /// Metrics that the trace gives and the model makes itself.
    pub fn left_aside(&self) -> impl Iterator<Item = &str> {
        self.left_aside.iter().map(|it| &**it)
    }

    /// The next row of the trace. What came due before it has been decided.
    ///
    /// # Errors
    /// What is wrong with it, in a closed loop.
    pub fn take(&mut self, row: &Row) -> Result<(), String> {
        let arrivals = arrivals(row)?;
        match (&mut self.world, arrivals) {
            (Some(world), _) => world.advance(row.at),
            (world @ None, Some(_)) => {
                *world = Some(World::new(self.workload.model, row.at));
                self.due = row.at;
            }
            (None, None) => {
                return Err("a closed loop needs `arrivals`, work items per second, from its first row on: \
                     a metric of that name, as in the columns `at,arrivals` and the row `0,120`"
                    .to_owned());
            }
        }
        if let (Some(world), Some(arrivals)) = (&mut self.world, arrivals) {
            world.arrive(arrivals);
        }
        self.pass_through(row);
        Ok(())
    }

    /// Are there more evaluations before that row than a gap may have?
    ///
    /// # Errors
    /// When there are.
    pub fn check_gap(&self, row: &Row) -> Result<(), String> {
        let ahead = self.due().map_or(Duration::ZERO, |due| row.at.since(due));
        if ahead.as_millis() / self.interval.as_millis().max(1) > MAX_EVALUATIONS_BETWEEN_ROWS {
            return Err(format!(
                "there are more than {MAX_EVALUATIONS_BETWEEN_ROWS} evaluations, one every {}, between the row \
                 before and this one",
                self.interval
            ));
        }
        Ok(())
    }

    /// What the trace gives and the model does not make, until the next row.
    fn pass_through(&mut self, row: &Row) {
        self.row.metrics.clear();
        for (name, value) in &row.metrics {
            if name.starts_with("cpu.") || self.shown.iter().any(|it| it.0 == *name) {
                if !self.left_aside.contains(name) {
                    self.left_aside.push(Arc::clone(name));
                }
            } else {
                self.row.metrics.push((Arc::clone(name), *value));
            }
        }
        self.given = self.row.metrics.len();
        self.row.failed.clone_from(&row.failed);
        self.row.written.clone_from(&row.written);
        if let Some(told) = &row.limits {
            self.row.limits.get_or_insert_default().update(told);
        }
    }

    /// What the policy sees now that it is due, and what stands in its way; `None` before the first row.
    pub fn observe(&mut self) -> Option<(&Row, Constraints)> {
        let world = self.world.as_mut()?;
        world.advance(self.due);
        let (now, totals) = (world.now(), *world.totals());
        let seconds = totals.seconds - self.before.seconds;
        let rate = |all: f64, before: f64, at_first: f64| {
            if seconds > 0.0 { (all - before) / seconds } else { at_first }
        };
        let served = world.arrivals().min(world.capacity());
        self.row.metrics.truncate(self.given);
        for (name, shows) in &self.shown {
            let value = match shows {
                Shows::Backlog => Some(world.backlog()),
                Shows::RateIn => Some(rate(totals.arrived, self.before.arrived, world.arrivals())),
                Shows::RateOut => Some(rate(totals.done, self.before.done, served)),
                Shows::Latency => world.latency(),
            };
            self.row.metrics.push((Arc::clone(name), value));
        }
        let looks_back = now.minus(self.window);
        while self.busy.get(1).is_some_and(|it| it.0 <= looks_back) || self.busy.len() > MAX_WINDOW {
            self.busy.pop_front();
        }
        let view =
            View { now, since: self.busy.front().copied(), busy: totals.busy, share: world.busy_share() };
        let replicas = self.row.replicas.get_or_insert_default();
        replicas.resize_with(world.replicas().len(), TracedReplica::default);
        for (seen, replica) in replicas.iter_mut().zip(world.replicas()) {
            view.see(replica, seen);
        }
        let growing =
            world.replicas().iter().any(|it| it.busy_before.is_none() && view.age(it) < self.starting_for);
        self.busy.push_back((now, totals.busy));
        self.before = totals;
        self.row.at = now;
        self.row.written = self.row.written.at(now);
        let constraints =
            Constraints { growing, ceiling: Some(MAX_MODELLED_REPLICAS), ..Constraints::default() };
        Some((&self.row, constraints))
    }

    /// The workload does what was decided: it starts replicas, or those that were chosen leave.
    pub fn follow(&mut self, decision: &Decision) {
        let Some(world) = &mut self.world else { return };
        // What a row says of limits is said once; from there on they are what was decided.
        self.row.limits = None;
        let gone: HashSet<&str> =
            decision.retire.iter().chain(&decision.keep).map(ReplicaId::as_str).collect();
        if !gone.is_empty() {
            let seen = self.row.replicas.iter().flatten().zip(world.replicas());
            let numbers: Vec<u32> =
                seen.filter(|it| gone.contains(&*it.0.name)).map(|it| it.1.number).collect();
            world.stop(|it| numbers.binary_search(&it.number).is_ok());
        }
        world.start(decision.desired.saturating_sub(decision.current));
        self.due = self.due.plus(self.interval);
    }
}

/// What is seen of replicas at one moment.
struct View {
    now: Timestamp,
    /// The beginning of the window, with [`Totals::busy`] then.
    since: Option<(Timestamp, f64)>,
    /// [`Totals::busy`] now.
    busy: f64,
    /// Share of its time in which a ready replica is busy at this moment.
    share: f64,
}

impl View {
    fn age(&self, replica: &ModelledReplica) -> Duration {
        replica.started_at.map_or(Duration::ZERO, |start| self.now.since(start))
    }

    fn see(&self, replica: &ModelledReplica, seen: &mut TracedReplica) {
        seen.name.clear();
        let _ = write!(seen.name, "replica-{}", replica.number);
        seen.ready = Some(replica.busy_before.is_some());
        seen.age = replica.started_at.map(|_| self.age(replica).as_secs_f64());
        seen.cpu = replica.busy_before.map(|before| Some(100.0 * self.share_of(replica, before)));
    }

    /// Share of its time in which it was busy, over the window or its life where that is shorter.
    fn share_of(&self, replica: &ModelledReplica, before: f64) -> f64 {
        let Some((start, busy)) = self.since else { return self.share };
        let start = replica.started_at.map_or(start, |started| started.max(start));
        let seconds = self.now.since(start).as_secs_f64();
        if seconds > 0.0 { ((self.busy - before.max(busy)) / seconds).clamp(0.0, 1.0) } else { self.share }
    }
}

/// The metrics of the policy that the model makes.
fn shown(spec: &Spec, workload: &Workload) -> Result<Vec<(Arc<str>, Shows)>, Mismatch> {
    let of = |is: fn(&MetricSource) -> bool| -> Vec<String> {
        spec.sources.iter().filter(|it| is(&it.1)).map(|it| it.0.to_string()).collect()
    };
    let (queues, values) = (of(is_queue), of(is_value));
    if let Some(name) = workload.queue.as_ref().filter(|it| !queues.contains(it)) {
        return Err(Mismatch::Queue { name: name.clone(), found: queues });
    }
    if let Some(name) = workload.latency.as_ref().filter(|it| !values.contains(it)) {
        return Err(Mismatch::Latency { name: name.clone(), found: values });
    }
    let is_modelled = |source: &str| match &workload.queue {
        Some(queue) => queue == source,
        None => queues.iter().any(|it| it == source),
    };
    let shows = |name: &str| match name.split_once('.') {
        None => (workload.latency.as_deref() == Some(name)).then_some(Shows::Latency),
        Some((source, _)) if !is_modelled(source) => None,
        Some((_, "backlog" | "lag")) => Some(Shows::Backlog),
        Some((_, "rate_in")) => Some(Shows::RateIn),
        Some((_, "rate_out")) => Some(Shows::RateOut),
        Some(_) => None,
    };
    let metrics = spec.metrics.iter().filter(|it| it.origin == Origin::Source);
    Ok(metrics.filter_map(|it| Some((Arc::clone(&it.name), shows(&it.name)?))).collect())
}

fn is_queue(source: &MetricSource) -> bool {
    source.fields().contains(&"backlog")
}

const fn is_value(source: &MetricSource) -> bool {
    matches!(source, MetricSource::Prometheus(_) | MetricSource::Http(_) | MetricSource::Push(_))
}

/// The arrivals that a row of a closed loop tells; none where those of the row before hold.
fn arrivals(row: &Row) -> Result<Option<f64>, String> {
    let told = [
        ("current", row.current.is_some()),
        ("replicas", row.replicas.is_some()),
        ("scaled", row.scaled.is_some()),
    ];
    if let Some((field, _)) = told.iter().find(|it| it.1) {
        return Err(format!(
            "`{field}` is given, and in a closed loop the modelled workload says which replicas run; leave it out, or \
             replay the trace without --closed-loop, --service-rate, --start-up-delay and --initial-replicas"
        ));
    }
    let told = row.metrics.iter().find(|it| *it.0 == *ARRIVALS).and_then(|it| it.1);
    match told {
        Some(rate) if !(0.0..=MAX_RATE).contains(&rate) => Err(format!(
            "`{ARRIVALS}` is {rate}; write work items per second, from 0 to {MAX_RATE}, or nothing where those of the \
             row before hold"
        )),
        told => Ok(told),
    }
}

#[cfg(test)]
mod tests;
