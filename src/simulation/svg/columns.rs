//! What a plot keeps of a simulation of any length: a column for every few decisions, each with the extremes of
//! every series, so that no peak is lost.

use crate::api::effective::Name;
use crate::units::Timestamp;

/// Most columns that are kept, about one for each point of the picture's width; of more, every two become one.
pub(super) const MAX_COLUMNS: usize = 1_200;

/// What a series did within a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    pub(super) first: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) last: f64,
}

impl Extent {
    pub(super) const fn of(value: f64) -> Self {
        Self { first: value, low: value, high: value, last: value }
    }

    fn then(self, later: Self) -> Self {
        Self {
            first: self.first,
            low: self.low.min(later.low),
            high: self.high.max(later.high),
            last: later.last,
        }
    }
}

/// A few decisions, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) at: Timestamp,
    /// One for each series; `None` where it had no value.
    pub(super) series: Vec<Option<Extent>>,
    /// Policies that something kept from what was recommended, one bit each.
    pub(super) limited: u8,
    /// Panels whose metric was missing, one bit each.
    pub(super) missing: u32,
    /// The schedule that was active.
    pub(super) schedule: Option<Name>,
}

impl Column {
    fn absorb(&mut self, later: Self) {
        for (series, later) in self.series.iter_mut().zip(later.series) {
            *series = match (*series, later) {
                (Some(one), Some(later)) => Some(one.then(later)),
                (one, later) => one.or(later),
            };
        }
        self.limited |= later.limited;
        self.missing |= later.missing;
        if self.schedule.is_none() {
            self.schedule = later.schedule;
        }
    }
}

/// Columns of equally many decisions each; the last may have fewer.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    columns: Vec<Column>,
    /// Decisions of a whole column.
    each: u64,
    /// Decisions of the last one.
    in_last: u64,
    pub(super) decisions: u64,
    pub(super) end: Timestamp,
}

impl Columns {
    pub(super) const fn new() -> Self {
        Self { columns: Vec::new(), each: 1, in_last: 0, decisions: 0, end: Timestamp::from_millis(0) }
    }

    pub(super) fn push(&mut self, column: Column) {
        self.decisions += 1;
        self.end = column.at;
        match self.columns.last_mut() {
            Some(last) if self.in_last < self.each => {
                last.absorb(column);
                self.in_last += 1;
            }
            _ => {
                if self.columns.len() >= MAX_COLUMNS {
                    self.halve();
                }
                self.columns.push(column);
                self.in_last = 1;
            }
        }
    }

    pub(super) fn all(&self) -> &[Column] {
        &self.columns
    }

    fn halve(&mut self) {
        let mut columns = std::mem::take(&mut self.columns).into_iter();
        while let Some(mut column) = columns.next() {
            columns.next().into_iter().for_each(|later| column.absorb(later));
            self.columns.push(column);
        }
        self.each = self.each.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(second: i64, value: f64) -> Column {
        Column {
            at: Timestamp::from_secs(second),
            series: vec![Some(Extent::of(value))],
            limited: 0,
            missing: 0,
            schedule: None,
        }
    }

    #[test]
    fn however_long_it_gets_no_peak_is_lost_and_the_columns_stay_even() {
        let mut columns = Columns::new();
        for second in 0..100_000 {
            let value = match second {
                54_321 => 1e6,
                12_345 => -7.0,
                _ => f64::from(second as i32 % 10),
            };
            columns.push(column(second, value));
        }
        let extents = || columns.all().iter().filter_map(|it| it.series[0]);
        assert!(columns.all().len() <= MAX_COLUMNS && columns.all().len() > MAX_COLUMNS / 2);
        assert_eq!(extents().map(|it| it.high).fold(0.0, f64::max), 1e6);
        assert_eq!(extents().map(|it| it.low).fold(0.0, f64::min), -7.0);
        let steps: Vec<_> = columns.all().windows(2).map(|it| it[1].at.since(it[0].at)).collect();
        assert!(steps.windows(2).all(|it| it[0] == it[1]), "every column is as wide as the others");
        assert_eq!((columns.decisions, columns.end), (100_000, Timestamp::from_secs(99_999)));
    }

    #[test]
    fn few_decisions_have_a_column_each() {
        let mut columns = Columns::new();
        (0..10).for_each(|second| columns.push(column(second, 1.0)));
        assert_eq!(columns.all().len(), 10);
    }
}
