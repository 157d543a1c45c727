//! CEL expressions: do they compile, do their metrics exist, do formulas go round in circles?

use std::collections::BTreeMap;

use super::findings::Findings;
use super::metrics::Names;
use crate::api::metric::MetricSource;
use crate::api::path::Path;
use crate::expr::{Expr, ExprError};

/// The expression gives a number.
pub(super) fn number(text: &str, names: &Names<'_>, path: &Path, findings: &mut Findings) {
    check(Expr::number(text), names, path, findings);
}

/// The expression gives true or false.
pub(super) fn condition(text: &str, names: &Names<'_>, path: &Path, findings: &mut Findings) {
    check(Expr::condition(text), names, path, findings);
}

/// What a condition reads; nothing where it does not compile.
pub(super) fn variables(text: &str) -> Vec<String> {
    let compiled = Expr::condition(text);
    compiled.iter().flat_map(Expr::variables).map(ToString::to_string).collect()
}

/// The condition of a drain, which knows nothing but `connections`.
pub(super) fn drained(text: &str, path: &Path, findings: &mut Findings) {
    match Expr::condition(text) {
        Err(error) => findings.add(path.clone(), explain(&error)),
        Ok(expr) => {
            for variable in expr.variables().iter().filter(|it| &***it != "connections") {
                findings.add(path.clone(), format!("there is no `{variable}` here; only `connections`"));
            }
        }
    }
}

fn check(compiled: Result<Expr, ExprError>, names: &Names<'_>, path: &Path, findings: &mut Findings) {
    match compiled {
        Err(error) => findings.add(path.clone(), explain(&error)),
        Ok(expr) => {
            for variable in expr.variables() {
                names.check(variable, path, findings);
            }
        }
    }
}

fn explain(error: &ExprError) -> String {
    // The parser lists every token that could come next; that helps nobody.
    let reason = error.message.split(" expecting ").next().unwrap_or_default();
    let reason =
        reason.trim_start_matches("Syntax error: ").replace("mismatched input '<EOF>'", "it ends too early");
    format!("the expression is wrong at character {}: {reason}", error.offset + 1)
}

/// Formulas must not need each other, nor themselves.
pub(super) fn cycles(sources: &BTreeMap<String, MetricSource>, path: &Path, findings: &mut Findings) {
    let needs: BTreeMap<&str, Vec<String>> = sources
        .iter()
        .filter_map(|(name, source)| match source {
            MetricSource::Formula(it) => Some((name.as_str(), Expr::number(&it.expr).ok()?)),
            _ => None,
        })
        .map(|(name, expr)| (name, expr.variables().iter().map(ToString::to_string).collect()))
        .collect();
    let mut reported: Vec<&str> = Vec::new();
    for start in needs.keys().copied() {
        let Some(cycle) = cycle_from(start, &needs) else { continue };
        if cycle.iter().any(|name| reported.contains(name)) {
            continue;
        }
        let round: Vec<String> = cycle.iter().chain([&start]).map(|name| format!("`{name}`")).collect();
        let message = format!("formulas need each other: {}", round.join(" → "));
        findings.add(path.key(start).key("formula").key("expr"), message);
        reported.extend(cycle);
    }
}

/// The way from `start` over formulas back to `start`.
fn cycle_from<'n>(start: &'n str, needs: &'n BTreeMap<&'n str, Vec<String>>) -> Option<Vec<&'n str>> {
    let mut seen = vec![start];
    let mut ways = vec![vec![start]];
    while let Some(way) = ways.pop() {
        for next in way.last().and_then(|last| needs.get(last)).into_iter().flatten() {
            if next == start {
                return Some(way);
            }
            if needs.contains_key(next.as_str()) && !seen.contains(&next.as_str()) {
                seen.push(next);
                ways.push(way.iter().copied().chain([next.as_str()]).collect());
            }
        }
    }
    None
}
