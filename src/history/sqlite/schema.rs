//! The tables, and how a file of an older docktor becomes one of this.

use rusqlite::Connection;

use crate::history::HistoryError;

/// What leads from each version of the tables to the next; `PRAGMA user_version` counts those that were taken.
///
/// Rows of samples are keyed by policy, then moment, so that an evaluation is written into one place and the past of a
/// policy is read in the order in which it is stored.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE policies (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('observed', 'computed', 'replicas')),
        name TEXT NOT NULL,
        UNIQUE (kind, name)
    ) STRICT;
    CREATE TABLE samples (
        policy INTEGER NOT NULL,
        at INTEGER NOT NULL, -- milliseconds since 1970-01-01T00:00:00Z, as every moment here
        series INTEGER NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (policy, at, series)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE means (
        policy INTEGER NOT NULL,
        at INTEGER NOT NULL, -- the beginning of five minutes
        series INTEGER NOT NULL,
        count INTEGER NOT NULL,
        sum REAL NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        PRIMARY KEY (policy, at, series)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        policy INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        mode TEXT NOT NULL,
        action TEXT NOT NULL,
        replicas_from INTEGER NOT NULL,
        replicas_to INTEGER NOT NULL,
        reason TEXT NOT NULL,
        limited_by TEXT,
        trail TEXT NOT NULL, -- JSON
        acted INTEGER NOT NULL,
        limits TEXT, -- JSON, as are those before
        limits_before TEXT
    ) STRICT;
    CREATE INDEX decisions_of_policy ON decisions (policy, at);
    CREATE INDEX decisions_of_all ON decisions (at);
",
    "
    ALTER TABLE decisions ADD COLUMN approval TEXT; -- the id of the proposal that a person approved
",
];

/// The version of the tables that this docktor makes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The version of the tables in a file; 0 where there are none yet.
pub(super) fn version(connection: &Connection) -> Result<i64, HistoryError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION { Err(HistoryError::Newer { found, known: VERSION }) } else { Ok(found) }
}

/// Brings the tables to this docktor's version, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), HistoryError> {
    let found = version(connection)?;
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        rows.filter_map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_of_any_older_version_ends_as_a_new_one_does_and_keeps_its_rows() {
        let mut new = Connection::open_in_memory().unwrap();
        migrate(&mut new).unwrap();
        for older in 0..MIGRATIONS.len() {
            let mut file = Connection::open_in_memory().unwrap();
            MIGRATIONS[..older].iter().for_each(|it| file.execute_batch(it).unwrap());
            file.pragma_update(None, "user_version", older as i64).unwrap();
            file.execute_batch("CREATE TABLE other (word TEXT); INSERT INTO other VALUES ('kept')").unwrap();
            migrate(&mut file).unwrap();
            assert_eq!(version(&file).unwrap(), VERSION);
            let word: String = file.query_row("SELECT word FROM other", [], |row| row.get(0)).unwrap();
            assert_eq!(word, "kept");
            file.execute_batch("DROP TABLE other").unwrap();
            assert_eq!(tables(&file), tables(&new), "from version {older}");
        }
        migrate(&mut new).unwrap();
    }

    #[test]
    fn every_table_is_strict() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let lax: i64 = connection
            .query_row(
                "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND strict = 0",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(lax, 0);
    }
}
