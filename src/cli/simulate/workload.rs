//! Which workload a closed loop models: flags, and what they mean for a policy.

use clap::Args;

use crate::api::effective::Spec;
use crate::cli::exit::{Exit, Failure};
use crate::simulation::closed::Workload;
use crate::simulation::world::{MAX_MODELLED_REPLICAS, MAX_RATE, MAX_WAITING, Model};
use crate::units::Duration;

/// What workload a closed loop models. Any of these makes it a closed loop.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "A modelled workload that follows the policy (closed loop)")]
pub struct WorkloadArgs {
    /// Let a modelled workload follow the policy; the trace gives `arrivals`, work items per second. Implied by
    /// each of the flags below
    #[arg(long)]
    pub closed_loop: bool,
    /// Work items that one replica does per second
    #[arg(long, value_name = "RATE", value_parser = rate, allow_negative_numbers = true)]
    pub service_rate: Option<f64>,
    /// From a replica's start until it is ready [default: the policy's readinessDelay]
    #[arg(long, value_name = "DURATION")]
    pub start_up_delay: Option<Duration>,
    /// Replicas at the beginning [default: the policy's replicas.min, at least 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_MODELLED_REPLICAS)))]
    pub initial_replicas: Option<u32>,
    /// Most work items that wait; what arrives beyond them is turned away [default: no such limit]
    #[arg(long, value_name = "WORK", value_parser = work, allow_negative_numbers = true)]
    pub queue_limit: Option<f64>,
    /// The policy's prometheus, http or push metric that shows the latency, in seconds
    #[arg(long, value_name = "METRIC")]
    pub latency: Option<String>,
    /// The policy's queue that shows the work that waits [default: each of its queues]
    #[arg(long, value_name = "METRIC")]
    pub queue: Option<String>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|it: &f64| *it > 0.0 && *it <= MAX_RATE);
    rate.ok_or_else(|| {
        format!("write work items per second, above 0 and up to {MAX_RATE}, as in `20` or `0.5`")
    })
}

fn work(text: &str) -> Result<f64, String> {
    let work = text.parse().ok().filter(|it| (0.0..=MAX_WAITING).contains(it));
    work.ok_or_else(|| format!("write how many work items may wait, from 0 to {MAX_WAITING}, as in `1000`"))
}

impl WorkloadArgs {
    /// The workload that is modelled for that policy; none in an open loop.
    ///
    /// # Errors
    /// `Usage` where nothing says how fast a replica works.
    pub(super) fn workload(&self, spec: &Spec) -> Result<Option<Workload>, Failure> {
        if !self.is_closed_loop() {
            return Ok(None);
        }
        let Some(service_rate) = self.service_rate else {
            let message =
                "a closed loop needs --service-rate: how many work items one replica does per second";
            return Err(Failure::say(Exit::Usage, message));
        };
        let model = Model {
            service_rate,
            start_up_delay: self.start_up_delay.unwrap_or(spec.readiness_delay),
            initial_replicas: self
                .initial_replicas
                .unwrap_or(spec.bounds.min().clamp(1, MAX_MODELLED_REPLICAS)),
            queue_limit: self.queue_limit.unwrap_or(MAX_WAITING),
        };
        Ok(Some(Workload { model, latency: self.latency.clone(), queue: self.queue.clone() }))
    }

    pub(super) fn is_closed_loop(&self) -> bool {
        self.closed_loop
            || self.service_rate.is_some()
            || self.start_up_delay.is_some()
            || self.initial_replicas.is_some()
            || self.queue_limit.is_some()
            || self.latency.is_some()
            || self.queue.is_some()
    }
}
