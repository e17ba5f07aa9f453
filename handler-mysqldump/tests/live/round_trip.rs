//! What comes back is what was there.

use backup_core::{
    ByteStream, Dumper, Inventory, OnExisting, RestoreOptions, Restorer, ScratchLike, inventory::Inspector,
};
use bytes::Bytes;
use handler_mysqldump::{MysqlDump, Rehearse};

use crate::server::{Server, quoted};

pub async fn whole(dump: &MysqlDump) -> Bytes {
    dump.dump().await.unwrap().body.collect_bytes(1 << 28).await.unwrap()
}

/// What the scanner of the core reads out of a plain dump.
pub fn scanned(bytes: &Bytes) -> Inventory {
    let mut inspector = Inspector::for_format("mysql", "plain");
    inspector.tap.update(bytes).unwrap();
    inspector.tap.finish().unwrap();
    inspector.inventory.take().unwrap().unwrap()
}

pub fn plain() -> RestoreOptions {
    RestoreOptions::new("plain")
}

#[tokio::test]
async fn everything_comes_back_equal_into_new_empty_and_replaced_databases() {
    let server = Server::shared().await;
    // Not with quotes: mariadb-dump fails at events of such a database.
    let name = "we=ird ü; %x`";
    server.fill(name, 2000).await;
    let collated = |name: &str, word: &str| {
        format!("{word} DATABASE {} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;", quoted(name))
    };
    server.sql("", &collated(name, "ALTER")).await;
    let before = server.stock_dump(name);
    let sums = server.checksums(name).await;
    let bytes = whole(&server.dump(name)).await;
    let expected = scanned(&bytes);
    assert!(expected.table("orders").is_some_and(|table| table.rows == 2000), "{expected:?}");
    assert_eq!(expected.table("\"Q` t; --\"\" .x\"").unwrap().rows, 2, "{expected:?}");
    assert_eq!(expected.table("empty_table").unwrap().rows, 0);
    assert!(expected.table("a_view").is_none() && expected.table("z_view").is_none());

    for (target, exists) in [("new =db", false), ("mysql://empty", true), ("full db`", true)] {
        if exists {
            server.sql("", &collated(target, "CREATE")).await;
        }
        let mut options = plain();
        options.source_encoding = server.dump(name).probe().await.unwrap().encoding;
        if target == "full db`" {
            let sql = "CREATE TABLE old (a int); CREATE TABLE orders (a int); CREATE VIEW a_view AS SELECT 1;
                CREATE TRIGGER watch BEFORE INSERT ON orders FOR EACH ROW SET NEW.a = 1;
                CREATE PROCEDURE many() SELECT 1; CREATE PROCEDURE old_one() SELECT 1;";
            server.sql(target, sql).await;
            options = options.with_on_existing(OnExisting::Replace);
        }
        let outcome = server.restore(target).restore(ByteStream::from(bytes.clone()), options).await;
        let outcome = outcome.unwrap_or_else(|err| panic!("{target}: {err:?}"));
        assert_eq!(expected.differences(&outcome.inventory), Vec::<String>::new(), "{target}");
        assert_eq!(outcome.warnings, Vec::<String>::new(), "{target}");
        assert_eq!(server.checksums(target).await, sums, "{target}");
        let after = server.stock_dump(target);
        assert!(after == before, "{target}: {}", first_difference(&before, &after));
        let collation =
            "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE();";
        if !exists {
            assert_eq!(server.sql(target, collation).await, "utf8mb4_general_ci");
        }
        assert_eq!(server.leftovers(target).await, Vec::<String>::new(), "{target}");
        server.sql("", &format!("DROP DATABASE {};", quoted(target))).await;
    }
}

fn first_difference(before: &str, after: &str) -> String {
    let mut lines = before.lines().zip(after.lines());
    lines.find(|(a, b)| a != b).map_or_else(|| "one is longer".to_owned(), |(a, b)| format!("{a}\n{b}"))
}

#[tokio::test]
async fn the_stock_client_restores_a_dump() {
    let server = Server::shared().await;
    server.fill("stock", 20).await;
    let bytes = whole(&server.dump("stock")).await;
    server.create_database("stock_again").await;
    server.sql("stock_again", std::str::from_utf8(&bytes).unwrap()).await;
    assert_eq!(server.checksums("stock_again").await, server.checksums("stock").await);
}

#[tokio::test]
async fn a_scratch_is_like_the_target_and_gone_afterwards() {
    let server = Server::shared().await;
    server.fill("scratched", 30).await;
    let bytes = whole(&server.dump("scratched")).await;
    let scratch = server
        .restore("scratched")
        .rehearse_in(Rehearse::Database)
        .scratch(&ScratchLike::anything())
        .await
        .unwrap();
    assert_eq!(server.leftovers("scratched").await.len(), 1);
    scratch.restorer().restore(ByteStream::from(bytes.clone()), plain()).await.unwrap();
    assert_eq!(scanned(&bytes).differences(&scratch.inventory().await.unwrap()), Vec::<String>::new());
    scratch.close().await.unwrap();
    assert_eq!(server.leftovers("scratched").await, Vec::<String>::new());
    drop(
        server
            .restore("scratched")
            .rehearse_in(Rehearse::Database)
            .scratch(&ScratchLike::anything())
            .await
            .unwrap(),
    );
    assert_eq!(server.leftovers("scratched").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dump_is_of_one_moment_while_others_write() {
    let server = Server::shared().await;
    server.create_database("moments").await;
    server
        .sql("moments", "CREATE TABLE a_from (v int); CREATE TABLE z_to (v int); INSERT INTO a_from VALUES (1000); INSERT INTO z_to VALUES (0);
            DELIMITER ;;
            CREATE PROCEDURE move_all() BEGIN DECLARE i int DEFAULT 0; WHILE i < 100000 DO
              START TRANSACTION; UPDATE a_from SET v = v - 1; UPDATE z_to SET v = v + 1; COMMIT; SET i = i + 1;
            END WHILE; END;;
            DELIMITER ;")
        .await;
    let writer = tokio::spawn(async {
        let server = Server::shared().await;
        server.sql("moments", "CALL move_all();").await
    });
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let text = String::from_utf8(whole(&server.dump("moments")).await.to_vec()).unwrap();
        let value = |table: &str| -> i64 {
            let (_, rest) = text.split_once(&format!("INSERT INTO `{table}` VALUES")).unwrap();
            let number = rest.trim_start_matches(|ch: char| !ch.is_ascii_digit() && ch != '-');
            number.split(')').next().unwrap().parse().unwrap()
        };
        assert_eq!(value("a_from") + value("z_to"), 1000);
        seen.insert(value("z_to"));
    }
    writer.abort();
    assert!(seen.len() > 1, "nothing was written meanwhile: {seen:?}");
}
