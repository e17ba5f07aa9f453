//! What an inventory of a database tells, and what makes no difference to it.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The databases are small, and nothing else runs meanwhile.

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::path::Path;

use backup_core::{Contents, Dumper, Inventory, Restorer, ScratchLike};
use databases::{body, dumped, make, options};
use handler_prisma::{SqliteDump, SqliteRestore};

const SCHEMA: &str = "
    CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE children (parent REFERENCES parents (id), note, twice AS (note || note) STORED, thrice AS (note || 1));
    CREATE TABLE pairs (a TEXT, b BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
    CREATE INDEX by_note ON children (note);
    CREATE TRIGGER copies AFTER INSERT ON pairs BEGIN DELETE FROM children WHERE note = NEW.a; END;
    CREATE VIEW named AS SELECT name FROM parents;";

const ROWS: [&str; 4] = [
    "INSERT INTO parents VALUES (1, 'a'), (3, NULL), (2, 'é')",
    "INSERT INTO children (parent, note) VALUES (1, 1), (1, 1.5), (2, x'00ff'), (NULL, NULL), (3, '1')",
    "INSERT INTO children (parent, note) VALUES (1, 1)",
    "INSERT INTO pairs VALUES ('x', x''), ('', x'01')",
];

/// The inventory of a database with these statements, made in this order.
async fn inventory(statements: &[&str]) -> Inventory {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sqlite");
    make(&path, &format!("PRAGMA foreign_keys = OFF;\n{}", statements.join(";\n")));
    inventory_of(&path).await
}

async fn inventory_of(path: &Path) -> Inventory {
    SqliteDump::new(path).with_checksums().dump().await.unwrap().inventory.unwrap()
}

fn sums(inventory: &Inventory) -> Vec<String> {
    inventory.tables.iter().map(|table| table.checksum.clone().unwrap()).collect()
}

#[tokio::test]
async fn the_order_of_rows_and_statements_makes_no_difference() {
    let [one, two, three, four] = ROWS;
    let first = inventory(&[SCHEMA, one, two, three, four]).await;
    let objects: Vec<_> = first.objects.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(objects, [("index", 1), ("table", 3), ("trigger", 1), ("view", 1)]);
    assert!(first.tables.iter().all(|table| table.definition.as_ref().is_some_and(|hex| hex.len() == 32)));
    assert!(sums(&first).iter().all(|sum| sum.strip_prefix("sqlite:").is_some_and(|hex| hex.len() == 32)));

    let mut reversed: Vec<&str> = SCHEMA.split_inclusive(";\n").collect();
    reversed.reverse();
    let (trigger_last, rest): (Vec<&str>, Vec<&str>) =
        reversed.into_iter().partition(|line| !line.trim_start().starts_with("CREATE TABLE"));
    let again = inventory(&[&rest.concat(), &trigger_last.concat(), four, three, two, one, "VACUUM"]).await;
    assert_eq!(sums(&again), sums(&first));
    assert_eq!(first.differences(&again), Vec::<String>::new());
    assert_eq!(first.definition_differences(&again), Vec::<String>::new());
}

#[tokio::test]
async fn every_change_of_a_value_or_a_definition_makes_a_difference() {
    let [one, two, three, four] = ROWS;
    let base = inventory(&[SCHEMA, one, two, three, four]).await;
    for (change, table) in [
        ("UPDATE children SET note = '1' WHERE typeof(note) = 'integer' AND rowid = 1", "children"),
        ("UPDATE children SET note = 1.0 WHERE typeof(note) = 'integer' AND rowid = 1", "children"),
        ("UPDATE children SET note = '' WHERE note IS NULL", "children"),
        ("UPDATE children SET note = CAST(note AS TEXT) WHERE typeof(note) = 'blob'", "children"),
        ("UPDATE children SET parent = 3 - parent WHERE parent IN (1, 2)", "children"),
        ("UPDATE children SET (parent, note) = (3, '1') WHERE rowid = 6", "children"),
        ("UPDATE parents SET id = id + 10", "parents"),
        ("UPDATE pairs SET a = 'y' WHERE a = 'x'", "pairs"),
    ] {
        let changed = inventory(&[SCHEMA, one, two, three, four, change]).await;
        let expected = format!("table {table} has other rows than expected");
        assert_eq!(base.differences(&changed), [expected], "{change}");
        assert_eq!(base.definition_differences(&changed), Vec::<String>::new());
    }
    for (change, table) in [
        ("ALTER TABLE parents ADD COLUMN more", "parents"),
        ("DROP INDEX by_note; CREATE INDEX by_note ON children (note DESC)", "children"),
        ("DROP TRIGGER copies; CREATE TRIGGER copies AFTER INSERT ON pairs BEGIN SELECT 1; END", "pairs"),
    ] {
        let changed = inventory(&[SCHEMA, one, two, three, four, change]).await;
        let expected = format!("table {table} is defined in another way");
        assert_eq!(base.definition_differences(&changed), [expected], "{change}");
    }
}

#[tokio::test]
async fn a_rehearsal_sees_what_the_dump_saw_and_names_rows_that_refer_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sqlite");
    make(
        &path,
        &["PRAGMA foreign_keys = OFF", SCHEMA, ROWS[0], ROWS[1], ROWS[3], "DELETE FROM parents WHERE id = 1"]
            .join(";\n"),
    );
    let source = inventory_of(&path).await;
    assert!(SqliteDump::new(&path).dump().await.unwrap().inventory.unwrap().tables[0].checksum.is_none());

    let restorer = SqliteRestore::new(folder.path().join("none.sqlite"));
    let scratch = restorer.scratch(&ScratchLike::anything()).await.unwrap();
    let outcome = scratch.restorer().restore(body(&dumped(&path).await), options()).await.unwrap();
    assert_eq!(outcome.warnings, ["2 rows of children refer to rows of parents that are not there"]);
    let seen = scratch.dumper(Contents::All).unwrap().dump().await.unwrap().inventory.unwrap();
    assert_eq!(seen, source);
    scratch.close().await.unwrap();
}
