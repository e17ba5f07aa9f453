//! Backups that are restored to prove them.

use backup_core::{
    Assertion, Level, MemoryStore, Pipeline, Rehearsal,
    pipeline::{BackupRequest, DiffSide},
    testkit::rehearsal::{Fault, each_fault_is_caught},
};

use crate::server::{Server, quoted};

/// Two tables that refer to each other, with everything that a dump may lose.
const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, name varchar(50) NOT NULL, photo varbinary(20));
    CREATE TABLE orders (id int PRIMARY KEY, customer int, note varchar(30) DEFAULT 'x', KEY orders_by_note (note),
        KEY orders_by_customer (customer), CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id));
    CREATE VIEW busy AS SELECT customer FROM orders GROUP BY customer;
    CREATE TRIGGER shouting BEFORE UPDATE ON orders FOR EACH ROW SET NEW.note = upper(NEW.note);
    CREATE PROCEDURE busiest() SELECT customer FROM orders LIMIT 1;
    CREATE TABLE lonely (word varchar(20));
    INSERT INTO customers WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 40)
        SELECT i, CONCAT('customer ''', i), UNHEX('00275C0A') FROM n;
    INSERT INTO orders WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        SELECT i, 1 + i % 40, CONCAT('note ', i) FROM n;
    INSERT INTO lonely VALUES ('alone');";

fn without(dump: &str, start: &str, end: &str) -> String {
    let from = dump.find(start).unwrap();
    let to = from + dump[from..].find(end).unwrap() + end.len();
    format!("{}{}", &dump[..from], &dump[to..])
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "a row is missing",
        edit: |dump| without(&dump, "(77,38,'note 77'),", "78"),
        caught_at: Level::Restored,
        finding: "cannot be restored",
    },
    Fault {
        name: "another row is missing",
        edit: |dump| dump.replace("(77,38,'note 77'),\n", "").replace("(77,38,'note 77'),", ""),
        caught_at: Level::Restored,
        finding: "table orders has 199 rows",
    },
    Fault {
        name: "a byte is another",
        edit: |dump| dump.replace("'note 77'", "'node 77'"),
        caught_at: Level::Equal,
        finding: "table orders",
    },
    Fault {
        name: "two values changed places",
        edit: |dump| {
            let kept = dump.replace("'note 77'", "'note ?'").replace("'note 78'", "'note 77'");
            kept.replace("'note ?'", "'note 78'")
        },
        caught_at: Level::Equal,
        finding: "table orders",
    },
    Fault {
        name: "a table is missing",
        edit: |dump| without(&dump, "-- Table structure for table `lonely`", "UNLOCK TABLES;"),
        caught_at: Level::Restored,
        finding: "lonely",
    },
    Fault {
        name: "an index is missing",
        edit: |dump| without(&dump, "KEY `orders_by_note`", ","),
        caught_at: Level::Restored,
        finding: "index",
    },
    Fault {
        name: "a trigger is missing",
        edit: |dump| without(&dump, "DELIMITER ;;", "DELIMITER ;\n"),
        caught_at: Level::Restored,
        finding: "trigger",
    },
    Fault {
        name: "a procedure is missing",
        edit: |dump| {
            let (before, routines) = dump.split_at(dump.find("-- Dumping routines").unwrap());
            format!("{before}{}", without(routines, "DELIMITER ;;", "DELIMITER ;\n"))
        },
        caught_at: Level::Restored,
        finding: "procedure",
    },
    Fault {
        name: "a default is another",
        edit: |dump| dump.replace("DEFAULT 'x'", "DEFAULT 'y'"),
        caught_at: Level::Equal,
        finding: "table orders",
    },
];

async fn shop(server: &Server, name: &str) {
    server.sql("", &format!("CREATE DATABASE {}", quoted(name))).await;
    server.sql(name, SHOP).await;
}

#[tokio::test]
async fn each_fault_of_a_restore_is_caught_at_its_level() {
    let server = Server::shared().await;
    shop(&server, "rehearsed").await;
    each_fault_is_caught(server.dump("rehearsed"), server.restore("rehearsed"), FAULTS).await;
    assert_eq!(server.sql("", "SHOW DATABASES LIKE 'rehearsed\\_%'").await, "");
}

#[tokio::test]
async fn assertions_hold_or_are_findings() {
    let server = Server::shared().await;
    shop(&server, "asserted").await;
    let rehearsal = Rehearsal::new(server.restore("asserted"))
        .with_assertion(Assertion::holds("customers", "SELECT count(*) = 40 FROM customers;"))
        .with_assertion(Assertion::between("orders", "SELECT count(*) FROM orders", 1.0, 199.0))
        .with_assertion(Assertion::is("a word", "SELECT word FROM lonely", "alone"))
        .with_assertion(Assertion::holds("nothing", "SELECT NULL"))
        .with_assertion(Assertion::holds("wrong", "SELECT x FROM nowhere"));
    let pipeline = Pipeline::new(server.dump("asserted"), MemoryStore::new()).with_rehearsal(rehearsal);
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let evidence = pipeline.verify(&backup, Level::Equal).await.unwrap().evidence;
    assert_eq!(evidence.findings.len(), 3, "{:?}", evidence.findings);
    assert!(evidence.findings[0].contains("\"orders\"") && evidence.findings[0].contains("\"200\""));
    assert!(evidence.findings[1].contains("\"nothing\"") && evidence.findings[2].contains("nowhere"));
    assert_eq!(evidence.rehearsed.unwrap().assertions, ["customers", "a word"]);
}

#[tokio::test]
async fn a_backup_is_compared_with_another_and_with_the_live_database() {
    let server = Server::shared().await;
    shop(&server, "compared").await;
    let pipeline = Pipeline::new(server.dump("compared"), MemoryStore::new());
    let old = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let live = DiffSide::database(server.dump("compared"));
    assert!(pipeline.diff(&(&old).into(), &live).await.unwrap().is_empty());

    let change =
        "UPDATE customers SET name = 'x' WHERE id = 3; DELETE FROM orders WHERE id < 11; DROP TABLE lonely;
        CREATE TABLE fresh (a int); DROP INDEX orders_by_note ON orders;";
    server.sql("compared", change).await;
    let new = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let expected = "~ customers: other rows, 40 as before\n+ fresh: 0 rows\n- lonely: 1 rows\n\
                    ~ orders: defined in another way, 200 to 190 rows\n~ objects of kind index: 2 to 1\n";
    let shown = pipeline.diff(&(&old).into(), &(&new).into()).await.unwrap().to_string();
    assert!(shown.starts_with(expected.split("~ objects").next().unwrap()), "{shown}");
    assert!(shown.contains("~ objects of kind index"), "{shown}");
    assert_eq!(pipeline.diff(&(&old).into(), &live).await.unwrap().to_string(), shown);
}
