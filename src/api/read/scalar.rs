//! What a scalar means: the core schema of YAML 1.2.

use super::hint::shorten;
use super::tree::{Scalar, Style};

impl Scalar {
    /// Is nothing written, or `null`, or `~`?
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// True or false, or what would be right.
    pub fn boolean(&self) -> Result<bool, String> {
        let meant = match self.text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => "true",
            "false" | "no" | "off" | "n" | "0" => "false",
            _ => return Err(format!("found {self}; expected `true` or `false`")),
        };
        let is_core = matches!(&*self.text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE");
        if self.style == Style::Plain && is_core {
            Ok(meant == "true")
        } else {
            Err(format!("found {self}; write `{meant}`"))
        }
    }

    /// A whole number between `least` and `most`, or what would be right.
    pub fn integer(&self, least: i128, most: i128) -> Result<i128, String> {
        let refuse = |what: &str| Err(format!("found {self}; {what}"));
        let Some(number) = integer(&self.text) else {
            let without = self.text.replace(['_', ','], "");
            return match self.text.parse::<f64>() {
                _ if without != *self.text && integer(&without).is_some() => {
                    refuse(&format!("write `{without}`"))
                }
                Ok(number) if number.is_finite() => refuse("expected a whole number"),
                _ => refuse(&format!("expected a whole number{}", range(least, most))),
            };
        };
        if self.style != Style::Plain {
            return refuse(&format!("write {number} without quotes"));
        }
        if number < least || number > most {
            return refuse(&format!("expected a whole number{}", range(least, most)));
        }
        Ok(number)
    }

    /// A finite number, or what would be right.
    pub fn number(&self) -> Result<f64, String> {
        let refuse = |what: &str| Err(format!("found {self}; {what}"));
        let lower = self.text.to_lowercase();
        if matches!(lower.trim_start_matches(['+', '-']), ".nan" | ".inf" | "nan" | "inf" | "infinity") {
            return refuse("expected a finite number");
        }
        let parsed = integer(&self.text).map(|number| number as f64).or_else(|| self.text.parse().ok());
        match parsed {
            Some(number) if !f64::is_finite(number) => refuse("expected a finite number"),
            Some(number) if self.style == Style::Plain => Ok(number),
            Some(number) => refuse(&format!("write {number} without quotes")),
            None => match self.text.strip_suffix('%').and_then(|text| text.trim().parse::<f64>().ok()) {
                Some(number) if number.is_finite() => {
                    refuse(&format!("write `{number}`, without the percent sign"))
                }
                _ => refuse("expected a number"),
            },
        }
    }
}

/// As in a message: `` `text` ``, or ``the text `"text"` ``, or nothing.
impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.style {
            Style::Plain if self.text.is_empty() => f.write_str("nothing"),
            Style::Plain => write!(f, "`{}`", shorten(&self.text)),
            Style::Quoted => write!(f, "the text `\"{}\"`", shorten(&self.text)),
            Style::Block => write!(f, "the text `{}`", shorten(self.text.trim_end())),
        }
    }
}

fn integer(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i128::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-']));
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i128::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with(['+', '-']));
    }
    text.parse().ok()
}

fn range(least: i128, most: i128) -> String {
    match (least, most) {
        (0, most) if most >= i128::from(u32::MAX) => " from 0 up".to_owned(),
        _ if most > i128::from(u16::MAX) => String::new(),
        _ => format!(" from {least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.into(), style: Style::Plain }
    }

    #[test]
    fn numbers_follow_the_core_schema() {
        for (text, number) in
            [("1", 1.0), ("-2", -2.0), ("+3", 3.0), ("0x10", 16.0), ("0o17", 15.0), ("1e3", 1e3), (".5", 0.5)]
        {
            assert_eq!(plain(text).number(), Ok(number), "{text}");
        }
        for text in [".nan", "-.inf", "inf", "1e999", "", "x", "0x-1", "12px"] {
            assert!(plain(text).number().is_err(), "{text}");
        }
        assert_eq!(plain("75%").number().unwrap_err(), "found `75%`; write `75`, without the percent sign");
    }

    #[test]
    fn whole_numbers_say_what_is_wrong_with_others() {
        assert_eq!(plain("10").integer(0, 100), Ok(10));
        for (text, message) in [
            ("2.5", "found `2.5`; expected a whole number"),
            ("-1", "found `-1`; expected a whole number from 0 up"),
            ("1_000", "found `1_000`; write `1000`"),
            ("ten", "found `ten`; expected a whole number from 0 up"),
        ] {
            assert_eq!(plain(text).integer(0, i128::from(u32::MAX)).unwrap_err(), message);
        }
        let quoted = Scalar { text: "3".into(), style: Style::Quoted };
        assert_eq!(quoted.integer(0, 9).unwrap_err(), "found the text `\"3\"`; write 3 without quotes");
    }

    #[test]
    fn the_words_of_yaml_1_1_are_no_truth_values_any_more() {
        assert_eq!(plain("true").boolean(), Ok(true));
        assert_eq!(plain("FALSE").boolean(), Ok(false));
        assert_eq!(plain("yes").boolean().unwrap_err(), "found `yes`; write `true`");
        assert_eq!(plain("off").boolean().unwrap_err(), "found `off`; write `false`");
    }
}
