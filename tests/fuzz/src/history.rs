//! What happens to a workload: what a pass sees of it, what stands in the way, what people and engines do.

use std::sync::Arc;

use docktor::api::condition::Reason;
use docktor::api::policy::Mode;
use docktor::decide::Constraints;
use docktor::model::change::ChangeId;
use docktor::model::decision::Decision;
use docktor::model::forecast::{Forecast, Model, Prediction};
use docktor::model::memory::{Hold, HoldDirection, Memory, Purpose, Wish};
use docktor::model::observation::{
    Health, HostCapacity, Limits, Observation, Replica, ReplicaId, ReplicaPhase, Sample, Snapshot,
};
use docktor::units::{Duration, Timestamp};

use crate::make::Chooser;
use crate::policies::METRICS;

/// The first and the last moment, in seconds: what a calendar has, less a week for what lies before and ahead.
const CALENDAR: [i64; 2] = [-377_704_400_000, 253_401_600_000];
/// Where time begins: 1970, a year's end, a spring and an autumn night on which clocks change, the calendar's ends.
const BEGINNINGS: [i64; 6] = [0, 1_767_225_590, 1_774_745_000, 1_792_888_000, CALENDAR[0], CALENDAR[1]];

/// A moment to begin at.
pub fn beginning(from: &mut Chooser<'_>) -> Timestamp {
    Timestamp::from_secs(from.one(&BEGINNINGS))
}

/// When the next pass is; clocks may be set back.
pub fn next(from: &mut Chooser<'_>, now: Timestamp) -> Timestamp {
    let millis = |most| Duration::from_millis(u64::from(most));
    let next = match from.count(0, 15) {
        0 => now.minus(millis(from.count(0, 7_200_000))),
        1..=3 => now.plus(millis(from.count(0, 86_400_000))),
        _ => now.plus(millis(from.count(0, 60_000))),
    };
    next.clamp(Timestamp::from_secs(CALENDAR[0]), Timestamp::from_secs(CALENDAR[1]))
}

/// What stands in the way.
pub fn constraints(from: &mut Chooser<'_>) -> Constraints {
    if !from.once_in(4) {
        return Constraints::default();
    }
    Constraints {
        stopped: from.once_in(6),
        conflict: from.once_in(6),
        ceiling: from.once_in(3).then(|| from.count(0, 12)),
        blocked: from.once_in(6).then_some(Reason::RolloutInProgress),
        growing: from.once_in(3),
        unreadable: from.once_in(6).then_some(Reason::TurnedOff),
    }
}

/// What a pass sees: a count alone, or replicas too.
pub fn snapshot(from: &mut Chooser<'_>, running: u32, now: Timestamp) -> Snapshot {
    let count = if from.once_in(6) { from.count(0, 40) } else { running };
    let listed = count <= 40 && from.once_in(2);
    let replicas = if listed { (1..=count).map(|it| replica(from, it, now)).collect() } else { Vec::new() };
    let current = (!listed).then_some(count);
    let mut metrics = std::collections::BTreeMap::new();
    for name in METRICS {
        if listed && !from.once_in(2) {
            continue;
        }
        let observed = match from.count(0, 7) {
            0 => Observation::Missing,
            1 => Observation::Failed,
            _ => Some(from.value())
                .filter(|it| it.is_finite())
                .map_or(Observation::Missing, Observation::Value),
        };
        metrics.insert(name.to_owned(), observed);
    }
    let limits = from.once_in(3).then(|| limits(from));
    let forecast = from.once_in(3).then(|| forecast(from, now));
    Snapshot { replicas, current, limits, metrics, forecast, evaluation: !from.once_in(4) }
}

fn limits(from: &mut Chooser<'_>) -> Limits {
    let cores = |from: &mut Chooser<'_>| (!from.once_in(6)).then(|| from.positive());
    let count = |from: &mut Chooser<'_>| (!from.once_in(6)).then(|| f64::from(from.count(0, u32::MAX)));
    Limits {
        cpus: cores(from),
        memory: count(from),
        tasks: count(from),
        allowed_cpus: count(from),
        io_weight: count(from),
        host: HostCapacity { cpus: count(from), memory: count(from), tasks: count(from) },
        ..Limits::default()
    }
}

fn forecast(from: &mut Chooser<'_>, now: Timestamp) -> Forecast {
    let upper: Vec<f64> = (0..from.count(0, 6)).map(|_| from.positive()).collect();
    Forecast::Known(Arc::new(Prediction {
        made_at: now.minus(Duration::from_secs(u64::from(from.count(0, 7_200)))),
        model: from.one(&[Model::SeasonalNaive, Model::HoltWinters, Model::Mstl]),
        step: Duration::from_secs(u64::from(from.count(1, 3_600))),
        expected: upper.clone(),
        upper,
        error: from.positive(),
    }))
}

fn replica(from: &mut Chooser<'_>, number: u32, now: Timestamp) -> Replica {
    use ReplicaPhase::{Draining, Failed, Pending, Running, Stopped};
    let id = format!("id{number}{}", if from.once_in(8) { "b" } else { "" });
    let age = Duration::from_secs(u64::from(from.count(0, 4_000)));
    let use_of = |from: &mut Chooser<'_>| (!from.once_in(6)).then(|| from.positive());
    let sample =
        Sample { at: now, cpu: use_of(from), memory: use_of(from), tasks: use_of(from), ..Sample::default() };
    Replica {
        restarts: 0,
        id: ReplicaId::new(&id),
        name: format!("web-{number}"),
        number,
        phase: from.one(&[Running, Running, Running, Running, Pending, Draining, Stopped, Failed]),
        health: from.one(&[Health::NoCheck, Health::Healthy, Health::Starting, Health::Unhealthy]),
        created_at: (!from.once_in(8)).then(|| now.minus(age)),
        started_at: (!from.once_in(8)).then(|| now.minus(age)),
        change: from.once_in(3).then(|| ChangeId::new(from.one(&["c1", "c2"]))),
        outdated: from.once_in(8),
        samples: if from.once_in(8) { Vec::new() } else { vec![sample] },
        limits: limits(from),
    }
}

/// What people do between two passes.
pub fn people(from: &mut Chooser<'_>, memory: &mut Memory, now: Timestamp) {
    let until = now.plus(Duration::from_secs(600));
    let (reason, by) = (None, "ada".to_owned());
    match from.count(0, 40) {
        1 => {
            let direction = from.one(&[HoldDirection::Up, HoldDirection::Down, HoldDirection::Both]);
            memory.hold(Hold { direction, until, reason, by });
        }
        2 => memory.wish(Wish { replicas: from.count(0, 50), until, reason, by }),
        3 => memory.resume(),
        4 => memory.set_mode(from.one(&[None, Some(Mode::Auto), Some(Mode::Approve), Some(Mode::Observe), Some(Mode::Disabled)])),
        _ => {}
    }
}

/// What comes of a decision; gives how many run then.
pub fn outcome(from: &mut Chooser<'_>, memory: &mut Memory, decision: &Decision, now: Timestamp) -> u32 {
    if !decision.act || !decision.wants_action() {
        return decision.current;
    }
    let id = ChangeId::new(from.one(&["c1", "c2"]));
    match from.count(0, 6) {
        0 => {
            memory.record_failure(decision.current, now);
            decision.current
        }
        1 => {
            memory.intend(decision.intent(id));
            decision.current
        }
        _ => {
            memory.settle(&id);
            if let Some(resize) = decision.resize.as_ref().filter(|it| it.changes()) {
                memory.record_resize(&resize.from, &resize.to, Purpose::Recommendation, now);
            }
            memory.record_change(decision.from, decision.desired, decision.purpose, now);
            decision.desired
        }
    }
}
