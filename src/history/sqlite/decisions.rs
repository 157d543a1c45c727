//! Decisions: writing one, and reading the newest.

use rusqlite::{Connection, Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::samples::policy_id;
use crate::api::status::DecisionRecord;
use crate::history::entry::Decided;
use crate::history::{HistoryError, StoredDecision};
use crate::model::key::Generation;
use crate::units::Timestamp;

/// Keeps a decision of a policy.
pub(super) fn write(
    transaction: &Transaction<'_>,
    policy: i64,
    generation: Generation,
    decided: &Decided,
) -> Result<(), HistoryError> {
    let Decided { record: it, mode, acted } = decided;
    transaction
        .prepare_cached(
            "INSERT INTO decisions (at, policy, generation, mode, action, replicas_from, replicas_to, reason,
                 limited_by, trail, acted, limits, limits_before, approval)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            it.time.as_millis(),
            policy,
            i64::try_from(generation).unwrap_or(i64::MAX),
            json(mode)?,
            json(&it.action)?,
            it.from,
            it.to,
            it.reason,
            it.limited_by,
            json(&it.trail)?,
            acted,
            it.limits.as_ref().map(json).transpose()?,
            it.limits_before.as_ref().map(json).transpose()?,
            it.approval,
        ])?;
    Ok(())
}

/// The newest decisions from `since` on, at most `limit`, oldest first; of one policy or of all.
pub(super) fn read(
    connection: &Connection,
    policy: Option<&str>,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<StoredDecision>, HistoryError> {
    const FIELDS: &str =
        "SELECT policies.name, generation, mode, acted, at, action, replicas_from, replicas_to,
        reason, limited_by, trail, limits, limits_before, approval FROM decisions JOIN policies ON policies.id = decisions.policy";
    const NEWEST: &str = "ORDER BY at DESC, decisions.id DESC LIMIT ?2";
    let mut decisions = Vec::new();
    let mut keep = |mut rows: rusqlite::Rows<'_>| -> Result<(), HistoryError> {
        while let Some(row) = rows.next()? {
            decisions.push(decision(row)?);
        }
        Ok(())
    };
    let since = since.as_millis();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match policy {
        Some(name) => {
            let Some(policy) = policy_id(connection, name)? else { return Ok(decisions) };
            let query = format!("{FIELDS} WHERE decisions.policy = ?3 AND at >= ?1 {NEWEST}");
            keep(connection.prepare_cached(&query)?.query(params![since, limit, policy])?)?;
        }
        None => {
            let query = format!("{FIELDS} WHERE at >= ?1 {NEWEST}");
            keep(connection.prepare_cached(&query)?.query(params![since, limit])?)?;
        }
    }
    decisions.reverse();
    Ok(decisions)
}

fn decision(row: &Row<'_>) -> Result<StoredDecision, HistoryError> {
    Ok(StoredDecision {
        policy: row.get(0)?,
        generation: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        mode: parsed(row, 2)?,
        acted: row.get(3)?,
        record: DecisionRecord {
            time: Timestamp::from_millis(row.get(4)?),
            action: parsed(row, 5)?,
            from: row.get(6)?,
            to: row.get(7)?,
            reason: row.get(8)?,
            limited_by: row.get(9)?,
            trail: parsed(row, 10)?,
            limits: parsed_if_there(row, 11)?,
            limits_before: parsed_if_there(row, 12)?,
            approval: row.get(13)?,
        },
    })
}

/// Enums and lists as they stand in JSON.
fn json(value: &impl Serialize) -> Result<String, HistoryError> {
    serde_json::to_string(value).map_err(|error| HistoryError::Unfit { source: error.into() })
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, HistoryError> {
    of_json(&row.get::<_, String>(column)?)
}

fn parsed_if_there<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>, HistoryError> {
    row.get::<_, Option<String>>(column)?.map(|text| of_json(&text)).transpose()
}

fn of_json<T: DeserializeOwned>(text: &str) -> Result<T, HistoryError> {
    serde_json::from_str(text).map_err(|error| HistoryError::Damaged { source: error.into() })
}
