//! Trends: means and slopes of a metric's values at the evaluations of the last minutes.

use super::observe::Reading;
use crate::api::effective::{MetricIndex, Origin, Spec};
use crate::api::trend_metric::TrendKind;
use crate::model::memory::Memory;
use crate::model::trend::Recent;
use crate::units::Timestamp;

/// What a trend reads as. `base` is the reading of its metric now, `recent` are that metric's values. While the metric
/// cannot be had, neither can its trend. Until a whole window has been seen, and while the metric does not apply, a
/// trend may raise the count and not lower it.
#[must_use]
pub fn reading(kind: TrendKind, recent: Option<&Recent>, base: Reading, now: Timestamp) -> Reading {
    if base.is_failure() {
        return base;
    }
    let window = kind.window();
    let mean = recent.and_then(|it| it.mean(window, now));
    let value = match kind {
        TrendKind::Avg5m | TrendKind::Avg15m => mean,
        TrendKind::Slope => recent.and_then(|it| it.slope(window, now)),
    };
    let covered = recent.is_some_and(|it| it.covers(window, now));
    match (value, mean, base) {
        (Some(value), _, _) if covered && base.for_shrinking().is_some() => Reading::Value(value),
        (Some(value), _, _) => Reading::Partial(value),
        // There are values, and a slope needs them from two moments.
        (None, Some(_), _) => Reading::WarmingUp,
        (None, None, Reading::WarmingUp | Reading::NotApplicable) => base,
        (None, None, _) => Reading::Missing,
    }
}

/// Forgets the values of metrics of which no trend is asked for any more.
pub(super) fn forget_unused(spec: &Spec, memory: &mut Memory) {
    if memory.trends.is_empty() {
        return;
    }
    let used = |name: &String| {
        let bases = spec.metrics.iter().filter_map(|it| match it.origin {
            Origin::Trend { of, .. } => spec.metrics.get(of.0),
            _ => None,
        });
        bases.into_iter().any(|it| *it.name == **name)
    };
    memory.trends.retain(|name, _| used(name));
}

/// Notes the base's value of an evaluation: once, at the first of its trends.
pub(super) fn note(
    spec: &Spec,
    memory: &mut Memory,
    of: MetricIndex,
    base: Reading,
    earlier: usize,
    now: Timestamp,
) {
    let noted = |it: &crate::api::effective::Metric| matches!(it.origin, Origin::Trend { of: other, .. } if other == of);
    let (Some(metric), Some(value)) = (spec.metrics.get(of.0), base.for_growing()) else { return };
    if spec.metrics.iter().take(earlier).any(noted) {
        return;
    }
    if !memory.trends.contains_key(&*metric.name) {
        memory.trends.insert(metric.name.to_string(), Recent::default());
    }
    if let Some(recent) = memory.trends.get_mut(&*metric.name) {
        recent.note(value, now, spec.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Duration;

    #[test]
    fn a_trend_is_whole_once_its_window_is_and_its_metric_is_there() {
        let at = |seconds| Timestamp::from_secs(seconds);
        let mut recent = Recent::default();
        let seen = |recent: &mut Recent, seconds| recent.note(6.0, at(seconds), Duration::from_secs(60));
        let five =
            |recent: &Recent, base, seconds| reading(TrendKind::Avg5m, Some(recent), base, at(seconds));
        let here = Reading::Value(6.0);
        assert_eq!(reading(TrendKind::Avg5m, None, Reading::Failed, at(0)), Reading::Failed);
        assert_eq!(reading(TrendKind::Avg5m, None, Reading::WarmingUp, at(0)), Reading::WarmingUp);
        assert_eq!(reading(TrendKind::Avg5m, None, Reading::NotApplicable, at(0)), Reading::NotApplicable);
        seen(&mut recent, 0);
        assert_eq!(reading(TrendKind::Slope, Some(&recent), here, at(0)), Reading::WarmingUp);
        (1..5).for_each(|minute| seen(&mut recent, minute * 60));
        assert_eq!(five(&recent, here, 240), Reading::Partial(6.0));
        seen(&mut recent, 300);
        assert_eq!(five(&recent, here, 300), Reading::Value(6.0));
        assert_eq!(reading(TrendKind::Slope, Some(&recent), here, at(300)), Reading::Value(0.0));
        assert_eq!(reading(TrendKind::Avg15m, Some(&recent), here, at(300)), Reading::Partial(6.0));
        for base in [Reading::Partial(6.0), Reading::WarmingUp] {
            assert_eq!(five(&recent, base, 310), Reading::Partial(6.0), "{base:?}");
        }
        for base in [Reading::Missing, Reading::Failed] {
            assert_eq!(five(&recent, base, 310), base, "a dead source is not read by its past");
        }
        assert_eq!(five(&recent, Reading::Missing, 600), Reading::Missing, "nothing in the window");
    }
}
