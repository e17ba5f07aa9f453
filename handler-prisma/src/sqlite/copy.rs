//! Copies a database with the online backup API.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use backup_core::{Error, ErrorKind, Result};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{blocking::Cancel, error};

/// How much is copied between two looks at whether to stop.
const STEP_BYTES: u64 = 4 * 1024 * 1024;

/// Copies the database behind `source`, on which a read transaction is open, into the empty file at `to`.
///
/// The read transaction pins one state of the database for the whole copy. Without it, SQLite would start
/// over whenever somebody writes between two steps, for ever under a busy writer. With it, a database in WAL
/// mode is written to all the while; in rollback-journal mode a commit waits until the copy is done.
pub(super) fn copy(
    source: &Connection,
    from: &Path,
    to: &Path,
    page_size: u64,
    limit: Option<Duration>,
    cancel: &Cancel,
) -> Result<()> {
    let start = Instant::now();
    let pages = i32::try_from(STEP_BYTES / page_size.max(512)).unwrap_or(64).max(1);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(to, flags)
        .and_then(|copy| {
            // Nobody else sees the copy, and a failed one is thrown away: no journal, no waiting for the disk.
            copy.execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;",
            )?;
            Ok(copy)
        })
        .map_err(|err| error::fold(err, to))?;
    let backup = Backup::new(source, &mut copy).map_err(|err| error::fold(err, to))?;
    loop {
        cancel.check()?;
        if limit.is_some_and(|limit| start.elapsed() >= limit) {
            let progress = backup.progress();
            return Err(Error::new(ErrorKind::Timeout, "the copy of the database took too long")
                .with_context("path", from.display())
                .with_context("limit_ms", limit.unwrap_or_default().as_millis())
                .with_context("pages_copied", progress.pagecount - progress.remaining)
                .with_context("pages", progress.pagecount)
                .with_suggestion("raise the limit, or put temporary copies on a faster disk"));
        }
        match backup.step(pages).map_err(|err| error::fold(err, from))? {
            StepResult::Done => break,
            StepResult::More => {}
            // Neither can be: the read transaction is open, and the copy is ours alone.
            _ => {
                return Err(Error::new(ErrorKind::Unexpected, "the copy of the database was locked")
                    .with_context("path", from.display()));
            }
        }
    }
    drop(backup);
    copy.close().map_err(|(_, err)| error::fold(err, to))
}
