//! Forecasts of a policy while it is controlled: its evaluations teach a forecaster, and what takes long is done beside
//! the passes. A pass uses what is there and never waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::api::effective::Spec;
use crate::history::Archive;
use crate::model::decision::Decision;
use crate::model::forecast::Forecast;
use crate::model::key::PolicyKey;
use crate::strategies::forecast::{Fitted, Forecaster, Question};
use crate::telemetry::chain;
use crate::units::Timestamp;

/// Most fits at the same time; others wait for their next evaluation.
const CONCURRENT_FITS: usize = 2;

/// What is known of the time before this process.
pub trait Past: Send + Sync {
    /// The values of a policy's metric since then, oldest first. May take a while; nothing waits for it.
    fn samples(&self, policy: &PolicyKey, metric: &str, since: Timestamp) -> Vec<(Timestamp, f64)>;
}

/// Nothing is known of it.
pub struct NoPast;

impl Past for NoPast {
    fn samples(&self, _: &PolicyKey, _: &str, _: Timestamp) -> Vec<(Timestamp, f64)> {
        Vec::new()
    }
}

impl Past for Archive {
    fn samples(&self, policy: &PolicyKey, metric: &str, since: Timestamp) -> Vec<(Timestamp, f64)> {
        if !self.is_on() {
            return Vec::new();
        }
        Self::samples(self, policy.as_str(), metric, since).unwrap_or_else(|error| {
            let error = chain(&error);
            tracing::warn!(%policy, metric, error, "the forecast cannot read the history; it learns anew");
            Vec::new()
        })
    }
}

/// What all forecasts share.
#[derive(Clone)]
pub struct Forecasts {
    past: Arc<dyn Past>,
    fits: Arc<Semaphore>,
}

impl Forecasts {
    /// Forecasts that learn from `past` first.
    #[must_use]
    pub fn new(past: Arc<dyn Past>) -> Self {
        Self { past, fits: Arc::new(Semaphore::new(CONCURRENT_FITS)) }
    }
}

impl Default for Forecasts {
    fn default() -> Self {
        Self::new(Arc::new(NoPast))
    }
}

/// The forecast of one policy.
pub struct Foresight {
    question: Question,
    metric: Arc<str>,
    forecaster: Forecaster,
    /// What was known before is in.
    recalled: bool,
    job: Option<JoinHandle<Done>>,
}

/// What a job beside the passes came to.
enum Done {
    Recalled(Vec<(Timestamp, f64)>),
    Fitted(Fitted),
}

impl Foresight {
    /// The forecast that a policy asks for, if it does. `before` goes on where it was asked the same.
    #[must_use]
    pub fn of(spec: &Spec, before: Option<Self>) -> Option<Self> {
        let question = Question::of(spec)?;
        let metric = spec.metrics.get(spec.forecast.as_ref()?.metric.0)?.name.clone();
        let same = |it: &Self| it.question == question && it.metric == metric;
        let anew = || Self {
            question,
            metric: metric.clone(),
            forecaster: Forecaster::new(question),
            recalled: false,
            job: None,
        };
        Some(before.filter(same).unwrap_or_else(anew))
    }

    /// What a pass may look at. Takes what a job has come to meanwhile.
    pub async fn look(&mut self) -> Forecast {
        if let Some(job) = self.job.take_if(|it| it.is_finished()) {
            match job.await {
                Ok(Done::Recalled(samples)) => self.forecaster.recall(samples),
                Ok(Done::Fitted(fitted)) => self.forecaster.accept(fitted),
                Err(error) => tracing::error!(%error, metric = %self.metric, "a forecast failed"),
            }
        }
        self.forecaster.forecast()
    }

    /// Learns from an evaluation, and begins what is due.
    pub fn evaluated(&mut self, key: &PolicyKey, spec: &Spec, decision: &Decision, shared: &Forecasts) {
        self.forecaster.learn(spec, decision);
        if self.job.is_some() {
            return;
        }
        let Ok(permit) = Arc::clone(&shared.fits).try_acquire_owned() else { return };
        if !std::mem::replace(&mut self.recalled, true) {
            self.recall(key.clone(), decision.at, Arc::clone(&shared.past), permit);
        } else if let Some(fit) = self.forecaster.due(decision.at) {
            self.job = Some(tokio::task::spawn_blocking(move || {
                let _permit = permit;
                Done::Fitted(fit.run())
            }));
        }
    }

    fn recall(&mut self, key: PolicyKey, now: Timestamp, past: Arc<dyn Past>, permit: OwnedSemaphorePermit) {
        let (metric, since) = (Arc::clone(&self.metric), self.forecaster.reaches_back_to(now));
        self.job = Some(tokio::task::spawn_blocking(move || {
            let _permit = permit;
            Done::Recalled(past.samples(&key, &metric, since))
        }));
    }
}
