//! The forecaster of one metric: takes its values as they come, and makes a prediction now and then.
//!
//! Fitting is a job of its own, so that a controller can do it aside; whoever has the time asks `prediction`, which
//! does it at once.

use std::sync::Arc;

use super::backtest::{self, Chosen};
use super::grid::Grid;
use super::series::{Series, Stretch};
use crate::api::effective::Spec;
use crate::model::decision::Decision;
use crate::model::forecast::{Forecast, Prediction};
use crate::units::{Duration, Timestamp};

/// Models are compared anew once the past has grown by this part of itself, and once a season at the latest.
const GROWN_BY: usize = 8;

/// What is asked of a forecaster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Length of the season, where there is one.
    pub season: Option<Duration>,
    /// How far ahead.
    pub horizon: Duration,
    /// Time between two values.
    pub interval: Duration,
    /// Share of the futures that the upper values cover.
    pub confidence: f64,
}

impl Question {
    /// What a policy asks; `None` where it asks for no forecast.
    #[must_use]
    pub fn of(spec: &Spec) -> Option<Self> {
        let it = spec.forecast.as_ref()?;
        let Spec { interval, .. } = *spec;
        Some(Self { season: it.season, horizon: it.horizon, interval, confidence: it.confidence })
    }
}

/// The past of one metric, and what it says of the future.
#[derive(Debug, Clone)]
pub struct Forecaster {
    grid: Grid,
    confidence: f64,
    series: Series,
    fitted: Option<Fitted>,
}

/// A prediction that is to be made.
#[derive(Debug, Clone)]
pub struct Fit {
    grid: Grid,
    confidence: f64,
    stretch: Stretch,
    choice: Option<Choice>,
    now: Timestamp,
}

/// What a fit came to.
#[derive(Debug, Clone)]
pub struct Fitted {
    at: Timestamp,
    forecast: Forecast,
    choice: Option<Choice>,
}

/// The model that is used, and when it was chosen.
#[derive(Debug, Clone)]
struct Choice {
    /// The values are divided by it.
    scale: f64,
    chosen: Chosen,
    made_at: Timestamp,
    /// Steps that were known.
    known: usize,
}

impl Forecaster {
    /// A forecaster that knows nothing yet.
    #[must_use]
    pub fn new(question: Question) -> Self {
        let grid = Grid::new(question.season, question.horizon, question.interval);
        let series = Series::new(grid.step, grid.capacity, grid.longest_gap);
        Self { grid, confidence: question.confidence, series, fitted: None }
    }

    /// Takes what an evaluation read of the metric that the policy wants predicted, where it read anything.
    pub fn learn(&mut self, spec: &Spec, decision: &Decision) {
        let metric = spec.forecast.as_ref().and_then(|it| spec.metrics.get(it.metric.0));
        let of_metric = |it: &&(Arc<str>, f64)| metric.is_some_and(|metric| metric.name == it.0);
        if let Some((_, value)) = decision.metrics.iter().find(of_metric) {
            self.observe(decision.at, *value);
        }
    }

    /// Takes a value; what is not finite is left out.
    pub fn observe(&mut self, at: Timestamp, value: f64) {
        self.series.observe(at, value);
    }

    /// Takes what was known before the first value.
    pub fn recall(&mut self, past: impl IntoIterator<Item = (Timestamp, f64)>) {
        self.series.recall(past);
        self.fitted = None;
    }

    /// Since when the past is worth knowing.
    #[must_use]
    pub fn reaches_back_to(&self, now: Timestamp) -> Timestamp {
        self.grid.reaches_back_to(now)
    }

    /// What is known, without making anything new.
    #[must_use]
    pub fn forecast(&self) -> Forecast {
        let learning =
            || Forecast::Learning { has: Duration::ZERO, needs: self.grid.length(self.grid.needs) };
        self.fitted.as_ref().map_or_else(learning, |it| it.forecast.clone())
    }

    /// The fit that is due at `now`: none yet, or the last one is older than a part of a season.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Fit> {
        if let Some(fitted) = &self.fitted {
            let rest = match fitted.forecast {
                Forecast::Learning { .. } => self.grid.length(1),
                Forecast::Known(_) => self.grid.refit,
            };
            if fitted.at <= now && now.since(fitted.at) < rest {
                return None;
            }
        }
        let choice = self.fitted.as_ref().and_then(|it| it.choice.clone());
        let (grid, confidence) = (self.grid, self.confidence);
        Some(Fit { grid, confidence, stretch: self.series.latest(now), choice, now })
    }

    /// Takes what a fit came to.
    pub fn accept(&mut self, fitted: Fitted) {
        self.fitted = Some(fitted);
    }

    /// What is known at `now`, made anew where that is due.
    pub fn prediction(&mut self, now: Timestamp) -> Forecast {
        if let Some(fit) = self.due(now) {
            self.accept(fit.run());
        }
        self.forecast()
    }
}

impl Fit {
    /// Chooses a model where that is due, and predicts. Takes a while.
    #[must_use]
    pub fn run(mut self) -> Fitted {
        let known = self.stretch.values.len();
        let learning = |it: &Self| Forecast::Learning {
            has: it.grid.length(known),
            needs: it.grid.length(it.grid.needs),
        };
        if known < self.grid.needs {
            return Fitted { at: self.now, forecast: learning(&self), choice: None };
        }
        let choice = self.choice.take().filter(|it| !self.is_outgrown(it)).or_else(|| self.choose());
        let prediction = choice.as_ref().and_then(|it| self.predict(it));
        let forecast = prediction.map_or_else(|| learning(&self), |it| Forecast::Known(Arc::new(it)));
        Fitted { at: self.now, forecast, choice }
    }

    fn is_outgrown(&self, choice: &Choice) -> bool {
        let new = self.grid.length((choice.known / GROWN_BY).min(self.grid.span));
        choice.made_at > self.now || self.now.since(choice.made_at) >= new || self.largest() > choice.scale
    }

    fn choose(&self) -> Option<Choice> {
        // Around 1, so that no square overflows, nor is lost in a float of single precision.
        let scale = Some(self.largest()).filter(|it| *it > 0.0).unwrap_or(1.0);
        let chosen = backtest::choose(&self.scaled(scale), &self.grid)?;
        Some(Choice { scale, chosen, made_at: self.now, known: self.stretch.values.len() })
    }

    fn predict(&self, choice: &Choice) -> Option<Prediction> {
        let past = self.scaled(choice.scale);
        let expected = choice.chosen.predict(&past, self.grid.period, self.grid.ahead)?;
        let range = Range::of(&past);
        let upper = expected.iter().enumerate().map(|(lead, value)| {
            (range.sane(*value) + choice.chosen.margin(lead, self.confidence)) * choice.scale
        });
        let upper = upper.map(|it| range.sign(it)).collect();
        let expected = expected.iter().map(|it| range.sign(range.sane(*it) * choice.scale)).collect();
        Some(Prediction {
            made_at: self.stretch.end,
            model: choice.chosen.model,
            step: self.grid.length(1),
            expected,
            upper,
            error: choice.chosen.error * choice.scale,
        })
    }

    fn scaled(&self, scale: f64) -> Vec<f64> {
        self.stretch.values.iter().map(|it| it / scale).collect()
    }

    fn largest(&self) -> f64 {
        self.stretch.values.iter().fold(0.0, |most: f64, it| most.max(it.abs()))
    }
}

/// What was ever seen.
struct Range {
    least: f64,
    most: f64,
}

impl Range {
    fn of(past: &[f64]) -> Self {
        let fold = |start: f64, pick: fn(f64, f64) -> f64| past.iter().copied().fold(start, pick);
        Self { least: fold(f64::INFINITY, f64::min), most: fold(f64::NEG_INFINITY, f64::max) }
    }

    /// No further beyond what was ever seen than that lies apart: a trend that is carried on must not run away.
    fn sane(&self, value: f64) -> f64 {
        let apart = self.most - self.least;
        value.clamp(self.least - apart, self.most + apart)
    }

    /// What never was below zero will not be.
    fn sign(&self, value: f64) -> f64 {
        if self.least >= 0.0 { value.max(0.0) } else { value }
    }
}

#[cfg(test)]
mod tests;
