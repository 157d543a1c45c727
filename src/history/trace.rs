//! The past as a trace: one row an evaluation, in the form that `simulate` reads.

use serde::{Serialize, Serializer};

use crate::api::effective::Name;
use crate::units::Timestamp;

/// One evaluation, or the mean of five minutes of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRow {
    /// When; of a mean, the beginning of its five minutes.
    pub at: Timestamp,
    /// How many ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u32>,
    /// What was observed; a missing value is not there.
    #[serde(serialize_with = "as_object")]
    pub metrics: Vec<(Name, f64)>,
}

impl PastRow {
    /// Nothing yet of this moment.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at, current: None, metrics: Vec::new() }
    }

    /// As a line of JSON Lines, its end included.
    #[must_use]
    pub fn line(&self) -> String {
        // Moments, counts, names and finite numbers always have a JSON form.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

fn as_object<S: Serializer>(metrics: &[(Name, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metrics.iter().map(|(name, value)| (&**name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::trace::Reader;

    #[test]
    fn a_row_of_the_past_is_a_row_of_a_trace() {
        let at = Timestamp::from_millis(1_795_000_000_123);
        let metrics = vec![("cpu.avg".into(), 41.25), ("queue.backlog".into(), 620.0)];
        let row = PastRow { at, current: Some(2), metrics };
        assert_eq!(
            row.line(),
            "{\"at\":\"2026-11-18T11:06:40.123Z\",\"current\":2,\
             \"metrics\":{\"cpu.avg\":41.25,\"queue.backlog\":620.0}}\n"
        );
        let read = Reader::new().row(&row.line()).unwrap().unwrap();
        assert_eq!((read.at, read.current), (at, Some(2)));
        assert_eq!(read.metrics[1], ("queue.backlog".into(), Some(620.0)));
    }
}
