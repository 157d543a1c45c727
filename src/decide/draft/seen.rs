//! Observe and recommend: what was seen, and what recommenders made of it.

use super::super::bound::ScheduledBounds;
use super::super::observe::Reading;
use super::super::recommend::Recommendations;
use super::super::schedule;
use super::super::verify::Followed;
use super::Draft;
use crate::api::effective::Spec;
use crate::api::status::Stage;
use crate::model::decision::{Note, Sight, Why};
use crate::model::forecast::Forecast;
use crate::units::Timestamp;

impl Draft {
    pub(in crate::decide) fn see(&mut self, followed: &Followed) {
        self.ready = followed.ready;
        let starting = self.from.saturating_sub(self.current);
        let failed = u32::try_from(followed.rollback.len()).unwrap_or(u32::MAX);
        let (current, ready) = (self.current, self.ready);
        self.say(Stage::Observe, Some(current), Note::Seen { current, ready, starting, failed });
    }

    pub(in crate::decide) fn schedule(&mut self, spec: &Spec, now: Timestamp) -> ScheduledBounds {
        if spec.schedules.is_empty() {
            return ScheduledBounds::default();
        }
        let (bounds, active) = schedule::bounds(&spec.schedules, now);
        self.schedules = active;
        bounds
    }

    pub(in crate::decide) fn read(&mut self, spec: &Spec, readings: &[Reading]) {
        self.metrics.reserve(readings.len());
        for (metric, reading) in spec.metrics.iter().zip(readings) {
            if let Some(value) = reading.for_growing() {
                self.metrics.push((metric.name.clone(), value));
            } else if reading.is_failure() {
                self.missing.push(metric.name.clone());
                self.say(Stage::Observe, None, Note::Missing(metric.name.clone()));
            }
        }
        if !self.missing.is_empty() {
            self.sight = if self.metrics.is_empty() { Sight::Blind } else { Sight::Partial };
        }
    }

    pub(in crate::decide) fn recommended_by(&mut self, spec: &Spec, found: &Recommendations) {
        for proposal in &found.proposals {
            let note = match proposal.why {
                Why::Track { .. } => Note::Tracked(proposal.why.clone()),
                _ => Note::Fired(proposal.why.clone()),
            };
            self.say(Stage::Recommend, Some(proposal.replicas), note);
        }
        for (standing, direction) in [(&found.up, &spec.scale_up), (&found.down, &spec.scale_down)] {
            if standing.hold && !standing.satisfied {
                let note = Note::NotYet { times: standing.times, needed: direction.consecutive };
                self.say(Stage::Recommend, None, note);
            }
        }
    }

    pub(in crate::decide) fn foresee(
        &mut self,
        spec: &Spec,
        found: &Recommendations,
        known: Option<&Forecast>,
    ) {
        let Some(forecast) = &spec.forecast else { return };
        if let Some(floor) = &found.floor {
            if let Why::Forecast { value, .. } = floor.why {
                self.metrics.push((forecast.shown.clone(), value));
            }
            self.say(Stage::Recommend, Some(floor.replicas), Note::Forecast(floor.why.clone()));
        } else if let Some(Forecast::Learning { has, needs }) = known {
            self.say(Stage::Recommend, None, Note::Learning { has: *has, needs: *needs });
        }
    }
}
