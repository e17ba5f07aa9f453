//! [`SqliteBackupLog`]: a log of the backups in a table of an SQLite database.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use backup_core::{
    Result,
    catalog::log::{BackupLog, Dialect, LogDatabase},
};
use rusqlite::{
    Batch, Connection, TransactionBehavior, fallible_iterator::FallibleIterator, types::ValueRef,
};

use super::{
    LOCK_TIMEOUT,
    blocking::{self, Cancel},
    open,
};

/// A log of the backups in an SQLite database: a [`Catalog`](backup_core::Catalog) to mirror into.
///
/// # Examples
///
/// ```
/// use backup_core::{MemoryStore, Pipeline};
/// use handler_prisma::{SqliteBackupLog, SqliteDump, SqliteLogDatabase};
///
/// let log = SqliteBackupLog::new(SqliteLogDatabase::new("backups/log.sqlite")).with_store("backups");
/// let pipeline = Pipeline::new(SqliteDump::new("shop.sqlite"), MemoryStore::new()).with_mirror(log);
/// ```
pub type SqliteBackupLog = BackupLog<SqliteLogDatabase>;

/// The database of an [`SqliteBackupLog`]: a file, which is made where it is missing; its folder has to exist.
///
/// Other processes may write to it too; a lock of theirs is waited for, for 30 seconds.
#[derive(Debug, Clone)]
pub struct SqliteLogDatabase {
    path: PathBuf,
}

impl SqliteLogDatabase {
    /// Keeps the log in the database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl LogDatabase for SqliteLogDatabase {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn schema(&self) -> Option<&str> {
        None
    }

    async fn run(&self, script: &str) -> Result<Vec<Vec<String>>> {
        let (path, script) = (self.path.clone(), script.to_owned());
        blocking::run(move |cancel| run(&path, &script, cancel)).await
    }
}

fn run(path: &Path, script: &str, cancel: &Cancel) -> Result<Vec<Vec<String>>> {
    let mut connection = open::made_where_missing(path, cancel)?;
    // As a whole, so that it can be tried again as a whole where somebody else has the lock.
    open::when_unlocked(path, LOCK_TIMEOUT, cancel, || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows = print(&transaction, script)?;
        transaction.commit()?;
        Ok(rows)
    })
}

/// All rows of all statements.
fn print(connection: &Connection, script: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let mut printed = Vec::new();
    let mut statements = Batch::new(connection, script);
    while let Some(mut statement) = statements.next()? {
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let cells = (0..columns).map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    _ => String::new(),
                })
            });
            printed.push(cells.collect::<rusqlite::Result<_>>()?);
        }
    }
    Ok(printed)
}
