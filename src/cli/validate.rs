//! `validate`: policy files checked offline, with the reader that the controller has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::folder::policy_files;
use super::output::{Format, Output, unsupported};
use crate::api::Document;
use crate::api::effective::{BUILT_IN, built_in, merged};
use crate::api::policy::PolicySpec;
use crate::api::read::{self, Mistake, Parsed};
use crate::api::validate;

/// What was checked and what is wrong.
#[derive(Debug, Serialize)]
pub struct Report {
    valid: bool,
    documents: Vec<Checked>,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    document: usize,
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    valid: bool,
    mistakes: Vec<Mistake>,
    /// The scale target, for policies.
    #[serde(skip)]
    target: Option<String>,
    /// The profile that a policy names.
    #[serde(skip)]
    profile: Option<String>,
    /// The spec of a policy or profile that can be read.
    #[serde(skip)]
    spec: Option<PolicySpec>,
    /// The document's own text.
    #[serde(skip)]
    text: String,
}

/// Run `validate`.
///
/// # Errors
/// `Usage` when a document is invalid; the report is printed all the same.
pub fn run(paths: &[PathBuf], format: &Format, output: &mut Output) -> Result<(), Failure> {
    if matches!(format, Format::Wide | Format::Name | Format::JsonLines | Format::Svg) {
        return Err(unsupported("validate", "text, json, yaml and jsonpath"));
    }
    let mut documents = Vec::new();
    for path in paths {
        for (name, bytes) in contents(path)? {
            documents.extend(read::read(&name, &bytes).into_iter().map(|it| Checked::new(&name, it)));
        }
    }
    if documents.is_empty() {
        let paths: Vec<_> = paths.iter().map(|it| it.display().to_string()).collect();
        return Err(Failure::say(Exit::NothingFound, format!("no document found in {}", paths.join(", "))));
    }
    refuse_with_profiles(&mut documents);
    refuse_doubles(&mut documents);
    for note in unknown_profiles(&documents) {
        eprintln!("docktorctl: note: {note}");
    }
    let report = Report { valid: documents.iter().all(|it| it.valid), documents };
    if output.structured(format, &report)?.is_none() {
        report.print(output)?;
    }
    if report.valid { Ok(()) } else { Err(Failure::say(Exit::Usage, report.sum())) }
}

impl Checked {
    fn new(file: &str, parsed: Parsed) -> Self {
        let spec = match &parsed.document {
            Ok(Document::ScalingPolicy(policy)) => Some(policy.spec.clone()),
            Ok(Document::ScalingProfile(profile)) => Some(profile.spec.clone()),
            _ => None,
        };
        let target = spec.as_ref().and_then(|it| Some(it.target.as_ref()?.to_string()));
        let profile = spec.as_ref().and_then(|it| it.profile.clone());
        let mistakes = parsed.document.err().unwrap_or_default();
        Self {
            file: file.to_owned(),
            document: parsed.index,
            line: parsed.line,
            kind: parsed.kind,
            name: parsed.name,
            valid: mistakes.is_empty(),
            mistakes,
            target,
            profile,
            spec,
            text: parsed.text,
        }
    }

    fn refuse(&mut self, path: &str, message: String) {
        self.valid = false;
        let (file, line) = (self.file.clone(), self.line);
        self.mistakes.push(Mistake { file, line, column: 1, path: path.to_owned(), message, snippet: None });
    }
}

impl Report {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        for mistake in self.documents.iter().flat_map(|it| &it.mistakes) {
            output.line(format!("{mistake}\n"))?;
        }
        if self.valid {
            output.line(self.sum())?;
        }
        Ok(())
    }

    fn sum(&self) -> String {
        let invalid = self.documents.iter().filter(|it| !it.valid).count();
        let all = counted(self.documents.len(), "document");
        if invalid == 0 { format!("{all} valid") } else { format!("{invalid} of {all} invalid") }
    }
}

/// A policy has to make sense with its profile, where that is given or built in.
fn refuse_with_profiles(documents: &mut [Checked]) {
    let given = documents.iter().filter(|it| it.kind.as_deref() == Some("ScalingProfile"));
    let given: BTreeMap<String, PolicySpec> =
        given.filter_map(|it| Some((it.name.clone()?, it.spec.clone()?))).collect();
    let profile = |name: &str| given.get(name).cloned().or_else(|| built_in(name));
    for document in documents {
        let (Some(spec), Some(name)) = (&document.spec, &document.profile) else { continue };
        let Some(profile) = profile(name) else { continue };
        let findings = validate::effective(&merged(spec, Some(&profile)));
        document.mistakes.extend(read::locate(&document.file, &document.text, document.line, findings));
        document.valid = document.mistakes.is_empty();
    }
}

/// Names are unique over a folder, and so are scale targets.
fn refuse_doubles(documents: &mut [Checked]) {
    let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut targets: BTreeMap<String, String> = BTreeMap::new();
    for document in documents {
        let place = format!("{}:{}", document.file, document.line);
        if let (Some(kind), Some(name)) = (document.kind.clone(), document.name.clone()) {
            match names.get(&(kind.clone(), name.clone())) {
                Some(first) => {
                    let message =
                        format!("the name `{name}` is taken by the {kind} at {first}; names are unique");
                    document.refuse("metadata.name", message);
                }
                None => drop(names.insert((kind, name), place.clone())),
            }
        }
        if let Some(target) = document.target.clone() {
            match targets.get(&target) {
                Some(first) => {
                    let message =
                        format!("{target} is scaled by the policy at {first} already; one policy a target");
                    document.refuse("spec.target", message);
                }
                None => drop(targets.insert(target, place)),
            }
        }
    }
}

/// What is said of profiles that are neither given nor built in. They may stand in a file that was not given, so it
/// is no mistake.
fn unknown_profiles(documents: &[Checked]) -> Vec<String> {
    let given = documents.iter().filter(|it| it.kind.as_deref() == Some("ScalingProfile"));
    let known: BTreeSet<&str> = given.filter_map(|it| it.name.as_deref()).chain(BUILT_IN).collect();
    let named = documents.iter().filter_map(|it| Some((it, it.profile.as_deref()?)));
    let unknown = named.filter(|(_, profile)| !known.contains(profile));
    let note = |(document, profile): (&Checked, &str)| {
        let Checked { file, line, .. } = document;
        let built_in = BUILT_IN.join("`, `");
        format!(
            "{file}:{line}: spec.profile: no ScalingProfile `{profile}` is in the given files; built in are \
             `{built_in}`"
        )
    };
    unknown.map(note).collect()
}

/// The files that a path means, with what they hold.
fn contents(path: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().take(read::MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        return Ok(vec![("<stdin>".to_owned(), bytes)]);
    }
    let read = |file: PathBuf| match std::fs::read(&file) {
        Ok(bytes) => Ok((file.display().to_string(), bytes)),
        Err(error) => Err(Failure::say(Exit::Failed, format!("cannot read {}: {error}", file.display()))),
    };
    policy_files(path)?.into_iter().map(read).collect()
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
