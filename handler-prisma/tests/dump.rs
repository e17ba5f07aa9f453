//! What a dump of SQLite promises, with real databases and real writers.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The databases are small, and nothing else runs meanwhile.

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use backup_core::{Dumper, ErrorKind};
use databases::{ask, ask_text, collect, dump_to, make, names};
use futures::StreamExt;
use handler_prisma::{Check, SqliteDump};
use rusqlite::Connection;

/// Moves money between two tables, as fast as it can, until it is dropped.
struct Writer {
    stop: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

const MONEY: i64 = 2_000_000;

impl Writer {
    fn start(path: &Path, journal_mode: &str) -> Self {
        make(
            path,
            &format!(
                "PRAGMA journal_mode = {journal_mode};
                 CREATE TABLE a (id INTEGER PRIMARY KEY, money INTEGER NOT NULL);
                 CREATE TABLE filler (bytes BLOB);
                 CREATE TABLE b (id INTEGER PRIMARY KEY, money INTEGER NOT NULL);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                    INSERT INTO a SELECT i, 1000 FROM n;
                 INSERT INTO b SELECT * FROM a;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
                    INSERT INTO filler SELECT randomblob(100000) FROM n;"
            ),
        );
        let (stop, commits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let connection = Connection::open(path).unwrap();
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&commits));
        let thread = std::thread::spawn(move || {
            connection.busy_timeout(Duration::from_secs(60)).unwrap();
            connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
            let mut n = 0_i64;
            while !stopped.load(Ordering::Relaxed) {
                n += 1;
                let (from, to) = (n * 7919 % 1000 + 1, n * 104_729 % 1000 + 1);
                connection
                    .execute_batch(&format!(
                        "BEGIN IMMEDIATE;
                         UPDATE a SET money = money - {n} WHERE id = {from};
                         UPDATE b SET money = money + {n} WHERE id = {to};
                         COMMIT;"
                    ))
                    .unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, commits, thread: Some(thread) }
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn money_is_kept(journal_mode: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite");
    let writer = Writer::start(&path, journal_mode);
    for round in 0..3 {
        let before = writer.commits();
        let copy = dump_to(&path, folder.path(), &format!("copy{round}.sqlite")).await;
        let sum = "SELECT (SELECT sum(money) FROM a) + (SELECT sum(money) FROM b)";
        assert_eq!(ask(&copy, sum), MONEY);
        assert_eq!(ask_text(&copy, "PRAGMA integrity_check"), "ok");
        // The writer goes on, so that the next dump meets it too.
        while writer.commits() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_dump_is_consistent_and_ends_while_a_writer_never_stops_in_wal_mode() {
    money_is_kept("WAL").await;
}

#[tokio::test]
async fn a_dump_is_consistent_and_ends_while_a_writer_never_stops_in_rollback_journal_mode() {
    money_is_kept("DELETE").await;
}

#[tokio::test]
async fn what_only_the_wal_holds_is_in_the_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(&path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x);");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (1), (2), (3);").unwrap();
    let copy = dump_to(&path, folder.path(), "copy.sqlite").await;
    assert_eq!(ask(&copy, "SELECT count(*) FROM t"), 3);
    assert_eq!(ask_text(&copy, "PRAGMA journal_mode"), "wal");
}

#[tokio::test]
async fn probe_and_dump_leave_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["WAL", "DELETE"] {
        let path = folder.path().join(format!("{mode}.sqlite"));
        make(&path, &format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (x);"));
    }
    let before = names(folder.path());
    for mode in ["WAL", "DELETE"] {
        let path = folder.path().join(format!("{mode}.sqlite"));
        let bytes = std::fs::read(&path).unwrap();
        let probed = SqliteDump::new(&path).probe().await.unwrap();
        assert_eq!(probed.database, mode);
        assert_eq!(probed.size_bytes, Some(bytes.len() as u64));
        drop(SqliteDump::new(&path).dump().await.unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(names(folder.path()), before);
}

#[tokio::test]
async fn every_kind_of_object_is_in_the_dump_and_its_tables_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all kinds ü.sqlite");
    make(
        &path,
        r#"CREATE TABLE plain (id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT, b BLOB, r REAL);
           INSERT INTO plain (t, b, r) VALUES ('grüße 🦀', x'00ff0a', 1.5), (NULL, zeroblob(20000), -0.0);
           CREATE TABLE "odd ""name"" '; DROP TABLE plain; --" ("a b" INT);
           INSERT INTO "odd ""name"" '; DROP TABLE plain; --" VALUES (1), (2), (3);
           CREATE TABLE "таблица" (x); INSERT INTO "таблица" VALUES (1);
           CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO keyed VALUES ('a', 1), ('b', 2);
           CREATE TABLE made (x INT, v INT GENERATED ALWAYS AS (x * 2), s INT AS (x * 3) STORED);
           INSERT INTO made (x) VALUES (1), (2), (3), (4);
           CREATE TABLE checked (x INT NOT NULL CHECK (x > 0)) STRICT; INSERT INTO checked VALUES (1);
           CREATE TABLE empty (x);
           CREATE INDEX part ON plain (t) WHERE t IS NOT NULL; CREATE INDEX expr ON plain (length(b));
           CREATE VIEW seen AS SELECT t FROM plain;
           CREATE TABLE log (x); CREATE TRIGGER logs AFTER INSERT ON plain BEGIN INSERT INTO log VALUES (new.t); END;
           CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('hello world'), ('good bye');
           CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES (1, 0, 1);
           ANALYZE;"#,
    );
    let dump = SqliteDump::new(&path).dump().await.unwrap();
    let inventory = dump.inventory.clone().unwrap();
    let rows = |name: &str| inventory.table(name).map(|table| table.rows);
    assert_eq!(rows("plain"), Some(2));
    assert_eq!(rows("odd \"name\" '; DROP TABLE plain; --"), Some(3));
    assert_eq!(rows("таблица"), Some(1));
    assert_eq!((rows("keyed"), rows("made"), rows("checked")), (Some(2), Some(4), Some(1)));
    assert_eq!((rows("empty"), rows("log")), (Some(0), Some(0)));
    // A virtual table's rows are in its shadow tables; views and SQLite's own tables hold none of the user's.
    assert_eq!((rows("docs"), rows("docs_content"), rows("boxes")), (None, Some(2), None));
    assert_eq!((rows("seen"), rows("sqlite_sequence"), rows("sqlite_stat1")), (None, None, None));
    assert!(inventory.table("plain").unwrap().bytes >= 20_000);

    let copy = folder.path().join("copy.sqlite");
    std::fs::write(&copy, collect(dump.body).await).unwrap();
    assert_eq!(ask(&copy, "SELECT count(*) FROM docs WHERE docs MATCH 'hello'"), 1);
    assert_eq!(ask(&copy, "SELECT sum(v) + sum(s) FROM made"), 50);
    assert_eq!(ask_text(&copy, "SELECT t FROM seen LIMIT 1"), "grüße 🦀");
    make(&copy, "INSERT INTO plain (t) VALUES ('again')");
    assert_eq!(ask_text(&copy, "SELECT x FROM log"), "again");
}

#[tokio::test]
async fn a_database_that_needs_its_application_is_dumped_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(
        &path,
        "CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('a'), ('b');
         CREATE INDEX by_name ON people (name);
         CREATE TABLE dots (x);
         CREATE TABLE by_word (word TEXT PRIMARY KEY) WITHOUT ROWID;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, '(name)', '(name COLLATE app_order)') WHERE name = 'by_name';
         UPDATE sqlite_schema SET sql = replace(sql, '(x)', '(x CHECK (app_function(x)))') WHERE name = 'dots';
         UPDATE sqlite_schema SET sql = replace(sql, 'TEXT', 'TEXT COLLATE app_order') WHERE name = 'by_word';
         INSERT INTO sqlite_schema VALUES ('table', 'virt', 'virt', 0, 'CREATE VIRTUAL TABLE virt USING app_module(x)');",
    );
    let dump = SqliteDump::new(&path).with_check(Check::Full).dump().await.unwrap();
    let inventory = dump.inventory.clone().unwrap();
    assert_eq!(inventory.table("people").map(|table| table.rows), Some(2));
    assert_eq!(inventory.table("dots").map(|table| table.rows), Some(0));
    let size = std::fs::metadata(&path).unwrap().len();
    assert_eq!(collect(dump.body).await.len() as u64, size);
}

#[tokio::test]
async fn rows_that_break_a_constraint_do_not_stop_a_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(
        &path,
        "CREATE TABLE t (x INT, y INT CHECK (y > 0)); INSERT INTO t VALUES (NULL, 1);
         PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (1, -1);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (x INT NOT NULL, y INT CHECK (y > 0))' WHERE name = 't';",
    );
    assert_ne!(ask_text(&path, "PRAGMA quick_check"), "ok");
    let dump = SqliteDump::new(&path).dump().await.unwrap();
    assert_eq!(dump.inventory.unwrap().rows(), 2);
}

#[tokio::test]
async fn a_database_without_tables_is_a_dump_and_an_empty_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bare.sqlite");
    make(&path, "PRAGMA user_version = 7");
    let copy = dump_to(&path, folder.path(), "copy.sqlite").await;
    assert_eq!(ask(&copy, "PRAGMA user_version"), 7);

    let empty = folder.path().join("empty.sqlite");
    std::fs::write(&empty, b"").unwrap();
    let err = SqliteDump::new(&empty).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.to_string().contains("empty.sqlite"), "{err}");
}

async fn refused(path: &Path) -> ErrorKind {
    let probed = SqliteDump::new(path).probe().await.unwrap_err();
    let dumped = SqliteDump::new(path).dump().await.unwrap_err();
    assert_eq!(probed.kind(), dumped.kind());
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(dumped.to_string().contains(&*name), "{dumped}");
    assert!(!dumped.suggestions().is_empty());
    dumped.kind()
}

#[tokio::test]
async fn what_is_not_a_database_is_refused_and_never_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.sqlite");
    assert_eq!(refused(&missing).await, ErrorKind::DatabaseNotFound);
    assert!(!missing.exists());
    assert_eq!(refused(&missing.join("below.sqlite")).await, ErrorKind::DatabaseNotFound);
    assert_eq!(refused(folder.path()).await, ErrorKind::InvalidInput);
    let text = folder.path().join("text.sqlite");
    std::fs::write(&text, "not a database".repeat(1000)).unwrap();
    assert_eq!(refused(&text).await, ErrorKind::InvalidInput);
    assert_eq!(names(folder.path()), ["text.sqlite"]);
}

#[tokio::test]
async fn a_damaged_database_is_no_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(
        &path,
        "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO t SELECT randomblob(1000) FROM n;",
    );
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[100_000..104_096].fill(0xa5);
    std::fs::write(&path, &damaged).unwrap();
    let err = SqliteDump::new(&path).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
    std::fs::write(&path, &whole[..200_000]).unwrap();
    let err = SqliteDump::new(&path).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
    assert_eq!(names(folder.path()), ["app.sqlite"]);
}

#[tokio::test]
async fn a_database_that_stays_locked_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(&path, "CREATE TABLE t (x)");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let dumper = SqliteDump::new(&path).with_lock_timeout(Duration::from_millis(300));
    let err = dumper.dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Timeout, "{err}");
    assert!(err.suggestions()[0].contains("transaction"));
    writer.execute_batch("COMMIT").unwrap();
    dumper.dump().await.unwrap();
}

#[tokio::test]
async fn a_copy_that_takes_too_long_is_a_timeout_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(&path, "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(20000000))");
    let err = SqliteDump::new(&path).with_copy_timeout(Duration::ZERO).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Timeout, "{err}");
    assert_eq!(names(folder.path()), ["app.sqlite"]);
}

#[tokio::test]
async fn a_crashed_writer_is_named_and_the_database_left_to_its_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let (live, path) = (folder.path().join("live.sqlite"), folder.path().join("app.sqlite"));
    hot_journal(&live, &path);
    let err = SqliteDump::new(&path).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
    assert!(err.suggestions()[0].contains("recovers"));
    assert_eq!(ask(&path, "SELECT count(*) FROM t"), 1000);
    SqliteDump::new(&path).dump().await.unwrap();
}

/// Leaves at `path` what a crash in the middle of a transaction leaves.
fn hot_journal(live: &Path, path: &Path) {
    make(
        live,
        "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO t SELECT randomblob(500) FROM n;",
    );
    let writer = Connection::open(live).unwrap();
    writer.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE t SET x = randomblob(500);").unwrap();
    std::fs::copy(live, path).unwrap();
    let suffixed = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
    std::fs::copy(suffixed(live), suffixed(path)).unwrap();
}

#[tokio::test]
async fn a_dropped_dump_stops_soon_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(
        &path,
        "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
         INSERT INTO t SELECT randomblob(100000) FROM n;",
    );
    for wait in [0, 1, 5, 20, 60] {
        let dumper = SqliteDump::new(&path).with_check(Check::Full);
        let _dropped_or_done = tokio::time::timeout(Duration::from_millis(wait), dumper.dump()).await;
    }
    let start = Instant::now();
    while names(folder.path()) != ["app.sqlite"] {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", names(folder.path()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_body_under_way_has_no_file_that_could_be_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(&path, "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(3000000))");
    let mut dump = SqliteDump::new(&path).dump().await.unwrap();
    assert!(dump.body.next().await.unwrap().is_ok());
    assert_eq!(names(folder.path()), ["app.sqlite"]);
}

#[tokio::test]
async fn the_copy_is_made_where_it_is_told_to() {
    let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("app.sqlite");
    make(&path, "CREATE TABLE t (x)");
    let missing = temp.path().join("missing");
    let err = SqliteDump::new(&path).with_temp_dir(&missing).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert!(err.to_string().contains("missing"), "{err}");
    collect(SqliteDump::new(&path).with_temp_dir(temp.path()).dump().await.unwrap().body).await;
    assert!(names(temp.path()).is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_is_followed_to_the_database_and_its_wal() {
    let (folder, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, link) = (folder.path().join("app.sqlite"), links.path().join("link.sqlite"));
    make(&path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (1)").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let dump = SqliteDump::new(&link).dump().await.unwrap();
    assert_eq!(dump.source.database, "app");
    assert_eq!(dump.inventory.unwrap().rows(), 1);
    assert_eq!(names(links.path()), ["link.sqlite"]);
}

#[tokio::test]
async fn a_connection_of_this_process_keeps_its_lock_through_a_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sqlite");
    make(&path, "CREATE TABLE t (x)");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
    SqliteDump::new(&path).dump().await.unwrap();
    assert!(!other_process_can_write(&path), "the dump dropped the application's lock");
    app.execute_batch("COMMIT").unwrap();
    assert!(other_process_can_write(&path));
}

/// POSIX locks do not hold between descriptors of one process, so that another one has to try.
fn other_process_can_write(path: &Path) -> bool {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_writes", "--quiet"])
        .env("CHILD_DATABASE", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
#[ignore = "started by a_connection_of_this_process_keeps_its_lock_through_a_dump"]
fn child_writes() {
    let path = std::env::var_os("CHILD_DATABASE").unwrap();
    Connection::open(path).unwrap().execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
}
