//! `HostBudget`.

use super::amounts::positive;
use super::findings::Findings;
use crate::api::budget::HostBudgetSpec;
use crate::api::path::Path;

pub(super) fn check(spec: &HostBudgetSpec, path: &Path, findings: &mut Findings) {
    if *spec == HostBudgetSpec::default() {
        findings.add(path.clone(), "found nothing; expected at least one of `cpus`, `memory` and `replicas`");
    }
    positive(spec.cpus, path.key("cpus"), findings);
    if spec.memory.is_some_and(|memory| memory.0 == 0) {
        findings.add(path.key("memory"), "found `0B`; expected more than 0");
    }
    if spec.replicas == Some(0) {
        findings.add(path.key("replicas"), "found `0`; expected 1 or more");
    }
}
