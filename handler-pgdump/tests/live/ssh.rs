//! The client programs on another host: both sides are this machine.

use backup_core::{
    Dumper, RestoreOptions, Restorer,
    process::{Host, WireCompression},
    testkit::sshd::PrivateSshd,
};
use handler_pgdump::Format;

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
