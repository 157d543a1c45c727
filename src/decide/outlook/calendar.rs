//! When schedules change the bounds next.

use croner::Cron;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::super::schedule;
use super::bounds_at;
use crate::api::effective::{End, ScheduleSpec, Spec};
use crate::units::Timestamp;

/// Starts and ends of one schedule that are looked at; a change that lies behind more of them is not told.
const MAX_AHEAD: usize = 8;

/// Other bounds, from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoundsChange {
    /// From when on.
    pub at: Timestamp,
    /// Fewest replicas then.
    pub min: u32,
    /// Most replicas then.
    pub max: u32,
    /// The schedules that are active then.
    pub schedules: Vec<String>,
}

/// The next moment at which the bounds are others than now.
pub(super) fn next_change(spec: &Spec, ceiling: Option<u32>, now: Timestamp) -> Option<BoundsChange> {
    if spec.schedules.is_empty() {
        return None;
    }
    let mut moments: Vec<_> = spec.schedules.iter().flat_map(|it| moments(it, now)).collect();
    moments.sort_unstable();
    moments.dedup();
    let present = bounds_at(spec, ceiling, now);
    let at = moments.into_iter().find(|at| bounds_at(spec, ceiling, *at) != present)?;
    let bounds = bounds_at(spec, ceiling, at);
    let (_, active) = schedule::bounds(&spec.schedules, at);
    let schedules = active.iter().map(ToString::to_string).collect();
    Some(BoundsChange { at, min: bounds.min(), max: bounds.max(), schedules })
}

/// Moments ahead at which the schedule may start or end.
fn moments(it: &ScheduleSpec, now: Timestamp) -> Vec<Timestamp> {
    let ahead = |cron: &Cron| occurrences(cron, &it.zone, now);
    let mut all = ahead(&it.start);
    match &it.end {
        End::At(end) => all.extend(ahead(end)),
        End::After(duration) => {
            let begun = occurrences(&it.start, &it.zone, now.minus(*duration));
            all.extend(begun.into_iter().map(|at| at.plus(*duration)));
        }
    }
    all.retain(|at| *at > now);
    all
}

/// The next times that the zone's clock shows what `cron` says. One that is shown twice counts twice, one that is
/// never shown at the first instant after it.
fn occurrences(cron: &Cron, zone: &TimeZone, now: Timestamp) -> Vec<Timestamp> {
    let local = || {
        let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
        zone.to_datetime(now).to_zoned(TimeZone::UTC).ok()
    };
    let Some(mut cursor) = local() else { return Vec::new() };
    let mut found = Vec::new();
    for _ in 0..MAX_AHEAD {
        let Ok(next) = cron.find_next_occurrence(&cursor, false) else { break };
        if let Some((first, last)) = schedule::instants(zone, next.datetime()) {
            found.extend([first, last].map(|at| Timestamp::from_millis(at.as_millisecond())));
        }
        cursor = next;
    }
    found
}
