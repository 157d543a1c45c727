//! A mistake in a policy file, and how it is shown.

use std::fmt;

/// What is wrong in a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// The file, as it was named to `read`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The place in the document: `spec.scaleUp.rules[1].op`. Empty where the text is no YAML.
    pub path: String,
    /// What was found, and what would be right.
    pub message: String,
    /// The source line with a caret under the place.
    pub snippet: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, message, snippet } = self;
        write!(f, "error: {message}\n --> {file}:{line}:{column}")?;
        if !path.is_empty() {
            write!(f, " ({path})")?;
        }
        snippet.as_ref().map_or(Ok(()), |snippet| write!(f, "\n{snippet}"))
    }
}
