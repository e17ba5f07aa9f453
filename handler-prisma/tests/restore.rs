//! What a restore of SQLite promises.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The databases are small, and nothing else runs meanwhile.

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use backup_core::{ByteStream, Dumper, ErrorKind, Restorer, Scratch, ScratchLike};
use databases::{ask, ask_text, body, dumped, make, names, options, replace};
use handler_prisma::{Check, SqliteDump, SqliteRestore};
use proptest::prelude::*;
use rusqlite::{Connection, config::DbConfig};

const NEW: &str = "CREATE TABLE new (x); INSERT INTO new VALUES (1), (2)";

/// A folder with `new.sqlite`, and its dump.
async fn fixture() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.sqlite");
    make(&path, NEW);
    let bytes = dumped(&path).await;
    fs::remove_file(path).unwrap();
    (folder, bytes)
}

/// Leaves a `-wal` with committed rows beside the database, as a crash does.
fn crash_with_wal(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE old (x); INSERT INTO old VALUES (1), (2), (3);",
        )
        .unwrap();
}

#[tokio::test]
async fn a_dump_is_restored_into_a_new_file_and_counted() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    let restorer = SqliteRestore::new(&target);
    assert!(!restorer.probe().await.unwrap().exists);
    let outcome = restorer.restore(body(&bytes), options()).await.unwrap();
    assert_eq!(outcome.inventory.table("new").unwrap().rows, 2);
    assert!(outcome.warnings.is_empty());
    assert_eq!(fs::read(&target).unwrap(), bytes);
    assert_eq!(names(folder.path()), ["target.sqlite"]);
    let probed = restorer.probe().await.unwrap();
    assert_eq!((probed.exists, probed.tables, probed.database.as_str()), (true, 1, "target"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn an_existing_database_is_refused_or_replaced_as_told() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    make(&target, "CREATE VIEW only_a_view AS SELECT 1");
    let before = fs::read(&target).unwrap();
    let restorer = SqliteRestore::new(&target);
    let err = restorer.restore(body(&bytes), options()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::TargetNotEmpty);
    assert_eq!(fs::read(&target).unwrap(), before);
    restorer.restore(body(&bytes), replace()).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), bytes);
    assert_eq!(names(folder.path()), ["target.sqlite"]);
}

#[tokio::test]
async fn a_file_without_tables_counts_as_empty() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    fs::write(&target, b"").unwrap();
    SqliteRestore::new(&target).restore(body(&bytes), options()).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), bytes);
    fs::remove_file(&target).unwrap();
    make(&target, "PRAGMA user_version = 3");
    SqliteRestore::new(&target).restore(body(&bytes), options()).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), bytes);
}

#[tokio::test]
async fn a_stale_wal_is_never_played_into_the_new_database() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    crash_with_wal(&target);
    assert!(fs::metadata(folder.path().join("target.sqlite-wal")).unwrap().len() > 0);
    SqliteRestore::new(&target).restore(body(&bytes), replace()).await.unwrap();
    assert_eq!(names(folder.path()), ["target.sqlite"]);
    assert_eq!(ask(&target, "SELECT count(*) FROM sqlite_schema WHERE name = 'old'"), 0);
    assert_eq!(ask(&target, "SELECT count(*) FROM new"), 2);
}

#[tokio::test]
async fn a_wal_without_its_database_is_refused_and_removed_only_when_told() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    crash_with_wal(&target);
    fs::remove_file(&target).unwrap();
    let restorer = SqliteRestore::new(&target);
    let err = restorer.restore(body(&bytes), options()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{err}");
    restorer.restore(body(&bytes), replace()).await.unwrap();
    assert_eq!(ask(&target, "SELECT count(*) FROM new"), 2);
    assert_eq!(ask_text(&target, "PRAGMA integrity_check"), "ok");
}

#[tokio::test]
async fn a_database_in_use_is_not_replaced() {
    let (folder, bytes) = fixture().await;
    for mode in ["WAL", "DELETE"] {
        let target = folder.path().join(format!("{mode}.sqlite"));
        make(&target, &format!("PRAGMA journal_mode = {mode}; CREATE TABLE old (x)"));
        let app = Connection::open(&target).unwrap();
        // In WAL mode an open connection is enough; in the other it is idle without a transaction.
        let sql = if mode == "WAL" { "SELECT * FROM old" } else { "BEGIN; SELECT * FROM old" };
        app.execute_batch(sql).unwrap();
        app.query_row("SELECT count(*) FROM old", [], |_| Ok(())).unwrap();
        let restorer = SqliteRestore::new(&target).with_lock_timeout(Duration::from_millis(200));
        let err = restorer.restore(body(&bytes), replace()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Timeout, "{mode}: {err}");
        assert!(err.suggestions().iter().any(|text| text.contains("stop the application")));
        app.execute_batch("INSERT INTO old VALUES (1)").unwrap();
        drop(app);
        restorer.restore(body(&bytes), replace()).await.unwrap();
        assert_eq!(fs::read(&target).unwrap(), bytes);
    }
    assert_eq!(names(folder.path()), ["DELETE.sqlite", "WAL.sqlite"]);
}

#[tokio::test]
async fn an_idle_connection_cannot_write_into_the_replaced_file() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    make(&target, "CREATE TABLE old (x)");
    let idle = Connection::open(&target).unwrap();
    idle.query_row("SELECT count(*) FROM old", [], |_| Ok(())).unwrap();
    SqliteRestore::new(&target).restore(body(&bytes), replace()).await.unwrap();
    if cfg!(unix) {
        idle.execute_batch("INSERT INTO old VALUES (1)").unwrap_err();
    }
    drop(idle);
    assert_eq!(fs::read(&target).unwrap(), bytes);
    assert_eq!(names(folder.path()), ["target.sqlite"]);
}

#[tokio::test]
async fn what_is_no_whole_database_changes_nothing() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    crash_with_wal(&target);
    let restorer = SqliteRestore::new(&target);
    let mut longer = bytes.clone();
    longer.push(0);
    let mut damaged = bytes.clone();
    let page = damaged.len() - 4096;
    damaged[page..page + 8].fill(0xa5);
    let cases: [(&[u8], ErrorKind); 7] = [
        (b"", ErrorKind::Incomplete),
        (&bytes[..99], ErrorKind::Incomplete),
        (&bytes[..4096], ErrorKind::Incomplete),
        (&bytes[..bytes.len() - 1], ErrorKind::Incomplete),
        (&longer, ErrorKind::Corrupt),
        (b"PGDMP is not it, however long it may be", ErrorKind::Corrupt),
        (&damaged, ErrorKind::Corrupt),
    ];
    for (bad, kind) in cases {
        let err = restorer.restore(body(bad), replace()).await.unwrap_err();
        assert_eq!(err.kind(), kind, "{err}");
    }
    // Reading a database whose writer crashed makes its -shm again.
    assert_eq!(names(folder.path()), ["target.sqlite", "target.sqlite-shm", "target.sqlite-wal"]);
    assert_eq!(ask(&target, "SELECT count(*) FROM old"), 3);
}

#[tokio::test]
async fn a_dropped_restore_leaves_the_old_database_and_nothing_else() {
    let (folder, _) = fixture().await;
    let target = folder.path().join("target.sqlite");
    make(&target, "CREATE TABLE old (x)");
    let restorer = SqliteRestore::new(&target);
    let restore = restorer.restore(ByteStream::new(futures::stream::pending()), replace());
    assert!(tokio::time::timeout(Duration::from_millis(200), restore).await.is_err());
    assert_eq!(names(folder.path()), ["target.sqlite"]);
    assert_eq!(ask(&target, "SELECT count(*) FROM old"), 0);
}

#[tokio::test]
async fn a_target_that_cannot_be_read_is_never_overwritten() {
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    let text = "somebody's only copy ".repeat(500);
    fs::write(&target, &text).unwrap();
    let restorer = SqliteRestore::new(&target);
    let err = restorer.restore(body(&bytes), replace()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.suggestions().iter().any(|advice| advice.contains("move the file")), "{err}");
    assert_eq!(fs::read_to_string(&target).unwrap(), text);
    for bad in [folder.path().to_owned(), folder.path().join("no folder").join("x.sqlite")] {
        SqliteRestore::new(&bad).restore(body(&bytes), replace()).await.unwrap_err();
    }
    assert_eq!(names(folder.path()), ["target.sqlite"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_keeps_pointing_and_its_database_is_replaced() {
    let (folder, bytes) = fixture().await;
    let links = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target.sqlite"), links.path().join("link.sqlite"));
    make(&target, "CREATE TABLE old (x)");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    SqliteRestore::new(&link).restore(body(&bytes), replace()).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), bytes);
    assert_eq!(fs::read_link(&link).unwrap(), target);

    fs::remove_file(&target).unwrap();
    let err = SqliteRestore::new(&link).restore(body(&bytes), replace()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err}");
    assert!(!target.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn mode_and_owner_of_a_replaced_file_stay() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (folder, bytes) = fixture().await;
    let target = folder.path().join("target.sqlite");
    make(&target, "CREATE TABLE old (x)");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&target).unwrap();
    SqliteRestore::new(&target).restore(body(&bytes), replace()).await.unwrap();
    let after = fs::metadata(&target).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino());
}

#[tokio::test]
async fn a_hot_journal_is_never_rolled_back_into_the_new_database() {
    let (folder, bytes) = fixture().await;
    let (live, target) = (folder.path().join("live.sqlite"), folder.path().join("target.sqlite"));
    make(
        &live,
        "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO t SELECT randomblob(500) FROM n;",
    );
    let writer = Connection::open(&live).unwrap();
    writer.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE t SET x = randomblob(500);").unwrap();
    fs::copy(&live, &target).unwrap();
    fs::copy(folder.path().join("live.sqlite-journal"), folder.path().join("target.sqlite-journal")).unwrap();
    // It cannot be read as it is, so that nobody can say whether it is empty.
    let restorer = SqliteRestore::new(&target);
    let err = restorer.restore(body(&bytes), options()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
    restorer.restore(body(&bytes), replace()).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), bytes);
}

#[tokio::test]
async fn a_scratch_is_counted_and_gone_afterwards() {
    let (folder, bytes) = fixture().await;
    let restorer = SqliteRestore::new(folder.path().join("target.sqlite"));
    let scratch = restorer.scratch(&ScratchLike::anything()).await.unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    assert!(scratch.inventory().await.unwrap().tables.is_empty());
    scratch.restorer().restore(body(&bytes), options()).await.unwrap();
    assert_eq!(scratch.inventory().await.unwrap().rows(), 2);
    scratch.close().await.unwrap();
    assert!(names(folder.path()).is_empty());

    let elsewhere = tempfile::tempdir().unwrap();
    let scratch: Box<dyn Scratch> =
        restorer.with_scratch_dir(elsewhere.path()).scratch(&ScratchLike::anything()).await.unwrap();
    scratch.restorer().restore(body(&bytes), options()).await.unwrap();
    assert_eq!((names(folder.path()).len(), names(elsewhere.path()).len()), (0, 1));
    drop(scratch);
    assert!(names(elsewhere.path()).is_empty());
}

#[derive(Debug, Clone)]
enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Null),
        any::<i64>().prop_map(Cell::Int),
        (-1e300..1e300_f64).prop_map(Cell::Real),
        any::<String>().prop_map(Cell::Text),
        proptest::collection::vec(any::<u8>(), 0..6000).prop_map(Cell::Blob),
    ]
}

fn tables() -> impl Strategy<Value = Vec<(String, Vec<[Cell; 2]>)>> {
    let row = [cell(), cell()];
    let name = "[a-zA-Z\"' ;ü-]{1,12}";
    proptest::collection::btree_map(name, proptest::collection::vec(row, 0..12), 0..5).prop_map(|tables| {
        tables.into_iter().enumerate().map(|(n, (name, rows))| (format!("{name}{n}"), rows)).collect()
    })
}

fn content(path: &Path, tables: &[(String, Vec<[Cell; 2]>)]) -> String {
    let connection = Connection::open(path).unwrap();
    let mut all = String::new();
    for (name, _) in tables {
        let sql = format!("SELECT rowid, a, b FROM \"{}\" ORDER BY rowid", name.replace('"', "\"\""));
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            writeln!(all, "{name} {:?} {:?}", row.get_ref(1).unwrap(), row.get_ref(2).unwrap()).unwrap();
        }
    }
    all
}

fn fill(path: &Path, mode: &str, page_size: u32, tables: &[(String, Vec<[Cell; 2]>)]) {
    use rusqlite::types::Value;
    make(
        path,
        &format!("PRAGMA page_size = {page_size}; PRAGMA journal_mode = {mode}; PRAGMA user_version = 1"),
    );
    let mut connection = Connection::open(path).unwrap();
    let transaction = connection.transaction().unwrap();
    for (name, rows) in tables {
        let quoted = name.replace('"', "\"\"");
        transaction.execute_batch(&format!("CREATE TABLE \"{quoted}\" (a, b UNIQUE)")).unwrap();
        for row in rows {
            let values = row.clone().map(|cell| match cell {
                Cell::Null => Value::Null,
                Cell::Int(n) => Value::Integer(n),
                Cell::Real(n) => Value::Real(n),
                Cell::Text(text) => Value::Text(text),
                Cell::Blob(bytes) => Value::Blob(bytes),
            });
            transaction
                .execute(&format!("INSERT OR IGNORE INTO \"{quoted}\" VALUES (?, ?)"), values)
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn any_tables_come_back_equal(
        tables in tables(),
        mode in prop_oneof![Just("WAL"), Just("DELETE")],
        page_size in prop_oneof![Just(512_u32), Just(4096), Just(65_536)],
        cut in 1_usize..5000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("a.sqlite"), folder.path().join("b.sqlite"));
        fill(&path, mode, page_size, &tables);
        runtime.block_on(async {
            let dump = SqliteDump::new(&path).dump().await.unwrap();
            let expected = dump.inventory.clone().unwrap();
            let bytes = databases::collect(dump.body).await;
            let chunks: Vec<_> = bytes.chunks(cut).map(|chunk| Ok(bytes::Bytes::copy_from_slice(chunk))).collect();
            let body = ByteStream::new(futures::stream::iter(chunks));
            let restorer = SqliteRestore::new(&target).with_check(Check::Quick);
            let outcome = restorer.restore(body, options()).await.unwrap();
            assert_eq!(outcome.inventory, expected);
            assert_eq!(expected.tables.len(), tables.len());
        });
        prop_assert_eq!(content(&path, &tables), content(&target, &tables));
    }
}
