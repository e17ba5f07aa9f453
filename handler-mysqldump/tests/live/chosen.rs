//! Chosen tables come back as they were, and nothing else changes.

use backup_core::{
    ByteStream, ErrorKind, Filter, Kind, MemoryStore, OnExisting, Pipeline, RestoreOptions, RestoreOutcome,
    Restorer, Result, Selected, Selection,
    pipeline::{BackupRequest, RestoreRequest, RowComparison},
};
use bytes::Bytes;
use handler_mysqldump::MysqlRestore;

use crate::{
    round_trip::{plain, whole},
    server::Server,
};

const SHOP: &str = r"
CREATE TABLE customers (id int PRIMARY KEY, name varchar(20));
INSERT INTO customers VALUES (1, 'a'), (2, 'b');
CREATE TABLE `Ord ``s.x` (
  id int AUTO_INCREMENT PRIMARY KEY, number int UNIQUE, customer int, CHECK (number > 0),
  KEY by_customer (customer, number),
  CONSTRAINT `to ``) customers` FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE SET NULL ON UPDATE CASCADE
) COMMENT 'it''s; CONSTRAINT `x` FOREIGN KEY';
INSERT INTO `Ord ``s.x` (number, customer) VALUES (10, 1), (20, 2), (30, 1);
CREATE TABLE `lines` (id int PRIMARY KEY, ord int, CONSTRAINT to_orders FOREIGN KEY (ord) REFERENCES `Ord ``s.x` (id));
INSERT INTO `lines` VALUES (1, 1), (2, 3);
CREATE TABLE log (what text);
CREATE VIEW seen AS SELECT number FROM `Ord ``s.x`;
DELIMITER ;;
CREATE TRIGGER `wat``ch` AFTER INSERT ON `Ord ``s.x` FOR EACH ROW BEGIN INSERT INTO log VALUES ('a;'); END;;
CREATE PROCEDURE nothing() BEGIN SELECT 1; END;;
DELIMITER ;
";

/// As the inventory names it.
const ORDERS: &str = "\"Ord `s.x\"";

async fn shop(server: &Server, database: &str) -> Bytes {
    server.create_database(database).await;
    server.sql(database, SHOP).await;
    whole(&server.dump(database)).await
}

fn chosen(tables: &[&str]) -> RestoreOptions {
    plain().with_selection(Selection::Tables(tables.iter().map(|table| (*table).to_owned()).collect()))
}

async fn select(restore: &MysqlRestore, dump: &Bytes, options: &RestoreOptions) -> Result<Selected> {
    restore.select(ByteStream::from(dump.clone()), options).await
}

async fn restore(
    server: &Server,
    target: &str,
    dump: &Bytes,
    options: RestoreOptions,
) -> Result<RestoreOutcome> {
    let restore = server.restore(target);
    let selected = select(&restore, dump, &options).await?;
    restore.restore(ByteStream::from(dump.clone()), options.with_selected(selected)).await
}

/// What defines a table, with its triggers and the sum of its rows.
async fn table(server: &Server, database: &str, table: &str) -> String {
    let triggers = "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS \
                    WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1;";
    let shown = server.sql(database, &format!("SHOW CREATE TABLE {table}; {triggers}")).await;
    let sum = server.sql(database, &format!("CHECKSUM TABLE {table} EXTENDED;")).await;
    format!("{shown}\n{}", sum.rsplit('\t').next().unwrap())
}

#[tokio::test]
async fn chosen_tables_come_back_with_triggers_into_new_and_empty_databases() {
    let server = Server::shared().await;
    let dump = shop(&server, "chosen_source").await;
    server.create_database("chosen_empty").await;
    for target in ["chosen_new", "chosen_empty"] {
        let outcome = restore(&server, target, &dump, chosen(&["customers", ORDERS])).await.unwrap();
        let counted: Vec<_> =
            outcome.inventory.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
        assert_eq!(counted, [(ORDERS, 3), ("customers", 2)]);
        for name in ["customers", "`Ord ``s.x`"] {
            assert_eq!(
                table(&server, target, name).await,
                table(&server, "chosen_source", name).await,
                "{target}"
            );
        }
        assert_eq!(server.sql(target, "SHOW TABLES;").await, "Ord `s.x\ncustomers");
        assert_eq!(server.leftovers(target).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_is_left_behind_is_named() {
    let server = Server::shared().await;
    let dump = shop(&server, "named_source").await;
    let restorer = server.restore("nowhere");
    let one = select(&restorer, &dump, &chosen(&[ORDERS])).await.unwrap();
    assert_eq!(one.objects, ["table `Ord ``s.x`", "trigger `wat``ch` on `Ord ``s.x`"]);
    assert_eq!(
        one.notes,
        [
            "foreign key to `) customers of \"Ord `s.x\" refers to customers, which is not chosen: it is left out unless \
             the target has that table",
            "lines refers to \"Ord `s.x\" (foreign key to_orders), and is not chosen",
        ]
    );
    let err = select(&restorer, &dump, &chosen(&["customer"])).await.unwrap_err();
    assert_eq!((err.kind(), err.suggestions()[0]), (ErrorKind::InvalidInput, "did you mean customers?"));
    // Without what it refers to, the key is gone: rows can be added.
    restore(&server, "alone_new", &dump, chosen(&[ORDERS])).await.unwrap();
    assert!(!table(&server, "alone_new", "`Ord ``s.x`").await.contains("FOREIGN KEY (`customer`)"));
    server
        .sql(
            "alone_new",
            "CREATE TABLE log (what text); INSERT INTO `Ord ``s.x` (number, customer) VALUES (77, 7);",
        )
        .await;
}

#[tokio::test]
async fn missing_tables_come_into_a_database_that_holds_others() {
    let server = Server::shared().await;
    let dump = shop(&server, "beside_source").await;
    server.create_database("beside").await;
    server.sql("beside", SHOP).await;
    server
        .sql("beside", "SET foreign_key_checks = 0; DROP TABLE `Ord ``s.x`; UPDATE customers SET name = 'kept'; DELETE FROM `lines`;")
        .await;
    restore(&server, "beside", &dump, chosen(&[ORDERS])).await.unwrap();
    let orders = table(&server, "beside", "`Ord ``s.x`").await;
    assert_eq!(orders, table(&server, "beside_source", "`Ord ``s.x`").await);
    assert!(
        orders.contains("REFERENCES `customers` (`id`) ON DELETE SET NULL ON UPDATE CASCADE"),
        "{orders}"
    );
    assert_eq!(server.sql("beside", "SELECT DISTINCT name FROM customers;").await, "kept");
    assert_eq!(server.leftovers("beside").await, ["beside_source"; 0]);
    // It refers to the table of this database, and is checked.
    server.sql("beside", "INSERT INTO `lines` VALUES (5, 1);").await;
    let into = "SELECT REFERENCED_TABLE_SCHEMA FROM information_schema.KEY_COLUMN_USAGE
        WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY 1;";
    assert_eq!(server.sql("beside", into).await, "beside\nbeside");
}

#[tokio::test]
async fn tables_that_exist_are_replaced_only_when_told_to_and_put_back_where_that_fails() {
    let server = Server::shared().await;
    let dump = shop(&server, "swap_source").await;
    server.create_database("swap").await;
    server.sql("swap", SHOP).await;
    let before = server.stock_dump("swap");
    server.sql("swap", "UPDATE `Ord ``s.x` SET number = number + 1000; DROP TRIGGER `wat``ch`;").await;
    let changed = server.stock_dump("swap");

    let err = restore(&server, "swap", &dump, chosen(&[ORDERS])).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{err}");
    assert_eq!(server.stock_dump("swap"), changed);

    let replace = chosen(&[ORDERS]).with_on_existing(OnExisting::Replace);
    restore(&server, "swap", &dump, replace.clone()).await.unwrap();
    assert_eq!(server.stock_dump("swap"), before);
    assert_eq!(server.leftovers("swap").await, Vec::<String>::new());

    // A row elsewhere that refers to what the backup does not hold.
    server
        .sql(
            "swap",
            "INSERT INTO `Ord ``s.x` (id, number) VALUES (99, 99); INSERT INTO `lines` VALUES (99, 99);",
        )
        .await;
    let changed = server.stock_dump("swap");
    let err = restore(&server, "swap", &dump, replace.clone()).await.unwrap_err();
    assert!(err.suggestions().contains(&"the target is as it was before"), "{err:?}");
    assert_eq!(server.stock_dump("swap"), changed);
    assert_eq!(server.leftovers("swap").await, Vec::<String>::new());

    // A body that ends in an error.
    let options = replace.clone();
    let restorer = server.restore("swap");
    let selected = select(&restorer, &dump, &options).await.unwrap();
    let broken = futures::stream::iter([
        Ok(dump.clone()),
        Err(backup_core::Error::new(ErrorKind::Corrupt, "digest does not match")),
    ]);
    let err = restorer.restore(ByteStream::new(broken), options.with_selected(selected)).await.unwrap_err();
    assert_eq!(err.message(), "digest does not match");
    assert_eq!(server.stock_dump("swap"), changed);
    assert_eq!(server.leftovers("swap").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pipeline_restores_chosen_tables_and_definitions() {
    let server = Server::shared().await;
    server.create_database("piped_source").await;
    server.sql("piped_source", SHOP).await;
    let pipeline = Pipeline::new(server.dump("piped_source"), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    server.create_database("piped").await;
    server.sql("piped", SHOP).await;
    server.sql("piped", "UPDATE customers SET name = 'changed';").await;
    let request = RestoreRequest::new().tables(["customers"]).replacing();
    let restorer = server.restore("piped");
    let plan = pipeline.plan_restore(&backup, &restorer, &request).await.unwrap();
    assert!(plan.blockers.is_empty() && plan.safety_backup, "{:?}", plan.blockers);
    let report = pipeline.restore(&backup, &restorer, request.confirmed()).await.unwrap();
    assert_eq!((report.tables, report.rows, report.rows_compared), (1, 2, RowComparison::Equal));
    let safety = pipeline.list(&Filter::all().with_kind(Kind::PreRollback)).await.unwrap().entries;
    assert_eq!(safety[0].manifest.backup_ref(), report.safety_backup.unwrap());
    assert_eq!(server.sql("piped", "SELECT GROUP_CONCAT(name ORDER BY id) FROM customers;").await, "a,b");

    let bare = RestoreRequest::new().definitions_only().confirmed();
    let report = pipeline.restore(&backup, &server.restore("piped_bare"), bare).await.unwrap();
    assert_eq!((report.tables, report.rows, report.rows_compared), (4, 0, RowComparison::Equal));
    assert_eq!(server.sql("piped_bare", "SELECT COUNT(*) FROM seen; CALL nothing();").await, "0\n1");
}

#[tokio::test]
async fn a_clone_comes_beside_its_source_under_a_name_that_the_server_takes() {
    let server = Server::shared().await;
    let long = format!("clone ü {}", "x".repeat(56));
    for name in ["clone `source`", long.as_str()] {
        server.create_database(name).await;
        server.sql(name, SHOP).await;
        let pipeline = Pipeline::new(server.dump(name), MemoryStore::new());
        let backup = pipeline.backup(BackupRequest::new()).await.unwrap();
        let clone = backup_core::clone_name(name, backup.manifest.created_at);
        let restorer = server.restore(name).into_database(&clone);
        let request = RestoreRequest::new().confirmed();
        let report = pipeline.restore(&backup.backup, &restorer, request).await.unwrap();
        assert_eq!(report.target.database, clone);
        assert_eq!(server.sql(&clone, "SELECT COUNT(*) FROM customers;").await, "2");
    }
}
