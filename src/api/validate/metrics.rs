//! Names of metrics: does `<source>.<field>` exist?

use std::collections::BTreeMap;

use super::findings::Findings;
use super::sources::fields_of;
use crate::api::metric::{MetricSource, TARGET_SOURCES};
use crate::api::path::Path;
use crate::api::read::hint::{guess, list, shorten};

/// What cpu, memory and tasks have over replicas and window.
const SPREAD: [&str; 7] = ["avg", "min", "max", "p50", "p95", "sum", "utilization"];

/// The fields of a source of the target itself.
pub(crate) fn target_fields(source: &str) -> Vec<&'static str> {
    let own: &[&str] = match source {
        "cpu" => &["cores"],
        "memory" => &["usage", "bytes", "oomKills"],
        "tasks" => &["count"],
        "network" => return vec!["rx", "tx"],
        "io" => return vec!["read", "write"],
        "pressure" => return vec!["cpu", "memory", "io"],
        _ => return Vec::new(),
    };
    SPREAD.iter().chain(own).copied().collect()
}

/// The metrics that a policy may speak of.
pub(super) struct Names<'a> {
    declared: Option<&'a BTreeMap<String, MetricSource>>,
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
    pub const fn new(
        declared: Option<&'a BTreeMap<String, MetricSource>>,
        unknown: Unknown,
        path: Path,
    ) -> Self {
        Self { declared, unknown, path }
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
        let (source, field) = match metric.split_once('.') {
            Some((source, field)) => (source, Some(field)),
            None => (metric, None),
        };
        if TARGET_SOURCES.contains(&source) {
            let fields: Vec<String> =
                target_fields(source).iter().map(|field| format!("{source}.{field}")).collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            return if fields.contains(&metric) { Ok(()) } else { Err(unknown(metric, &fields)) };
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
                Err(unknown(metric, &fields.iter().map(String::as_str).collect::<Vec<_>>()))
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

fn unknown(metric: &str, fields: &[&str]) -> String {
    let (metric, there_are) = (shorten(metric), list(fields, "and"));
    match guess(&metric, fields.iter().copied()) {
        Some(guess) => {
            format!("there is no metric `{metric}`; did you mean `{guess}`? There are {there_are}")
        }
        None => format!("there is no metric `{metric}`; there are {there_are}"),
    }
}
