//! The policy folder as the client reads it, without a controller: specs from the files, status from the sidecars.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::exit::{Exit, Failure};
use crate::admin::view::{PolicyView, Signal, ViewMetadata};
use crate::api::effective::{Spec, built_in, effective_policy};
use crate::api::policy::{Mode, PolicySpec, ScalingPolicy};
use crate::api::read::{self, Parsed};
use crate::api::status::{Phase, ScalingPolicyStatus, SourceRef, Status};
use crate::api::{API_VERSION, Document};

/// Most files that are read.
const MAX_FILES: usize = 20_000;
/// Most folders inside one another.
const MAX_DEPTH: usize = 16;

/// A policy folder, read once.
#[derive(Debug)]
pub struct Folder {
    /// By name.
    pub policies: Vec<PolicyView>,
    profiles: BTreeMap<String, PolicySpec>,
}

impl Folder {
    /// Read all policies below `root`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn read(root: &Path) -> Result<Self, Failure> {
        let mut policies = Vec::new();
        let mut profiles = BTreeMap::new();
        for file in policy_files(root)? {
            let bytes = match std::fs::read(&file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    eprintln!("docktorctl: cannot read {}: {error}", file.display());
                    continue;
                }
            };
            let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            let sidecar = Sidecar::beside(&file);
            for parsed in read::read(&name, &bytes) {
                match parsed.document {
                    Ok(Document::ScalingProfile(it)) => drop(profiles.insert(it.metadata.name, it.spec)),
                    _ => policies.extend(view(&name, &bytes, parsed, &sidecar)),
                }
            }
        }
        for policy in &mut policies {
            policy.effective = policy.spec.as_ref().and_then(|it| effective(it, &profiles));
        }
        policies.sort_by(|left, right| left.metadata.name.cmp(&right.metadata.name));
        Ok(Self { policies, profiles })
    }

    /// The compiled spec of one of its policies; `None` where it cannot be read or its profile is not known.
    #[must_use]
    pub fn spec(&self, policy: &PolicyView) -> Option<Spec> {
        let written = policy.spec.as_ref()?;
        let profile = written.profile.as_ref().map(|it| profile(it, &self.profiles));
        Spec::effective(written, profile.map_or(Some(None), |it| it.map(Some))?.as_ref()).ok()
    }
}

/// The profile of that name: of the folder, or built in.
fn profile(name: &str, profiles: &BTreeMap<String, PolicySpec>) -> Option<PolicySpec> {
    profiles.get(name).cloned().or_else(|| built_in(name))
}

/// The spec with profile and defaults laid under it; `None` where its profile is not known.
fn effective(spec: &PolicySpec, profiles: &BTreeMap<String, PolicySpec>) -> Option<PolicySpec> {
    match &spec.profile {
        None => Some(effective_policy(spec, None)),
        Some(name) => profile(name, profiles).map(|it| effective_policy(spec, Some(&it))),
    }
}

/// The policy files that `path` means: itself, or those below it, in order.
///
/// # Errors
/// When `path` is not there or cannot be listed.
pub fn policy_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed =
        |error: io::Error| Failure::say(Exit::Failed, format!("cannot read {}: {error}", path.display()));
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![(path.to_owned(), 0)];
    let mut seen = BTreeSet::new();
    while let Some((folder, depth)) = folders.pop() {
        // A folder that a symlink leads back to is read once.
        if !seen.insert(folder.canonicalize().map_err(failed)?) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if entry.is_dir() {
                if depth < MAX_DEPTH {
                    folders.push((entry, depth + 1));
                }
            } else if is_policy_file(&name) {
                files.push(entry);
            }
        }
    }
    files.sort();
    files.truncate(MAX_FILES);
    Ok(files)
}

fn is_policy_file(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.ends_with(".status.yaml")
}

/// The status file beside a policy file; empty where there is none that can be read.
struct Sidecar {
    statuses: BTreeMap<String, ScalingPolicyStatus>,
}

impl Sidecar {
    fn beside(file: &Path) -> Self {
        let path = match file.extension() {
            Some(it) if it == "yaml" => file.with_extension("status.yaml"),
            _ => file.with_extension("yml.status.yaml"),
        };
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let documents = serde_yaml::Deserializer::from_str(&text);
        let statuses = documents.filter_map(|it| ScalingPolicyStatus::deserialize(it).ok());
        Self { statuses: statuses.map(|it| (it.metadata.name.clone(), it)).collect() }
    }
}

fn view(file: &str, bytes: &[u8], parsed: Parsed, sidecar: &Sidecar) -> Option<PolicyView> {
    if parsed.kind.as_deref().is_some_and(|it| it != "ScalingPolicy") {
        return None;
    }
    let name = parsed.name.unwrap_or_else(|| format!("{file}#{}", parsed.index));
    let (policy, mistakes) = match parsed.document {
        Ok(Document::ScalingPolicy(policy)) => (Some(policy), Vec::new()),
        Ok(_) => return None,
        Err(mistakes) => (None, mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    let source = SourceRef {
        file: file.to_owned(),
        document: parsed.index,
        sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let recorded = sidecar.statuses.get(&name);
    let metadata = metadata(name, policy.as_ref(), recorded);
    let mut status = recorded.map_or_else(|| unknown(source), |it| it.status.clone());
    if !mistakes.is_empty() {
        status.phase = Phase::Invalid;
    }
    let spec = policy.map(|it| it.spec);
    Some(PolicyView {
        api_version: API_VERSION.to_owned(),
        kind: "ScalingPolicy".to_owned(),
        metadata,
        mode: spec.as_ref().and_then(|it| it.mode).unwrap_or(Mode::Auto),
        effective: None,
        hold: None,
        proposal: None,
        approval: None,
        signals: spec.as_ref().map(|it| Signal::of(it, &status.metrics)).unwrap_or_default(),
        mistakes,
        decisions: status.last_decision.iter().cloned().collect(),
        spec,
        status,
    })
}

fn metadata(
    name: String,
    policy: Option<&ScalingPolicy>,
    recorded: Option<&ScalingPolicyStatus>,
) -> ViewMetadata {
    let written = policy.map(|it| it.metadata.clone()).unwrap_or_default();
    ViewMetadata {
        name,
        labels: written.labels,
        annotations: written.annotations,
        generation: recorded.map_or(0, |it| it.metadata.generation),
        creation_timestamp: None,
    }
}

/// What is known of a policy that no controller has reported on.
fn unknown(source: SourceRef) -> Status {
    Status {
        limits: None,
        observed_generation: 0,
        source,
        phase: Phase::Unknown,
        replicas: None,
        metrics: BTreeMap::new(),
        conditions: Vec::new(),
        last_decision: None,
        last_scale_time: None,
        next_allowed: None,
    }
}
