//! What must hold where a modelled workload follows the policy.

use std::sync::Arc;

use docktor::api::effective::Spec;
use docktor::simulation::closed::Workload;
use docktor::simulation::svg::Plot;
use docktor::simulation::trace::{ARRIVALS, Row};
use docktor::simulation::trial::{Lane, Trial};
use docktor::simulation::world::{MAX_WAITING, Model};
use docktor::units::Duration;

use crate::{shown, summed_up};

/// Rows of one trace that the workload is given. Each may start replicas that are modelled one by one.
const MAX_ROWS: usize = 50;
/// Most arrivals in a row, so that a few replicas do them.
const MAX_ARRIVALS: f64 = 200.0;
/// The workload does and loses a little by rounding.
const ROUNDING: f64 = 1e-6;

/// Lets a small workload follow the policy, twice, and asserts that both go the same way and no work is made up.
///
/// # Panics
/// When something does not hold: that is a finding.
pub fn follow(name: &str, spec: &Spec, rows: &[Row]) {
    let mut trial = Trial::new();
    let both = [(); 2].map(|()| trial.closed(spec.clone(), workload()));
    if let [Err(mismatch), _] = both {
        let _ = mismatch.to_string();
        return;
    }
    let mut plot = Plot::new([(name, spec), (name, spec)].into_iter());
    for row in arrivals(spec, rows) {
        let followed = trial.row(&row, |step| {
            let [one, other] = step.lanes else { panic!("two policies") };
            assert_eq!(one.decision(), other.decision(), "the same arrivals give another decision");
            shown(step);
            plot.add(step);
            Ok::<_, ()>(())
        });
        followed.expect("a closed loop takes every row of arrivals");
        trial.lanes().iter().for_each(conserved);
    }
    summed_up(&trial, &plot);
}

fn workload() -> Workload {
    let model = Model {
        service_rate: 10.0,
        start_up_delay: Duration::from_secs(20),
        initial_replicas: 1,
        queue_limit: MAX_WAITING,
    };
    Workload { model, latency: None, queue: None }
}

/// The rows as a closed loop takes them: one each interval, without replicas; any value that they have arrives.
fn arrivals<'a>(spec: &Spec, rows: &'a [Row]) -> impl Iterator<Item = Row> + 'a {
    let (mut at, interval) = (rows.first().map_or_else(Default::default, |it| it.at), spec.interval);
    rows.iter().take(MAX_ROWS).map(move |row| {
        at = at.plus(interval);
        let value = row.metrics.iter().find_map(|it| it.1).filter(|it| it.is_finite()).unwrap_or(0.0);
        let mut metrics = row.metrics.clone();
        metrics.retain(|it| *it.0 != *ARRIVALS);
        metrics.push((Arc::from(ARRIVALS), Some(value.abs().min(MAX_ARRIVALS))));
        Row {
            at,
            written: row.written.at(at),
            current: None,
            replicas: None,
            scaled: None,
            metrics,
            ..row.clone()
        }
    })
}

/// All work that arrived was done, turned away, or waits.
fn conserved(lane: &Lane) {
    let Some(world) = lane.world() else { return };
    let totals = world.totals();
    let found = totals.done + totals.turned_away + world.backlog();
    let lost = (totals.arrived - found).abs();
    assert!(lost <= ROUNDING * totals.arrived.max(1.0), "work is lost or made up: {world:?}");
}
