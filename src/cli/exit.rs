//! How a command ends: the exit codes of both programs, and failures that know theirs.

use std::process::ExitCode;

/// The exit codes, the same for both programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// The request failed.
    Failed = 1,
    /// Wrong usage, or an invalid file.
    Usage = 2,
    /// The controller cannot be reached.
    Unreachable = 3,
    /// Nothing was found.
    NothingFound = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What to tell the user; the whole chain is printed.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure that ends the program with `exit`.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// The same from a sentence.
    pub fn say(exit: Exit, sentence: impl std::fmt::Display) -> Self {
        Self { exit, error: anyhow::anyhow!("{sentence}") }
    }

    /// Did whoever reads our output go away? Then there is nobody to complain to.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        let io = self.error.chain().find_map(|it| it.downcast_ref::<std::io::Error>());
        io.is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// What goes wrong on the way to the reader is a request that failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<serde_yaml::Error> for Failure {
    fn from(error: serde_yaml::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}
