//! What must hold for every policy on every trace. The fuzz targets only make the two.

pub mod closed;
pub mod history;
pub mod make;
pub mod policies;

use docktor::api::behavior::FallbackBehavior;
use docktor::api::effective::{Origin, Spec, Test, unsupported};
use docktor::api::metric::{MetricSource, WhenAbsent};
use docktor::api::status::Action;
use docktor::decide::{Constraints, decide};
use docktor::model::decision::Decision;
use docktor::model::memory::{Memory, Purpose};
use docktor::model::observation::Snapshot;
use docktor::simulation::replay::{Replay, Simulated};
use docktor::simulation::shown::Shown;
use docktor::simulation::svg::Plot;
use docktor::simulation::trace::Row;
use docktor::simulation::trial::{Step, Trial};
use docktor::units::Timestamp;

/// Rows of one trace that are replayed. Each costs some microseconds, and one input should cost well below a second.
pub const MAX_ROWS: usize = 200;

/// Replays rows and asserts what must hold on every one of them.
///
/// # Panics
/// When something does not hold: that is a finding.
pub fn replay(name: &str, spec: &Spec, rows: &[Row]) {
    let _ = unsupported(spec);
    let (mut replay, mut again) = (Replay::new(spec.clone()), Replay::new(spec.clone()));
    let mut trial = Trial::new();
    trial.open(spec.clone());
    let mut plot = Plot::new([(name, spec)].into_iter());
    for row in rows.iter().take(MAX_ROWS) {
        let decision = replay.decide(row);
        assert_eq!(decision, again.decide(row), "the same inputs give another decision");
        assert_eq!(replay.memory(), again.memory(), "the same inputs leave another memory");
        within_bounds(spec, &decision);
        blind(spec, replay.memory(), decision.current, row.at);
        let tried = trial.row(row, |step| {
            assert_eq!(Some(&decision), step.lanes[0].decision(), "a trial gives another decision");
            shown(step);
            plot.add(step);
            Ok::<_, ()>(())
        });
        tried.expect("an open loop takes every row");
        serde_json::to_string(&Simulated::new(row, &decision)).expect("a decision is written as JSON");
    }
    remembered(replay.memory());
    summed_up(&trial, &plot);
    assert!(replay.never_given().count() <= spec.metrics.len());
}

/// A trial can be summed up and drawn at any moment.
fn summed_up(trial: &Trial, plot: &Plot) {
    for lane in trial.lanes() {
        serde_json::to_string(&lane.report()).expect("a report is written as JSON");
    }
    assert!(plot.draw().ends_with("</svg>\n"));
}

/// What is wanted lies within the bounds that hold now. An idle workload may have fewer, unless a person asked for
/// them; what is left alone may lie anywhere.
///
/// # Panics
/// When it does not.
pub fn within_bounds(spec: &Spec, decision: &Decision) {
    let Decision { desired, bounds, .. } = *decision;
    let rests = spec.idle.is_some_and(|it| {
        desired <= bounds.max() && (decision.purpose != Purpose::Person || desired <= it.replicas)
    });
    let within = bounds.clamp(desired) == desired;
    assert!(within || rests || decision.action == Action::None, "out of bounds: {decision:?}");
    for limit in spec.sizing.iter().flat_map(|it| &it.limits) {
        let Some(resize) = &decision.resize else { continue };
        let before = resize.from.get(limit.kind).unwrap_or(limit.min);
        let after = resize.to.get(limit.kind).unwrap_or(before);
        let allowed = before.min(limit.min)..=before.max(limit.max);
        assert!(allowed.contains(&after), "{} out of bounds: {decision:?}", limit.kind);
    }
}

/// Every way to show a step gives something.
fn shown(step: Step<'_>) {
    for lane in step.lanes {
        let decision = lane.decision().expect("every policy has decided");
        let shown = Shown { policy: None, at: step.at, decision, world: lane.world() };
        serde_json::to_string(&shown).expect("a decision is written as JSON");
        serde_json::to_string(&decision.record()).expect("a record is written as JSON");
        let _ = decision.findings();
    }
}

/// What is remembered is the same after a restart; a history of use is rounded, as the histograms' checkpoints are.
///
/// # Panics
/// When it is not.
pub fn remembered(memory: &Memory) {
    let written = serde_json::to_string(memory).expect("memory is written as JSON");
    let read: Memory = serde_json::from_str(&written).expect("memory is read back");
    if memory.sizing.is_none() {
        assert_eq!(*memory, read, "memory changed on its way to disk");
    }
}

/// A pass that sees no value at all shrinks nothing.
///
/// # Panics
/// When it does.
pub fn blind(spec: &Spec, memory: &Memory, current: u32, now: Timestamp) {
    if !can_be_blind(spec) {
        return;
    }
    let snapshot = Snapshot { current: Some(current), evaluation: true, ..Snapshot::default() };
    let decision = decide(spec, &mut memory.clone(), &snapshot, &Constraints::default(), now);
    let shrinks = decision.action == Action::ScaleDown && decision.purpose == Purpose::Recommendation;
    assert!(!shrinks, "missing metrics shrink it: {decision:?}");
}

/// Do all recommenders depend on metrics that can be missing, and does no fallback shrink?
fn can_be_blind(spec: &Spec) -> bool {
    let observed = spec.metrics.iter().all(|it| matches!(it.origin, Origin::Source | Origin::Target(_)));
    let rules = || spec.scale_up.rules.iter().chain(&spec.scale_down.rules);
    let plain = rules().all(|it| !matches!(it.test, Test::Expr(_)));
    let substituted = spec.sources.iter().any(|(_, source)| stands_for_zero(source));
    let fallback =
        matches!(spec.fallback.behavior, FallbackBehavior::Static | FallbackBehavior::CurrentIfLower);
    observed && plain && !substituted && !fallback && spec.idle.is_none()
}

/// Does the source take zero for what is not there?
fn stands_for_zero(source: &MetricSource) -> bool {
    match source {
        MetricSource::Prometheus(it) => it.on_empty == Some(WhenAbsent::Zero),
        _ => false,
    }
}
