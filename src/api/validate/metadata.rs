//! Names and labels, in the form that Kubernetes gave them.

use super::findings::Findings;
use crate::api::Metadata;
use crate::api::path::Path;
use crate::api::read::hint::shorten;

/// Longest name and longest label, in characters.
const LONGEST_NAME: usize = 63;
/// Longest prefix of a label's key.
const LONGEST_PREFIX: usize = 253;

pub(super) fn check(metadata: &Metadata, path: &Path, findings: &mut Findings) {
    name(&metadata.name, path.key("name"), findings);
    let labels = path.key("labels");
    for (key, value) in &metadata.labels {
        if !is_label_key(key) {
            let message = format!(
                "found the key `{}`; a label's key has letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}, \
                 perhaps after `prefix/`",
                shorten(key)
            );
            findings.add(labels.key(key), message);
        }
        if !value.is_empty() && !is_label(value) {
            let message = format!(
                "found `{}`; a label has letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}",
                shorten(value)
            );
            findings.add(labels.key(key), message);
        }
    }
}

/// Is `name` an RFC 1123 label?
pub(super) fn name(name: &str, path: Path, findings: &mut Findings) {
    if is_name(name) {
        return;
    }
    let proposal: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(LONGEST_NAME)
        .collect();
    let proposal = proposal.trim_matches('-');
    let write = if is_name(proposal) { format!("; write `{proposal}`") } else { String::new() };
    let message = format!(
        "found `{}`{write}: a name has lowercase letters, digits and `-`, a letter or digit at both ends, \
         and at most {LONGEST_NAME} characters",
        shorten(name)
    );
    findings.add(path, message);
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST_NAME
        && name.starts_with(inner)
        && name.ends_with(inner)
        && name.chars().all(|c| inner(c) || c == '-')
}

fn is_label(text: &str) -> bool {
    let end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= LONGEST_NAME
        && text.starts_with(end)
        && text.ends_with(end)
        && text.chars().all(|c| end(c) || matches!(c, '-' | '_' | '.'))
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_label(key),
        Some((prefix, rest)) => {
            prefix.len() <= LONGEST_PREFIX && prefix.split('.').all(is_name) && is_label(rest)
        }
    }
}
