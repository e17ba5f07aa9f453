//! Whatever goes wrong in a dump is the last item of its body.

use std::time::Duration;

use backup_core::{ByteStream, Dumper, Error, ErrorKind};
use futures::StreamExt;
use handler_pgdump::{Format, PgConfig, PgDump};

use crate::server::Server;

const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backup'";

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
    let server = Server::start();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.sql("postgres", "CREATE ROLE nologin; CREATE ROLE poor LOGIN PASSWORD 'poor'");
    server.fill("db", 3);
    for (config, kind) in [
        (PgConfig::new("db").host("no-such-host.invalid"), ErrorKind::ConnectionFailed),
        (PgConfig::new("db").host("127.0.0.1").port(free), ErrorKind::ConnectionFailed),
        (PgConfig::new("db").host("/no/such/folder"), ErrorKind::ConnectionFailed),
        (server.config("db").parameter("sslmode", "require").unwrap(), ErrorKind::ConnectionFailed),
        (server.config("db").user("nobody"), ErrorKind::AuthenticationFailed),
        (server.config("db").user("nologin"), ErrorKind::AuthenticationFailed),
        (server.config("db").password("wrong"), ErrorKind::AuthenticationFailed),
        (server.config("missing"), ErrorKind::DatabaseNotFound),
    ] {
        let shown = format!("{config:?}");
        let err = PgDump::new(config).dump().await.unwrap_err();
        assert_eq!(err.kind(), kind, "{shown}: {err:?}");
        assert!(!err.suggestions().is_empty() && err.operation() == "dump", "{err:?}");
    }
    let poor = PgDump::new(server.config("db").user("poor").password("poor"));
    let err = rest(poor.dump().await.unwrap().body).await.unwrap();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
}

#[tokio::test]
async fn a_session_ended_by_the_server_is_an_error_not_an_end() {
    let server = Server::start();
    server.fill("db", ROWS);
    for format in [Format::Plain, Format::Custom] {
        let mut body = server.dump("db").format(format).dump().await.unwrap().body;
        body.next().await.unwrap().unwrap();
        server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backup'",
        );
        let err = rest(body).await.expect("the body must not end cleanly");
        assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
    }
}

#[tokio::test]
async fn a_server_that_shuts_down_is_an_error_not_an_end() {
    let server = Server::start();
    server.fill("db", ROWS);
    let mut body = server.dump("db").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    server.stop("fast");
    let err = rest(body).await.expect("the body must not end cleanly");
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
}

#[tokio::test]
async fn a_killed_pg_dump_is_an_error_not_an_end() {
    let server = Server::start();
    server.fill("db", ROWS);
    for format in [Format::Plain, Format::Custom, Format::Directory { jobs: 2 }] {
        let mut body = server.dump("db").format(format).dump().await.unwrap().body;
        if let Format::Directory { .. } = format {
            server.wait_for(&format!("SELECT ({RUNNING}) > 0"), "t").await;
        } else {
            body.next().await.unwrap().unwrap();
        }
        let port = server.port.to_string();
        kill_dumps_of(&port);
        let err = rest(body).await.expect("the body must not end cleanly");
        assert_eq!(err.kind(), ErrorKind::ToolFailed, "{format:?} {err:?}");
    }
}

/// Kills the `pg_dump`s of one server, known by the port in their environment.
fn kill_dumps_of(port: &str) {
    let wanted = format!("PGPORT={port}\0");
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
    let server = Server::start();
    server.fill("db", ROWS);
    for format in [Format::Plain, Format::Custom, Format::Directory { jobs: 2 }] {
        let staging = tempfile::tempdir().unwrap();
        let dump = server.dump("db").format(format).staging(staging.path());
        let body = dump.dump().await.unwrap().body;
        server.wait_for(&format!("SELECT ({RUNNING}) > 0"), "t").await;
        drop(body);
        server.wait_for(RUNNING, "0").await;
        for _ in 0..600 {
            if std::fs::read_dir(staging.path()).unwrap().count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(std::fs::read_dir(staging.path()).unwrap().count(), 0, "{format:?}");
    }
}
