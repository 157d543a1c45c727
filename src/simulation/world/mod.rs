//! A modelled workload: work arrives, waits in one queue, and is done by replicas that take a while to start.
//!
//! Work is a fluid that spreads evenly over the replicas that are ready, so nothing is random, and what happens
//! between two moments is integrated exactly: replicas that become ready, a queue that empties or is full. Not
//! modelled: replicas that fail, work that is heavier than other work, and the draining of those that leave.

mod waiting;

use waiting::Waiting;

use crate::units::{Duration, Timestamp};

/// Most replicas that are modelled, each by itself.
pub const MAX_MODELLED_REPLICAS: u32 = 10_000;
/// Most work that arrives, or that one replica does, per second.
pub const MAX_RATE: f64 = 1e9;
/// Most work that can wait; sums of it are exact to a thousandth.
pub const MAX_WAITING: f64 = 1e12;
/// Need is rounded up, but not for the last digit of a division.
const ROUNDING: f64 = 1e-9;

/// What kind of workload it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// Work items that a ready replica can do per second; above 0.
    pub service_rate: f64,
    /// From the start of a replica until it is ready.
    pub start_up_delay: Duration,
    /// Replicas that are there, and ready, at the beginning.
    pub initial_replicas: u32,
    /// Most work items that wait; what arrives beyond them is turned away.
    pub queue_limit: f64,
}

/// A modelled workload at one moment.
#[derive(Debug, Clone)]
pub struct World {
    model: Model,
    now: Timestamp,
    /// Work items that arrive per second.
    arrivals: f64,
    backlog: f64,
    waiting: Waiting,
    /// By their numbers.
    replicas: Vec<ModelledReplica>,
    ready: u32,
    totals: Totals,
}

/// One replica of a modelled workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelledReplica {
    /// From 1; the lowest that was free at its start.
    pub number: u32,
    /// When it was started; `None` where it was there at the beginning.
    pub started_at: Option<Timestamp>,
    /// When it is ready.
    pub ready_at: Timestamp,
    /// [`Totals::busy`] when it became ready; `None` before.
    pub busy_before: Option<f64>,
}

/// What came to pass so far. Work is in items, time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// All the time.
    pub seconds: f64,
    /// Work that arrived.
    pub arrived: f64,
    /// Work that was done.
    pub done: f64,
    /// Work that arrived at a full queue.
    pub turned_away: f64,
    /// Work that ready replicas could have done.
    pub capacity: f64,
    /// For how long a replica that was always ready was busy.
    pub busy: f64,
    /// Time in which work waited.
    pub with_backlog: f64,
    /// Most work that waited.
    pub worst_backlog: f64,
    /// Longest that any work waited until it was done, or waits still.
    pub worst_wait: f64,
    /// Time in which fewer replicas were ready than the arrivals needed.
    pub under: f64,
    /// Time in which enough were ready, and more were there than the arrivals needed.
    pub over: f64,
}

impl World {
    /// At its beginning: no work waits.
    #[must_use]
    pub fn new(model: Model, began: Timestamp) -> Self {
        let initial = 1..=model.initial_replicas.min(MAX_MODELLED_REPLICAS);
        let replicas: Vec<_> = initial
            .map(|number| ModelledReplica {
                number,
                started_at: None,
                ready_at: began,
                busy_before: Some(0.0),
            })
            .collect();
        let ready = replicas.len() as u32;
        Self {
            model,
            now: began,
            arrivals: 0.0,
            backlog: 0.0,
            waiting: Waiting::default(),
            replicas,
            ready,
            totals: Totals::default(),
        }
    }

    /// From now on so much work arrives per second.
    pub fn arrive(&mut self, per_second: f64) {
        self.arrivals = per_second.clamp(0.0, MAX_RATE);
    }

    /// Lets time pass.
    pub fn advance(&mut self, to: Timestamp) {
        while self.now < to {
            let until = self.next_ready().map_or(to, |at| at.min(to));
            let mut left = until.since(self.now).as_secs_f64();
            // The first piece may end with an empty or a full queue; the second then lasts for the rest.
            while left > 0.0 {
                left -= self.piece(left);
            }
            self.now = until;
            self.become_ready();
        }
    }

    /// Starts `count` more replicas, as far as that many can be modelled.
    pub fn start(&mut self, count: u32) {
        let room = MAX_MODELLED_REPLICAS.saturating_sub(self.replicas.len() as u32);
        let mut free = 1;
        for _ in 0..count.min(room) {
            // Numbers rise without gaps up to the first that is free.
            while self.replicas.get(free as usize - 1).is_some_and(|it| it.number == free) {
                free += 1;
            }
            let ready_at = self.now.plus(self.model.start_up_delay);
            let started_at = Some(self.now);
            let replica = ModelledReplica { number: free, started_at, ready_at, busy_before: None };
            self.replicas.insert(free as usize - 1, replica);
        }
        self.become_ready();
    }

    /// Those replicas leave at once.
    pub fn stop(&mut self, leaves: impl Fn(&ModelledReplica) -> bool) {
        self.replicas.retain(|it| !leaves(it));
        self.ready = self.replicas.iter().filter(|it| it.busy_before.is_some()).count() as u32;
    }

    /// When it is.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What came to pass so far.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Work items that wait.
    #[must_use]
    pub const fn backlog(&self) -> f64 {
        self.backlog
    }

    /// Work items that arrive per second.
    #[must_use]
    pub const fn arrivals(&self) -> f64 {
        self.arrivals
    }

    /// Work items that the ready replicas can do per second.
    #[must_use]
    pub fn capacity(&self) -> f64 {
        self.capacity_of(self.ready)
    }

    /// Work items that so many ready replicas can do per second.
    #[must_use]
    pub fn capacity_of(&self, ready: u32) -> f64 {
        f64::from(ready) * self.model.service_rate
    }

    /// Share of their time in which ready replicas are busy at this moment; 0 where none is ready.
    #[must_use]
    pub fn busy_share(&self) -> f64 {
        let capacity = self.capacity();
        match capacity > 0.0 {
            true if self.backlog > 0.0 => 1.0,
            true => (self.arrivals / capacity).min(1.0),
            false => 0.0,
        }
    }

    /// Seconds from arrival until it is done, of work that arrives now; `None` while no replica is ready.
    #[must_use]
    pub fn latency(&self) -> Option<f64> {
        self.latency_of(self.ready)
    }

    /// The same, if so many replicas were ready.
    #[must_use]
    pub fn latency_of(&self, ready: u32) -> Option<f64> {
        let capacity = self.capacity_of(ready);
        (capacity > 0.0).then(|| self.backlog / capacity + 1.0 / self.model.service_rate)
    }

    /// The replicas, by their numbers.
    #[must_use]
    pub fn replicas(&self) -> &[ModelledReplica] {
        &self.replicas
    }

    /// How many of them are ready.
    #[must_use]
    pub const fn ready(&self) -> u32 {
        self.ready
    }

    /// Replicas that it takes to do what arrives.
    #[must_use]
    pub fn need(&self) -> u32 {
        (self.arrivals / self.model.service_rate - ROUNDING).ceil().max(0.0) as u32
    }

    fn next_ready(&self) -> Option<Timestamp> {
        if self.ready as usize == self.replicas.len() {
            return None;
        }
        self.replicas.iter().filter(|it| it.busy_before.is_none()).map(|it| it.ready_at).min()
    }

    fn become_ready(&mut self) {
        if self.ready as usize == self.replicas.len() {
            return;
        }
        for replica in &mut self.replicas {
            if replica.busy_before.is_none() && replica.ready_at <= self.now {
                replica.busy_before = Some(self.totals.busy);
                self.ready += 1;
            }
        }
    }

    /// At most so many seconds, in which nothing changes its rate; gives how many they were.
    fn piece(&mut self, most: f64) -> f64 {
        let (capacity, backlog) = (self.capacity(), self.backlog);
        let growth = self.arrivals - capacity;
        let behind = backlog > 0.0 || growth > 0.0;
        let (seconds, after, turned_away) = match growth {
            _ if !behind => (most, 0.0, 0.0),
            ..0.0 if backlog <= -growth * most => (backlog / -growth, 0.0, 0.0),
            ..=0.0 => (most, (backlog + growth * most).max(0.0), 0.0),
            _ if backlog >= self.model.queue_limit => (most, backlog, growth * most),
            _ if self.model.queue_limit - backlog < growth * most => {
                ((self.model.queue_limit - backlog) / growth, self.model.queue_limit, 0.0)
            }
            _ => (most, backlog + growth * most, 0.0),
        };
        let arrived = self.arrivals * seconds;
        let done = (backlog + arrived - turned_away - after).max(0.0);
        if behind {
            let start = self.totals.seconds;
            self.waiting.arrive(start, seconds, arrived - turned_away);
            let worst = self.waiting.leave(start, seconds, done);
            self.totals.worst_wait = self.totals.worst_wait.max(worst);
            self.totals.with_backlog += seconds;
            self.totals.busy += if capacity > 0.0 { seconds } else { 0.0 };
        } else if capacity > 0.0 {
            self.totals.busy += seconds * self.arrivals / capacity;
        }
        if after <= 0.0 {
            self.waiting.clear();
        }
        self.backlog = after;
        self.note(seconds, arrived, done, turned_away, capacity);
        seconds
    }

    fn note(&mut self, seconds: f64, arrived: f64, done: f64, turned_away: f64, capacity: f64) {
        let need = self.need();
        let totals = &mut self.totals;
        totals.seconds += seconds;
        totals.arrived += arrived;
        totals.done += done;
        totals.turned_away += turned_away;
        totals.capacity += capacity * seconds;
        totals.worst_backlog = totals.worst_backlog.max(self.backlog);
        if self.ready < need {
            totals.under += seconds;
        } else if self.replicas.len() as u32 > need {
            totals.over += seconds;
        }
    }
}

#[cfg(test)]
mod tests;
