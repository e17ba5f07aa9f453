//! Client programs that are missing, old, hung or lying.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use backup_core::{ByteStream, Dumper, ErrorKind, RestoreOptions, Restorer};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::{ClientSafety, Format};

use crate::server::Server;

fn script(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with the real `psql` and a `pg_dump` that prints this version, then runs `body`.
fn with_fake_dump(server: &Server, version: &str, body: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(server.bin("psql"), folder.path().join("psql")).unwrap();
    script(
        folder.path(),
        "pg_dump",
        &format!("case \"$1\" in --version) echo 'pg_dump (PostgreSQL) {version}'; exit 0;; esac\n{body}"),
    );
    folder
}

#[tokio::test]
async fn a_missing_client_is_named_with_its_package() {
    let server = Server::shared().await;
    let nothing = tempfile::tempdir().unwrap();
    let err = server.dump("postgres").client_dir(nothing.path()).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound);
    assert!(err.suggestions().iter().any(|text| text.contains("postgresql-client")), "{err:?}");
    assert!(!err.suggestions().iter().any(|text| text.contains("17")), "no server was asked yet: {err:?}");
}

#[tokio::test]
async fn a_client_killed_while_it_tells_its_version_is_there_and_does_not_run() {
    let server = Server::shared().await;
    let folder = with_fake_dump(&server, "99.1", "");
    script(folder.path(), "pg_dump", "kill -9 $$");
    let err = server.dump("postgres").client_dir(folder.path()).probe().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolFailed, "{err:?}");
    assert!(err.to_string().contains("tool: pg_dump") && err.to_string().contains("signal"), "{err}");
}

#[tokio::test]
async fn a_full_temporary_folder_is_named_and_not_taken_for_the_store() {
    let server = Server::shared().await;
    let says = |what: &str| format!("echo 'pg_dump: error: {what}: No space left on device' >&2; exit 1");
    let staging = tempfile::tempdir().unwrap();
    let last = async |text: String| {
        let folder = with_fake_dump(&server, "99.1", &text);
        let dump = server.dump("postgres").client_dir(folder.path()).staging(staging.path());
        let body = dump.format(Format::Directory { jobs: 1 }).dump().await.unwrap().body;
        body.collect::<Vec<_>>().await.into_iter().last().unwrap().unwrap_err()
    };
    let err = last(says("could not write to file")).await;
    assert_eq!(err.kind(), ErrorKind::StorageFull, "{err:?}");
    let named = staging.path().display().to_string();
    assert!(err.suggestions().iter().all(|text| text.contains(&named)), "{err:?}");
    for field in ["database: postgres", "server: "] {
        assert!(err.to_string().contains(field), "{err}");
    }
    let err = last(says("query failed: ERROR:  could not extend file")).await;
    assert_eq!(err.suggestions(), ["free space on the server"], "{err:?}");
}

#[tokio::test]
async fn a_client_older_than_the_server_is_refused_before_the_first_byte() {
    let server = Server::shared().await;
    let folder = with_fake_dump(&server, "12.22", "echo never; exit 0");
    let err = server.dump("postgres").client_dir(folder.path()).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolVersion, "{err:?}");
    assert!(err.to_string().contains("installed: 12.22"), "{err}");
    assert!(err.suggestions()[0].contains("postgresql-client-"), "{err:?}");
}

#[tokio::test]
async fn success_without_the_end_of_the_format_is_incomplete() {
    let server = Server::shared().await;
    for (format, body) in [
        (Format::Plain, "echo '-- PostgreSQL database dump'; echo 'SELECT 1;'; exit 0"),
        (Format::Plain, "exit 0"),
        (Format::Plain, "echo 'x -- PostgreSQL database dump complete'; exit 0"),
        (Format::Custom, "exit 0"),
        (Format::Custom, "echo hello; exit 0"),
        (Format::Directory { jobs: 1 }, "exit 0"),
        (
            Format::Directory { jobs: 1 },
            "for a in \"$@\"; do case $a in --file=*) mkdir \"${a#--file=}\";; esac; done",
        ),
    ] {
        let folder = with_fake_dump(&server, "99.1", body);
        let dump = server.dump("postgres").client_dir(folder.path()).format(format);
        let items: Vec<_> = dump.dump().await.unwrap().body.collect().await;
        let err = items.into_iter().last().unwrap().unwrap_err();
        let expected = [ErrorKind::Incomplete, ErrorKind::NotFound];
        assert!(expected.contains(&err.kind()), "{format:?} {body}: {err:?}");
    }
}

#[tokio::test]
async fn a_tool_that_fails_after_some_bytes_says_why() {
    let server = Server::shared().await;
    let body =
        "echo '-- PostgreSQL database dump complete'; echo 'pg_dump: error: out of cheese' >&2; exit 3";
    let folder = with_fake_dump(&server, "99.1", body);
    let dump = server.dump("postgres").client_dir(folder.path());
    let items: Vec<_> = dump.dump().await.unwrap().body.collect().await;
    let err = items.into_iter().last().unwrap().unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolFailed);
    assert!(err.to_string().contains("out of cheese"), "{err}");
}

#[tokio::test]
async fn a_tool_that_hangs_is_ended() {
    let server = Server::shared().await;
    for (format, body) in [
        (Format::Plain, "echo x; sleep 600"),
        (Format::Custom, "printf PGDMP; sleep 600"),
        (Format::Directory { jobs: 1 }, "sleep 600"),
    ] {
        let folder = with_fake_dump(&server, "99.1", body);
        let dump = server
            .dump("postgres")
            .client_dir(folder.path())
            .format(format)
            .idle_timeout(Duration::from_millis(300));
        let items: Vec<_> = dump.dump().await.unwrap().body.collect().await;
        let err = items.into_iter().last().unwrap().unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Timeout, "{format:?} {err:?}");
    }
}

#[tokio::test]
async fn clients_that_a_hostile_dump_could_misuse_are_refused() {
    let server = Server::shared().await;
    server.create("old_client");
    let folder = tempfile::tempdir().unwrap();
    let real = server.bin("psql");
    script(
        folder.path(),
        "psql",
        &format!(
            "case \"$1\" in --version) echo 'psql (PostgreSQL) 15.13'; exit 0;; esac\nexec {} \"$@\"",
            real.display()
        ),
    );
    let body = || ByteStream::from(Bytes::from_static(b"CREATE TABLE t (a int);\n"));
    let restore = server.restore("old_client").client_dir(folder.path());
    let err = restore.restore(body(), RestoreOptions::new("plain")).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolVersion, "{err:?}");
    assert!(err.suggestions()[0].contains("CVE-2025-8714"), "{err:?}");
    let trusting = restore.client_safety(ClientSafety::TrustDump);
    let outcome = trusting.restore(body(), RestoreOptions::new("plain")).await.unwrap();
    assert_eq!(outcome.inventory.tables.len(), 1);
}
