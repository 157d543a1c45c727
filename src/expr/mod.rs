//! CEL expressions over metrics: parsed with the `cel` crate, type-checked, and compiled into a small
//! tree over doubles and booleans. Pure; total: no input makes it panic.

mod compile;
mod tree;

use std::sync::Arc;

/// Longest source text, in bytes.
pub const MAX_SOURCE: usize = 1_024;

/// Why a text is no expression over metrics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// What was found and what would be right.
    pub message: String,
    /// Where in the text, in bytes from its beginning.
    pub offset: usize,
}

/// A compiled expression. It gives a number (`Expr::number`) or true or false (`Expr::condition`).
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    source: Arc<str>,
    variables: Vec<Arc<str>>,
    root: tree::Root,
}

impl Expr {
    /// Compiles an expression that gives a number.
    ///
    /// # Errors
    /// When it does not parse, uses what has no place here, or gives true or false.
    pub fn number(source: &str) -> Result<Self, ExprError> {
        compile::compile(source, compile::Kind::Number)
    }

    /// Compiles an expression that gives true or false.
    ///
    /// # Errors
    /// When it does not parse, uses what has no place here, or gives a number.
    pub fn condition(source: &str) -> Result<Self, ExprError> {
        compile::compile(source, compile::Kind::Condition)
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The metrics that it reads, each once, in the order of their first use: `queue.backlog`, `latency`.
    #[must_use]
    pub fn variables(&self) -> &[Arc<str>] {
        &self.variables
    }

    /// The number, unknown where it touches a missing value or is not finite.
    /// `lookup` gives the value of the variable with that index in [`Self::variables`].
    /// A condition gives 1 or 0.
    pub fn eval_number(&self, lookup: &dyn Fn(usize) -> Option<f64>) -> Option<f64> {
        match &self.root {
            tree::Root::Number(it) => it.eval(lookup),
            tree::Root::Condition(it) => it.eval(lookup).map(f64::from),
        }
    }

    /// True or false, unknown where it touches a missing value.
    /// `lookup` gives the value of the variable with that index in [`Self::variables`].
    /// A number is true unless it is zero.
    pub fn eval_condition(&self, lookup: &dyn Fn(usize) -> Option<f64>) -> Option<bool> {
        match &self.root {
            tree::Root::Condition(it) => it.eval(lookup),
            tree::Root::Number(it) => it.eval(lookup).map(|value| value != 0.0),
        }
    }
}
