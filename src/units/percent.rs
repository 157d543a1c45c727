//! Shares written with a percent sign: `80%` of a quota, `150%` of a core.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, text_form};

const EXPECTED: &str = "a share is a number with a percent sign, as in `80%`";

/// A share; 100 is all of it. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Percent(pub f64);

text_form!(Percent, "Percent", r"^[0-9]+(\.[0-9]+)?%$", "A share: a number with a percent sign, as in 80%");

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || UnitError::without_unit(text, "%", EXPECTED);
        let number = text.strip_suffix('%').ok_or_else(refuse)?;
        if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(refuse());
        }
        number.parse().map(Self).map_err(|_| refuse())
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_needs_its_percent_sign() {
        assert_eq!("80%".parse(), Ok(Percent(80.0)));
        assert_eq!("12.5%".parse(), Ok(Percent(12.5)));
        for text in ["80", "", "%", "-5%", "x%", "1e3%", "inf%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
