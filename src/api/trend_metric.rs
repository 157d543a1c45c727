//! Trends of metrics: which there are, and what their names mean. `queue.backlog.avg5m` is the mean of
//! `queue.backlog` over the last five minutes; of a resource of the target the trend is that of its `avg`, so
//! `cpu.slope` says how `cpu.avg` changes.

use super::metric::TARGET_SOURCES;
use super::target_metric::TargetMetric;
use crate::units::Duration;

/// What is made of a metric's recent values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrendKind {
    /// Their mean over five minutes.
    Avg5m,
    /// Their mean over fifteen minutes.
    Avg15m,
    /// How they change, per minute: least squares over five minutes.
    Slope,
}

impl TrendKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Avg5m, Self::Avg15m, Self::Slope];

    /// The word that stands after the metric's name.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Avg5m => "avg5m",
            Self::Avg15m => "avg15m",
            Self::Slope => "slope",
        }
    }

    /// How far back it looks.
    #[must_use]
    pub const fn window(self) -> Duration {
        match self {
            Self::Avg5m | Self::Slope => Duration::from_secs(5 * 60),
            Self::Avg15m => Duration::from_secs(15 * 60),
        }
    }
}

/// The metric that a name is a trend of, and the trend: `cpu.avg` of `cpu.avg5m`, `latency` of `latency.slope`.
#[must_use]
pub fn parse(name: &str) -> Option<(String, TrendKind)> {
    let (base, suffix) = name.rsplit_once('.')?;
    let kind = of_suffix(suffix)?;
    if base.rsplit_once('.').is_some_and(|(_, suffix)| of_suffix(suffix).is_some()) {
        // A trend has no trend.
        return None;
    }
    if !TARGET_SOURCES.contains(&base) {
        return Some((base.to_owned(), kind));
    }
    let average = format!("{base}.avg");
    TargetMetric::parse(&average).is_some().then_some((average, kind))
}

fn of_suffix(suffix: &str) -> Option<TrendKind> {
    TrendKind::ALL.into_iter().find(|it| it.suffix() == suffix)
}

/// The full names of the trends of a metric.
#[must_use]
pub fn names(metric: &str) -> [String; 3] {
    let base = metric.strip_suffix(".avg").filter(|it| TARGET_SOURCES.contains(it)).unwrap_or(metric);
    TrendKind::ALL.map(|kind| format!("{base}.{}", kind.suffix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_of_a_metric_and_of_a_resource_it_is_that_of_the_average() {
        for (name, base, kind) in [
            ("cpu.avg5m", "cpu.avg", TrendKind::Avg5m),
            ("memory.slope", "memory.avg", TrendKind::Slope),
            ("cpu.utilization.avg15m", "cpu.utilization", TrendKind::Avg15m),
            ("pressure.cpu.slope", "pressure.cpu", TrendKind::Slope),
            ("latency.slope", "latency", TrendKind::Slope),
            ("queue.backlog.avg5m", "queue.backlog", TrendKind::Avg5m),
        ] {
            assert_eq!(parse(name), Some((base.to_owned(), kind)), "{name}");
            let suffixed = names(base);
            assert!(suffixed.iter().any(|it| it == name), "{name}: {suffixed:?}");
        }
        for name in
            ["cpu.avg", "latency", "queue.backlog.avg10m", "pressure.slope", "cpu.avg5m.slope", "slope", ""]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
