//! A log in SQLite keeps the contract of a catalog.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handler_prisma::SqliteLogDatabase;
use tempfile::TempDir;

#[allow(clippy::unused_async)] // As the kit wants it.
async fn log() -> (SqliteLogDatabase, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (SqliteLogDatabase::new(folder.path().join("log.sqlite")), folder)
}

backup_core::log_conformance!(log);
