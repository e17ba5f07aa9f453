//! The client programs on another host: both sides are this machine.

use std::time::Duration;

use backup_core::{
    Dumper, ErrorKind, Restorer,
    process::{Host, WireCompression},
    testkit::sshd::PrivateSshd,
};
use futures::StreamExt;

use crate::{
    round_trip::{plain, scanned},
    server::Server,
};

#[tokio::test]
async fn a_dump_over_ssh_is_the_dump_from_here_and_restores_over_ssh() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    server.fill("over_ssh", 2_000).await;
    for wire in [WireCompression::None, WireCompression::Zstd, WireCompression::Gzip] {
        let host = Host::ssh(sshd.ssh().wire(wire));
        let dump = server.dump("over_ssh").over(host.clone()).dump().await.unwrap();
        assert_eq!(dump.encoding.as_ref().map(|encoding| encoding.format), wire.format());
        assert!(dump.source.location.contains("127.0.0.1:"), "{}", dump.source.location);
        let target = format!("over_ssh_{}", wire.format().unwrap_or("none"));
        let body = dump.into_plain().unwrap().body;
        let outcome = server.restore(&target).over(host).restore(body, plain()).await.unwrap();
        assert_eq!(outcome.inventory.table("orders").unwrap().rows, 2_000);
        assert_eq!(server.checksums(&target).await, server.checksums("over_ssh").await);
    }
    // Several runs over one connection.
    let host = Host::ssh(sshd.ssh().wire(WireCompression::Zstd));
    let some = server.dump("over_ssh").over(host).rows_where("orders", "id < 10").dump().await.unwrap();
    let bytes = some.into_plain().unwrap().body.collect_bytes(1 << 24).await.unwrap();
    assert_eq!(scanned(&bytes).table("orders").unwrap().rows, 9);
}

#[tokio::test]
async fn neither_side_shows_the_password_and_a_dropped_dump_ends_on_both() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    server.fill("far", 60_000).await;
    let mut body = server.dump("far").over(Host::ssh(sshd.ssh())).dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    let password = server.password();
    let mut dumping = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        assert!(!arguments.contains(password.expose()), "{arguments}");
        if arguments.ends_with("\0far\0") && arguments.contains("dump\0") {
            dumping += 1;
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&environment).contains(password.expose()));
        }
    }
    assert_eq!(dumping, 1);
    drop(body);
    let sessions = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = 'far';";
    server.wait_for(sessions, "0").await;
}

#[tokio::test]
async fn a_host_without_clients_and_a_wrong_password_are_told_apart() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    let host = Host::ssh(sshd.ssh());
    let wrong = server.config("mysql").password("wrong-Geheim9");
    let wrong = handler_mysqldump::MysqlDump::new(wrong).client_dir(server.clients()).over(host.clone());
    let err = wrong.dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AuthenticationFailed, "{err:?}");
    assert!(!format!("{err:?}").contains("Geheim9"));
    let nothing = tempfile::tempdir().unwrap();
    let missing =
        handler_mysqldump::MysqlDump::new(server.config("mysql")).client_dir(nothing.path()).over(host);
    let err = tokio::time::timeout(Duration::from_secs(60), missing.dump()).await.unwrap().unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound, "{err:?}");
    assert!(err.to_string().contains("host: "), "{err}");
}
