//! Label selectors in Kubernetes' form: `tier=front,env!=test,team in (a,b),!legacy`.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Requirements on labels; all must hold. An empty selector selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    /// `key=value`, `key==value`, `key in (a,b)`.
    In(String, Vec<String>),
    /// `key!=value`, `key notin (a,b)`; holds also where the label is absent.
    NotIn(String, Vec<String>),
    /// `key`.
    Exists(String),
    /// `!key`.
    Absent(String),
}

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{requirement}` is no label requirement; write `key=value`, `key!=value`, `key in (a,b)`, \
     `key notin (a,b)`, `key` or `!key`"
)]
pub struct SelectorError {
    requirement: String,
}

impl Selector {
    /// Do these labels satisfy every requirement?
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|it| it.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|it| values.contains(it)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|it| !values.contains(it)),
            Self::Exists(key) => labels.contains_key(key),
            Self::Absent(key) => !labels.contains_key(key),
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        split_outside_parentheses(text)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(|it| Self { requirements: it })
    }
}

impl FromStr for Requirement {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        let refuse = || SelectorError { requirement: text.to_owned() };
        let key = |it: &str| label(it.trim()).filter(|it| !it.is_empty()).ok_or_else(refuse);
        let value = |it: &str| label(it.trim()).ok_or_else(refuse);

        if let Some((name, values)) = set_based(text, " notin ") {
            return Ok(Self::NotIn(key(name)?, values.split(',').map(value).collect::<Result<_, _>>()?));
        }
        if let Some((name, values)) = set_based(text, " in ") {
            return Ok(Self::In(key(name)?, values.split(',').map(value).collect::<Result<_, _>>()?));
        }
        if let Some((name, wanted)) = text.split_once("!=") {
            return Ok(Self::NotIn(key(name)?, vec![value(wanted)?]));
        }
        if let Some((name, wanted)) = text.split_once("==").or_else(|| text.split_once('=')) {
            return Ok(Self::In(key(name)?, vec![value(wanted)?]));
        }
        match text.strip_prefix('!') {
            Some(name) => key(name).map(Self::Absent),
            None => key(text).map(Self::Exists),
        }
    }
}

fn split_outside_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let mut open = false;
    text.split(move |c| {
        match c {
            '(' => open = true,
            ')' => open = false,
            _ => {}
        }
        c == ',' && !open
    })
}

fn set_based<'a>(text: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let (key, rest) = text.split_once(operator)?;
    Some((key, rest.trim().strip_prefix('(')?.strip_suffix(')')?))
}

/// A label's key or value; its characters are Kubernetes'.
fn label(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    text.chars().all(allowed).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> BTreeMap<String, String> {
        [("tier", "front"), ("env", "live")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn a_selector_selects_as_kubectl_does() {
        for (text, selected) in [
            ("", true),
            ("tier=front", true),
            ("tier==front", true),
            ("tier=back", false),
            ("tier=front,env=test", false),
            ("tier=front, env=live", true),
            ("env!=test", true),
            ("absent!=test", true),
            ("tier in (back, front)", true),
            ("tier in (back)", false),
            ("tier notin (back),env", true),
            ("absent notin (x)", true),
            ("!absent", true),
            ("!tier", false),
            ("absent", false),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.selects(&labels()), selected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_with_the_forms_there_are() {
        for text in ["=front", "tier=a=b", ",", "tier in back", "a b", "tier>1", "!"] {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains("`key=value`"), "{text}: {error}");
        }
    }
}
