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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values by name; `x` is missing.
    fn value(name: &str) -> Option<f64> {
        match name {
            "queue.backlog" => Some(120.0),
            "queue.rate_in" => Some(8.0),
            "latency" => Some(0.25),
            "zero" => Some(0.0),
            _ => None,
        }
    }

    fn number(source: &str) -> Option<f64> {
        let expr = Expr::number(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        expr.eval_number(&|index| value(&expr.variables()[index]))
    }

    fn condition(source: &str) -> Option<bool> {
        let expr = Expr::condition(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        expr.eval_condition(&|index| value(&expr.variables()[index]))
    }

    #[test]
    fn numbers_are_computed_as_in_cel() {
        for (source, result) in [
            ("1.5 + 2.0 * 3.0", 7.5),
            ("(1.5 + 2.0) * 2.0", 7.0),
            ("-latency - 1.0", -1.25),
            ("10.0 - 3.0 - 2.0", 5.0),
            ("7.0 % 4.0", 3.0),
            ("queue.backlog + 2.0 * queue.rate_in", 136.0),
            ("min(3.0, 1.0, 2.0) + max(latency, zero)", 1.25),
            ("ceil(1.2) + floor(1.8) + abs(-2.0) + round(1.5)", 7.0),
            ("queue.backlog > 100.0 ? 5.0 : 1.0", 5.0),
            ("orElse(x, 2.0) + orElse(latency, 9.0)", 2.25),
            ("orElse(latency / zero, 4.0)", 4.0),
            ("1e3", 1_000.0),
        ] {
            assert_eq!(number(source), Some(result), "{source}");
        }
    }

    #[test]
    fn conditions_are_computed_as_in_cel() {
        for (source, result) in [
            ("queue.backlog > 100.0 && latency <= 0.25", true),
            ("queue.backlog < 100.0 || latency != 0.25", false),
            ("!(latency >= 1.0)", true),
            ("latency == 0.25", true),
            ("(latency > 1.0) == (zero > 1.0)", true),
            ("true != false", true),
            ("latency > 1.0 ? true : zero == 0.0", true),
            ("orElse(x > 1.0, true)", true),
        ] {
            assert_eq!(condition(source), Some(result), "{source}");
        }
    }

    #[test]
    fn what_touches_a_missing_value_is_unknown() {
        for source in ["x > 1.0", "latency > 0.1 || x > 1.0", "latency > 1.0 && x > 1.0", "!(x > 1.0)"] {
            assert_eq!(condition(source), None, "{source}");
        }
        for source in ["x", "x + 1.0", "max(latency, x)", "latency / zero", "zero / zero", "1e308 * 10.0"] {
            assert_eq!(number(source), None, "{source}");
        }
    }

    #[test]
    fn variables_are_named_once_in_the_order_of_their_use() {
        let expr = Expr::condition("b.lag > 1.0 && a > b.lag && orElse(c.x, 0.0) < 2.0").unwrap();
        let names: Vec<&str> = expr.variables().iter().map(|it| &**it).collect();
        assert_eq!(names, ["b.lag", "a", "c.x"]);
    }

    #[test]
    fn what_has_no_place_here_is_refused_with_what_would_be_right() {
        for (source, message, offset) in [
            ("queue.backlog > 2", "write 2.0", 16),
            ("3u > 2.0", "write 3.0", 0),
            ("latency > 'a'", "a string", 10),
            ("[1.0]", "a list", 0),
            ("latency > 1.0 && {}", "a map", 17),
            ("has(queue.backlog)", "", 0),
            ("null == latency", "null", 0),
            ("sqrt(latency) > 1.0", "no function `sqrt`; there are min, max", 0),
            ("latency.round() > 1.0", "not called on a value", 0),
            ("round(1.0, 2.0) > 1.0", "another number of arguments", 0),
            ("latency + true > 1.0", "numbers are needed", 0),
            ("latency && true", "take conditions", 0),
            ("latency > 1.0 ? 1.0 : true", "two of a kind", 0),
            ("orElse(latency) > 1.0", "orElse takes two", 0),
            ("latency", "a condition is needed", 0),
            ("", "empty", 0),
            ("latency >", "", 0),
            ("latency > 1.0 latency", "", 0),
            ("größe > 1.0", "`ö` has no place", 2),
        ] {
            let error = Expr::condition(source).expect_err(source);
            assert!(error.message.contains(message), "{source}: {error}");
            assert!(error.offset <= source.len(), "{source}: {error:?}");
            if offset > 0 {
                assert_eq!(error.offset, offset, "{source}: {error}");
            }
        }
        assert!(Expr::number("latency > 1.0").unwrap_err().message.contains("a number is needed"));
    }

    #[test]
    fn size_and_depth_have_bounds() {
        let long = format!("latency > {}", "1".repeat(MAX_SOURCE));
        let deep = format!("{}latency{} > 1.0", "(".repeat(200), ")".repeat(200));
        let negated = format!("{}(latency > 1.0)", "!".repeat(500));
        let chain = format!("latency{} > 1.0", " + 1.0".repeat(140));
        for source in [long, deep, negated.clone(), chain] {
            // A chain of `!` may be folded by the parser, and is then harmless.
            let refused = Expr::condition(&source).is_err();
            assert!(refused || source == negated, "{source}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
        #[test]
        fn no_text_makes_it_panic(source in ".{0,200}") {
            let _ = Expr::number(&source);
            let _ = Expr::condition(&source);
        }

        #[test]
        fn nothing_that_looks_like_an_expression_makes_it_panic(
            parts in prop::collection::vec(prop::sample::select(vec![
                "a", "queue.backlog", "1.0", "2", "0x1F", "1e999", "(", ")", "+", "-", "*", "/", "%", "<", ">=",
                "==", "&&", "||", "!", "?", ":", ",", ".", "orElse(", "min(", "has(", "all(", "map(", "in", "u",
                "true", "null", " ", "\n", "a.exists(x, x > 1.0)", "//", ".a", "9223372036854775808",
            ]), 0..40)
        ) {
            let source = parts.concat();
            for expr in [Expr::number(&source), Expr::condition(&source)].into_iter().flatten() {
                let _ = expr.eval_number(&|_| Some(f64::MAX));
                let _ = expr.eval_condition(&|_| None);
            }
        }
    }
}
