//! The outlook: what stands between the present count and another one, for growing and for shrinking, and when.
//! Computed for whoever asks, after a decision; `decide` itself knows nothing of it and pays nothing for it.
//!
//! Values alone; sentences are made of them elsewhere. What is said here comes from the stages themselves, so that
//! it is true of the next decision: that of the same policy and the same values.

mod barrier;
mod calendar;
mod limits;
mod rest;
mod rules;
mod track;

pub use barrier::{Barrier, SetBy};
pub use calendar::BoundsChange;
pub use limits::LimitOutlook;
pub use rest::Rest;
pub use rules::{MetricSeen, Needs, NoValue, Points, RuleOutlook, RulesOutlook, RulesRole};
pub use track::{Edge, Held, TrackOutlook};

use serde::{Deserialize, Serialize};

use super::recommend::{Recommendations, Way, recommend};
use super::{Constraints, bound, fallback, limit, observe};
use crate::api::behavior::FallbackBehavior;
use crate::api::effective::Spec;
use crate::api::policy::Mode;
use crate::api::status::Action;
use crate::api::target::Target;
use crate::model::decision::{Decision, Limitation, Note};
use crate::model::forecast::Forecast;
use crate::model::memory::Memory;
use crate::model::observation::Snapshot;
use crate::units::{Duration, MAX_REPLICAS, Timestamp};

/// A decision with all that led to it. `memory` is as it is after the decision was carried out.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// The policy.
    pub spec: &'a Spec,
    /// What is remembered, the decision and its action included.
    pub memory: &'a Memory,
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// What else stands in the way.
    pub constraints: &'a Constraints,
    /// What was decided.
    pub decision: &'a Decision,
    /// When the next evaluation on the policy's interval is due, where somebody knows.
    pub next_evaluation: Option<Timestamp>,
}

/// What stands between the present count and another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// When this was so.
    pub at: Timestamp,
    /// The mode in force.
    pub mode: Mode,
    /// The workload.
    pub target: Target,
    /// The count that the next change starts from: what runs, or what docktor has just begun to bring it to.
    pub count: u32,
    /// The policy scales replicas; else only their limits.
    pub horizontal: bool,
    /// What kept the decision from what was recommended or from being carried out, and what ends it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<Barrier>,
    /// The limits of each replica, where the policy moves them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitOutlook>,
    /// What growing takes.
    pub grow: Course,
    /// What shrinking takes.
    pub shrink: Course,
    /// Tracked metrics, with the values at which they ask for another count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track: Vec<TrackOutlook>,
    /// The way to and from rest, where the policy has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// What is to come, where the policy asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastOutlook>,
    /// Metrics that could not be had, with how often in a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// The number for times in which metrics cannot be read, where the policy has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackOutlook>,
    /// The count that docktor had left, where somebody else changed it and that is not settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted_from: Option<u32>,
    /// Fewest and most replicas now.
    pub bounds: BoundsOutlook,
    /// When something happens by itself.
    pub next: Next,
}

/// What it takes to go one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// The rules of this direction, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesOutlook>,
    /// What forbids it, whoever asks. None of these: it happens as soon as something asks for it.
    #[serde(default)]
    pub barriers: Vec<Barrier>,
    /// The farthest count that can be reached now at once, by rate limits, step and bounds.
    pub reach: u32,
    /// The earliest moment at which it may happen.
    pub may: May,
}

/// When something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum May {
    /// At once.
    Now,
    /// Not before.
    At(Timestamp),
    /// Not by time alone.
    Waits,
}

/// A metric that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Its full name.
    pub metric: String,
    /// For how many evaluations in a row.
    pub evaluations: u32,
}

/// What is known of what is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForecastOutlook {
    /// It needs so many replicas.
    Needs {
        /// How many.
        replicas: u32,
        /// Metric, value, horizon and model, in words.
        because: String,
    },
    /// Too little of the past is known.
    Learning {
        /// So much is.
        has: Duration,
        /// So much must be.
        needs: Duration,
    },
    /// There is no prediction for now.
    Silent,
}

/// The number for times in which metrics cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallbackOutlook {
    /// How the number is used.
    pub behavior: FallbackBehavior,
    /// What it makes of the present count.
    pub wants: u32,
    /// From this many failed evaluations in a row on.
    pub from_failures: u32,
    /// It decides now.
    pub decides: bool,
}

/// Fewest and most replicas, and what set them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoundsOutlook {
    /// Fewest.
    pub min: u32,
    /// What set it.
    pub min_set_by: SetBy,
    /// Most.
    pub max: u32,
    /// What set it.
    pub max_set_by: SetBy,
    /// When schedules change them next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<BoundsChange>,
}

/// When something happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// The policy's interval.
    pub interval: Duration,
    /// The next evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Timestamp>,
    /// The next moment at which a cooldown, a settling or a verification ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck_at: Option<Timestamp>,
}

/// What everything here is computed from.
struct Scene<'a> {
    present: Present<'a>,
    now: Timestamp,
    mode: Mode,
    count: u32,
    readings: Vec<observe::Reading>,
    found: Recommendations,
}

/// What stands between the present count and another one.
#[must_use]
pub fn outlook(present: &Present<'_>) -> Outlook {
    let scene = Scene::new(*present);
    let Present { decision, next_evaluation, spec, .. } = *present;
    let track: Vec<_> = spec.track.iter().map(|it| track::outlook(&scene, it)).collect();
    let rest = rest::outlook(&scene);
    Outlook {
        at: scene.now,
        mode: scene.mode,
        target: spec.target.clone(),
        count: scene.count,
        horizontal: spec.horizontal,
        held_back: scene.held_back(),
        limits: limits::outlook(&scene),
        grow: scene.course(Way::Up, rest.as_ref()),
        shrink: scene.course(Way::Down, rest.as_ref()),
        track,
        rest,
        forecast: scene.forecast(),
        missing: scene.missing(),
        fallback: scene.fallback(),
        drifted_from: decision.drifted.map(|it| it.left),
        bounds: scene.bounds(),
        next: Next { interval: spec.interval, evaluation: next_evaluation, recheck_at: decision.recheck_at },
    }
}

impl<'a> Scene<'a> {
    fn new(present: Present<'a>) -> Self {
        let Present { spec, memory, snapshot, decision, .. } = present;
        let now = decision.at;
        let acted = decision.act && memory.desired == Some(decision.desired);
        let count = if acted { decision.desired } else { decision.from };
        // The very stages say how rules and tracked metrics stand. On a pass that is no evaluation they move nothing.
        let again = Snapshot { evaluation: false, ..snapshot.clone() };
        let mut copy = memory.clone();
        let readings = observe::readings(spec, &mut copy, &again, now);
        let found = recommend(spec, &mut copy, &again, &readings, count, decision.ready, now);
        Self { present, now, mode: memory.mode.unwrap_or(spec.mode), count, readings, found }
    }

    /// What ends every thought, or what stood in the way; of limits, whatever kept any of them. A mode that only
    /// looks on comes last.
    fn held_back(&self) -> Vec<Barrier> {
        let decision = self.present.decision;
        if let Some(whole) = barrier::out_of_control(self) {
            return vec![whole];
        }
        let mut limitations: Vec<Limitation> = Vec::new();
        if decision.resize.is_some() {
            limitations.extend(decision.trail.iter().filter_map(|it| match it.note {
                Note::Limited(limitation) => Some(limitation),
                _ => None,
            }));
        }
        limitations.extend(decision.limited_by);
        let mut barriers: Vec<Barrier> = Vec::new();
        for barrier in limitations.into_iter().map(|it| barrier::of_limitation(self, it)) {
            if !barriers.contains(&barrier) {
                barriers.push(barrier);
            }
        }
        if decision.action != Action::None && !decision.act {
            barriers.push(Barrier::Mode { mode: self.mode });
        }
        barriers
    }

    fn course(&self, way: Way, rest: Option<&Rest>) -> Course {
        let rules = rules::outlook(self, way);
        let barriers = barrier::barriers(self, way, rest);
        let may = self.may(way, &barriers, rules.as_ref());
        Course { reach: self.reach(way), rules, barriers, may }
    }

    /// The latest of all that has to end. Rules that alone can ask for it, or that must permit it, have to hold
    /// often enough too.
    fn may(&self, way: Way, barriers: &[Barrier], rules: Option<&RulesOutlook>) -> May {
        let ends: Option<Vec<_>> = barriers.iter().map(Barrier::until).collect();
        let needs_rules = match way {
            Way::Up => self.present.spec.track.is_empty(),
            Way::Down => barrier::shrinking(self).refused,
        };
        let rules = rules.filter(|it| needs_rules && it.evaluations_left > 0);
        let (Some(ends), None | Some(Some(_))) = (ends, rules.map(|it| it.earliest)) else {
            return May::Waits;
        };
        let satisfied = rules.and_then(|it| it.earliest);
        let ended = ends.into_iter().chain(satisfied).fold(self.now, Timestamp::max);
        // What leaves rest or goes there from nothing passes the limits; these are of counts alone.
        let from = if self.count == 0 || !self.present.spec.horizontal {
            Some(ended)
        } else {
            barrier::first_room(self, way, ended)
        };
        match from {
            None => May::Waits,
            Some(at) if at > self.now => May::At(at),
            Some(_) => May::Now,
        }
    }

    fn reach(&self, way: Way) -> u32 {
        let Present { spec, memory, decision, .. } = self.present;
        match way {
            Way::Up => {
                let up = &spec.scale_up;
                limit::most(self.count, &up.limits, up.select, &memory.changes, self.now)
                    .min(decision.bounds.max())
                    .max(self.count)
            }
            Way::Down => {
                let down = &spec.scale_down;
                let least = limit::least(self.count, &down.limits, down.select, &memory.changes, self.now);
                let step = super::draft::written_step(spec);
                let step = step.map_or(0, |it| crate::strategies::step::apply(it, self.count));
                let rests = spec.idle.map_or(MAX_REPLICAS, |it| it.replicas);
                least.max(step).max(decision.bounds.min().min(rests)).min(self.count)
            }
        }
    }

    fn missing(&self) -> Vec<Missing> {
        let failures = &self.present.memory.failures;
        let missing = self.present.decision.missing.iter();
        missing
            .map(|name| Missing {
                metric: name.to_string(),
                evaluations: failures.get(&**name).copied().unwrap_or(0),
            })
            .collect()
    }

    fn forecast(&self) -> Option<ForecastOutlook> {
        self.present.spec.forecast.as_ref()?;
        if let Some(floor) = &self.found.floor {
            let because = floor.why.to_string();
            return Some(ForecastOutlook::Needs { replicas: floor.replicas, because });
        }
        Some(match self.present.snapshot.forecast {
            Some(Forecast::Learning { has, needs }) => ForecastOutlook::Learning { has, needs },
            Some(Forecast::Known(_)) | None => ForecastOutlook::Silent,
        })
    }

    fn fallback(&self) -> Option<FallbackOutlook> {
        let Present { spec, decision, .. } = self.present;
        let behavior = spec.fallback.behavior;
        (behavior != FallbackBehavior::Keep).then(|| FallbackOutlook {
            behavior,
            wants: fallback::replicas(spec.fallback, self.count),
            from_failures: spec.fallback.after_failures.saturating_add(1),
            decides: decision.fallback,
        })
    }

    fn bounds(&self) -> BoundsOutlook {
        let Present { spec, constraints, decision, .. } = self.present;
        let bounds = decision.bounds;
        BoundsOutlook {
            min: bounds.min(),
            min_set_by: barrier::min_set_by(self),
            max: bounds.max(),
            max_set_by: barrier::max_set_by(self),
            next: calendar::next_change(spec, constraints.ceiling, self.now),
        }
    }
}

/// The bounds at that moment, as `decide` will have them.
fn bounds_at(spec: &Spec, ceiling: Option<u32>, at: Timestamp) -> crate::units::Bounds {
    let (scheduled, _) = super::schedule::bounds(&spec.schedules, at);
    bound::effective(spec.bounds, scheduled, ceiling)
}
