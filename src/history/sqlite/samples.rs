//! Samples and their five-minute means: writing both at once, and reading the past of a policy as one sequence,
//! single samples where there are any, means before them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::api::effective::Name;
use crate::history::trace::PastRow;
use crate::history::{BUCKET, HistoryError, PastValue};
use crate::units::Timestamp;

/// Most rows that are read from the file at once.
const PAGE_ROWS: usize = 500;

/// The sample, and with it its five minutes. A second value of the same moment is left out of both.
pub(super) fn write(
    transaction: &Transaction<'_>,
    policy: i64,
    series: i64,
    at: Timestamp,
    value: f64,
) -> Result<(), rusqlite::Error> {
    let fresh = transaction
        .prepare_cached(
            "INSERT INTO samples (policy, at, series, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![policy, at.as_millis(), series, value])?;
    if fresh == 0 {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO means (policy, at, series, count, sum, min, max) VALUES (?1, ?2, ?3, 1, ?4, ?4, ?4)
             ON CONFLICT DO UPDATE SET count = count + 1, sum = sum + excluded.sum,
                 min = min(min, excluded.min), max = max(max, excluded.max)",
        )?
        .execute(params![policy, bucket(at).as_millis(), series, value])?;
    Ok(())
}

/// The beginning of the five minutes that a moment is in.
pub(super) fn bucket(at: Timestamp) -> Timestamp {
    let millis = at.as_millis();
    Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(BUCKET.as_millis())))
}

/// A policy's past on its way to a reader, a page at a time. Between two pages nothing of the file is held.
#[derive(Debug)]
pub(super) struct Pages {
    connection: Connection,
    policy: i64,
    raw_since: Option<Timestamp>,
    stretch: Stretch,
    /// The last moment that was read.
    after: Timestamp,
}

/// Which part of the past is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    Means,
    Samples,
    Over,
}

impl Pages {
    /// The past of the policy from `since` on; `None` where there is none of such a policy.
    pub(super) fn of(
        connection: Connection,
        policy: &str,
        since: Timestamp,
    ) -> Result<Option<Self>, HistoryError> {
        let Some(policy) = policy_id(&connection, policy)? else { return Ok(None) };
        let raw_since = raw_since(&connection, policy)?;
        // The first moment that is wanted is `since` itself.
        let after = Timestamp::from_millis(since.as_millis().saturating_sub(1));
        Ok(Some(Self { connection, policy, raw_since, stretch: Stretch::Means, after }))
    }

    /// From when on there are single samples.
    pub(super) const fn raw_since(&self) -> Option<Timestamp> {
        self.raw_since
    }

    /// The next rows, oldest first; none at the end.
    pub(super) fn next(&mut self) -> Result<Vec<PastRow>, HistoryError> {
        loop {
            let rows = match self.stretch {
                Stretch::Means => self.means()?,
                Stretch::Samples => self.samples()?,
                Stretch::Over => return Ok(Vec::new()),
            };
            if let Some(last) = rows.last() {
                self.after = last.at;
                return Ok(rows);
            }
            self.stretch = if self.stretch == Stretch::Means { Stretch::Samples } else { Stretch::Over };
        }
    }

    /// Five minutes that ended before there are single samples. A mean stands at their beginning.
    fn means(&self) -> Result<Vec<PastRow>, HistoryError> {
        let until = self.raw_since.map_or(i64::MAX, |it| it.as_millis());
        let mut statement = self.connection.prepare_cached(
            "SELECT at, series, sum / count FROM means
             WHERE policy = ?1 AND at > ?2 AND at <= ?3 - ?4 ORDER BY at, series",
        )?;
        let range = params![self.policy, self.after.as_millis(), until, BUCKET.as_millis()];
        rows(&names(&self.connection)?, statement.query(range)?)
    }

    fn samples(&self) -> Result<Vec<PastRow>, HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, series, value FROM samples WHERE policy = ?1 AND at > ?2 ORDER BY at, series",
        )?;
        let range = params![self.policy, self.after.as_millis()];
        rows(&names(&self.connection)?, statement.query(range)?)
    }
}

/// What is shown of a series in a trace.
enum Shown {
    Current,
    Metric(Name),
}

/// The series that a trace shows.
fn names(connection: &Connection) -> Result<HashMap<i64, Shown>, HistoryError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, name FROM series WHERE kind = 'observed' OR (kind = 'replicas' AND name = 'current')",
    )?;
    let named = statement.query_map([], |row| {
        let name: String = row.get(2)?;
        let is_metric = row.get::<_, String>(1)? == "observed";
        Ok((row.get(0)?, if is_metric { Shown::Metric(name.into()) } else { Shown::Current }))
    })?;
    Ok(named.collect::<Result<_, _>>()?)
}

/// Values of the same moment become one row. Ends after a page, with its last row complete.
fn rows(names: &HashMap<i64, Shown>, mut values: rusqlite::Rows<'_>) -> Result<Vec<PastRow>, HistoryError> {
    let mut page: Vec<PastRow> = Vec::new();
    while let Some(found) = values.next()? {
        let at = Timestamp::from_millis(found.get(0)?);
        if page.last().is_none_or(|it| it.at != at) {
            if page.len() == PAGE_ROWS {
                break;
            }
            page.push(PastRow::at(at));
        }
        let value: f64 = found.get(2)?;
        if let (Some(row), Some(shown)) = (page.last_mut(), names.get(&found.get(1)?)) {
            match shown {
                Shown::Current => row.current = Some(value.round() as u32),
                Shown::Metric(name) => row.metrics.push((name.clone(), value)),
            }
        }
    }
    Ok(page)
}

/// The values of one metric from `since` on, oldest first: five-minute means where there are no single samples.
pub(super) fn of_metric(
    connection: &Connection,
    policy: &str,
    metric: &str,
    since: Timestamp,
) -> Result<Vec<PastValue>, HistoryError> {
    let Some(policy) = policy_id(connection, policy)? else { return Ok(Vec::new()) };
    let series = "SELECT id FROM series WHERE name = ?3 AND kind <> 'replicas'";
    let until = raw_since(connection, policy)?.map_or(i64::MAX, |it| it.as_millis());
    let mut values = Vec::new();
    let means = format!(
        "SELECT at, sum / count FROM means WHERE policy = ?1 AND at >= ?2 AND at <= ?4 - ?5
         AND series IN ({series}) ORDER BY at"
    );
    let range = params![policy, since.as_millis(), metric, until, BUCKET.as_millis()];
    collect(connection, &means, range, &mut values)?;
    let samples = format!(
        "SELECT at, value FROM samples WHERE policy = ?1 AND at >= ?2 AND series IN ({series}) ORDER BY at"
    );
    collect(connection, &samples, params![policy, since.as_millis(), metric], &mut values)?;
    Ok(values)
}

fn collect(
    connection: &Connection,
    query: &str,
    range: &[&dyn rusqlite::ToSql],
    values: &mut Vec<PastValue>,
) -> Result<(), HistoryError> {
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_map(range, |row| Ok((Timestamp::from_millis(row.get(0)?), row.get(1)?)))?;
    for value in found {
        values.push(value?);
    }
    Ok(())
}

/// The policy's number in the file.
pub(super) fn policy_id(connection: &Connection, name: &str) -> Result<Option<i64>, HistoryError> {
    let mut statement = connection.prepare_cached("SELECT id FROM policies WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// From when on there are single samples of a policy.
fn raw_since(connection: &Connection, policy: i64) -> Result<Option<Timestamp>, HistoryError> {
    let mut statement = connection.prepare_cached("SELECT min(at) FROM samples WHERE policy = ?1")?;
    let first: Option<i64> = statement.query_row([policy], |row| row.get(0))?;
    Ok(first.map(Timestamp::from_millis))
}
