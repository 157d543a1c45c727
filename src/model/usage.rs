//! Past use of a workload, as far as limits are found by it: histograms, and what it takes to go on with them.
//! Stored as checkpoints, which are exact to one part in ten thousand of the heaviest bucket.
//!
//! It holds values; what goes in and what follows from it is in `strategies::sizing`.

use serde::{Deserialize, Serialize};

use super::histogram::{Buckets, Checkpoint, Histogram};
use crate::units::Timestamp;

/// Past use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Usage {
    /// CPU in cores, every sample.
    pub cpu: History,
    /// Memory in bytes, a peak for each interval.
    pub memory: History,
    /// Processes and threads, a peak for each interval.
    pub tasks: History,
    /// When it was last added to.
    pub learnt: Option<Timestamp>,
    /// Kills for want of memory within the window, as a trace last told.
    pub oom_kills: Option<f64>,
    /// When it last did, as far as docktor saw.
    pub last_oom: Option<Timestamp>,
}

/// Past use of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Where it lay.
    pub histogram: Histogram,
    /// How much of it there is.
    pub span: Span,
    /// The present interval, where peaks are kept.
    pub interval: Interval,
}

/// How much history there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Span {
    /// The first sample.
    pub first: Option<Timestamp>,
    /// The latest sample.
    pub last: Option<Timestamp>,
    /// How many there were.
    pub samples: u64,
}

/// The interval of which one peak is kept.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Interval {
    /// When it ends; that moment belongs to the next one.
    pub end: Option<Timestamp>,
    /// The most that was used in it.
    pub used: Option<f64>,
    /// The most that was needed in it, as kills for want of memory tell.
    pub needed: Option<f64>,
}

impl History {
    /// None yet.
    #[must_use]
    pub fn new(buckets: Buckets) -> Self {
        Self { histogram: Histogram::new(buckets), span: Span::default(), interval: Interval::default() }
    }

    fn stored(&self) -> StoredHistory {
        StoredHistory { histogram: self.histogram.checkpoint(), span: self.span, interval: self.interval }
    }

    /// History that does not fit this build is forgotten, and gathered anew.
    fn loaded(stored: &StoredHistory, buckets: Buckets) -> Self {
        let mut history = Self::new(buckets);
        if history.histogram.load(&stored.histogram).is_ok() {
            history.span = stored.span;
            history.interval = stored.interval;
        }
        history
    }

    /// Whatever lies ahead of `now` was written before the clock was set back.
    fn turn_back(&mut self, now: Timestamp) {
        for moment in [&mut self.span.first, &mut self.span.last] {
            moment.iter_mut().for_each(|it| *it = (*it).min(now));
        }
        if self.interval.end.is_some_and(|end| end > now.plus(super::histogram::HALF_LIFE)) {
            self.interval = Interval::default();
        }
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self::from(Stored::default())
    }
}

impl Usage {
    /// Whatever lies ahead of `now` was written before the clock was set back.
    pub fn turn_back(&mut self, now: Timestamp) {
        for history in [&mut self.cpu, &mut self.memory, &mut self.tasks] {
            history.turn_back(now);
        }
        for moment in [&mut self.last_oom, &mut self.learnt] {
            moment.iter_mut().for_each(|it| *it = (*it).min(now));
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    cpu: StoredHistory,
    memory: StoredHistory,
    tasks: StoredHistory,
    #[serde(skip_serializing_if = "Option::is_none")]
    learnt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oom_kills: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_oom: Option<Timestamp>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StoredHistory {
    histogram: Checkpoint,
    span: Span,
    interval: Interval,
}

impl From<Stored> for Usage {
    fn from(stored: Stored) -> Self {
        Self {
            cpu: History::loaded(&stored.cpu, Buckets::cpu()),
            memory: History::loaded(&stored.memory, Buckets::memory()),
            tasks: History::loaded(&stored.tasks, Buckets::tasks()),
            learnt: stored.learnt,
            oom_kills: stored.oom_kills,
            last_oom: stored.last_oom,
        }
    }
}

impl From<Usage> for Stored {
    fn from(usage: Usage) -> Self {
        Self {
            cpu: usage.cpu.stored(),
            memory: usage.memory.stored(),
            tasks: usage.tasks.stored(),
            learnt: usage.learnt,
            oom_kills: usage.oom_kills,
            last_oom: usage.last_oom,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_history_is_stored_in_a_few_kilobytes() {
        let mut usage = Usage::default();
        let now = Timestamp::from_secs(1_700_000_000);
        for (history, scale) in [(&mut usage.cpu, 0.01), (&mut usage.memory, 1e7), (&mut usage.tasks, 1.0)] {
            for step in 0..100_000u32 {
                history.histogram.add(f64::from(step) * scale, 0.1, now);
            }
        }
        let json = serde_json::to_string(&usage).unwrap();
        assert!(json.len() < 8_000, "{}", json.len());
        let loaded: Usage = serde_json::from_str(&json).unwrap();
        assert_eq!(loaded.cpu.histogram.percentile(0.9), usage.cpu.histogram.percentile(0.9));
    }

    #[test]
    fn history_that_does_not_fit_is_forgotten_and_the_rest_is_kept() {
        let json = r#"{"cpu": {"histogram": {"total": 1.0, "weights": {"999": 10000}}, "span": {"samples": 7}},
                       "memory": {"histogram": {"total": 1.0, "weights": {"5": 10000}}, "span": {"samples": 7}}}"#;
        let usage: Usage = serde_json::from_str(json).unwrap();
        assert!(usage.cpu.histogram.is_empty() && !usage.memory.histogram.is_empty());
        assert_eq!((usage.cpu.span.samples, usage.memory.span.samples), (0, 7));
    }
}
