//! A log in PostgreSQL as the mirror of a pipeline.

use backup_core::{
    BackupLog, Catalog, ErrorKind, MemoryStore, Pipeline,
    pipeline::{BackupRequest, Confirmation},
    testkit::{fake::FakeDumper, log as clauses, sample_manifest},
};
use handler_pgdump::{PgBackupLog, PgConfig, PgLogDatabase};

use crate::server::Server;

fn pipeline(log: &PgBackupLog) -> Pipeline {
    Pipeline::new(FakeDumper::new("rows"), MemoryStore::new())
        .with_environment("production")
        .with_mirror(log.clone())
}

#[tokio::test]
async fn a_backup_is_logged_from_its_commit_to_its_deletion() {
    let server = Server::shared().await;
    server.create("ops");
    let log = PgBackupLog::new(PgLogDatabase::new(server.config("ops"))).with_store("memory:");
    let pipeline = pipeline(&log);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_eq!(log.get(&report.backup).await.unwrap(), pipeline.entry(&report.backup).await.unwrap());
    let row = "SELECT backup || ' ' || path || ' ' || size || ' ' || status || ' ' || level FROM backup_log";
    let manifest = &report.manifest;
    let expected = |status| {
        let (backup, artifact) = (&report.backup, &manifest.artifact);
        format!("{backup} memory:/{} {} {status} digest", artifact.key, artifact.size)
    };
    assert_eq!(server.sql("ops", row).trim(), expected("verified"));
    // The column can be asked as JSON.
    let host = server.sql("ops", "SELECT manifest->>'id' FROM backup_log");
    assert_eq!(host.trim(), report.backup.id.as_str());
    pipeline.delete(&report.backup, Confirmation::Confirmed).await.unwrap();
    assert_eq!(server.sql("ops", row).trim(), expected("deleted"));
    assert_eq!(log.get(&report.backup).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_server_that_is_down_costs_a_warning_and_no_backup() {
    let server = Server::start().await;
    server.create("ops");
    let (database, password) = (PgLogDatabase::new(server.config("ops")), server.password());
    clauses::a_database_that_is_down_costs_a_warning_and_no_backup(database, &password, || {
        server.kill_server();
    })
    .await;
}

#[tokio::test]
async fn a_user_without_the_right_to_make_tables_writes_to_those_that_are_there() {
    let server = Server::shared().await;
    server.create("granted");
    let admin = PgBackupLog::new(PgLogDatabase::new(server.config("granted")));
    let manifest = sample_manifest("production", "shop", "2026-11-20T02:00:00Z".parse().unwrap());
    admin.insert(&manifest).await.unwrap();
    server.sql(
        "granted",
        "CREATE ROLE logger LOGIN PASSWORD 'p:w\\d'; GRANT SELECT, INSERT, UPDATE ON backup_log, backup_log_note TO logger;",
    );
    let config =
        PgConfig::new("granted").host(server.host()).port(server.port()).user("logger").password("p:w\\d");
    let log = BackupLog::new(PgLogDatabase::new(config));
    let later = sample_manifest("production", "shop", "2026-11-21T02:00:00Z".parse().unwrap());
    log.insert(&later).await.unwrap();
    log.remove(&manifest.backup_ref()).await.unwrap();
    assert_eq!(log.get(&later.backup_ref()).await.unwrap().manifest, later);
    let err = log.with_table("other").unwrap().insert(&later).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn settings_and_encodings_of_a_database_bend_nothing() {
    let server = Server::shared().await;
    server.sql(
        "postgres",
        "CREATE DATABASE bent ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
         ALTER DATABASE bent SET standard_conforming_strings = off;
         ALTER DATABASE bent SET bytea_output = 'escape';
         ALTER DATABASE bent SET timezone = 'Asia/Tokyo';
         ALTER DATABASE bent SET datestyle = 'SQL, DMY';
         ALTER DATABASE bent SET default_transaction_isolation = 'serializable';",
    );
    server.sql("bent", "CREATE SCHEMA ops");
    let log = PgBackupLog::new(PgLogDatabase::new(server.config("bent")).with_schema("ops").unwrap())
        .with_table("runs");
    let log = log.unwrap();
    let mut manifest = sample_manifest("caf\u{e9}\\'", "shop", "2026-11-20T02:00:00Z".parse().unwrap());
    manifest.tags.insert("tag".to_owned(), "日本語 😀 \0 \\u0000 \\".to_owned());
    log.insert(&manifest).await.unwrap();
    assert_eq!(log.get(&manifest.backup_ref()).await.unwrap().manifest, manifest);
    let started = server.sql("bent", "SELECT extract(epoch FROM started)::bigint FROM ops.runs");
    assert_eq!(started.trim(), "1795140000");
    // The letters are in the manifest's JSON, but no column of this encoding has them.
    let manifest = sample_manifest("日本語", "shop", "2026-11-20T02:00:00Z".parse().unwrap());
    log.insert(&manifest).await.unwrap_err();
    assert!(PgLogDatabase::new(server.config("bent")).with_schema("o\"ps").is_err());
}
