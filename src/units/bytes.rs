//! Amounts of memory as people write them: `512MiB`, `8GiB`.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, text_form};

const EXPECTED: &str =
    "an amount of memory has a number and a unit (B, KiB, MiB, GiB, TiB, kB, MB, GB, TB), as in `512MiB`";
const UNITS: [(&str, f64); 9] = [
    ("TiB", 1_099_511_627_776.0),
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("KiB", 1_024.0),
    ("TB", 1e12),
    ("GB", 1e9),
    ("MB", 1e6),
    ("kB", 1e3),
    ("B", 1.0),
];
/// Binary units in which `Display` writes what divides evenly.
const WRITTEN: std::ops::Range<usize> = 0..4;

/// An amount of memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

text_form!(
    Bytes,
    "Bytes",
    r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$",
    "An amount of memory: a number and a unit, as in 512MiB or 8GiB"
);

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || UnitError::new(text, EXPECTED);
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(refuse)?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().map_err(|_| refuse())?;
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        let bytes = number * factor;
        // 2^63 bytes: no machine has more, and every counter of the kernel holds it.
        if bytes >= 9.2e18 { Err(refuse()) } else { Ok(Self(bytes.round() as u64)) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, factor) in &UNITS[WRITTEN] {
            let factor = *factor as u64;
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{name}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_memory_in_these_ways() {
        for (text, bytes) in [("512MiB", 536_870_912), ("8GiB", 8_589_934_592), ("1.5kB", 1_500), ("0B", 0)] {
            assert_eq!(text.parse::<Bytes>().unwrap().0, bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_of_memory_is_refused_with_an_example() {
        for text in ["", "12", "GiB", "-1B", "1 GiB", "8gib", "99999999TiB", "1.2.3B"] {
            assert!(text.parse::<Bytes>().unwrap_err().to_string().contains("`512MiB`"), "{text}");
        }
    }

    #[test]
    fn the_text_form_reads_back_as_the_same_amount() {
        for bytes in [0, 1, 1_023, 1_024, 536_870_912, 1_000_000_001] {
            assert_eq!(Bytes(bytes).to_string().parse::<Bytes>().unwrap(), Bytes(bytes));
        }
    }
}
