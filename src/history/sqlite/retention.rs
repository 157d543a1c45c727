//! What is old goes, in small steps, so that the writer soon gets back to what is new.

use rusqlite::{Connection, OptionalExtension, params};

use super::samples::bucket;
use crate::history::{DECISIONS_KEPT, HistoryError, MEANS_KEPT};
use crate::units::{Duration, Timestamp};

/// Rows that are removed in one transaction.
const STEP_ROWS: i64 = 2_000;
/// Steps of one round; what is left waits for the next.
const ROUND_STEPS: usize = 50;
/// Pages that are given back to the file system in one round.
const ROUND_PAGES: usize = 1_000;

/// How long each table keeps its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) samples: Duration,
    pub(super) means: Duration,
    pub(super) decisions: Duration,
}

impl Kept {
    /// Single samples so long, and the rest as ever.
    pub(super) const fn new(samples: Duration) -> Self {
        Self { samples, means: MEANS_KEPT, decisions: DECISIONS_KEPT }
    }
}

/// Removes what is older, seen from `now`. Samples go five minutes at a time, so that a mean is either all there is
/// of its five minutes, or they are there whole.
pub(super) fn sweep(connection: &Connection, kept: Kept, now: Timestamp) -> Result<(), HistoryError> {
    let policies: Vec<i64> = {
        let mut statement = connection.prepare_cached("SELECT id FROM policies")?;
        let ids = statement.query_map([], |row| row.get(0))?;
        ids.collect::<Result<_, _>>()?
    };
    let mut steps = ROUND_STEPS;
    for policy in policies {
        for (table, age) in [("samples", kept.samples), ("means", kept.means), ("decisions", kept.decisions)]
        {
            let before = bucket(now.minus(age)).as_millis();
            while steps > 0 {
                steps -= 1;
                if remove_some(connection, table, policy, before)? == Left::Nothing {
                    break;
                }
            }
        }
    }
    Ok(connection.execute_batch(&format!("PRAGMA incremental_vacuum({ROUND_PAGES})"))?)
}

#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

/// Removes a step's worth of rows of a policy that are before that moment.
fn remove_some(connection: &Connection, table: &str, policy: i64, before: i64) -> Result<Left, HistoryError> {
    let step = format!("SELECT at FROM {table} WHERE policy = ?1 AND at < ?2 ORDER BY at LIMIT 1 OFFSET ?3");
    let end: Option<i64> = connection
        .prepare_cached(&step)?
        .query_row(params![policy, before, STEP_ROWS], |row| row.get(0))
        .optional()?;
    let remove = format!("DELETE FROM {table} WHERE policy = ?1 AND at < ?2");
    let removed = connection.prepare_cached(&remove)?.execute(params![policy, end.unwrap_or(before)])?;
    // A step that ends within one moment removes nothing; that moment then goes whole.
    match end {
        None => Ok(Left::Nothing),
        Some(end) if removed == 0 => {
            connection.prepare_cached(&remove)?.execute(params![policy, end.saturating_add(1)])?;
            Ok(Left::Something)
        }
        Some(_) => Ok(Left::Something),
    }
}
