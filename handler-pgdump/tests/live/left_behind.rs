//! What a killed process leaves beside a target is told of, and left alone.

use backup_core::{
    Dumper, MemoryStore, Pipeline, Restorer, ScratchLike,
    pipeline::{BackupRequest, RestoreReport, RestoreRequest},
};
use handler_pgdump::Rehearse;

use crate::server::{Server, quoted};

/// Of the target `shop`, though nobody restored it.
const NEIGHBOURS: [&str; 4] = [
    "shop2_restoring_0a1b2c3d",
    "shop_eu_restoring_0a1b2c3d",
    "shop_restoring_2025",
    "shop_restored_0a1b2c3d",
];

/// A database whose name is text in no encoding but that of the database from which it was made.
const OTHER_BYTES: &str = "
    SET client_encoding = 'SQL_ASCII';
    SELECT format('CREATE DATABASE %I TEMPLATE template0', 'shop' || chr(252) || '_restoring_0a1b2c3d') \\gexec
";

#[tokio::test]
async fn a_probe_names_what_was_left_and_a_restore_warns_of_it_and_leaves_it_alone() {
    let server = Server::start().await;
    server.create("source");
    server.sql("source", "CREATE TABLE t AS SELECT 1 AS a");
    let pipeline = Pipeline::new(server.dump("source"), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let restored = async |target: &str| -> RestoreReport {
        let request = RestoreRequest::new().replacing().without_safety_backup().confirmed();
        pipeline.restore(&backup, &server.restore(target), request).await.unwrap()
    };
    let long = format!("{}x", "ü\\\"".repeat(15) + "ü");
    assert!(long.len() > 60 && long.len() <= 63);
    server.create("shop");
    server.sql("shop", "CREATE TABLE old AS SELECT 42 AS a");
    server.create(&long);
    for other in NEIGHBOURS {
        server.create(other);
    }
    // The last one does not exist.
    for target in ["shop", &long, "missing"] {
        let restore = server.restore(target);
        let probed = restore.probe().await.unwrap();
        assert_eq!((probed.left_behind, probed.exists), (Vec::new(), target != "missing"), "{target}");
        // What is never closed nor dropped is what a killed process leaves.
        let before = server.databases();
        let rehearsing = restore.clone().rehearse_in(Rehearse::Database);
        std::mem::forget(rehearsing.scratch(&ScratchLike::anything()).await.unwrap());
        let mut left: Vec<String> =
            server.databases().into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        for purpose in ["replaced", "restoring"] {
            let suffix = format!("_{purpose}_0a1b2c3d");
            let fits = |&(at, letter): &(usize, char)| at + letter.len_utf8() + suffix.len() <= 63;
            let head = target.char_indices().take_while(fits).map(|(_, letter)| letter);
            let name = head.collect::<String>() + &suffix;
            server.create(&name);
            left.push(name);
        }
        let only_copy = left[1].clone();
        server.sql(&only_copy, "CREATE TABLE only_copy AS SELECT 7 AS a");
        left.sort();
        assert_eq!(restore.probe().await.unwrap().left_behind, left, "{target}");

        let warnings = restored(target).await.warnings;
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        for (name, warning) in left.iter().zip(&warnings) {
            assert!(warning.starts_with(&format!("{name} lies beside {target}: ")), "{warning}");
        }
        assert_eq!(server.sql(&only_copy, "SELECT a FROM only_copy").trim(), "7", "{target}");
        assert_eq!(restore.probe().await.unwrap().left_behind, left, "{target}");
        for name in &left {
            server.sql("postgres", &format!("DROP DATABASE {}", quoted(name)));
        }
        assert_eq!(restore.probe().await.unwrap().left_behind, Vec::<String>::new(), "{target}");
    }
    assert_eq!(server.restore("shop_eu").probe().await.unwrap().left_behind, [NEIGHBOURS[1]]);

    // Nobody is kept from a backup or a restore by another database's name.
    server.sql("postgres", "CREATE DATABASE plain TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    server.sql("postgres", "CREATE DATABASE euc TEMPLATE template0 ENCODING 'EUC_JP' LOCALE 'C'");
    server.sql("plain", OTHER_BYTES);
    for database in ["shop", "missing", "plain", "euc", "absent"] {
        let probed = server.restore(database).probe().await.unwrap();
        assert_eq!(probed.left_behind, Vec::<String>::new(), "{database}");
        assert!(database == "absent" || server.dump(database).probe().await.is_ok(), "{database}");
    }
}
