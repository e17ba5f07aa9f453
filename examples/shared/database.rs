//! Databases named by a URL.

use std::{path::PathBuf, sync::Arc};

use backup_core::{Dumper, Error, ErrorKind, Restorer, Result, pipeline::RowComparison};
use handler_pgdump::{Format, PgDump, PgRestore};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};

/// What a URL names.
enum Database<'a> {
    PostgreSql(&'a str),
    Sqlite(PathBuf),
}

/// A dumper of the database at `url`; `format` is `plain`, `custom` or `directory` for PostgreSQL.
pub fn dumper(url: &str, format: Option<&str>) -> Result<Arc<dyn Dumper>> {
    Ok(match parse(url)? {
        Database::PostgreSql(url) => Arc::new(PgDump::from_url(url)?.format(pg_format(format)?)),
        Database::Sqlite(path) => {
            if format.is_some() {
                return Err(Error::new(ErrorKind::InvalidInput, "a SQLite database has one format only")
                    .with_suggestion("leave --format out"));
            }
            Arc::new(SqliteDump::new(path))
        }
    })
}

/// A restorer into the database at `url`.
pub fn restorer(url: &str) -> Result<Arc<dyn Restorer>> {
    Ok(match parse(url)? {
        Database::PostgreSql(url) => Arc::new(PgRestore::from_url(url)?),
        Database::Sqlite(path) => Arc::new(SqliteRestore::new(path)),
    })
}

/// Whether restored rows were compared, in words.
#[must_use]
pub fn compared(comparison: RowComparison) -> &'static str {
    match comparison {
        RowComparison::Equal => "as many in each table as the backup recorded",
        _ => "rows not compared: the format does not show them",
    }
}

/// The words that `--format` takes.
fn pg_format(name: Option<&str>) -> Result<Format> {
    match name {
        None | Some("plain") => Ok(Format::Plain),
        Some("custom") => Ok(Format::Custom),
        Some("directory") => Ok(Format::Directory { jobs: 2 }),
        Some(other) => Err(Error::new(ErrorKind::InvalidInput, "no such format")
            .with_context("format", other.escape_debug())
            .with_suggestion("choose one of plain, custom, directory")),
    }
}

fn parse(url: &str) -> Result<Database<'_>> {
    if url.starts_with("postgresql://") || url.starts_with("postgres://") {
        return Ok(Database::PostgreSql(url));
    }
    let path = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
        .or_else(|| url.strip_prefix("file:"));
    match path {
        Some(path) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
        // The URL itself is not shown: it may hold a password.
        _ => Err(Error::new(ErrorKind::InvalidInput, "not the URL of a database that can be backed up")
            .with_suggestion("use postgresql://user@host/database or sqlite:path/to/file")),
    }
}
