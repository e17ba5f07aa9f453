//! Backups that are restored to prove them.

use backup_core::{
    Assertion, ErrorKind, Level, MemoryStore, Pipeline, Rehearsal,
    pipeline::{BackupRequest, DiffSide, DrillRequest},
    testkit::rehearsal::{EditedRestorer, Fault, each_fault_is_caught},
};
use handler_pgdump::Format;

use crate::server::Server;

/// Two tables that refer to each other, with everything that a dump may lose.
const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, note text DEFAULT 'x');
    CREATE INDEX orders_by_customer ON orders (customer);
    CREATE VIEW busy AS SELECT customer FROM orders GROUP BY customer;
    CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := upper(NEW.note); RETURN NEW; END';
    CREATE TRIGGER shouting BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION shout();
    CREATE TABLE lonely (word text);
    INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 40) i;
    INSERT INTO orders SELECT i, 1 + i % 40, 'note ' || i FROM generate_series(1, 200) i;
    INSERT INTO lonely VALUES ('alone');";

fn without(dump: &str, start: &str, end: &str) -> String {
    let from = dump.find(start).unwrap();
    let to = from + dump[from..].find(end).unwrap() + end.len();
    format!("{}{}", &dump[..from], &dump[to..])
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "a row is missing",
        edit: |dump| dump.replace("77\t38\tnote 77\n", ""),
        caught_at: Level::Restored,
        finding: "public.orders",
    },
    Fault {
        name: "a byte is another",
        edit: |dump| dump.replace("\tnote 77\n", "\tnode 77\n"),
        caught_at: Level::Equal,
        finding: "public.orders",
    },
    Fault {
        name: "two values changed places",
        edit: |dump| {
            dump.replace("\tnote 77\n", "\tnote ?\n")
                .replace("\tnote 78\n", "\tnote 77\n")
                .replace("note ?", "note 78")
        },
        caught_at: Level::Equal,
        finding: "public.orders",
    },
    Fault {
        name: "a table is missing",
        edit: |dump| {
            without(&without(&dump, "CREATE TABLE public.lonely", ");"), "COPY public.lonely", "\n\\.\n")
        },
        caught_at: Level::Restored,
        finding: "public.lonely",
    },
    Fault {
        name: "an index is missing",
        edit: |dump| without(&dump, "CREATE INDEX orders_by_customer", ";"),
        caught_at: Level::Restored,
        finding: "index",
    },
    Fault {
        name: "a trigger is missing",
        edit: |dump| without(&dump, "CREATE TRIGGER shouting", ";"),
        caught_at: Level::Restored,
        finding: "trigger",
    },
    Fault {
        name: "a view is missing",
        edit: |dump| without(&without(&dump, "CREATE VIEW public.busy", ";"), "ALTER TABLE public.busy", ";"),
        caught_at: Level::Restored,
        finding: "view",
    },
    Fault {
        name: "a default is another",
        edit: |dump| dump.replace("DEFAULT 'x'", "DEFAULT 'y'"),
        caught_at: Level::Equal,
        finding: "public.orders",
    },
    Fault {
        name: "a statement fails",
        edit: |dump| dump.replace("CREATE VIEW public.busy", "CREATE VIEW public.busy.y"),
        caught_at: Level::Restored,
        finding: "cannot be restored",
    },
];

#[tokio::test]
async fn each_fault_of_a_restore_is_caught_at_its_level() {
    let server = Server::shared().await;
    server.create("rehearsed");
    server.sql("rehearsed", SHOP);
    each_fault_is_caught(server.dump("rehearsed"), server.restore("rehearsed"), FAULTS).await;
    assert_eq!(server.leftovers("rehearsed"), Vec::<String>::new());
}

#[tokio::test]
async fn assertions_hold_or_are_findings() {
    let server = Server::shared().await;
    server.create("asserted");
    server.sql("asserted", SHOP);
    let pipeline = Pipeline::new(server.dump("asserted"), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let rehearsal = Rehearsal::new(server.restore("asserted"))
        .with_assertion(Assertion::holds("customers", "SELECT count(*) = 40 FROM customers;"))
        .with_assertion(Assertion::between("orders", "SELECT count(*) FROM orders", 1.0, 199.0))
        .with_assertion(Assertion::is("a word", "SELECT word FROM lonely", "alone"))
        .with_assertion(Assertion::holds("nothing", "SELECT NULL"))
        .with_assertion(Assertion::holds("wrong", "SELECT x FROM nowhere"));
    let pipeline = pipeline.with_rehearsal(rehearsal);
    let evidence = pipeline.verify(&backup, Level::Equal).await.unwrap().evidence;
    assert_eq!(evidence.findings.len(), 3, "{:?}", evidence.findings);
    assert!(evidence.findings[0].contains("\"orders\"") && evidence.findings[0].contains("\"200\""));
    assert!(evidence.findings[1].contains("\"nothing\"") && evidence.findings[2].contains("nowhere"));
    assert_eq!(evidence.rehearsed.unwrap().assertions, ["customers", "a word"]);
    let restored = pipeline.verify(&backup, Level::Restored).await.unwrap().evidence;
    assert_eq!(restored.findings.len(), 3, "{:?}", restored.findings);
}

#[tokio::test]
async fn a_custom_archive_shows_what_it_holds_when_it_is_rehearsed() {
    let server = Server::shared().await;
    server.create("archived");
    server.sql("archived", SHOP);
    let pipeline = Pipeline::new(server.dump("archived").format(Format::Custom), MemoryStore::new())
        .with_rehearsal(Rehearsal::new(server.restore("archived")));
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let unproven = pipeline.verify(&backup, Level::Equal).await.unwrap_err();
    assert_eq!(unproven.kind(), ErrorKind::Unsupported);
    let evidence = pipeline.verify(&backup, Level::Restored).await.unwrap().evidence;
    let inventory = evidence.rehearsed.unwrap().inventory.unwrap();
    assert_eq!(inventory.table("public.orders").unwrap().rows, 200);
    assert_eq!((inventory.objects["table"], inventory.objects["index"]), (3, 1));
}

#[tokio::test]
async fn a_level_that_nothing_here_can_reach_is_refused() {
    let server = Server::shared().await;
    server.create("unrehearsed");
    server.sql("unrehearsed", SHOP);
    let pipeline = Pipeline::new(server.dump("unrehearsed"), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let err = pipeline.verify(&backup, Level::Restored).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.suggestions().iter().any(|hint| hint.contains("with_rehearsal")), "{err:?}");
    assert!(pipeline.entry(&backup).await.unwrap().annotations.len() == 1, "nothing is recorded");
}

#[tokio::test]
async fn a_new_backup_can_be_rehearsed_before_it_exists() {
    let server = Server::shared().await;
    server.create("proven");
    server.sql("proven", SHOP);
    let pipeline = Pipeline::new(server.dump("proven"), MemoryStore::new()).with_level(Level::Equal);
    let good = pipeline.clone().with_rehearsal(Rehearsal::new(server.restore("proven")));
    assert_eq!(good.backup(BackupRequest::new()).await.unwrap().evidence.level, Level::Equal);
    let edit =
        |dump: Vec<u8>| String::from_utf8(dump).unwrap().replace("\nalone\n", "\nalong\n").into_bytes();
    let bad = pipeline.with_rehearsal(Rehearsal::new(EditedRestorer::new(server.restore("proven"), edit)));
    assert_eq!(bad.backup(BackupRequest::new()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(bad.list(&backup_core::Filter::all()).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_drill_proves_the_newest_then_the_others_in_turn() {
    let server = Server::shared().await;
    server.create("drilled");
    server.sql("drilled", SHOP);
    let pipeline = Pipeline::new(server.dump("drilled"), MemoryStore::new())
        .with_rehearsal(Rehearsal::new(server.restore("drilled")));
    let mut made = Vec::new();
    for label in ["a", "b", "c"] {
        made.push(pipeline.backup(BackupRequest::new().with_label(label)).await.unwrap().backup);
    }
    let drill = DrillRequest::new(Level::Restored);
    let mut order = Vec::new();
    for _ in 0..4 {
        let report = pipeline.drill(&drill).await.unwrap();
        assert!(report.passed());
        order.push(report.drilled[0].backup.id.to_string().chars().last().unwrap());
    }
    assert_eq!(order, ['c', 'b', 'a', 'c']);
}

#[tokio::test]
async fn a_backup_is_compared_with_another_and_with_the_live_database() {
    let server = Server::shared().await;
    server.create("compared");
    server.sql("compared", SHOP);
    let pipeline = Pipeline::new(server.dump("compared"), MemoryStore::new());
    let old = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let live = DiffSide::database(server.dump("compared"));
    assert!(pipeline.diff(&(&old).into(), &live).await.unwrap().is_empty());

    let change =
        "UPDATE customers SET name = 'x' WHERE id = 3; DELETE FROM orders WHERE id < 11; DROP TABLE lonely;
        CREATE TABLE fresh (a int); ALTER TABLE customers ADD COLUMN age int; DROP INDEX orders_by_customer;";
    server.sql("compared", change);
    let new = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let expected = "~ public.customers: defined in another way, other rows, 40 as before\n+ public.fresh: 0 rows\n\
                    - public.lonely: 1 rows\n~ public.orders: defined in another way, 200 to 190 rows\n\
                    ~ objects of kind index: 1 to 0\n";
    assert_eq!(pipeline.diff(&(&old).into(), &(&new).into()).await.unwrap().to_string(), expected);
    assert_eq!(pipeline.diff(&(&old).into(), &live).await.unwrap().to_string(), expected);
}
