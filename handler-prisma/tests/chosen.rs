//! Chosen tables come back as they were, and nothing else changes.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The databases are small, and nothing else runs meanwhile.

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::{fs, path::Path};

use backup_core::{
    ErrorKind, Filter, Kind, MemoryStore, OnExisting, Pipeline, RestoreOptions, RestoreOutcome, Restorer,
    Result, Selection,
    pipeline::{BackupRequest, RestoreRequest, RowComparison},
};
use databases::{ask, ask_text, body, dumped, make, names, options};
use handler_prisma::{SqliteDump, SqliteRestore};

const SHOP: &str = r#"
PRAGMA user_version = 7;
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO customers VALUES (1, 'a'), (2, 'b');
CREATE TABLE "Ord ""s.x" (
  id INTEGER PRIMARY KEY AUTOINCREMENT, "select" INT UNIQUE, twice INT GENERATED ALWAYS AS ("select" * 2) STORED,
  customer INT REFERENCES customers (id), CHECK ("select" > 0)
);
INSERT INTO "Ord ""s.x" ("select", customer) VALUES (1, 1), (2, 2), (3, 1);
DELETE FROM "Ord ""s.x" WHERE id = 3;
CREATE INDEX "by;customer" ON "Ord ""s.x" (customer) WHERE customer > 0;
CREATE TABLE log (what TEXT, rowid TEXT);
CREATE TRIGGER "wat;ch" AFTER INSERT ON "Ord ""s.x" BEGIN INSERT INTO log VALUES ('x', 'y'); END;
CREATE TABLE lines (id INT, ord INT REFERENCES "Ord ""s.x" (id));
INSERT INTO lines (rowid, id, ord) VALUES (5, 1, 1), (77, 2, 2);
CREATE TABLE pairs (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT;
INSERT INTO pairs VALUES ('x', 1);
CREATE VIEW seen AS SELECT name FROM customers;
"#;

const ORDERS: &str = "Ord \"s.x";

async fn shop(folder: &Path) -> Vec<u8> {
    let path = folder.join("source");
    make(&path, SHOP);
    let bytes = dumped(&path).await;
    fs::remove_file(path).unwrap();
    bytes
}

fn chosen(tables: &[&str]) -> RestoreOptions {
    options().with_selection(Selection::Tables(tables.iter().map(|table| (*table).to_owned()).collect()))
}

async fn restore(target: &Path, dump: &[u8], options: RestoreOptions) -> Result<RestoreOutcome> {
    let restorer = SqliteRestore::new(target);
    let selected = restorer.select(body(dump), &options).await?;
    restorer.restore(body(dump), options.with_selected(selected)).await
}

/// Everything that a database defines, and the rows of its tables.
fn whole(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut all = String::new();
    let mut schema =
        connection.prepare("SELECT name, type, coalesce(sql, '') FROM sqlite_schema ORDER BY 1").unwrap();
    let rows = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for (name, kind, sql) in rows.map(|row: rusqlite::Result<(String, String, String)>| row.unwrap()) {
        all.push_str(&format!("{kind} {name}: {sql}\n"));
        if kind == "table" {
            let mut rows =
                connection.prepare(&format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""))).unwrap();
            let width = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..width {
                    all.push_str(&format!("{:?} ", row.get_ref(column).unwrap()));
                }
                all.push('\n');
            }
        }
    }
    all
}

#[tokio::test]
async fn chosen_tables_come_back_with_indexes_and_triggers_into_new_and_empty_databases() {
    let folder = tempfile::tempdir().unwrap();
    let dump = shop(folder.path()).await;
    let source = folder.path().join("whole");
    fs::write(&source, &dump).unwrap();
    for name in ["new", "empty"] {
        let target = folder.path().join(name);
        if name == "empty" {
            make(&target, "PRAGMA user_version = 1");
        }
        let outcome = restore(&target, &dump, chosen(&[ORDERS, "lines", "pairs", "log"])).await.unwrap();
        let counted: Vec<_> =
            outcome.inventory.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
        assert_eq!(counted, [(ORDERS, 2), ("lines", 2), ("log", 0), ("pairs", 1)]);
        let expected: Vec<_> = whole(&source)
            .lines()
            .filter(|line| !line.contains("customers (id INTEGER") && !line.contains("view seen"))
            .filter(|line| {
                !line.starts_with("Integer(1) Text([97])") && !line.starts_with("Integer(2) Text([98])")
            })
            .map(str::to_owned)
            .collect();
        assert_eq!(whole(&target).lines().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(ask(&target, "SELECT group_concat(rowid) = '5,77' FROM lines"), 1);
        assert_eq!(ask(&target, "SELECT seq FROM sqlite_sequence"), 3, "numbers are not given again");
    }
    assert_eq!(names(folder.path()), ["empty", "new", "whole"]);
}

#[tokio::test]
async fn what_is_left_behind_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let dump = shop(folder.path()).await;
    let target = folder.path().join("target");
    make(&target, "CREATE VIEW lines AS SELECT 1; CREATE TABLE \"ORD \"\"S.X\" (a)");
    let restorer = SqliteRestore::new(&target);
    let selected = restorer.select(body(&dump), &chosen(&[ORDERS])).await.unwrap();
    assert_eq!(selected.objects, ["table Ord \"s.x", "index by;customer", "trigger wat;ch"]);
    assert_eq!(
        selected.notes,
        [
            "Ord \"s.x refers to customers, which is not chosen: without that table in the target its rows refer to nothing",
            "lines refers to Ord \"s.x, and is not chosen",
        ]
    );
    assert_eq!((selected.existing.as_slice(), selected.obstacles.len()), (&["ORD \"S.X".to_owned()][..], 0));
    let lines = restorer.select(body(&dump), &chosen(&["lines"])).await.unwrap();
    assert_eq!(lines.obstacles, ["view lines has the name of a chosen table"]);
    let err = restorer.select(body(&dump), &chosen(&["Lines"])).await.unwrap_err();
    assert_eq!((err.kind(), err.suggestions()[0]), (ErrorKind::InvalidInput, "did you mean lines?"));
    assert_eq!(names(folder.path()), ["target"]);
}

#[tokio::test]
async fn tables_come_beside_others_and_replace_only_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let dump = shop(folder.path()).await;
    let target = folder.path().join("target");
    make(&target, SHOP);
    make(&target, "PRAGMA journal_mode = WAL; DROP TABLE pairs; UPDATE customers SET name = 'kept'");
    restore(&target, &dump, chosen(&["pairs"])).await.unwrap();
    assert_eq!(
        ask_text(&target, "SELECT a || (SELECT group_concat(DISTINCT name) FROM customers) FROM pairs"),
        "xkept"
    );

    let before = whole(&target);
    let err = restore(&target, &dump, chosen(&["pairs", "customers"])).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{err}");
    assert_eq!(whole(&target), before);

    make(&target, "PRAGMA foreign_keys = OFF; DELETE FROM customers; DELETE FROM \"Ord \"\"s.x\"");
    let replace = chosen(&[ORDERS]).with_on_existing(OnExisting::Replace);
    let outcome = restore(&target, &dump, replace).await.unwrap();
    assert_eq!(outcome.warnings, ["2 rows of Ord \"s.x refer to rows that customers does not hold"]);
    assert_eq!(ask(&target, "SELECT count(*) FROM \"Ord \"\"s.x\""), 2);
    assert_eq!(ask(&target, "SELECT count(*) FROM log"), 0, "no trigger ran");

    // An index of the dump has a name that the target uses otherwise: nothing changes.
    make(&target, "DROP INDEX \"by;customer\"; CREATE INDEX \"by;customer\" ON customers (name)");
    let before = whole(&target);
    let replace = chosen(&["lines", ORDERS]).with_on_existing(OnExisting::Replace);
    let err = restore(&target, &dump, replace).await.unwrap_err();
    assert!(err.to_string().contains("already exists"), "{err}");
    assert_eq!(whole(&target), before);
}

#[tokio::test]
async fn definitions_come_without_rows() {
    let folder = tempfile::tempdir().unwrap();
    let dump = shop(folder.path()).await;
    let target = folder.path().join("target");
    let outcome = restore(&target, &dump, options().with_selection(Selection::Definitions)).await.unwrap();
    assert_eq!((outcome.inventory.tables.len(), outcome.inventory.rows()), (5, 0));
    assert_eq!(ask(&target, "SELECT count(*) FROM sqlite_schema WHERE type IN ('view', 'trigger')"), 2);
    assert_eq!(ask(&target, "PRAGMA user_version"), 7);
    assert_eq!(names(folder.path()), ["target"]);
}

#[tokio::test]
async fn a_pipeline_replaces_chosen_tables_after_a_safety_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    make(&source, SHOP);
    make(&target, SHOP);
    make(&target, "UPDATE customers SET name = 'changed'");
    let pipeline = Pipeline::new(SqliteDump::new(&source), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let restorer = SqliteRestore::new(&target);
    let request = RestoreRequest::new().tables(["customers"]);
    let plan = pipeline.plan_restore(&backup, &restorer, &request).await.unwrap();
    assert_eq!(plan.blockers[0].kind(), ErrorKind::TargetNotEmpty, "{:?}", plan.blockers);
    let report = pipeline.restore(&backup, &restorer, request.replacing().confirmed()).await.unwrap();
    assert_eq!((report.tables, report.rows, report.rows_compared), (1, 2, RowComparison::Equal));
    let safety = pipeline.list(&Filter::all().with_kind(Kind::PreRollback)).await.unwrap().entries;
    assert_eq!(safety[0].manifest.backup_ref(), report.safety_backup.unwrap());
    assert_eq!(ask_text(&target, "SELECT group_concat(name) FROM customers"), "a,b");
}
