//! Names of metrics: does `<source>.<field>` exist?

use std::collections::BTreeMap;

use super::findings::Findings;
use super::sources::fields_of;
use crate::api::metric::{MetricSource, TARGET_SOURCES};
use crate::api::path::Path;
use crate::api::policy::PolicySpec;
use crate::api::read::hint::{guess, list, shorten};
use crate::api::target_metric::TargetMetric;
use crate::api::trend_metric::{self, TrendKind};
use crate::units::Duration;

/// The metrics that a policy may speak of.
pub(super) struct Names<'a> {
    declared: Option<&'a BTreeMap<String, MetricSource>>,
    interval: Option<Duration>,
    unknown: Unknown,
    /// Where sources are declared.
    path: Path,
}

/// What a name means that is not declared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A mistake.
    Mistake,
    /// Perhaps another document declares it.
    MayBeElsewhere,
}

impl<'a> Names<'a> {
    /// Those of `spec`, which stands at `path`.
    pub fn of(spec: &'a PolicySpec, unknown: Unknown, path: &Path) -> Self {
        let declared = spec.metrics.as_ref();
        Self { declared, interval: spec.interval, unknown, path: path.key("metrics") }
    }

    /// Notes a mistake at `at` when there is no such metric.
    pub fn check(&self, metric: &str, at: &Path, findings: &mut Findings) {
        let source = metric.split('.').next().unwrap_or_default();
        if let Err(message) = self.resolve(metric) {
            findings.add_after(at.clone(), message, vec![self.path.key(source)]);
        }
    }

    /// Is it a value of the target itself, which says nothing while no replica runs?
    pub fn is_of_target(metric: &str) -> bool {
        metric.split('.').next().is_some_and(|source| TARGET_SOURCES.contains(&source))
    }

    fn resolve(&self, metric: &str) -> Result<(), String> {
        if let Some((base, kind)) = trend_metric::parse(metric) {
            return self.itself(&base).and_then(|()| self.can_be_seen(metric, kind));
        }
        self.itself(metric).map_err(|message| match metric.rsplit_once('.') {
            Some((base, suffix)) if self.itself(base).is_ok() => {
                let names = trend_metric::names(base);
                let names = list(&names.each_ref().map(String::as_str), "or");
                let suffix = shorten(suffix);
                format!("`{base}` has no `{suffix}`; write `{base}` alone, or of its recent values {names}")
            }
            _ => message,
        })
    }

    /// A slope is between two values of its window at least.
    fn can_be_seen(&self, metric: &str, kind: TrendKind) -> Result<(), String> {
        match self.interval.filter(|it| kind == TrendKind::Slope && *it >= kind.window()) {
            Some(interval) => Err(format!(
                "`{metric}` compares values of {}, and with `interval: {interval}` there is but one; \
                 write a shorter interval",
                kind.window()
            )),
            None => Ok(()),
        }
    }

    /// Is there this metric, not taken for a trend?
    fn itself(&self, metric: &str) -> Result<(), String> {
        let (source, field) = match metric.split_once('.') {
            Some((source, field)) => (source, Some(field)),
            None => (metric, None),
        };
        if TARGET_SOURCES.contains(&source) {
            let fields: Vec<String> =
                TargetMetric::fields(source).iter().map(|field| format!("{source}.{field}")).collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let trends = trend_metric::names(&format!("{source}.avg"));
            let trends = trends.iter().filter(|it| trend_metric::parse(it).is_some()).map(String::as_str);
            return if fields.contains(&metric) { Ok(()) } else { Err(unknown(metric, &fields, trends)) };
        }
        let declared = self.declared.and_then(|declared| declared.get(source));
        match (declared, field) {
            (Some(it), None) if it.fields().is_empty() => Ok(()),
            (Some(it), Some(field)) if it.fields().contains(&field) => Ok(()),
            (Some(it), None) => {
                let kind = it.kind();
                Err(format!("`{source}` ({kind}) has several values; write {}", fields_of(source, it)))
            }
            (Some(it), Some(_)) if it.fields().is_empty() => {
                let kind = it.kind();
                Err(format!("`{source}` ({kind}) has one value; write `{source}` alone"))
            }
            (Some(it), Some(_)) => {
                let fields: Vec<String> =
                    it.fields().iter().map(|field| format!("{source}.{field}")).collect();
                Err(unknown(
                    metric,
                    &fields.iter().map(String::as_str).collect::<Vec<_>>(),
                    std::iter::empty(),
                ))
            }
            (None, _) if self.unknown == Unknown::MayBeElsewhere => Ok(()),
            (None, _) => Err(self.undeclared(source)),
        }
    }

    fn undeclared(&self, source: &str) -> String {
        let declared = self.declared.into_iter().flatten().map(|(name, _)| name.as_str());
        let known: Vec<&str> = declared.chain(TARGET_SOURCES).collect();
        let shown = shorten(source);
        match guess(source, known.iter().copied()) {
            Some(guess) => format!("there is no metric source `{shown}`; did you mean `{guess}`?"),
            None => format!(
                "there is no metric source `{shown}`; declare it under `spec.metrics`, or use {}",
                list(&known, "or")
            ),
        }
    }
}

/// `others` are not listed, and may have been meant.
fn unknown<'a>(metric: &str, fields: &[&'a str], others: impl Iterator<Item = &'a str>) -> String {
    let (metric, there_are) = (shorten(metric), list(fields, "and"));
    match guess(&metric, fields.iter().copied().chain(others)) {
        Some(guess) => {
            format!("there is no metric `{metric}`; did you mean `{guess}`? There are {there_are}")
        }
        None => format!("there is no metric `{metric}`; there are {there_are}"),
    }
}
