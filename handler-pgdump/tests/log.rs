//! A log in PostgreSQL, written by `psql`, keeps the contract of a catalog.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicU32, Ordering};

use backup_core::testkit::postgres::PrivatePostgres;
use handler_pgdump::PgLogDatabase;

/// A database of its own in the server of this test's process.
async fn log() -> (PgLogDatabase, ()) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = PrivatePostgres::shared().await;
    let name = format!("log_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).await;
    (PgLogDatabase::from_url(&server.url(&name)).unwrap(), ())
}

backup_core::log_conformance!(log);
