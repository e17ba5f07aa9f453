//! Whatever goes wrong in a dump is the last item of its body.

use std::time::Duration;

use backup_core::{ByteStream, Dumper, Error, ErrorKind};
use futures::StreamExt;
use handler_pgdump::{Format, PgConfig, PgDump};

use crate::server::Server;

fn running(database: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backup' AND datname = '{database}'"
    )
}

/// More than fits into any pipe or buffer between the server and the reader of the body.
const ROWS: u32 = 150_000;

async fn rest(mut body: ByteStream) -> Option<Error> {
    while let Some(item) = body.next().await {
        if let Err(err) = item {
            assert!(body.next().await.is_none());
            return Some(err);
        }
    }
    None
}

#[tokio::test]
async fn connection_errors_are_told_apart_before_the_first_byte() {
    let server = Server::shared().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.sql("postgres", "CREATE ROLE nologin; CREATE ROLE poor LOGIN PASSWORD 'poor'");
    server.fill("refusing", 3);
    for (config, kind) in [
        (PgConfig::new("refusing").host("no-such-host.invalid"), ErrorKind::ConnectionFailed),
        (PgConfig::new("refusing").host("127.0.0.1").port(free), ErrorKind::ConnectionFailed),
        (PgConfig::new("refusing").host("/no/such/folder"), ErrorKind::ConnectionFailed),
        (server.config("refusing").parameter("sslmode", "require").unwrap(), ErrorKind::ConnectionFailed),
        (server.config("refusing").user("nobody"), ErrorKind::AuthenticationFailed),
        (server.config("refusing").user("nologin"), ErrorKind::AuthenticationFailed),
        (server.config("refusing").password("wrong"), ErrorKind::AuthenticationFailed),
        (server.config("missing"), ErrorKind::DatabaseNotFound),
    ] {
        let shown = format!("{config:?}");
        let err = PgDump::new(config).dump().await.unwrap_err();
        assert_eq!(err.kind(), kind, "{shown}: {err:?}");
        assert!(!err.suggestions().is_empty() && err.operation() == "dump", "{err:?}");
    }
    let poor = PgDump::new(server.config("refusing").user("poor").password("poor"));
    let err = rest(poor.dump().await.unwrap().body).await.unwrap();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
}

#[tokio::test]
async fn a_session_ended_by_the_server_is_an_error_not_an_end() {
    let server = Server::shared().await;
    server.fill("ended", ROWS);
    for format in [Format::Plain, Format::Custom] {
        let mut body = server.dump("ended").format(format).dump().await.unwrap().body;
        body.next().await.unwrap().unwrap();
        server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backup' AND datname = 'ended'",
        );
        let err = rest(body).await.expect("the body must not end cleanly");
        assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
    }
}

#[tokio::test]
async fn a_server_that_shuts_down_is_an_error_not_an_end() {
    let server = Server::start().await;
    server.fill("db", ROWS);
    let mut body = server.dump("db").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    // SIGINT: the fast shutdown.
    std::process::Command::new("kill").args(["-INT", &server.pid().to_string()]).status().unwrap();
    let err = rest(body).await.expect("the body must not end cleanly");
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
}

#[tokio::test]
async fn a_killed_pg_dump_is_an_error_not_an_end() {
    let server = Server::shared().await;
    server.fill("killed", ROWS);
    for format in [Format::Plain, Format::Custom, Format::Directory { jobs: 2 }] {
        let mut body = server.dump("killed").format(format).dump().await.unwrap().body;
        if let Format::Directory { .. } = format {
            server.wait_for(&format!("SELECT ({}) > 0", running("killed")), "t").await;
        } else {
            body.next().await.unwrap().unwrap();
        }
        kill_dumps_of("killed");
        let err = rest(body).await.expect("the body must not end cleanly");
        assert_eq!(err.kind(), ErrorKind::ToolFailed, "{format:?} {err:?}");
    }
}

/// Kills the `pg_dump`s of one database, known by its name in their environment.
fn kill_dumps_of(database: &str) {
    let wanted = format!("PGDATABASE={database}\0");
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(comm) = std::fs::read_to_string(entry.path().join("comm")) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment.windows(wanted.len()).any(|part| part == wanted.as_bytes());
        if comm.trim() == "pg_dump" && ours {
            let id = entry.file_name().to_string_lossy().into_owned();
            std::process::Command::new("kill").args(["-9", &id]).status().unwrap();
            killed += 1;
        }
    }
    assert!(killed > 0);
}

#[tokio::test]
async fn a_dropped_body_ends_pg_dump() {
    let server = Server::shared().await;
    server.fill("dropping", ROWS);
    for format in [Format::Plain, Format::Custom, Format::Directory { jobs: 2 }] {
        let staging = tempfile::tempdir().unwrap();
        let dump = server.dump("dropping").format(format).staging(staging.path());
        let body = dump.dump().await.unwrap().body;
        server.wait_for(&format!("SELECT ({}) > 0", running("dropping")), "t").await;
        drop(body);
        server.wait_for(&running("dropping"), "0").await;
        for _ in 0..600 {
            if std::fs::read_dir(staging.path()).unwrap().count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(std::fs::read_dir(staging.path()).unwrap().count(), 0, "{format:?}");
    }
}
