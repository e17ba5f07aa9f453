//! Reads `_prisma_migrations` out of each database.

use backup_core::Result;
use chrono::{DateTime, Utc};

#[cfg(any(feature = "postgresql", feature = "mysql"))]
use super::unreadable;
use super::{MigrationRow, MigrationsTable};
use crate::{Connection, PrismaProject, missing};

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgresql")]
mod postgresql;
#[cfg(feature = "sqlite")]
mod sqlite;

/// How many letters of a failure's log are kept.
#[cfg(any(feature = "sqlite", feature = "postgresql"))]
const LOG_LETTERS: usize = 2000;

/// What the database says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) table: MigrationsTable,
    pub(super) rows: Vec<MigrationRow>,
}

impl Content {
    /// Nothing of the table but whether others are there.
    fn without_table(others: u64) -> Self {
        let table =
            if others == 0 { MigrationsTable::MissingInEmpty } else { MigrationsTable::MissingBesideOthers };
        Self { table, rows: Vec::new() }
    }
}

/// Asks one database.
#[derive(Debug, Clone)]
pub(crate) enum Reader {
    #[cfg(feature = "sqlite")]
    Sqlite(std::path::PathBuf),
    #[cfg(feature = "postgresql")]
    PostgreSql(postgresql::Question),
    #[cfg(feature = "mysql")]
    MySql(handler_mysqldump::MysqlLogDatabase),
}

impl Reader {
    pub(crate) fn new(project: &PrismaProject) -> Result<Self> {
        match project.connection() {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(path) => Ok(Self::Sqlite(path.clone())),
            #[cfg(feature = "postgresql")]
            Connection::PostgreSql(url) => Ok(Self::PostgreSql(postgresql::Question::new(project, url)?)),
            #[cfg(feature = "mysql")]
            Connection::MySql(url) => {
                let database = handler_mysqldump::MysqlLogDatabase::new(url.config());
                let folders = project.client_dir.iter();
                Ok(Self::MySql(folders.fold(database, handler_mysqldump::MysqlLogDatabase::client_dir)))
            }
            #[allow(unreachable_patterns)] // Where every feature is on.
            other => Err(missing(other)),
        }
    }

    /// What the database says.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(super) async fn read(&self) -> Result<Content> {
        // By value, as without any engine there is no variant.
        match *self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(ref path) => sqlite::read(path).await,
            #[cfg(feature = "postgresql")]
            Self::PostgreSql(ref question) => question.ask().await,
            #[cfg(feature = "mysql")]
            Self::MySql(ref database) => mysql::read(database).await,
        }
    }
}

/// Reads what a client program printed: a row `objects` with a number, and rows `row` with the columns, texts in
/// hexadecimal digits, times in milliseconds since 1970.
#[cfg(any(feature = "postgresql", feature = "mysql"))]
fn printed(rows: &[Vec<String>]) -> Result<Content> {
    let (mut others, mut has_table, mut found) = (0_u64, false, Vec::new());
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        match cells.as_slice() {
            ["objects", count] => others = count.parse().map_err(|_| unreadable("a count is no number"))?,
            ["table"] => has_table = true,
            ["row", id, checksum, name, started, finished, rolled_back, steps, logs] => {
                found.push(MigrationRow {
                    id: text(id)?,
                    checksum: text(checksum)?,
                    name: text(name)?,
                    started_at: milliseconds(started)?,
                    finished_at: milliseconds(finished)?,
                    rolled_back_at: milliseconds(rolled_back)?,
                    applied_steps: steps
                        .parse()
                        .map_err(|_| unreadable("applied_steps_count is no number"))?,
                    logs: Some(text(logs)?).filter(|logs| !logs.is_empty()),
                });
            }
            _ => return Err(unreadable("the client printed another number of columns")),
        }
    }
    if !has_table {
        return Ok(Content::without_table(others));
    }
    Ok(Content { table: MigrationsTable::Present, rows: found })
}

#[cfg(any(feature = "postgresql", feature = "mysql"))]
fn text(digits: &str) -> Result<String> {
    let bytes = hex::decode(digits).map_err(|_| unreadable("a text is not in hexadecimal digits"))?;
    String::from_utf8(bytes).map_err(|_| unreadable("a text is not UTF-8"))
}

#[cfg(any(feature = "postgresql", feature = "mysql"))]
fn milliseconds(text: &str) -> Result<Option<DateTime<Utc>>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map(Some)
        .ok_or_else(|| unreadable("a time is no number"))
}

/// A time as text: with a zone as Prisma's adapters write it, and without as SQLite's `current_timestamp` does.
#[cfg(feature = "sqlite")]
fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f %z"];
    if let Some(time) = forms.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Some(time.to_utc());
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    forms
        .iter()
        .find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| time.and_utc())
}

#[cfg(all(test, feature = "sqlite", feature = "postgresql"))]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_time_are_the_same_time() {
        let expected: DateTime<Utc> = "2026-11-20T21:29:16.113Z".parse().unwrap();
        assert_eq!(time("2026-11-20T21:29:16.113+00:00"), Some(expected));
        assert_eq!(time("2026-11-20 21:29:16.113"), Some(expected));
        assert_eq!(milliseconds(&expected.timestamp_millis().to_string()).unwrap(), Some(expected));
        assert_eq!(time("2026-11-20 21:29:16"), Some("2026-11-20T21:29:16Z".parse().unwrap()));
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn what_a_client_prints_besides_is_an_error() {
        let cells = |row: &[&str]| vec![row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()];
        for row in [
            &["row", "61"] as &[&str],
            &["objects", "x"],
            &["?"],
            &["row", "6", "61", "61", "", "", "", "0", ""],
        ] {
            assert_eq!(printed(&cells(row)).unwrap_err().code(), "backup_corrupted", "{row:?}");
        }
        assert_eq!(printed(&cells(&["objects", "3"])).unwrap(), Content::without_table(3));
    }
}
