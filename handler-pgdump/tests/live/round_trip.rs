//! What comes back is what was there.

use backup_core::{
    ByteStream, Dumper, Inventory, OnExisting, RestoreOptions, Restorer, ScratchLike, inventory::Inspector,
};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::{Content, Format, Globals, PgDump, PgRestore, Rehearse, Rows};

use crate::server::{Server, quoted};

pub async fn whole(dump: &PgDump) -> Bytes {
    dump.dump().await.unwrap().body.collect_bytes(1 << 28).await.unwrap()
}

/// What the scanner of the core reads out of a plain dump.
fn scanned(bytes: &Bytes) -> Inventory {
    let mut inspector = Inspector::for_format("postgresql", "plain");
    inspector.tap.update(bytes).unwrap();
    inspector.tap.finish().unwrap();
    inspector.inventory.take().unwrap().unwrap()
}

pub fn options(format: Format) -> RestoreOptions {
    RestoreOptions::new(match format {
        Format::Plain => "plain",
        Format::Custom => "custom",
        _ => "directory",
    })
}

fn equal_but_bytes(found: &Inventory, expected: &Inventory) {
    assert_eq!(expected.differences(found), Vec::<String>::new());
}

#[tokio::test]
async fn every_format_comes_back_equal_into_new_empty_and_replaced_databases() {
    let server = Server::shared().await;
    let name = "we=ird 'q\"; ü x";
    server.fill(name, 2000);
    let before = server.stock_dump(name);
    let expected = scanned(&whole(&server.dump(name)).await);
    assert!(expected.table("public.orders").is_some_and(|table| table.rows == 2000), "{expected:?}");
    assert_eq!(expected.table("\"we.ird \"\"schema\".\"t.able\"").unwrap().rows, 2, "{expected:?}");

    for format in [Format::Plain, Format::Custom, Format::Directory { jobs: 2 }] {
        let bytes = whole(&server.dump(name).format(format)).await;
        for jobs in [1, 3] {
            if format == Format::Plain && jobs > 1 {
                continue;
            }
            for (target, exists) in [("new =db", false), ("postgres://empty", true), ("full 'db", true)] {
                let case = format!("{format:?} {jobs} {target}");
                if exists {
                    server.create(target);
                }
                let mut options = options(format);
                if target == "full 'db" {
                    server.sql(target, "CREATE TABLE old (a int); CREATE TABLE orders (a int)");
                    options = options.with_on_existing(OnExisting::Replace);
                }
                let restore = server.restore(target).jobs(jobs);
                let outcome = restore.restore(ByteStream::from(bytes.clone()), options).await;
                let outcome = outcome.unwrap_or_else(|err| panic!("{case}: {err:?}"));
                equal_but_bytes(&outcome.inventory, &expected);
                assert_eq!(outcome.warnings, Vec::<String>::new(), "{case}");
                let after = server.stock_dump(target);
                assert!(after == before, "{case}");
                assert_eq!(server.leftovers(target), Vec::<String>::new(), "{case}");
                server.sql("postgres", &format!("DROP DATABASE {}", quoted(target)));
            }
        }
    }
}

#[tokio::test]
async fn stock_tools_open_what_was_dumped() {
    let server = Server::shared().await;
    server.fill("stock", 10);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.dump"), whole(&server.dump("stock").format(Format::Custom)).await)
        .unwrap();
    let archive = folder.path().join("a.dump").to_str().unwrap().to_owned();
    assert!(server.client("pg_restore", "stock", &["-l", &archive]).contains("TABLE DATA public orders"));

    let tar = whole(&server.dump("stock").format(Format::Directory { jobs: 1 })).await;
    let again = whole(&server.dump("stock").format(Format::Directory { jobs: 1 })).await;
    let names = |bytes: &Bytes| {
        let mut archive = tar::Archive::new(bytes.as_ref());
        let names: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        names
    };
    assert_eq!(names(&tar), names(&again));
    assert!(names(&tar).is_sorted());
    let unpacked = folder.path().join("d");
    tar::Archive::new(tar.as_ref()).unpack(&unpacked).unwrap();
    assert!(
        server.client("pg_restore", "stock", &["-l", unpacked.to_str().unwrap()]).contains("public orders")
    );
}

#[tokio::test]
async fn rows_as_inserts_and_definitions_alone_come_back_too() {
    let server = Server::shared().await;
    server.fill("rows", 20);
    let before = server.stock_dump("rows");
    let dump = server.dump("rows").rows(Rows::ColumnInserts);
    let outcome = server
        .restore("rows_inserts")
        .restore(ByteStream::from(whole(&dump).await), options(Format::Plain))
        .await
        .unwrap();
    assert_eq!(outcome.inventory.table("public.orders").unwrap().rows, 20);
    assert!(server.stock_dump("rows_inserts") == before);

    let dump = server.dump("rows").content(Content::SchemaOnly).format(Format::Custom);
    let outcome = server
        .restore("rows_empty")
        .restore(ByteStream::from(whole(&dump).await), options(Format::Custom))
        .await
        .unwrap();
    assert_eq!(outcome.inventory.rows(), 0);
    assert!(outcome.inventory.tables.len() > 10);
}

#[tokio::test]
async fn the_probe_says_what_is_there_and_changes_nothing() {
    let server = Server::shared().await;
    server.fill("probed", 5);
    let source = server.dump("probed").probe().await.unwrap();
    assert_eq!(source.database, "probed");
    assert_eq!(source.location, format!("127.0.0.1:{}", server.port()));
    assert_eq!(source.encoding.as_deref(), Some("UTF8"));
    assert!(source.size_bytes.unwrap() > 1_000_000);
    assert!(source.tool_version.starts_with("pg_dump (PostgreSQL)"), "{source:?}");
    assert!(source.extensions.iter().any(|extension| extension.starts_with("plpgsql ")), "{source:?}");

    let target = server.restore("probed").probe().await.unwrap();
    assert!(target.exists && target.tables > 5, "{target:?}");
    let target = server.restore("nowhere").probe().await.unwrap();
    assert!(!target.exists && target.server_version == source.server_version, "{target:?}");
    assert!(!server.databases().contains(&"nowhere".to_owned()));
}

#[tokio::test]
async fn roles_come_as_a_companion() {
    let server = Server::shared().await;
    server.sql("postgres", "CREATE ROLE teller LOGIN PASSWORD 'x'");
    for (globals, hashes) in [(Globals::WithPasswords, true), (Globals::WithoutPasswords, false)] {
        let mut dump = server.dump("postgres").globals(globals).dump().await.unwrap();
        let companion = dump.companions.pop().unwrap();
        assert_eq!((companion.name.as_str(), companion.extension.as_str()), ("globals", "sql"));
        while let Some(chunk) = dump.body.next().await {
            chunk.unwrap();
        }
        let text = companion.body.collect_bytes(1 << 20).await.unwrap();
        let text = String::from_utf8(text.into()).unwrap();
        assert!(text.contains("CREATE ROLE teller"), "{text}");
        assert_eq!(text.contains("SCRAM-SHA-256$"), hashes);
    }
}

#[tokio::test]
async fn two_dumps_run_at_once() {
    let server = Server::shared().await;
    server.fill("twice", 500);
    let dump = server.dump("twice");
    let (one, two) = tokio::join!(whole(&dump), whole(&dump));
    assert_eq!(scanned(&one), scanned(&two));
}

#[tokio::test]
async fn a_scratch_takes_a_restore_and_is_gone_after_close_and_after_drop() {
    let server = Server::shared().await;
    server.fill("scratched", 50);
    let bytes = whole(&server.dump("scratched")).await;
    let restore: PgRestore = server.restore("scratched").rehearse_in(Rehearse::Database);
    let scratch = restore.scratch(&ScratchLike::anything()).await.unwrap();
    assert_eq!(server.leftovers("scratched").len(), 1);
    let outcome =
        scratch.restorer().restore(ByteStream::from(bytes.clone()), options(Format::Plain)).await.unwrap();
    assert_eq!(outcome.inventory, scratch.inventory().await.unwrap());
    assert_eq!(outcome.inventory.table("public.orders").unwrap().rows, 50);
    scratch.close().await.unwrap();
    assert_eq!(server.leftovers("scratched"), Vec::<String>::new());

    let scratch = restore.scratch(&ScratchLike::anything()).await.unwrap();
    assert_eq!(server.leftovers("scratched").len(), 1);
    drop(scratch);
    assert_eq!(server.leftovers("scratched"), Vec::<String>::new());
}
