//! SQLite keeps the contracts of a dumper and a restorer.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The databases are small, and nothing else runs meanwhile.

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::sync::Arc;

use backup_core::testkit::{
    dumper::DumperFixture,
    restorer::{FreshTarget, RestorerFixture},
};
use databases::{make, names};
use handler_prisma::{SqliteDump, SqliteRestore};

const SHOP: &str = "PRAGMA journal_mode = WAL;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, note BLOB); CREATE TABLE empty (x);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
        INSERT INTO orders SELECT i, randomblob(100000) FROM n;";

const BLOG: &str = "CREATE TABLE posts (text); INSERT INTO posts VALUES ('hello'), ('world');";

fn dumper() -> DumperFixture {
    let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("shop.sqlite");
    make(&path, SHOP);
    let source = folder.path().to_owned();
    DumperFixture::new(Arc::new(SqliteDump::new(&path).with_temp_dir(temp.path())))
        .with_temp_dir(temp.path())
        .with_fingerprint(move || {
            let (names, bytes) = (names(&source), std::fs::read(&path).unwrap());
            async move { format!("{names:?} {}", backup_core::Digest::sha256(&bytes)) }
        })
        .with_guard((folder, temp))
}

fn restorer() -> RestorerFixture {
    let folder = tempfile::tempdir().unwrap();
    let (shop, blog) = (folder.path().join("shop.sqlite"), folder.path().join("blog.sqlite"));
    make(&shop, SHOP);
    make(&blog, BLOG);
    let target = || async {
        let folder = tempfile::tempdir().unwrap();
        FreshTarget::new(Arc::new(SqliteRestore::new(folder.path().join("target.sqlite"))), folder)
    };
    RestorerFixture::new(Arc::new(SqliteDump::new(shop)), Arc::new(SqliteDump::new(blog)), target)
        .with_guard(folder)
}

backup_core::dumper_conformance!(dumper());
backup_core::restorer_conformance!(restorer());
