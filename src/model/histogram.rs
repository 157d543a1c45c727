//! A decaying histogram, as the Kubernetes Vertical Pod Autoscaler has it: where past use lay, with newer samples
//! weighing more. Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender/util.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::{Duration, Timestamp};

/// A sample loses half of its weight in this time.
pub const HALF_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// A bucket with less weight than this is empty.
pub const EMPTY_BELOW: f64 = 1e-4;
/// Weights grow with time rather than shrink; beyond 2 to the power of this the reference moves on.
const MAX_EXPONENT: i64 = 100;
/// The weight of the heaviest bucket of a checkpoint.
const CHECKPOINT_WEIGHT: f64 = 10_000.0;
/// Most buckets of a histogram.
const MAX_BUCKETS: usize = 1_000;

/// Where buckets begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Buckets {
    count: usize,
    first: f64,
    ratio: f64,
}

impl Buckets {
    /// CPU in cores.
    #[must_use]
    pub fn cpu() -> Self {
        Self::exponential(1_000.0, 0.01, 1.05)
    }

    /// Memory in bytes.
    #[must_use]
    pub fn memory() -> Self {
        Self::exponential(1e12, 1e7, 1.05)
    }

    /// Processes and threads, up to as many as Linux can number. Small counts have a bucket each.
    #[must_use]
    pub fn tasks() -> Self {
        Self::exponential(4_194_304.0, 1.0, 1.05)
    }

    /// Each bucket is `ratio` times as wide as the one before; the first holds 0 to `first`, the last begins at
    /// `max` or above and has no end. `max` and `first` are above 0, `ratio` above 1.
    #[must_use]
    pub fn exponential(max: f64, first: f64, ratio: f64) -> Self {
        let count = (max * (ratio - 1.0) / first + 1.0).ln() / ratio.ln();
        Self { count: bounded(count), first, ratio }
    }

    /// All buckets are `width` wide; the last begins at `max` or above and has no end. Both are above 0.
    #[must_use]
    pub fn linear(max: f64, width: f64) -> Self {
        Self { count: bounded(max / width), first: width, ratio: 1.0 }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> usize {
        self.count
    }

    /// The bucket into which a value falls; the first or the last for what lies outside.
    #[must_use]
    pub fn find(self, value: f64) -> usize {
        if value < self.first {
            return 0;
        }
        let index = if self.ratio > 1.0 {
            (value * (self.ratio - 1.0) / self.first + 1.0).ln() / self.ratio.ln()
        } else {
            value / self.first
        };
        // A cast from float saturates, and brings NaN to zero.
        (index as usize).min(self.count - 1)
    }

    /// Where a bucket begins.
    #[must_use]
    pub fn start(self, index: usize) -> f64 {
        if self.ratio > 1.0 {
            self.first * (self.ratio.powf(index as f64) - 1.0) / (self.ratio - 1.0)
        } else {
            self.first * index as f64
        }
    }
}

/// Buckets up to the one that begins at or after the largest value, and at least one.
fn bounded(last: f64) -> usize {
    (last.ceil() as usize).saturating_add(1).min(MAX_BUCKETS)
}

/// Weights of past samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    buckets: Buckets,
    half_life: Duration,
    empty_below: f64,
    weights: Vec<f64>,
    total: f64,
    /// A sample of this moment has its own weight; always a multiple of the half-life. `None` before the first.
    reference: Option<Timestamp>,
}

/// A histogram as it is stored: small numbers in place of weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Checkpoint {
    /// The moment whose samples have their own weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Timestamp>,
    /// The sum of all weights.
    pub total: f64,
    /// Weights by bucket, the heaviest scaled to 10000; what rounds to 0 is left out.
    pub weights: BTreeMap<usize, u32>,
}

/// Why a checkpoint cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// The total is negative or no number.
    #[error("the total weight {0} is no weight")]
    Total(f64),
    /// A bucket that the histogram does not have.
    #[error("there is no bucket {bucket}, only {count}")]
    Bucket {
        /// The bucket.
        bucket: usize,
        /// How many there are.
        count: usize,
    },
}

impl Histogram {
    /// An empty one, of which samples lose half of their weight in a day.
    #[must_use]
    pub fn new(buckets: Buckets) -> Self {
        Self::with(buckets, HALF_LIFE, EMPTY_BELOW)
    }

    /// An empty one with a half-life of its own. A bucket below the weight `empty_below` counts as empty.
    #[must_use]
    pub fn with(buckets: Buckets, half_life: Duration, empty_below: f64) -> Self {
        let weights = vec![0.0; buckets.count];
        Self { buckets, half_life, empty_below, weights, total: 0.0, reference: None }
    }

    /// Adds a sample. `weight` is 0 or more.
    pub fn add(&mut self, value: f64, weight: f64, at: Timestamp) {
        let weight = weight.max(0.0) * self.decay(at);
        self.weights[self.buckets.find(value)] += weight;
        self.total += weight;
    }

    /// Takes away a sample that was added before with the same value, weight and moment.
    pub fn subtract(&mut self, value: f64, weight: f64, at: Timestamp) {
        let weight = weight.max(0.0) * self.decay(at);
        let bucket = &mut self.weights[self.buckets.find(value)];
        let weight = if weight > *bucket - self.empty_below { *bucket } else { weight };
        *bucket -= weight;
        self.total -= weight;
    }

    /// Takes away all samples.
    pub fn clear(&mut self) {
        *self = Self::with(self.buckets, self.half_life, self.empty_below);
    }

    /// Adds all samples of another one with the same buckets and half-life.
    pub fn merge(&mut self, mut other: Self) {
        let Some(of_other) = other.reference else { return };
        match self.reference {
            Some(own) if own > of_other => other.shift(own),
            _ => self.shift(of_other),
        }
        for (weight, more) in self.weights.iter_mut().zip(&other.weights) {
            *weight += more;
        }
        self.total += other.total;
    }

    /// The value that this share of the weight does not exceed: the end of the bucket that reaches it, the start
    /// of the last bucket, which has no end; 0 of an empty histogram. `share` is 0 to 1.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let Some((first, last)) = self.ends() else { return 0.0 };
        let threshold = share * self.total;
        let mut sum = 0.0;
        let reached = (first..last).find(|index| {
            sum += self.weights[*index];
            sum >= threshold
        });
        let end = reached.unwrap_or(last) + 1;
        self.buckets.start(end.min(self.buckets.count - 1))
    }

    /// Is there no bucket that is not empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends().is_none()
    }

    /// The first and the last bucket that are not empty.
    fn ends(&self) -> Option<(usize, usize)> {
        let filled = |weight: &f64| *weight >= self.empty_below;
        Some((self.weights.iter().position(filled)?, self.weights.iter().rposition(filled)?))
    }

    /// By how much a sample of that moment weighs more than one of the reference: 2^((at − reference) / half-life).
    fn decay(&mut self, at: Timestamp) -> f64 {
        let half_life = self.half_life.as_millis().max(1);
        let late = |reference: Timestamp| {
            at.as_millis().saturating_sub(reference.as_millis()) > half_life.saturating_mul(MAX_EXPONENT)
        };
        if self.reference.is_none_or(late) {
            self.shift(at);
        }
        let reference = self.reference.map_or(0, Timestamp::as_millis);
        (at.as_millis().saturating_sub(reference) as f64 / half_life as f64).exp2()
    }

    /// Moves the reference near `to`, and scales the weights so that nothing else changes.
    fn shift(&mut self, to: Timestamp) {
        let half_life = self.half_life.as_millis().max(1);
        let halves = to.as_millis().saturating_add(half_life / 2).div_euclid(half_life);
        let to = Timestamp::from_millis(halves.saturating_mul(half_life));
        if let Some(reference) = self.reference {
            let exponent = reference.as_millis().saturating_sub(to.as_millis()) / half_life;
            let factor = (exponent as f64).exp2();
            self.weights.iter_mut().for_each(|it| *it *= factor);
            self.total *= factor;
        }
        self.reference = Some(to);
    }

    /// As it is stored.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let heaviest = self.weights.iter().copied().fold(0.0, f64::max);
        let weights = self.ends().map_or_else(BTreeMap::new, |(first, last)| {
            let scaled = |index: usize| (self.weights[index] / heaviest * CHECKPOINT_WEIGHT).round() as u32;
            (first..=last).map(|index| (index, scaled(index))).filter(|it| it.1 > 0).collect()
        });
        Checkpoint { reference: self.reference, total: self.total, weights }
    }

    /// Adds what a checkpoint holds.
    ///
    /// # Errors
    /// When it cannot be of a histogram with these buckets; nothing is added then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let (total, count) = (checkpoint.total, self.buckets.count);
        if !total.is_finite() || total < 0.0 {
            return Err(CheckpointError::Total(total));
        }
        if let Some(bucket) = checkpoint.weights.keys().copied().find(|it| *it >= count) {
            return Err(CheckpointError::Bucket { bucket, count });
        }
        let sum: f64 = checkpoint.weights.values().map(|it| f64::from(*it)).sum();
        let heaviest = checkpoint.weights.values().copied().max().unwrap_or(0);
        if heaviest > 0 {
            // What was not empty must not look empty because weights were rounded.
            let least = self.empty_below / f64::from(heaviest);
            let unit = (total / sum).max(least);
            for (bucket, weight) in &checkpoint.weights {
                self.weights[*bucket] += f64::from(*weight) * unit;
            }
            self.total += total.max(unit * sum);
        }
        self.reference = checkpoint.reference;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
