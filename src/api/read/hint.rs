//! Guesses at what was meant.

use std::fmt::Write as _;

/// A list of names up to this length is shown whole.
const SHORT_LIST: usize = 12;
/// Longest quotation of what was found, in characters.
const LONGEST_QUOTE: usize = 40;

/// What other autoscalers call our fields.
const ELSEWHERE: [(&str, &str); 14] = [
    ("minReplicas", "replicas: {min: …}"),
    ("maxReplicas", "replicas: {max: …}"),
    ("minReplicaCount", "replicas: {min: …}"),
    ("maxReplicaCount", "replicas: {max: …}"),
    ("idleReplicaCount", "replicas: {idle: …}"),
    ("scaleTargetRef", "target"),
    ("pollingInterval", "interval"),
    ("cooldownPeriod", "replicas: {idleAfter: …}"),
    ("triggers", "metrics, and rules or track on them"),
    ("stabilizationWindowSeconds", "stabilizationWindow: 300s"),
    ("selectPolicy", "select"),
    ("policies", "limits"),
    ("periodSeconds", "period: 15s"),
    ("behavior", "scaleUp and scaleDown"),
];

/// The one of `names` that `found` is most likely to stand for.
pub(in crate::api) fn guess<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let found = found.to_lowercase();
    if found.chars().count() > LONGEST_QUOTE {
        return None;
    }
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&found, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, name)| (*distance, name.len().abs_diff(found.len())))
        .map(|(_, name)| name)
}

/// "; did you mean `a`?" and, where the list is short, "; there are `a`, `b` and `c`".
pub(in crate::api) fn suggest(found: &str, names: &[&str], there_are: &str) -> String {
    let mut text = String::new();
    if let Some((_, ours)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == found) {
        return format!("; here it is `{ours}`");
    }
    if let Some(guess) = guess(found, names.iter().copied()) {
        let _ = write!(text, "; did you mean `{guess}`?");
        if names.len() > SHORT_LIST {
            return text;
        }
        let _ = write!(text, " {}{} {}", there_are[..1].to_uppercase(), &there_are[1..], list(names, "and"));
    } else if !names.is_empty() {
        let _ = write!(text, "; {there_are} {}", list(names, "and"));
    }
    text
}

/// "`a`, `b` and `c`".
pub(in crate::api) fn list(names: &[&str], last: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
    }
}

/// The same, cut where there are many.
pub(in crate::api) fn abridged(names: &[&str], last: &str) -> String {
    if names.len() <= SHORT_LIST {
        list(names, last)
    } else {
        format!("{}, …", list(&names[..SHORT_LIST], ","))
    }
}

/// `text`, cut to what fits into a message, on one line.
pub(in crate::api) fn shorten(text: &str) -> String {
    let cut: String =
        text.chars().take(LONGEST_QUOTE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST_QUOTE).is_some() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let names = ["interval", "window", "mode"];
        assert_eq!(guess("intervall", names), Some("interval"));
        assert_eq!(guess("Mode", names), Some("mode"));
        assert_eq!(guess("widnow", names), Some("window"));
        assert_eq!(guess("replicas", names), None);
    }

    #[test]
    fn a_long_quotation_is_cut() {
        assert_eq!(shorten("a\nb"), "a b");
        assert_eq!(shorten(&"ä".repeat(41)), format!("{}…", "ä".repeat(40)));
    }
}
