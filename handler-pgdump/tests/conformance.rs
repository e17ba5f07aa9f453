//! PostgreSQL keeps the contracts of a dumper and a restorer, in every format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use backup_core::{
    Dump, Dumper, DumperInfo, Result, SourceInfo,
    inventory::Inspector,
    process::{Host, WireCompression},
    testkit::{
        dumper::DumperFixture,
        postgres::PrivatePostgres,
        restorer::{FreshTarget, RestorerFixture},
        sshd::PrivateSshd,
    },
};
use futures::StreamExt;
use handler_pgdump::{Format, PgConfig, PgDump, PgRestore};
use tokio::sync::OnceCell;

/// More than lies in the pipes between the tool and its reader.
const SHOP: &str =
    "CREATE TABLE orders (id integer PRIMARY KEY, note text); CREATE TABLE empty_table (a integer);
    INSERT INTO orders SELECT i, repeat(md5(i::text), 3000) FROM generate_series(1, 120) i;";

const BLOG: &str = "CREATE TABLE posts (text text); INSERT INTO posts VALUES ('hello'), ('world');";

/// The server of this test's process, with both sources.
async fn server() -> &'static PrivatePostgres {
    static FILLED: OnceCell<()> = OnceCell::const_new();
    let server = PrivatePostgres::shared().await;
    let fill = || async {
        for (name, sql) in [("shop", SHOP), ("blog", BLOG)] {
            server.create_database(name).await;
            server.psql(name, sql).await;
        }
    };
    FILLED.get_or_init(fill).await;
    server
}

async fn config(database: &str) -> PgConfig {
    PgConfig::from_url(&server().await.url(database)).unwrap()
}

async fn dumper(format: Format) -> DumperFixture {
    fixture(PgDump::new(config("shop").await).format(format), format).await
}

/// With a second session, which counts.
async fn counting_dumper(format: Format) -> DumperFixture {
    fixture(PgDump::new(config("shop").await).format(format).source_checksums(), format).await
}

async fn fixture(dump: PgDump, format: Format) -> DumperFixture {
    let staging = tempfile::tempdir().unwrap();
    let dump = dump.staging(staging.path());
    let fixture = DumperFixture::new(Arc::new(dump))
        .with_secret(server().await.password().expose())
        .with_temp_dir(staging.path())
        .with_guard(staging)
        .with_fingerprint(|| async {
            let question = "SELECT datname, (SELECT count(*) FROM orders) FROM pg_database \
                            WHERE datname IN ('shop', 'blog', 'postgres', 'template1') ORDER BY 1";
            server().await.psql("shop", question).await
        });
    // The end of an archive is in the table of contents, which the core does not read.
    if format == Format::Plain { fixture } else { fixture.without_end_mark() }
}

async fn restorer(format: Format) -> RestorerFixture {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let source = |config: PgConfig| {
        Arc::new(Counted { plain: PgDump::new(config.clone()), dump: PgDump::new(config).format(format) })
    };
    let (shop, blog) = (config("shop").await, config("blog").await);
    let target = || async {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("target {number}");
        // Every second one exists already, and is empty.
        if number.is_multiple_of(2) {
            server().await.create_database(&name).await;
        }
        FreshTarget::new(Arc::new(PgRestore::new(config(&name).await)), ())
    };
    RestorerFixture::new(source(shop), source(blog), target).with_secret(server().await.password().expose())
}

/// A connection to an SSH server of this test's process, which stands from now on.
async fn over_ssh() -> Host {
    static SHARED: OnceCell<PrivateSshd> = OnceCell::const_new();
    let sshd = SHARED.get_or_init(PrivateSshd::start).await;
    let host = Host::ssh(sshd.ssh().wire(WireCompression::Zstd));
    host.find_program(&["sh"], &[]).await.unwrap();
    host
}

async fn remote_dumper(format: Format) -> DumperFixture {
    let dump = PgDump::new(config("shop").await).format(format).over(over_ssh().await);
    let fixture = DumperFixture::new(Arc::new(dump)).with_secret(server().await.password().expose());
    if format == Format::Plain { fixture } else { fixture.without_end_mark() }
}

async fn remote_restorer() -> RestorerFixture {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (shop, blog) = (config("shop").await, config("blog").await);
    let target = || async {
        let name = format!("remote target {}", NEXT.fetch_add(1, Ordering::Relaxed));
        FreshTarget::new(Arc::new(PgRestore::new(config(&name).await).over(over_ssh().await)), ())
    };
    RestorerFixture::new(Arc::new(PgDump::new(shop)), Arc::new(PgDump::new(blog)), target)
        .with_secret(server().await.password().expose())
}

/// An archive with the inventory of a plain dump of the same database: an archive does not show its own.
#[derive(Debug)]
struct Counted {
    dump: PgDump,
    plain: PgDump,
}

#[async_trait]
impl Dumper for Counted {
    fn info(&self) -> DumperInfo {
        self.dump.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.dump.probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        let mut plain = self.plain.dump().await?.body;
        let Inspector { mut tap, inventory, .. } = Inspector::for_format("postgresql", "plain");
        while let Some(chunk) = plain.next().await {
            tap.update(&chunk?)?;
        }
        tap.finish()?;
        let mut dump = self.dump.dump().await?;
        dump.inventory = inventory.take().flatten();
        Ok(dump)
    }
}

mod plain {
    use super::*;
    backup_core::dumper_conformance!(dumper(Format::Plain).await);
    backup_core::restorer_conformance!(restorer(Format::Plain).await);
}

mod custom {
    use super::*;
    backup_core::dumper_conformance!(dumper(Format::Custom).await);
    backup_core::restorer_conformance!(restorer(Format::Custom).await);
}

mod directory {
    use super::*;
    backup_core::dumper_conformance!(dumper(Format::Directory { jobs: 2 }).await);
    backup_core::restorer_conformance!(restorer(Format::Directory { jobs: 2 }).await);
}

mod plain_over_ssh {
    use super::*;
    backup_core::dumper_conformance!(remote_dumper(Format::Plain).await);
    backup_core::restorer_conformance!(remote_restorer().await);
}

mod archive_over_ssh {
    use super::*;
    backup_core::dumper_conformance!(remote_dumper(Format::Custom).await);
}

mod counting {
    use super::*;

    mod plain {
        use super::*;

        backup_core::dumper_conformance!(counting_dumper(Format::Plain).await);
    }

    mod directory {
        use super::*;

        backup_core::dumper_conformance!(counting_dumper(Format::Directory { jobs: 2 }).await);
    }
}
