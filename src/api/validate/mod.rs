//! Checks of a document as a whole: what its types alone cannot say. Every mistake at once, each with its path.
//!
//! A policy that names a profile is only checked as far as it goes by itself; once the profile is
//! laid under it, `effective` checks the whole. Whether the target, a queue or a notifier is there
//! is not asked here: that needs the world.

mod amounts;
mod budget;
mod expressions;
mod findings;
mod metadata;
mod metrics;
mod notifier;
mod policy;
mod resources;
mod rules;
mod schedules;
mod secrets;
mod sources;
mod target;

pub use findings::{Finding, Reveals};

use self::findings::Findings;
use super::Document;
use super::path::Path;
use super::policy::PolicySpec;

/// Everything that is wrong with a document on its own.
#[must_use]
pub fn document(document: &Document) -> Vec<Finding> {
    let mut findings = Findings::default();
    metadata::check(document.metadata(), &Path::root().key("metadata"), &mut findings);
    let spec = Path::root().key("spec");
    match document {
        Document::ScalingPolicy(it) => {
            let form =
                if it.spec.profile.is_some() { policy::Form::WithProfile } else { policy::Form::Whole };
            policy::check(&it.spec, form, &spec, &mut findings);
        }
        Document::ScalingProfile(it) => policy::check(&it.spec, policy::Form::Profile, &spec, &mut findings),
        Document::HostBudget(it) => budget::check(&it.spec, &spec, &mut findings),
        Document::Notifier(it) => notifier::check(&it.spec, &spec, &mut findings),
    }
    findings.into_vec()
}

/// Everything that is wrong with a policy under which its profile was laid.
#[must_use]
pub fn effective(policy: &PolicySpec) -> Vec<Finding> {
    let mut findings = Findings::default();
    policy::check(policy, policy::Form::Whole, &Path::root().key("spec"), &mut findings);
    findings.into_vec()
}
