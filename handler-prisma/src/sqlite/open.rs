//! Opens databases: only what is there, read-only, leaving nothing behind.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use backup_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{blocking::Cancel, error};

/// How long SQLite itself waits for a lock, between two looks at whether to stop.
const LOCK_ROUND: Duration = Duration::from_millis(100);

/// The files that SQLite keeps beside a database.
pub(super) const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The path of a file that SQLite keeps beside the database.
pub(super) fn sidecar(database: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(suffix);
    path.into()
}

/// Finds the database at `path`, following symbolic links, without opening it.
pub(crate) fn locate(path: &Path) -> Result<PathBuf> {
    let found =
        fs::canonicalize(path).and_then(|real| Ok((fs::metadata(&real)?, real))).map_err(|err| match err
            .kind()
        {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::DatabaseNotFound, "there is no such database file")
                    .with_context("path", path.display())
                    .with_suggestion("check the path; a database is never created by a backup")
                    .with_source(err)
            }
            _ => error::io_at(path)(err),
        })?;
    let (metadata, real) = found;
    let refused = if !metadata.is_file() {
        "the path is not a file"
    } else if metadata.len() == 0 {
        // SQLite takes an empty file for a database without tables. A backup must not: what an application
        // lost, or has not yet written, would pass for a good backup of nothing.
        "the file is empty"
    } else {
        return Ok(real);
    };
    Err(Error::new(ErrorKind::InvalidInput, refused)
        .with_context("path", real.display())
        .with_suggestion("name the database file that the application writes"))
}

/// A database opened read-only.
pub(crate) struct Source {
    // Closed before the other field is dropped.
    pub(crate) connection: Connection,
    _sidecars: Tidy,
}

impl Source {
    /// Opens the database at `path`, as [`locate`] found it.
    pub(crate) fn open(path: &Path, cancel: &Cancel) -> Result<Self> {
        let wal = sidecar(path, "-wal");
        let tidy = Tidy { database: (!wal.exists()).then(|| path.to_owned()) };
        // Without the URI flag: a path is a path, also when it starts with `file:`.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|mut connection| {
                harden(&connection)?;
                connection.busy_timeout(LOCK_ROUND)?;
                cancel.watch(&mut connection)?;
                Ok(connection)
            })
            .map_err(|err| error::fold(err, path))?;
        Ok(Self { connection, _sidecars: tidy })
    }
}

/// Opens the database at `path`, which exists, for changes.
pub(super) fn writable(path: &Path, cancel: &Cancel) -> Result<Connection> {
    writable_by(OpenFlags::SQLITE_OPEN_READ_WRITE, path, cancel)
}

/// Opens the database at `path` for changes, and makes it where there is none.
pub(super) fn made_where_missing(path: &Path, cancel: &Cancel) -> Result<Connection> {
    writable_by(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE, path, cancel)
}

fn writable_by(flags: OpenFlags, path: &Path, cancel: &Cancel) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|mut connection| {
            harden(&connection)?;
            connection.busy_timeout(LOCK_ROUND)?;
            cancel.watch(&mut connection)?;
            Ok(connection)
        })
        .map_err(|err| error::fold(err, path))
}

/// Removes the empty `-wal` and the `-shm` that reading a database in WAL mode makes.
///
/// A read-only connection cannot remove them when it closes; one that may write does, under SQLite's own
/// locks, and only when nobody else has the database open.
struct Tidy {
    database: Option<PathBuf>,
}

impl Drop for Tidy {
    fn drop(&mut self) {
        let Some(database) = &self.database else { return };
        if !fs::metadata(sidecar(database, "-wal")).is_ok_and(|wal| wal.len() == 0) {
            return;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let closed = Connection::open_with_flags(database, flags).and_then(|connection| {
            connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
            connection.close().map_err(|(_, err)| err)
        });
        if let Err(err) = closed {
            tracing::debug!(path = %database.display(), %err, "an empty -wal file stays");
        }
    }
}

/// Lets nothing in the schema do more than hold data.
pub(super) fn harden(connection: &Connection) -> rusqlite::Result<()> {
    use rusqlite::config::DbConfig;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

/// Runs `attempt` until the database is not locked, at most for `limit`.
pub(crate) fn when_unlocked<T>(
    path: &Path,
    limit: Duration,
    cancel: &Cancel,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        cancel.check()?;
        match attempt() {
            Err(err)
                if matches!(
                    err.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                ) =>
            {
                if start.elapsed() >= limit {
                    return Err(error::fold(err, path).with_context("waited_ms", limit.as_millis()));
                }
            }
            other => return other.map_err(|err| error::fold(err, path)),
        }
    }
}
