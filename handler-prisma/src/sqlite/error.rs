//! Folds SQLite's errors by meaning.

use std::{io, path::Path};

use backup_core::{Error, ErrorKind, Retryable};
use rusqlite::{ErrorCode, ffi};

/// What to do about a target or source that SQLite cannot read.
pub(super) const MOVE_AWAY: &str =
    "move the file and its -wal, -shm and -journal away, then restore; nothing of it is deleted";

/// Turns an error of SQLite about the database at `path` into ours.
pub(super) fn fold(err: rusqlite::Error, path: &Path) -> Error {
    let (code, extended) = match &err {
        rusqlite::Error::SqliteFailure(failure, _) => (failure.code, failure.extended_code),
        _ => (ErrorCode::Unknown, 0),
    };
    let (kind, message, suggestion) = match (code, extended) {
        (_, ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY) => (
            ErrorKind::Unavailable,
            "its last writer crashed, and it must be recovered before it can be read",
            Some("open it once with the application or with `sqlite3`, which recovers it, then try again"),
        ),
        (_, ffi::SQLITE_READONLY_DIRECTORY | ffi::SQLITE_READONLY_CANTINIT) => (
            ErrorKind::PermissionDenied,
            "its folder must be writable",
            Some(
                "give the user write permission on the folder: SQLite keeps its -wal, -shm and -journal there",
            ),
        ),
        (_, ffi::SQLITE_READONLY_DBMOVED) => {
            (ErrorKind::Unavailable, "the file was replaced or moved meanwhile", Some("try again"))
        }
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => (
            ErrorKind::Timeout,
            "the database stayed locked",
            Some("find the process that keeps a transaction or a connection open, or raise the lock timeout"),
        ),
        (ErrorCode::NotADatabase, _) => (
            ErrorKind::InvalidInput,
            "the file is not an SQLite database, or it is encrypted",
            Some("check the path"),
        ),
        (ErrorCode::DatabaseCorrupt, _) => (
            ErrorKind::Corrupt,
            "the database is damaged",
            Some(
                "look at `PRAGMA integrity_check`; restore the newest good backup or use `sqlite3 .recover`",
            ),
        ),
        (ErrorCode::CannotOpen, _) => (
            ErrorKind::PermissionDenied,
            "it cannot be opened",
            Some(
                "check owner and mode of the file; a database in WAL mode also needs its -wal and -shm, or \
                 write permission on its folder to make them",
            ),
        ),
        (ErrorCode::PermissionDenied | ErrorCode::ReadOnly, _) => {
            (ErrorKind::PermissionDenied, "access denied", None)
        }
        (ErrorCode::DiskFull, _) => (
            ErrorKind::StorageFull,
            "no space left on the device",
            Some("free space there, or name another folder for temporary copies"),
        ),
        (ErrorCode::OutOfMemory, _) => (
            ErrorKind::Unavailable,
            "SQLite got no memory",
            Some("raise the limit of the process's memory (`ulimit -v`, or that of its container)"),
        ),
        // SQLite keeps the reason to itself: the disk, or a file system that takes no file of this size.
        (ErrorCode::SystemIoFailure, _) => (
            ErrorKind::Unexpected,
            "reading or writing it failed",
            Some(
                "look at the kernel's log and the disk's health, and whether the file system takes files of this \
                 size (FAT ends at 4 GiB)",
            ),
        ),
        _ => (ErrorKind::Unexpected, "SQLite failed", None),
    };
    let mut folded = Error::new(kind, message)
        .with_context("path", path.display())
        .with_context("sqlite", &err)
        .with_source(err);
    if let Some(suggestion) = suggestion {
        folded = folded.with_suggestion(suggestion);
    }
    if extended == ffi::SQLITE_READONLY_ROLLBACK || extended == ffi::SQLITE_READONLY_RECOVERY {
        folded = folded.with_retryable(Retryable::No);
    }
    folded
}

/// Whether the statement itself cannot be run by this build of SQLite: a collation, a function or a module
/// of the application is missing.
pub(super) fn is_not_runnable(err: &rusqlite::Error) -> bool {
    err.sqlite_error().is_some_and(|failure| failure.extended_code & 0xff == ffi::SQLITE_ERROR)
        || matches!(err, rusqlite::Error::SqlInputError { .. })
}

/// Adds the path to an I/O error.
pub(super) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |err| Error::from(err).with_context("path", path.display())
}
