//! What the checks have found.

use crate::api::path::Path;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The place, which need not exist: a missing field has a path too.
    pub path: Path,
    /// What was found, and what would be right.
    pub message: String,
    /// Other places that the mistake follows from; where one of them is wrong itself, it is none.
    pub depends_on: Vec<Path>,
    /// What showing the source there would give away.
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

/// A growing list of findings.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub fn add(&mut self, path: Path, message: impl Into<String>) {
        self.add_after(path, message, Vec::new());
    }

    /// A mistake that follows from what stands at `depends_on`.
    pub fn add_after(&mut self, path: Path, message: impl Into<String>, depends_on: Vec<Path>) {
        self.0.push(Finding { path, message: message.into(), depends_on, reveals: Reveals::Nothing });
    }

    /// A mistake at a place that must not be shown.
    pub fn add_secret(&mut self, path: Path, message: impl Into<String>) {
        self.0.push(Finding {
            path,
            message: message.into(),
            depends_on: Vec::new(),
            reveals: Reveals::Secret,
        });
    }

    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}
