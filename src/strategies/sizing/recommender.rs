//! Limits from past use, as the Kubernetes Vertical Pod Autoscaler finds them: percentiles of a decaying histogram
//! with a margin, and bounds that are as wide as the history is short. Source: kubernetes/autoscaler,
//! vertical-pod-autoscaler/pkg/recommender and pkg/updater.
//!
//! CPU takes every sample. Memory and tasks take one peak a day, for what counts is the most that was needed.

use crate::model::usage::{History, Interval, Span};
use crate::units::{Duration, Timestamp};

/// A day: one peak is kept of each, and confidence is counted in them.
pub const INTERVAL: Duration = Duration::from_secs(24 * 3_600);
/// History older than so many intervals, with nothing since, is forgotten.
pub const INTERVALS: u64 = 8;
/// The weight of a CPU sample.
pub const CPU_WEIGHT: f64 = 0.1;
/// The weight of a peak.
pub const PEAK_WEIGHT: f64 = 1.0;
/// Samples of a day at one a minute.
const SAMPLES_A_DAY: f64 = 1_440.0;
/// Shares of the weight for lower end, target and upper end.
const PERCENTILES: [f64; 3] = [0.5, 0.9, 0.95];
/// What is added on top of past use.
const MARGIN: f64 = 0.15;
/// Least recommendation of CPU, in cores.
pub const LEAST_CPU: f64 = 0.025;
/// Least recommendation of memory, in bytes.
pub const LEAST_MEMORY: f64 = 250.0 * 1_048_576.0;
/// After a kill for want of memory at least this much more is needed, in bytes.
const OOM_MORE: f64 = 100.0 * 1_048_576.0;
/// And at least this many times as much.
const OOM_TIMES: f64 = 1.2;
/// Within the range, limits move only so long after the last resize.
pub const SETTLED_AFTER: Duration = Duration::from_secs(12 * 3_600);
/// And only by more than this fraction.
pub const WORTH_IT: f64 = 0.1;
/// A kill for want of memory within this time is acted upon at once.
pub const OOM_RECENT: Duration = Duration::from_secs(600);

/// What a limit should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Below this it is too small.
    pub lower: f64,
    /// What it should be.
    pub target: f64,
    /// Above this it is too large; infinite without history.
    pub upper: f64,
}

/// Adds a sample of CPU in cores. One that is negative, no number, or not newer than the last is left out; says
/// whether it was taken.
pub fn add_sample(history: &mut History, cores: f64, at: Timestamp) -> bool {
    if !valid(cores) || history.span.last.is_some_and(|last| at <= last) {
        return false;
    }
    expire(history, at);
    history.histogram.add(cores, CPU_WEIGHT, at);
    note(&mut history.span, at);
    true
}

/// Adds a sample of memory in bytes, or of tasks: it counts where it is the peak of its interval. One that is
/// negative, no number, or older than the last is left out; says whether it was taken.
pub fn add_peak(history: &mut History, value: f64, at: Timestamp) -> bool {
    if !valid(value) || history.span.last.is_some_and(|last| at < last) {
        return false;
    }
    expire(history, at);
    if raise(history, value, at) {
        history.interval.used = Some(value);
    }
    note(&mut history.span, at);
    true
}

/// Adds a kill for want of memory: more was needed than the larger of what was allowed (`allowed`, in bytes) and
/// the peak of the interval. One that is older than an interval, by the clock, is left out; says whether it was taken.
pub fn add_oom(history: &mut History, allowed: f64, at: Timestamp, now: Timestamp) -> bool {
    if !valid(allowed) || now.since(at) > INTERVAL {
        return false;
    }
    expire(history, at);
    // What earlier kills were taken to need does not count, else a row of them would run away.
    let needed = after_oom(allowed.max(history.interval.used.unwrap_or(0.0)));
    if raise(history, needed, at) {
        history.interval.needed = Some(needed);
    }
    true
}

/// What is needed, in bytes, after a kill at this use.
#[must_use]
pub fn after_oom(used: f64) -> f64 {
    (used + OOM_MORE).max(used * OOM_TIMES)
}

/// Puts `value` in place of the interval's peak where it is higher; begins the next interval when its time has
/// come. Says whether it is the peak now.
fn raise(history: &mut History, value: f64, at: Timestamp) -> bool {
    let History { histogram, interval, .. } = history;
    let begun = interval.end.unwrap_or(at);
    if at < begun {
        let peak = [interval.used, interval.needed].into_iter().flatten().reduce(f64::max);
        if peak.is_some_and(|peak| value <= peak) {
            return false;
        }
        if let Some(peak) = peak {
            histogram.subtract(peak, PEAK_WEIGHT, begun);
        }
        histogram.add(value, PEAK_WEIGHT, begun);
        return true;
    }
    let length = INTERVAL.as_millis();
    let passed = at.since(begun).as_millis() / length;
    let end = Timestamp::from_millis(begun.as_millis().saturating_add((passed + 1).saturating_mul(length)));
    *interval = Interval { end: Some(end), ..Interval::default() };
    histogram.add(value, PEAK_WEIGHT, end);
    true
}

/// Nothing for eight intervals: what was before says nothing any more.
fn expire(history: &mut History, at: Timestamp) {
    let longest = Duration::from_millis(INTERVALS * INTERVAL.as_millis().unsigned_abs());
    if history.span.last.is_some_and(|last| at.since(last) >= longest) {
        history.histogram.clear();
        history.span = Span::default();
        history.interval = Interval::default();
    }
}

fn note(span: &mut Span, at: Timestamp) {
    span.first.get_or_insert(at);
    span.last = Some(at);
    span.samples = span.samples.saturating_add(1);
}

fn valid(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// How much the history is worth: its days, as long as there is a sample a minute.
#[must_use]
pub fn confidence(span: Span) -> f64 {
    let length = span.first.zip(span.last).map_or(Duration::ZERO, |(first, last)| last.since(first));
    let days = length.as_secs_f64() / INTERVAL.as_secs_f64();
    days.min(span.samples as f64 / SAMPLES_A_DAY)
}

/// What a limit should be by its history; at least `least`. `None` without history.
#[must_use]
pub fn estimate(history: &History, least: f64) -> Option<Estimate> {
    if history.histogram.is_empty() {
        return None;
    }
    let [lower, target, upper] = PERCENTILES.map(|share| history.histogram.percentile(share));
    Some(widened(Estimate { lower, target, upper }, confidence(history.span), least))
}

/// Percentiles of past use with the margin; the ends as far away as little confidence demands; at least `least`.
#[must_use]
pub fn widened(of_use: Estimate, confidence: f64, least: f64) -> Estimate {
    let with_margin = |value: f64| value + value * MARGIN;
    Estimate {
        lower: (with_margin(of_use.lower) * (1.0 + 0.001 / confidence).powi(-2)).max(least),
        target: with_margin(of_use.target).max(least),
        upper: (with_margin(of_use.upper) * (1.0 + 1.0 / confidence)).max(least),
    }
}

/// Why a limit should move to its target now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It lies outside of the range.
    Outside,
    /// It lies within, was left alone for long, and is off by much.
    Drifted,
    /// The kernel killed for want of memory, just now.
    OutOfMemory,
}

/// Should a limit of `present` move to its target? `off` is by which fraction of the present it is away from it,
/// `rested` the time since the last resize, `since_oom` that since the last kill for want of memory.
#[must_use]
pub fn trigger(
    present: f64,
    estimate: Estimate,
    off: f64,
    rested: Duration,
    since_oom: Option<Duration>,
) -> Option<Trigger> {
    if present < estimate.lower || present > estimate.upper {
        Some(Trigger::Outside)
    } else if since_oom.is_some_and(|it| it < OOM_RECENT) && off > 0.0 {
        Some(Trigger::OutOfMemory)
    } else if rested >= SETTLED_AFTER && off > WORTH_IT {
        Some(Trigger::Drifted)
    } else {
        None
    }
}

/// By which fraction of the present limit `target` is away from it.
#[must_use]
pub fn off(present: f64, target: f64) -> f64 {
    (present - target).abs() / present.max(1.0)
}

#[cfg(test)]
mod tests;
