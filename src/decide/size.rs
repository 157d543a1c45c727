//! Size: which limits the replicas should have. The stages are those of the count: recommend, limit, bound; the gate
//! comes last, once it is clear whose turn it is.

use std::cmp::Ordering;

use super::capacity::{self, Use};
use super::limits_drift::LimitsDrift;
use super::recommend::{
    self, Outcome, Recommendations, Way, acted_since_evaluation, rules_shrink_by_themselves,
};
use super::{limit, observe::Reading};
use crate::api::behavior::{Select, Step};
use crate::api::effective::{CompiledRule, DirectionSpec, Grouping, LimitSpec, Name, SizingSpec, Spec};
use crate::api::limits::{LimitKind, LimitKinds, LimitSet, Usable};
use crate::api::resources::Recommend;
use crate::api::status::Stage;
use crate::model::decision::{Limitation, LimitsDrifted, Line, Note, Resize, Why};
use crate::model::memory::{Memory, Purpose, SizingMemory};
use crate::model::observation::{Observation, Snapshot};
use crate::model::usage::Usage;
use crate::strategies::sizing::factor::{self, Keeper, Room};
use crate::strategies::sizing::recommender::{self, Estimate, Trigger};
use crate::units::{Duration, Timestamp};

/// The metric that tells a trace's kills for want of memory.
const OOM_KILLS: &str = "memory.oomKills";

/// Which limits there should be, before the gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Sized {
    /// From the present limits to those.
    pub resize: Resize,
    /// Which way limits would go if no cooldown held them.
    pub would: Ordering,
    /// Why.
    pub why: Why,
    /// What for.
    pub purpose: Purpose,
    /// What kept it from what was recommended; the last that did.
    pub limited_by: Option<Limitation>,
    /// Somebody else changed them, and that is not settled.
    pub drifted: Option<Box<LimitsDrifted>>,
    /// What each stage made of it.
    pub lines: Vec<Line>,
}

/// What is known of the limits at this pass.
struct Sizing<'a> {
    spec: &'a Spec,
    sizing: &'a SizingSpec,
    memory: &'a Memory,
    snapshot: &'a Snapshot,
    readings: &'a [Reading],
    found: &'a Recommendations,
    now: Timestamp,
    present: LimitSet,
    /// What recommendations start from: what docktor left where it restores that, else what there is.
    base: LimitSet,
    drift: LimitsDrift,
    used: Use,
}

/// What the stages before this one saw.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// All that this pass saw.
    pub snapshot: &'a Snapshot,
    /// What is known of each metric.
    pub readings: &'a [Reading],
    /// What rules and target tracking recommend.
    pub found: &'a Recommendations,
    /// What becomes of limits that somebody else changed.
    pub drift: LimitsDrift,
}

/// Which limits there should be. Adds use to the history, where limits are found by it.
pub fn size(spec: &Spec, sizing: &SizingSpec, memory: &mut Memory, seen: Seen<'_>, now: Timestamp) -> Sized {
    let Seen { snapshot, readings, found, drift } = seen;
    let (present, base) = match drift {
        LimitsDrift::Restore { change } => (change.to, change.from),
        _ => {
            let present = capacity::present(sizing, memory, snapshot);
            (present, present)
        }
    };
    let used = capacity::usage(spec, snapshot, &present);
    match sizing.recommend {
        Recommend::Histogram if snapshot.evaluation => {
            learn(memory.sizing.get_or_insert_default(), spec, snapshot, &present, &used, now);
        }
        Recommend::Histogram => {}
        Recommend::Factor => memory.sizing.iter_mut().for_each(|it| it.usage = None),
    }
    Sizing { spec, sizing, memory, snapshot, readings, found, now, present, base, drift, used }.size()
}

impl Sizing<'_> {
    fn size(&self) -> Sized {
        let unlimited_before = capacity::unlimited(self.sizing, self.snapshot);
        let unchanged = Resize { unlimited_before, ..Resize::between(self.present, self.present) };
        let mut sized = Sized {
            resize: unchanged,
            would: Ordering::Equal,
            why: Why::Steady,
            purpose: Purpose::Recommendation,
            limited_by: None,
            drifted: self.drifted(),
            lines: vec![line(Stage::Observe, Note::Limits(Box::new(unchanged)))],
        };
        let mut wanted = match self.sizing.recommend {
            Recommend::Factor => self.stepped(&mut sized),
            Recommend::Histogram => self.estimated(&mut sized),
        };
        sized.would = direction(&self.present, &self.bounded(&wanted, |_| {}));
        self.cool_down(&mut wanted, &mut sized);
        let mut keepers = Vec::new();
        let to = self.bounded(&wanted, |keeper| keepers.push(keeper));
        keepers.into_iter().for_each(|it| sized.keep(Stage::Bound, it));
        if to != self.present && sized.why == Why::Steady {
            (sized.why, sized.purpose) = match self.drift {
                LimitsDrift::Restore { change } => {
                    (Why::LimitsDrift(Box::new(change.from)), Purpose::RestoreDrift)
                }
                _ => (Why::LimitsOutside, Purpose::Bounds),
            };
        }
        sized.resize.to = to;
        self.heed_drift(&mut sized);
        sized
    }

    fn drifted(&self) -> Option<Box<LimitsDrifted>> {
        let (change, contested) = match self.drift {
            LimitsDrift::Settling { change, .. } | LimitsDrift::Restore { change } => (change, false),
            LimitsDrift::Contested { change } => (change, true),
            LimitsDrift::None | LimitsDrift::Adopted { .. } => return None,
        };
        Some(Box::new(LimitsDrifted { change, contested }))
    }

    /// While others change limits, docktor does not; nor after it gave up.
    fn heed_drift(&self, sized: &mut Sized) {
        let limitation = match self.drift {
            LimitsDrift::Settling { until, .. } => Limitation::Settling(until),
            LimitsDrift::Contested { .. } => Limitation::DriftContested,
            LimitsDrift::Adopted { change } => {
                return sized.lines.push(line(Stage::Bound, Note::LimitsAdopted(Box::new(change))));
            }
            LimitsDrift::None | LimitsDrift::Restore { .. } => return,
        };
        let (from, to) = (sized.resize.from, &mut sized.resize.to);
        if *to != from {
            *to = from;
            sized.keep(Stage::Bound, limitation);
        }
    }

    /// By rules and step.
    fn stepped(&self, sized: &mut Sized) -> LimitSet {
        let spent = !self.snapshot.evaluation && acted_since_evaluation(self.memory);
        let (up, down) = (&self.found.up, &self.found.down);
        if up.satisfied && !spent {
            return self.step(Way::Up, &self.spec.scale_up, up.times, sized);
        }
        if !down.satisfied || spent || !rules_shrink_by_themselves(self.spec) {
            return self.base;
        }
        let wanted = self.step(Way::Down, &self.spec.scale_down, down.times, sized);
        if self.lacking() {
            sized.keep(Stage::Combine, Limitation::MissingMetrics);
            return self.base;
        }
        wanted
    }

    fn step(&self, way: Way, by: &DirectionSpec, times: u32, sized: &mut Sized) -> LimitSet {
        let moved = |limit: &LimitSpec| match self.sizing.grouping {
            Grouping::Together => true,
            Grouping::Each => self.triggered(way, by, limit.kind.of()),
        };
        let mut wanted = self.base;
        for limit in self.sizing.limits.iter().filter(|it| moved(it)) {
            if let Some(present) = self.base.get(limit.kind) {
                wanted.set(limit.kind, factor::step(*limit, present, by.step));
            }
        }
        sized.why = recommend::why(self.spec, by, way, self.memory, self.readings, times);
        sized.recommend(self.base, wanted, Some(by.step));
        wanted
    }

    /// Does a rule that holds move limits of this resource: a rule on its metrics, or one on those of none?
    fn triggered(&self, way: Way, by: &DirectionSpec, of: Usable) -> bool {
        let holds = |rule: &&CompiledRule| {
            let points = recommend::points(rule, self.memory);
            recommend::test(rule, way, self.readings, points) == Outcome::Holds
        };
        let names = |rule| recommend::reads(rule).iter().filter_map(|it| self.spec.metrics.get(it.0));
        by.rules
            .iter()
            .filter(holds)
            .any(|rule| names(rule).any(|metric| resource(&metric.name).is_none_or(|it| it == of)))
    }

    /// By past use.
    fn estimated(&self, sized: &mut Sized) -> LimitSet {
        let estimates = self.estimates();
        let each = estimates.iter().map(|(kind, present, estimate)| {
            let off = recommender::off(*present, estimate.target);
            (*kind, *present, *estimate, off)
        });
        let each: Vec<_> = each.collect();
        let together = self.sizing.grouping == Grouping::Together;
        // As the VPA has it, the differences of all that moves together add up.
        let sum: f64 = each.iter().map(|it| it.3).sum();
        let trigger = |present, estimate, off| {
            let off = if together { sum } else { off };
            recommender::trigger(present, estimate, off, self.rested(), self.since_oom())
        };
        let first = each.iter().find_map(|(kind, present, estimate, off)| {
            trigger(*present, *estimate, *off).map(|it| (*kind, *present, *estimate, it))
        });
        let Some((kind, present, estimate, cause)) = first else { return self.base };
        let moved = each
            .iter()
            .filter(|(_, present, estimate, off)| together || trigger(*present, *estimate, *off).is_some());
        let mut wanted = self.base;
        for (kind, _, estimate, _) in moved {
            wanted.set(*kind, factor::round_up(estimate.target, kind.grain()));
        }
        sized.why = because(kind, present, estimate, cause);
        sized.recommend(self.base, wanted, None);
        let refused = !self.spec.scale_down.rules.is_empty() && !self.found.down.satisfied;
        if refused && self.hold_back(&mut wanted, Ordering::Less) {
            sized.keep(Stage::Combine, Limitation::ScaleDownRules);
        }
        wanted
    }

    /// What past use says of each limit, in its unit.
    fn estimates(&self) -> Vec<(LimitKind, f64, Estimate)> {
        let Some(usage) = self.memory.sizing.as_ref().and_then(|it| it.usage.as_ref()) else {
            return Vec::new();
        };
        let of = |limit: &LimitSpec| {
            let (history, least, unit) = match limit.kind {
                LimitKind::CpuQuota => (&usage.cpu, recommender::LEAST_CPU, 100.0),
                LimitKind::AllowedCpus => (&usage.cpu, recommender::LEAST_CPU, 1.0),
                LimitKind::MemoryMax | LimitKind::MemoryHigh => {
                    (&usage.memory, recommender::LEAST_MEMORY, 1.0)
                }
                LimitKind::TasksMax => (&usage.tasks, 0.0, 1.0),
                // Of what is shared, use says nothing.
                LimitKind::CpuWeight | LimitKind::IoWeight => return None,
            };
            let it = recommender::estimate(history, least)?;
            let within = |value: f64| (value * unit).clamp(limit.min, limit.max.max(limit.min));
            // Ends beyond the limit's own range would have it move for ever and get nowhere.
            let estimate =
                Estimate { lower: within(it.lower), target: within(it.target), upper: within(it.upper) };
            Some((limit.kind, self.base.get(limit.kind)?, estimate))
        };
        self.sizing.limits.iter().filter_map(of).collect()
    }

    fn rested(&self) -> Duration {
        let sizing = self.memory.sizing.as_ref();
        let since = sizing.and_then(|it| it.last_resize).or(self.memory.first_seen);
        since.map_or(Duration::ZERO, |since| self.now.since(since))
    }

    fn since_oom(&self) -> Option<Duration> {
        let usage = self.memory.sizing.as_ref()?.usage.as_ref()?;
        usage.last_oom.map(|at| self.now.since(at))
    }

    fn lacking(&self) -> bool {
        let found = self.found;
        found.up.lacking || found.down.lacking || found.track_lacking
    }

    /// The cooldowns, one for each direction.
    fn cool_down(&self, wanted: &mut LimitSet, sized: &mut Sized) {
        for (way, ordering) in [(Way::Up, Ordering::Greater), (Way::Down, Ordering::Less)] {
            if let Some(limitation) = self.cooling(way)
                && self.hold_back(wanted, ordering)
            {
                sized.keep(Stage::Limit, limitation);
            }
        }
    }

    /// What keeps limits from moving that way now, be it for good.
    fn cooling(&self, way: Way) -> Option<Limitation> {
        let (direction, last) = match way {
            Way::Up => (&self.spec.scale_up, self.memory.last_up),
            Way::Down => (&self.spec.scale_down, self.memory.last_action),
        };
        let disabled = direction.select == Select::Disabled;
        let until = limit::cooling_until(last, direction.cooldown, self.now);
        match way {
            Way::Up if disabled => Some(Limitation::ScaleUpLimit),
            Way::Down if disabled => Some(Limitation::ScaleDownLimit),
            Way::Up => until.map(Limitation::ScaleUpCooldown),
            Way::Down => until.map(Limitation::ScaleDownCooldown),
        }
    }

    /// Takes back what moves that way; says whether anything did.
    fn hold_back(&self, wanted: &mut LimitSet, way: Ordering) -> bool {
        hold_back(&self.base, wanted, way)
    }

    /// Each limit within its range, the host and its use.
    fn bounded(&self, wanted: &LimitSet, mut kept: impl FnMut(Limitation)) -> LimitSet {
        let host = capacity::host(self.snapshot);
        let mut to = self.present;
        for limit in &self.sizing.limits {
            let kind = limit.kind;
            let (Some(present), Some(wanted)) = (self.present.get(kind), wanted.get(kind)) else { continue };
            let room =
                Room { host: capacity::free(kind, host, self.sizing.reserve), used: self.used.against(kind) };
            // What goes back to what it was is no step, and no step is too small for it.
            let restores = self.base.get(kind) == Some(wanted) && capacity::differs(present, wanted);
            let limit = LimitSpec { min_step: if restores { 0.0 } else { limit.min_step }, ..*limit };
            let bounded = factor::bound(limit, present, wanted, room);
            to.set(kind, bounded.value);
            if let Some(keeper) = bounded.kept_by {
                kept(limitation(kind, keeper));
            }
        }
        to
    }
}

impl Sized {
    fn recommend(&mut self, from: LimitSet, to: LimitSet, step: Option<Step>) {
        self.lines.push(line(Stage::Recommend, Note::Fired(self.why.clone())));
        // What is restored is what docktor left, and that was a limit.
        let restores = from != self.resize.from;
        let unlimited_before = if restores { LimitKinds::default() } else { self.resize.unlimited_before };
        let resize = Box::new(Resize { unlimited_before, ..Resize::between(from, to) });
        self.lines.push(line(Stage::Recommend, Note::Resized { resize, step }));
    }

    fn keep(&mut self, stage: Stage, limitation: Limitation) {
        self.limited_by = Some(limitation);
        self.lines.push(line(stage, Note::Limited(limitation)));
    }

    /// Takes back what moves that way, for this reason.
    pub(super) fn forbid(&mut self, way: Ordering, limitation: Limitation) {
        if hold_back(&self.resize.from, &mut self.resize.to, way) {
            self.keep(Stage::Gate, limitation);
        }
    }
}

fn line(stage: Stage, note: Note) -> Line {
    Line { stage, replicas: None, note }
}

fn hold_back(from: &LimitSet, to: &mut LimitSet, way: Ordering) -> bool {
    let mut any = false;
    for (kind, value) in from.iter() {
        if to.get(kind).is_some_and(|it| it.total_cmp(&value) == way) {
            to.set(kind, value);
            any = true;
        }
    }
    any
}

/// Which way limits go: up where any does.
#[must_use]
pub fn direction(from: &LimitSet, to: &LimitSet) -> Ordering {
    let way = |(kind, value): (LimitKind, f64)| {
        from.get(kind).map_or(Ordering::Less, |before| value.total_cmp(&before))
    };
    let ways = || to.iter().map(way);
    if ways().any(Ordering::is_gt) {
        Ordering::Greater
    } else if ways().any(Ordering::is_lt) {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

/// The resource that a metric speaks of; `None` for one of a queue, the network, and the like.
fn resource(metric: &Name) -> Option<Usable> {
    match metric.split('.').next()? {
        "cpu" => Some(Usable::Cpu),
        "memory" => Some(Usable::Memory),
        "tasks" => Some(Usable::Tasks),
        "io" => Some(Usable::Io),
        _ => None,
    }
}

fn limitation(kind: LimitKind, keeper: Keeper) -> Limitation {
    match keeper {
        Keeper::Min => Limitation::LimitMin(kind),
        Keeper::Max => Limitation::LimitMax(kind),
        Keeper::Host => Limitation::Host(kind),
        Keeper::InUse => Limitation::InUse(kind),
        Keeper::UseUnknown => Limitation::UseUnknown(kind),
        Keeper::MinStep => Limitation::MinStep(kind),
    }
}

fn because(kind: LimitKind, present: f64, estimate: Estimate, trigger: Trigger) -> Why {
    let Estimate { lower, target, upper } = estimate;
    match trigger {
        Trigger::Outside => Why::OutsideOfUse { kind, present, lower, upper },
        Trigger::Drifted => Why::OffTarget { kind, present, target },
        Trigger::OutOfMemory => Why::OutOfMemory,
    }
}

/// Adds present use to the history, and kills for want of memory.
fn learn(
    memory: &mut SizingMemory,
    spec: &Spec,
    snapshot: &Snapshot,
    present: &LimitSet,
    used: &Use,
    now: Timestamp,
) {
    let usage = memory.usage.get_or_insert_default();
    if let Some(percent) = used.cpu.known() {
        recommender::add_sample(&mut usage.cpu, percent / 100.0, now);
    }
    if let Some(bytes) = used.memory.known() {
        recommender::add_peak(&mut usage.memory, bytes, now);
    }
    if let Some(count) = used.tasks.known() {
        recommender::add_peak(&mut usage.tasks, count, now);
    }
    if kills_since(usage, spec, snapshot, now) > 0.0 {
        let allowed = present.get(LimitKind::MemoryMax).or(present.get(LimitKind::MemoryHigh)).unwrap_or(0.0);
        recommender::add_oom(&mut usage.memory, allowed, now, now);
        usage.last_oom = Some(now);
    }
}

/// Kills for want of memory since this was last asked: of the replicas' samples, else as a trace tells it.
fn kills_since(usage: &mut Usage, spec: &Spec, snapshot: &Snapshot, now: Timestamp) -> f64 {
    let since = usage.learnt.replace(now);
    let Some(Observation::Value(told)) = snapshot.metrics.get(OOM_KILLS) else {
        usage.oom_kills = None;
        let samples = snapshot.replicas.iter().flat_map(|it| &it.samples);
        return samples
            .filter(|it| since.is_none_or(|since| it.at > since))
            .filter_map(|it| it.oom_kills)
            .sum();
    };
    let before = usage.oom_kills.replace(*told).unwrap_or(0.0);
    // Kills within the window. Windows that share half of it or more tell of the same kills, save for those by which
    // the count rose.
    let overlaps = since.is_some_and(|since| now.since(since).get() * 2 <= spec.window.get());
    if overlaps { told - before } else { *told }
}
