//! Databases named by a URL.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use backup_core::{
    Dumper, Error, ErrorKind, Restorer, Result,
    pipeline::RowComparison,
    process::{Host, Ssh},
};
use handler_mysqldump::{MysqlDump, MysqlRestore};
use handler_pgdump::{Format, PgConfig, PgDump, PgRestore};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};

/// What a URL names.
enum Database<'a> {
    PostgreSql(&'a str),
    MySql(&'a str),
    Sqlite(PathBuf),
}

/// The host on which a database's programs run: `user@host` by ssh, or this one.
pub fn host(ssh: Option<&str>) -> Result<Host> {
    ssh.map_or_else(|| Ok(Host::local()), |destination| Ssh::new(destination).map(Host::ssh))
}

/// A dumper of the database at `url`; `format` is `plain`, `custom` or `directory` for PostgreSQL.
pub fn dumper(url: &str, format: Option<&str>, host: Host) -> Result<Arc<dyn Dumper>> {
    let database = parse(url)?;
    if format.is_some() && !matches!(database, Database::PostgreSql(_)) {
        return Err(Error::new(ErrorKind::InvalidInput, "this database has one format only")
            .with_suggestion("leave --format out"));
    }
    Ok(match database {
        Database::PostgreSql(url) => Arc::new(PgDump::from_url(url)?.format(pg_format(format)?).over(host)),
        Database::MySql(url) => Arc::new(MysqlDump::from_url(url)?.over(host)),
        Database::Sqlite(path) => {
            local_only(&host)?;
            Arc::new(SqliteDump::new(path).with_checksums())
        }
    })
}

/// A restorer into the database at `url`.
pub fn restorer(url: &str, host: Host) -> Result<Arc<dyn Restorer>> {
    Ok(match parse(url)? {
        Database::PostgreSql(url) => Arc::new(PgRestore::from_url(url)?.over(host)),
        Database::MySql(url) => Arc::new(MysqlRestore::from_url(url)?.over(host)),
        Database::Sqlite(path) => {
            local_only(&host)?;
            Arc::new(SqliteRestore::new(path))
        }
    })
}

/// A restorer into a new database of that name, on the same server as the one at `url`, or in the same folder.
pub fn beside(url: &str, name: &str) -> Result<Arc<dyn Restorer>> {
    Ok(match parse(url)? {
        Database::PostgreSql(url) => Arc::new(PgRestore::from_url(url)?.into_database(name)),
        Database::MySql(url) => Arc::new(MysqlRestore::from_url(url)?.into_database(name)),
        Database::Sqlite(path) => Arc::new(SqliteRestore::new(path.with_file_name(format!("{name}.sqlite")))),
    })
}

/// What rehearses backups of `engine`: on a private server where its program is installed, else, or for want of one, on
/// the server of the database at `url`.
pub fn rehearsing(engine: &str, url: Option<&str>) -> Result<Arc<dyn Restorer>> {
    match (engine, url) {
        (_, Some(url)) => restorer(url, Host::local()),
        ("postgresql", None) => Ok(Arc::new(PgRestore::rehearsals())),
        ("mysql" | "mariadb", None) => Ok(Arc::new(MysqlRestore::rehearsals())),
        // Throw-away databases lie in this folder; the file itself is never made.
        ("sqlite", None) => Ok(Arc::new(SqliteRestore::new(std::env::temp_dir().join("rehearsal.sqlite")))),
        (other, None) => {
            Err(Error::new(ErrorKind::Unsupported, "nothing here restores backups of this engine")
                .with_context("engine", other))
        }
    }
}

/// The database and the store that a command line names, or `None` for the tour: what the environment says of a database
/// alone asks for nothing.
pub fn named<'a>(url: Option<&'a str>, store: Option<&'a Path>) -> Result<Option<(&'a str, &'a Path)>> {
    let missing = match (url, store) {
        (Some(url), Some(store)) => return Ok(Some((url, store))),
        (None, Some(_)) => "give --database a URL, or set BACKUP_DATABASE_URL",
        (_, None) if std::env::args().any(|arg| arg.starts_with("--database")) => {
            "give --store the folder with its backups"
        }
        (_, None) => return Ok(None),
    };
    Err(Error::new(ErrorKind::InvalidInput, "a database is named only together with a store")
        .with_suggestion(missing))
}

/// Whether restored rows were compared, in words.
#[must_use]
pub fn compared(comparison: RowComparison) -> &'static str {
    match comparison {
        RowComparison::Equal => "as many in each table as the backup recorded",
        _ => "rows not compared: the format does not show them",
    }
}

fn local_only(host: &Host) -> Result<()> {
    if host.is_local() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "an SQLite file is read where it lies")
        .with_suggestion("run this on the host that has the file, or leave --ssh out"))
}

/// The words that `--format` takes.
pub(crate) fn pg_format(name: Option<&str>) -> Result<Format> {
    match name {
        None | Some("plain") => Ok(Format::Plain),
        Some("custom") => Ok(Format::Custom),
        Some("directory") => Ok(Format::Directory { jobs: 2 }),
        Some(other) => Err(Error::new(ErrorKind::InvalidInput, "no such format")
            .with_context("format", other.escape_debug())
            .with_suggestion("choose one of plain, custom, directory")),
    }
}

/// Refuses a URL without a database: the client programs take the user's name for it, and Prisma does not.
fn names_database(url: &str) -> Result<()> {
    const NOBODY: &str = "nobody-of-that-name";
    let separator = if url.contains('?') { '&' } else { '?' };
    match PgConfig::from_url(&format!("{}{separator}user={NOBODY}", url.trim())) {
        Ok(config) if config.database() == NOBODY => {
            Err(Error::new(ErrorKind::InvalidInput, "the URL names no database")
                .with_suggestion("end the URL in `/name`"))
        }
        // Whatever else is wrong is said where the URL itself is read.
        _ => Ok(()),
    }
}

fn parse(url: &str) -> Result<Database<'_>> {
    if url.starts_with("postgresql://") || url.starts_with("postgres://") {
        names_database(url)?;
        return Ok(Database::PostgreSql(url));
    }
    if url.starts_with("mysql://") || url.starts_with("mariadb://") {
        return Ok(Database::MySql(url));
    }
    let path = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
        .or_else(|| url.strip_prefix("file:"));
    match path {
        Some(path) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
        // The URL itself is not shown: it may hold a password.
        _ => Err(Error::new(ErrorKind::InvalidInput, "not the URL of a database that can be backed up")
            .with_suggestion(
                "use postgresql://user@host/database, mysql://user@host/database or sqlite:path/to/file",
            )),
    }
}
