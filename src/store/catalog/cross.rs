//! What is wrong with a policy only in view of other documents: a profile or a notifier that is not there.

use super::super::load::LoadedDocument;
use super::Catalog;
use crate::api::policy::ScalingPolicy;
use crate::api::read::Mistake;

/// The mistakes of `policy`, which is `loaded` of `file`, in view of the profiles and notifiers in force.
pub fn check(policy: &ScalingPolicy, catalog: &Catalog, file: &str, loaded: &LoadedDocument) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let spec = &policy.spec;
    if let Some(profile) = spec.profile.as_ref().filter(|it| !catalog.profiles.contains_key(*it)) {
        let message = format!("there is no valid ScalingProfile `{profile}`");
        mistakes.push(mistake(file, loaded, "profile", message));
    }
    for name in spec.notify.iter().flatten().filter(|it| !catalog.notifiers.contains_key(*it)) {
        mistakes.push(mistake(file, loaded, "notify", format!("there is no valid Notifier `{name}`")));
    }
    mistakes
}

/// A mistake at the line of the field `field` of the spec.
fn mistake(file: &str, loaded: &LoadedDocument, field: &str, message: String) -> Mistake {
    let column = |line: &str| {
        let field_text = line.trim_start().strip_prefix(field)?;
        field_text.starts_with(':').then(|| line.len() - line.trim_start().len() + 1)
    };
    let found = loaded.text.lines().enumerate().find_map(|(line, text)| Some((line, column(text)?)));
    let (line, column) = found.unwrap_or((0, 1));
    Mistake {
        file: file.to_owned(),
        line: loaded.line + line,
        column,
        path: format!("spec.{field}"),
        message,
        snippet: None,
    }
}
