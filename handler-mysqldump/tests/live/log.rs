//! A log in MySQL or MariaDB as the mirror of a pipeline.

use backup_core::{
    Catalog, ErrorKind, MemoryStore, Pipeline,
    pipeline::{BackupRequest, Confirmation},
    testkit::{fake::FakeDumper, log as clauses, sample_manifest},
};
use handler_mysqldump::{MysqlBackupLog, MysqlConfig, MysqlLogDatabase};

use crate::server::Server;

fn database(server: &Server, name: &str) -> MysqlLogDatabase {
    MysqlLogDatabase::new(server.config(name)).client_dir(server.clients())
}

fn pipeline(log: &MysqlBackupLog) -> Pipeline {
    Pipeline::new(FakeDumper::new("rows"), MemoryStore::new())
        .with_environment("production")
        .with_mirror(log.clone())
}

#[tokio::test]
async fn a_backup_is_logged_from_its_commit_to_its_deletion() {
    let server = Server::shared().await;
    server.create_database("ops").await;
    let log = MysqlBackupLog::new(database(&server, "ops")).with_store("memory:");
    let pipeline = pipeline(&log);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_eq!(log.get(&report.backup).await.unwrap(), pipeline.entry(&report.backup).await.unwrap());
    let row = "SELECT CONCAT_WS(' ', backup, path, size, status, level, JSON_UNQUOTE(JSON_EXTRACT(manifest, '$.id'))) \
               FROM backup_log;";
    let expected = |status| {
        let (backup, artifact) = (&report.backup, &report.manifest.artifact);
        format!("{backup} memory:/{} {} {status} digest {}", artifact.key, artifact.size, backup.id)
    };
    assert_eq!(server.sql("ops", row).await, expected("verified"));
    pipeline.delete(&report.backup, Confirmation::Confirmed).await.unwrap();
    assert_eq!(server.sql("ops", row).await, expected("deleted"));
    assert_eq!(log.get(&report.backup).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_server_that_is_down_costs_a_warning_and_no_backup() {
    let server = Server::start().await;
    server.create_database("ops").await;
    let (database, password) = (database(&server, "ops"), server.password());
    clauses::a_database_that_is_down_costs_a_warning_and_no_backup(database, &password, || {
        server.kill_server();
    })
    .await;
}

#[tokio::test]
async fn modes_of_the_server_bend_no_name() {
    let server = Server::start().await;
    let modes = [
        "",
        "NO_BACKSLASH_ESCAPES",
        "ANSI_QUOTES,PIPES_AS_CONCAT",
        "ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE",
    ];
    for (number, mode) in (0..).zip(modes) {
        server.sql("", &format!("SET GLOBAL sql_mode = '{mode}', GLOBAL autocommit = {};", number % 2)).await;
        let name = format!("mode_{number}");
        server.create_database(&name).await;
        // As a server that is not told otherwise.
        server.sql("", &format!("ALTER DATABASE {name} CHARACTER SET latin1;")).await;
        clauses::any_name_is_kept_as_it_is(database(&server, &name)).await;
    }
}

#[tokio::test]
async fn a_user_without_the_right_to_make_tables_writes_to_those_that_are_there() {
    let server = Server::shared().await;
    server.create_database("granted").await;
    let admin = MysqlBackupLog::new(database(&server, "granted"));
    let manifest = sample_manifest("production", "shop", "2026-11-20T02:00:00Z".parse().unwrap());
    admin.insert(&manifest).await.unwrap();
    server
        .sql(
            "granted",
            "CREATE USER logger@'%' IDENTIFIED BY 'p:w#\"d';
             GRANT SELECT, INSERT, UPDATE ON granted.backup_log TO logger@'%';
             GRANT SELECT, INSERT ON granted.backup_log_note TO logger@'%';",
        )
        .await;
    let config = MysqlConfig::new("granted")
        .host(server.host())
        .port(server.port())
        .user("logger")
        .password("p:w#\"d");
    let log = MysqlBackupLog::new(MysqlLogDatabase::new(config).client_dir(server.clients()));
    let later = sample_manifest("production", "shop", "2026-11-21T02:00:00Z".parse().unwrap());
    log.insert(&later).await.unwrap();
    log.remove(&manifest.backup_ref()).await.unwrap();
    assert_eq!(log.get(&later.backup_ref()).await.unwrap().manifest, later);
    let err = log.with_table("other").unwrap().insert(&later).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
}
