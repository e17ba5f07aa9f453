//! The client programs on another host: both sides are this machine.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use backup_core::{
    ByteStream, Dumper, ErrorKind, RestoreOptions, Restorer,
    process::{Host, WireCompression},
    testkit::sshd::PrivateSshd,
};
use futures::StreamExt;
use handler_pgdump::{Format, PasswordVia, PgDump};

use crate::server::Server;

#[tokio::test]
async fn a_dump_over_ssh_is_the_dump_from_here_and_restores_over_ssh() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    server.fill("over_ssh", 2_000);
    for (wire, format, name) in [
        (WireCompression::None, Format::Plain, "plain"),
        (WireCompression::Zstd, Format::Plain, "plain"),
        (WireCompression::Gzip, Format::Custom, "custom"),
    ] {
        let host = Host::ssh(sshd.ssh().wire(wire));
        let dump = server.dump("over_ssh").format(format).over(host.clone()).dump().await.unwrap();
        assert_eq!(dump.encoding.as_ref().map(|encoding| encoding.format), wire.format());
        assert!(dump.source.location.contains("127.0.0.1:"), "{}", dump.source.location);
        let target = format!("over_ssh_{name}_{}", wire.format().unwrap_or("none"));
        let body = dump.into_plain().unwrap().body;
        let outcome =
            server.restore(&target).over(host).restore(body, RestoreOptions::new(name)).await.unwrap();
        assert!(outcome.inventory.rows() > 2_000);
        assert_eq!(server.stock_dump(&target), server.stock_dump("over_ssh"));
    }
}

/// Every argument of every process that this user may see.
fn all_arguments() -> String {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned() + "\n").collect()
}

#[tokio::test]
async fn neither_password_nor_statement_is_in_an_argument_on_either_side() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    server.fill("ssh_secret", 100_000);
    let password = server.password().expose().to_owned();
    let host = Host::ssh(sshd.ssh());
    for via in [PasswordVia::Environment, PasswordVia::PassFile] {
        // What has no variable goes by a service file.
        let config =
            server.config("ssh_secret").password_via(via).parameter("keepalives_idle", "77").unwrap();
        let dump = PgDump::new(config).over(host.clone());
        assert!(!format!("{dump:?}").contains(&password));
        let probed = AtomicBool::new(false);
        let probing = async {
            let found = dump.probe().await;
            probed.store(true, Ordering::Relaxed);
            found
        };
        let watching = async {
            let mut seen = String::new();
            while !probed.load(Ordering::Relaxed) {
                seen.push_str(&all_arguments());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            seen
        };
        let (found, mut seen) = futures::future::join(probing, watching).await;
        found.unwrap();
        let mut body = dump.dump().await.unwrap().body;
        body.next().await.unwrap().unwrap();
        seen.push_str(&all_arguments());
        assert!(seen.contains("psql") && seen.contains("--format=plain"), "the tools are seen");
        for hidden in [password.as_str(), "pg_database_size", "PGPASSWORD", "keepalives_idle"] {
            assert!(!seen.contains(hidden), "{hidden}");
        }
        while let Some(chunk) = body.next().await {
            chunk.unwrap();
        }
    }
}

#[tokio::test]
async fn errors_of_the_server_are_told_apart_as_here() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    let host = Host::ssh(sshd.ssh());
    let wrong = server.config("postgres").password("wrong-Geheim9");
    let missing = server.config("no such db");
    for (config, kind) in [(wrong, ErrorKind::AuthenticationFailed), (missing, ErrorKind::DatabaseNotFound)] {
        let err = PgDump::new(config).over(host.clone()).dump().await.unwrap_err();
        assert_eq!(err.kind(), kind, "{err:?}");
        let shown = format!("{err} {err:?} {:?}", err.suggestions());
        assert!(!shown.contains("Geheim9") && !shown.contains(server.password().expose()), "{shown}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let none =
        server.dump("postgres").over(host.clone()).client_dir(nothing.path()).probe().await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::ToolNotFound, "{none:?}");
    assert!(none.to_string().contains("host: 127.0.0.1"), "{none}");
    let unreachable = Host::ssh(sshd.ssh().identity("/no/such/key"));
    let refused = server.dump("postgres").over(unreachable).probe().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AuthenticationFailed, "{refused:?}");
    assert!(refused.suggestions()[0].contains("authorized_keys"), "{refused:?}");
}

#[tokio::test]
async fn what_would_need_a_copy_on_the_host_is_refused_with_the_way_out() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    let host = Host::ssh(sshd.ssh());
    let dump = server.dump("postgres").format(Format::Directory { jobs: 2 }).over(host.clone());
    for err in [dump.probe().await.unwrap_err(), dump.dump().await.unwrap_err()] {
        assert_eq!(err.kind(), ErrorKind::Unsupported);
        assert!(err.suggestions()[0].contains("custom"), "{err:?}");
    }
    for (restore, format) in [(server.restore("x"), "directory"), (server.restore("x").jobs(3), "custom")] {
        let options = RestoreOptions::new(format);
        let err = restore.over(host.clone()).restore(ByteStream::empty(), options).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(server.leftovers("x"), Vec::<String>::new());
}

#[tokio::test]
async fn a_restore_whose_connection_is_cut_commits_nothing() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    server.fill("ssh_cut_source", 20_000);
    for format in [Format::Plain, Format::Custom] {
        let target = if format == Format::Plain { "ssh_cut_plain" } else { "ssh_cut_custom" };
        server.create(target);
        let dump = server.dump("ssh_cut_source").format(format).dump().await.unwrap();
        let all = dump.body.collect_bytes(usize::MAX).await.unwrap();
        let half: Vec<_> =
            all[..all.len() / 2].chunks(10_000).map(|chunk| Ok(chunk.to_vec().into())).collect();
        let body = ByteStream::new(futures::stream::iter(half).chain(futures::stream::pending()));
        let restore = server.restore(target).over(Host::ssh(sshd.ssh()));
        let name = if format == Format::Plain { "plain" } else { "custom" };
        let restoring = tokio::spawn(async move { restore.restore(body, RestoreOptions::new(name)).await });
        let question = format!(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '{target}' AND state <> 'idle' \
             AND query LIKE 'COPY%'"
        );
        server.wait_for(&question, "t").await;
        assert!(sshd.kill9_sessions() > 0);
        let failed = restoring.await.unwrap().unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed:?}");
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{target}'");
        server.wait_for(&sessions, "0").await;
        let tables = server.sql(target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
        assert_eq!(tables.trim(), "0", "{format:?}: half a dump was committed");
    }
}
