//! What is wrong with a policy only in view of other documents: a profile or a notifier that is not there, or a
//! profile with which the whole makes no sense.

use super::super::load::LoadedDocument;
use super::Catalog;
use crate::api::effective::{BUILT_IN, built_in, merged};
use crate::api::path::Path;
use crate::api::policy::{PolicySpec, ScalingPolicy};
use crate::api::read::{Mistake, locate};
use crate::api::validate::{self, Finding, Reveals};

/// The mistakes of `policy`, which is `loaded` of `file`, in view of the profiles and notifiers in force.
pub fn check(policy: &ScalingPolicy, catalog: &Catalog, file: &str, loaded: &LoadedDocument) -> Vec<Mistake> {
    let spec = &policy.spec;
    let mut findings = match &spec.profile {
        None => Vec::new(),
        Some(name) => match profile(name, catalog) {
            Some(profile) => validate::effective(&merged(spec, Some(&profile))),
            None => vec![unknown_profile(name)],
        },
    };
    for (index, name) in spec.notify.iter().flatten().enumerate() {
        if !catalog.notifiers.contains_key(name) {
            let path = Path::root().key("spec").key("notify").index(index);
            findings.push(finding(path, format!("there is no valid Notifier `{name}`")));
        }
    }
    locate(file, &loaded.text, loaded.line, findings)
}

/// One of the folder comes before a built-in one of the same name.
fn profile(name: &str, catalog: &Catalog) -> Option<PolicySpec> {
    catalog.profiles.get(name).map(|it| it.spec.clone()).or_else(|| built_in(name))
}

fn unknown_profile(name: &str) -> Finding {
    let known = BUILT_IN.join("`, `");
    let message = format!("there is no valid ScalingProfile `{name}` in the folder; built in are `{known}`");
    finding(Path::root().key("spec").key("profile"), message)
}

fn finding(path: Path, message: String) -> Finding {
    Finding { path, message, depends_on: Vec::new(), reveals: Reveals::Nothing }
}
