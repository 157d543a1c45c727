//! The place of a value in a document, written as `spec.scaleUp.rules[1].op`.

use std::fmt;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A field of a mapping.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

/// The place of a value in a document; empty for the document itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Path(Vec<Segment>);

impl Path {
    /// The document itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The field `key` of what is here.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The item `index` of what is here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// One step further.
    #[must_use]
    pub fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// The steps, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Is it the document itself?
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Does one of the two places contain the other?
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine == theirs)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) => {
                    let dot = if position == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                }
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Can `key` stand between dots without being misread?
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_people_point_at_a_field() {
        let rule = Path::root().key("spec").key("scaleUp").key("rules").index(1);
        assert_eq!(rule.key("op").to_string(), "spec.scaleUp.rules[1].op");
        let label = Path::root().key("metadata").key("labels").key("a.b/c");
        assert_eq!(label.to_string(), "metadata.labels[\"a.b/c\"]");
        assert_eq!(Path::root().to_string(), "");
    }

    #[test]
    fn a_place_touches_what_it_contains_and_what_contains_it() {
        let spec = Path::root().key("spec");
        assert!(spec.touches(&spec.key("mode")) && spec.key("mode").touches(&spec));
        assert!(!spec.key("mode").touches(&spec.key("window")));
    }
}
