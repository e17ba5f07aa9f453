//! A log in MySQL or MariaDB, written by the server's client, keeps the contract of a catalog.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicU32, Ordering};

use backup_core::testkit::mysql::PrivateMysql;
use handler_mysqldump::MysqlLogDatabase;

/// A database of its own in the server of this test's process.
async fn log() -> (MysqlLogDatabase, ()) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = PrivateMysql::shared().await;
    let name = format!("log_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).await;
    let database = MysqlLogDatabase::from_url(&server.url(&name)).unwrap();
    (database.client_dir(server.client().parent().unwrap()), ())
}

backup_core::log_conformance!(log);
