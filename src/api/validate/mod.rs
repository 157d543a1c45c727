//! Checks of a document as a whole: what its types alone cannot say. Every mistake at once, each with its path.

use super::Document;
use super::path::Path;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The place, which need not exist: a missing field has a path too.
    pub path: Path,
    /// What was found, and what would be right.
    pub message: String,
    /// Other places that the mistake follows from; where one of them is wrong itself, it is none.
    pub depends_on: Vec<Path>,
    /// May what stands at the place be shown?
    pub reveals: Reveals,
}

/// What showing the source at a place would give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reveals {
    /// Nothing that others may not see.
    #[default]
    Nothing,
    /// A secret.
    Secret,
}

/// Everything that is wrong with a document on its own.
#[must_use]
pub fn document(_document: &Document) -> Vec<Finding> {
    Vec::new()
}
