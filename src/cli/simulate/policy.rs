//! The policy that is simulated: found in its file, with its profile laid under it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::super::args::Global;
use super::super::exit::{Exit, Failure};
use super::super::folder::policy_files;
use super::super::output::Output;
use super::{STANDARD_INPUT, is_standard_input};
use crate::api::Document;
use crate::api::effective::{BUILT_IN, Spec, built_in, merged, unsupported};
use crate::api::policy::{Mode, PolicySpec};
use crate::api::read::{self, Parsed};
use crate::api::validate;

/// What a simulation does, though the controller does not do it yet.
const DONE_HERE: [&str; 2] = ["spec.resources", "spec.order"];

/// A policy that can be simulated.
pub(super) struct Policy {
    /// Its file, as it was given.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) spec: Spec,
    /// What a person should know of it.
    pub(super) notes: Vec<String>,
}

impl Policy {
    /// The policy of that file; where it has several, the one of that name. Prints the mistakes of an invalid one.
    pub(super) fn find(
        path: &Path,
        name: Option<&str>,
        global: &Global,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let (file, bytes) = contents(path)?;
        let documents = read::read(&file, &bytes);
        let parsed = the_one(&documents, name, &file)?;
        Self::of(parsed, &documents, file, global, output)
    }

    /// The policy that another is compared with: of the same name, where the file has it; else its only one.
    pub(super) fn find_other(
        path: &Path,
        name: &str,
        global: &Global,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let (file, bytes) = contents(path)?;
        let documents = read::read(&file, &bytes);
        let parsed = the_one(&documents, Some(name), &file).or_else(|_| the_one(&documents, None, &file))?;
        Self::of(parsed, &documents, file, global, output)
    }

    fn of(
        parsed: &Parsed,
        documents: &[Parsed],
        file: String,
        global: &Global,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let policy = match &parsed.document {
            Ok(Document::ScalingPolicy(policy)) => policy,
            Ok(_) => return Err(Failure::say(Exit::NothingFound, format!("{file} has no ScalingPolicy"))),
            Err(mistakes) => {
                for mistake in mistakes {
                    output.line(format!("{mistake}\n"))?;
                }
                return Err(Failure::say(Exit::Usage, format!("{file} is invalid")));
            }
        };
        let profile = profile(&policy.spec, documents, global)?;
        let invalid = |what: String| Failure::say(Exit::Usage, format!("{file}: {what}"));
        if profile.is_some() {
            let findings = validate::effective(&merged(&policy.spec, profile.as_ref()));
            if let Some(finding) = findings.first() {
                return Err(invalid(format!("with its profile, {}: {}", finding.path, finding.message)));
            }
        }
        let spec = Spec::effective(&policy.spec, profile.as_ref())
            .map_err(|error| Failure::new(Exit::Usage, anyhow::Error::from(error).context(file.clone())))?;
        let notes = notes(&spec);
        Ok(Self { file, name: policy.metadata.name.clone(), spec, notes })
    }
}

/// Names that tell two policies apart: their own, else those of their files.
pub(super) fn tell_apart(policies: &mut [Policy]) {
    let [first, second] = policies else { return };
    if first.name != second.name {
        return;
    }
    if first.file == second.file {
        first.name.push_str(" (1)");
        second.name.push_str(" (2)");
    } else {
        first.name.clone_from(&first.file);
        second.name.clone_from(&second.file);
    }
}

fn contents(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let (file, read) = if is_standard_input(path) {
        let mut bytes = Vec::new();
        let limit = read::MAX_FILE_BYTES as u64 + 1;
        (STANDARD_INPUT.to_owned(), std::io::stdin().take(limit).read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (path.display().to_string(), std::fs::read(path))
    };
    match read {
        Ok(bytes) => Ok((file, bytes)),
        Err(error) => Err(Failure::say(Exit::Failed, format!("cannot read {file}: {error}"))),
    }
}

/// The policy of that name, or the only one there is.
fn the_one<'a>(documents: &'a [Parsed], name: Option<&str>, file: &str) -> Result<&'a Parsed, Failure> {
    let is_policy = |it: &&Parsed| it.kind.as_deref().is_none_or(|kind| kind == "ScalingPolicy");
    let policies: Vec<&Parsed> = documents.iter().filter(is_policy).collect();
    let names = || policies.iter().filter_map(|it| it.name.as_deref()).collect::<Vec<_>>().join(", ");
    let none = |message: String| Failure::say(Exit::NothingFound, message);
    match (name, &policies[..]) {
        (_, []) => Err(none(format!("{file} has no ScalingPolicy"))),
        (None, [only]) => Ok(only),
        (None, _) => {
            let message = format!("{file} has several policies; name one: simulate NAME, of {}", names());
            Err(Failure::say(Exit::Usage, message))
        }
        (Some(name), all) => {
            let found = all.iter().find(|it| it.name.as_deref() == Some(name)).copied();
            found.ok_or_else(|| none(format!("{file} has no policy `{name}`; it has {}", names())))
        }
    }
}

/// The profile that the policy names: of its own file, then of the folder, then built in.
pub(super) fn profile(
    spec: &PolicySpec,
    documents: &[Parsed],
    global: &Global,
) -> Result<Option<PolicySpec>, Failure> {
    let Some(name) = &spec.profile else { return Ok(None) };
    let mut profiles = BTreeMap::new();
    if let Some(folder) = &global.policies {
        for file in policy_files(folder)? {
            // A file that cannot be read has no profile to offer.
            let bytes = std::fs::read(&file).unwrap_or_default();
            keep_profiles(read::read(&file.display().to_string(), &bytes), &mut profiles);
        }
    }
    keep_profiles(documents.to_vec(), &mut profiles);
    profiles.remove(name).or_else(|| built_in(name)).map(Some).ok_or_else(|| {
        let known = BUILT_IN.join("`, `");
        let message = format!(
            "there is no valid ScalingProfile `{name}` in the policy's file or in --policies; built in are `{known}`"
        );
        Failure::say(Exit::Usage, message)
    })
}

fn keep_profiles(documents: Vec<Parsed>, profiles: &mut BTreeMap<String, PolicySpec>) {
    for parsed in documents {
        if let Ok(Document::ScalingProfile(it)) = parsed.document {
            profiles.insert(it.metadata.name, it.spec);
        }
    }
}

/// What a person should know of a policy that is simulated.
pub(super) fn notes(spec: &Spec) -> Vec<String> {
    let mut notes = Vec::new();
    if spec.mode != Mode::Auto {
        notes.push(format!("the policy's mode is {:?}; this is what Auto would do", spec.mode));
    }
    let is_source = |path: &str| path.starts_with("spec.metrics.");
    for it in unsupported(spec).into_iter().filter(|it| !is_source(&it.path)) {
        let here = if DONE_HERE.contains(&&*it.path) { "done here, but" } else { "left out here, and" };
        notes.push(format!("{here} refused by the controller: {}: {}", it.path, it.what));
    }
    if !spec.scale_down.rules.is_empty() && !spec.scale_down.step_written && spec.track.is_empty() {
        notes.push(
            "nothing ever recommends fewer replicas: scaleDown.rules only permit it unless scaleDown.step is written"
                .to_owned(),
        );
    }
    notes
}
