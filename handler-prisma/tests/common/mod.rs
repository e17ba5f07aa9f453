//! Databases for tests, and what to ask of them.

use std::path::{Path, PathBuf};

use backup_core::{ByteStream, Dumper, OnExisting, RestoreOptions};
use bytes::Bytes;
use futures::StreamExt;
use handler_prisma::SqliteDump;
use rusqlite::Connection;

pub fn make(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
}

pub fn ask(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

pub fn ask_text(path: &Path, sql: &str) -> String {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

pub async fn collect(mut body: ByteStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    all
}

/// Dumps `path` into a new file in `folder`.
pub async fn dump_to(path: &Path, folder: &Path, name: &str) -> PathBuf {
    let dump = SqliteDump::new(path).dump().await.unwrap();
    let copy = folder.join(name);
    std::fs::write(&copy, collect(dump.body).await).unwrap();
    copy
}

pub async fn dumped(path: &Path) -> Vec<u8> {
    collect(SqliteDump::new(path).dump().await.unwrap().body).await
}

pub fn body(bytes: &[u8]) -> ByteStream {
    let chunks: Vec<_> = bytes.chunks(10_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    ByteStream::new(futures::stream::iter(chunks))
}

pub fn options() -> RestoreOptions {
    RestoreOptions::new("database")
}

pub fn replace() -> RestoreOptions {
    options().with_on_existing(OnExisting::Replace)
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
