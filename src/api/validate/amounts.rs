//! Ranges of numbers and lengths of time.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::findings::Findings;
use crate::api::path::Path;
use crate::units::Duration;

/// One minute.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// One hour.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
/// One day.
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// One week.
pub(super) const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// One leap year.
pub(super) const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// The shortest time above zero.
pub(super) const INSTANT: Duration = Duration::from_millis(1);

/// Is `value`, where it is there, within `range`?
pub(super) fn within<T: PartialOrd + Display>(
    value: Option<T>,
    range: RangeInclusive<T>,
    path: Path,
    findings: &mut Findings,
) {
    let Some(value) = value.filter(|value| !range.contains(value)) else { return };
    findings.add(path, format!("found `{value}`; expected {} to {}", range.start(), range.end()));
}

/// The same for a time that must not be zero, of which the smallest fraction will do.
pub(super) fn some_time(value: Option<Duration>, longest: Duration, path: Path, findings: &mut Findings) {
    let Some(value) = value.filter(|value| value.is_zero() || *value > longest) else { return };
    findings.add(path, format!("found `{value}`; expected more than 0s and at most {longest}"));
}

/// Is `value`, where it is there, above zero?
pub(super) fn positive(value: Option<f64>, path: Path, findings: &mut Findings) {
    if let Some(value) = value.filter(|value| *value <= 0.0) {
        findings.add(path, format!("found `{value}`; expected more than 0"));
    }
}
