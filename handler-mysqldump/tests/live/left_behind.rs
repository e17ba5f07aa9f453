//! What a killed process leaves beside a target is told of, and left alone.

use backup_core::{
    MemoryStore, Pipeline, Restorer, ScratchLike,
    pipeline::{BackupRequest, RestoreReport, RestoreRequest},
};
use handler_mysqldump::{MysqlRestore, Rehearse};

use crate::server::{Server, quoted};

/// Of the target `left_shop`, though nobody restored it.
const NEIGHBOURS: [&str; 4] = [
    "left_shop2_restoring_0a1b2c3d",
    "left_shop_eu_restoring_0a1b2c3d",
    "left_shop_restoring_2025",
    "left_shop_restored_0a1b2c3d",
];

#[tokio::test]
async fn a_probe_names_what_was_left_and_a_restore_warns_of_it_and_leaves_it_alone() {
    let server = Server::shared().await;
    server.create_database("left_source").await;
    server.sql("left_source", "CREATE TABLE t AS SELECT 1 AS a").await;
    let pipeline = Pipeline::new(server.dump("left_source"), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let restored = async |target: &str| -> RestoreReport {
        let request = RestoreRequest::new().replacing().without_safety_backup().confirmed();
        pipeline.restore(&backup, &server.restore(target), request).await.unwrap()
    };
    // Its folder has three letters for each, and five for a sign.
    let long = format!("left \\'{}", "ü".repeat(56));
    assert_eq!(long.chars().count(), 63);
    server.create_database("left_shop").await;
    server.sql("left_shop", "CREATE TABLE old AS SELECT 42 AS a").await;
    for other in NEIGHBOURS.into_iter().chain([long.as_str()]) {
        server.sql("", &format!("CREATE DATABASE {};", quoted(other))).await;
    }
    // The last one does not exist.
    for target in ["left_shop", &long, "left_missing"] {
        let restore = server.restore(target);
        let probed = restore.probe().await.unwrap();
        assert_eq!((probed.left_behind, probed.exists), (Vec::new(), target != "left_missing"), "{target}");
        // What is never closed nor dropped is what a killed process leaves.
        let rehearsing = restore.clone().rehearse_in(Rehearse::Database);
        std::mem::forget(rehearsing.scratch(&ScratchLike::anything()).await.unwrap());
        let mut left = restore.probe().await.unwrap().left_behind;
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(server.databases().await.contains(&left[0]) && left[0].contains("_rehearsal_"), "{left:?}");
        for purpose in ["replaced", "restoring"] {
            let suffix = format!("_{purpose}_0a1b2c3d");
            let name = target.chars().take(64 - suffix.len()).collect::<String>() + &suffix;
            server.sql("", &format!("CREATE DATABASE {};", quoted(&name))).await;
            left.push(name);
        }
        let only_copy = left[1].clone();
        server.sql(&only_copy, "CREATE TABLE only_copy AS SELECT 7 AS a").await;
        left.sort();
        assert_eq!(restore.probe().await.unwrap().left_behind, left, "{target}");
        // Who may not see them is told of nothing, and not refused.
        assert_eq!(blind(&server, target).await.probe().await.unwrap().left_behind, Vec::<String>::new());

        let warnings = restored(target).await.warnings;
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        for (name, warning) in left.iter().zip(&warnings) {
            assert!(warning.starts_with(&format!("{name} lies beside {target}: ")), "{warning}");
        }
        assert_eq!(server.sql(&only_copy, "SELECT a FROM only_copy").await, "7", "{target}");
        assert_eq!(restore.probe().await.unwrap().left_behind, left, "{target}");
        for name in &left {
            server.sql("", &format!("DROP DATABASE {};", quoted(name))).await;
        }
        assert_eq!(restore.probe().await.unwrap().left_behind, Vec::<String>::new(), "{target}");
    }
    assert_eq!(server.restore("left_shop_eu").probe().await.unwrap().left_behind, [NEIGHBOURS[1]]);
}

/// As a user with rights on the target alone.
async fn blind(server: &Server, target: &str) -> MysqlRestore {
    let grant = format!(
        "CREATE USER IF NOT EXISTS blind@'127.0.0.1' IDENTIFIED BY 'pw';
         GRANT ALL PRIVILEGES ON {}.* TO blind@'127.0.0.1';",
        quoted(&target.replace('\\', "\\\\").replace('_', "\\_"))
    );
    server.sql("", &grant).await;
    MysqlRestore::new(server.config(target).user("blind").password("pw")).client_dir(server.clients())
}
