//! Out of a file of SQLite.

use std::path::Path;

use backup_core::{Error, Result};
use chrono::{DateTime, Utc};
use rusqlite::{Row, types::ValueRef};

use super::{Content, LOG_LETTERS, time};
use crate::{
    migrations::{MigrationRow, MigrationsTable, unreadable},
    sqlite::{blocking, open},
};

const OBJECTS: &str = r"SELECT count(*), coalesce(sum(name = '_prisma_migrations' AND type = 'table'), 0)
    FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'";

const ROWS: &str = "SELECT id, checksum, migration_name, started_at, finished_at, rolled_back_at,
    applied_steps_count, logs FROM main._prisma_migrations ORDER BY rowid";

pub(super) async fn read(path: &Path) -> Result<Content> {
    let path = path.to_owned();
    blocking::run(move |cancel| {
        let path = open::locate(&path)?;
        let source = open::Source::open(&path, cancel)?;
        let connection = &source.connection;
        let counts =
            || connection.query_row(OBJECTS, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)));
        let (objects, tables) = open::when_unlocked(&path, crate::sqlite::LOCK_TIMEOUT, cancel, counts)?;
        if tables == 0 {
            return Ok(Content::without_table(objects));
        }
        let rows = || -> rusqlite::Result<Vec<Result<MigrationRow>>> {
            let mut statement = connection.prepare(ROWS)?;
            let rows = statement.query_map([], |row| Ok(self::row(row)))?;
            rows.collect()
        };
        let rows = open::when_unlocked(&path, crate::sqlite::LOCK_TIMEOUT, cancel, rows)?;
        let mut rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
        rows.sort_by_key(|row| row.started_at);
        Ok(Content { table: MigrationsTable::Present, rows })
    })
    .await
}

fn row(row: &Row<'_>) -> Result<MigrationRow> {
    let failed = |err: rusqlite::Error| -> Error { unreadable("a column has another type").with_source(err) };
    let text = |column: usize| row.get::<_, String>(column).map_err(failed);
    let time = |column: usize| at(row.get_ref(column).map_err(failed)?);
    let logs = row.get::<_, Option<String>>(7).map_err(failed)?;
    Ok(MigrationRow {
        id: text(0)?,
        checksum: text(1)?,
        name: text(2)?,
        started_at: time(3)?,
        finished_at: time(4)?,
        rolled_back_at: time(5)?,
        applied_steps: row.get(6).map_err(failed)?,
        logs: logs.filter(|logs| !logs.is_empty()).map(|logs| logs.chars().take(LOG_LETTERS).collect()),
    })
}

/// Prisma's native engine writes milliseconds since 1970, its adapters text, and the column's default another text.
fn at(value: ValueRef<'_>) -> Result<Option<DateTime<Utc>>> {
    let found = match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Integer(milliseconds) => DateTime::from_timestamp_millis(milliseconds),
        ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(time),
        ValueRef::Real(_) | ValueRef::Blob(_) => None,
    };
    found.map(Some).ok_or_else(|| unreadable("a time has another form"))
}
