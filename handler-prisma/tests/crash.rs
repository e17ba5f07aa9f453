//! What is left when the process is killed or may not do something, tried in processes of their own.
#![cfg(all(feature = "sqlite", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// The children are what is tested, and the tests that wait for them are not asynchronous.
#![allow(clippy::disallowed_methods)]

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use backup_core::{Dumper, ErrorKind, Restorer};
use databases::{ask, ask_text, body, collect, dumped, make, names, options, replace};
use handler_prisma::{SqliteDump, SqliteRestore};
use rusqlite::{Connection, config::DbConfig};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn child(test: &str, folder: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]).env("CHILD_FOLDER", folder);
    command
}

fn child_folder() -> PathBuf {
    std::env::var_os("CHILD_FOLDER").expect("started by another test only").into()
}

const ROWS: &str =
    "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
    INSERT INTO t SELECT randomblob(1000) FROM n;";

#[test]
#[ignore = "started by a_killed_restore_leaves_the_old_database_or_the_new_one"]
fn child_restores_for_ever() {
    let folder = child_folder();
    let target = SqliteRestore::new(folder.join("target.sqlite"));
    runtime().block_on(async {
        let dumps = [dumped(&folder.join("a.sqlite")).await, dumped(&folder.join("b.sqlite")).await];
        loop {
            for dump in &dumps {
                target.restore(body(dump), replace()).await.unwrap();
            }
        }
    });
}

/// Adds a row that stays in the `-wal`, or in a `-journal` that is kept, as a crash of the application leaves it.
fn crash_after_write(target: &std::path::Path) {
    let connection = Connection::open(target).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; UPDATE t SET x = randomblob(900);").unwrap();
}

#[test]
fn a_killed_restore_leaves_the_old_database_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target.sqlite");
    make(
        &folder.path().join("a.sqlite"),
        &format!("{ROWS} PRAGMA user_version = 1; PRAGMA journal_mode = WAL;"),
    );
    make(
        &folder.path().join("b.sqlite"),
        &format!("PRAGMA page_size = 1024; {ROWS} PRAGMA user_version = 2;"),
    );
    fs::copy(folder.path().join("a.sqlite"), &target).unwrap();
    for round in 0..25_u64 {
        crash_after_write(&target);
        let mut child = child("child_restores_for_ever", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed at any point of a restore, once it has done one, two or three.
        for _ in 0..=round % 3 {
            let inode = fs::metadata(&target).unwrap().ino();
            let start = Instant::now();
            while fs::metadata(&target).unwrap().ino() == inode {
                assert!(start.elapsed() < Duration::from_secs(120), "the child does not restore");
                assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            }
        }
        std::thread::sleep(Duration::from_micros(round * 7919 % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ask_text(&target, "PRAGMA integrity_check"), "ok", "round {round}");
        assert_eq!(ask(&target, "SELECT count(*) FROM t"), 300);
        let page_size = match ask(&target, "PRAGMA user_version") {
            1 => 4096,
            2 => 1024,
            other => panic!("neither the old nor the new database: {other}"),
        };
        assert_eq!(ask(&target, "PRAGMA page_size"), page_size);
    }
    runtime().block_on(async {
        let dump = dumped(&folder.path().join("a.sqlite")).await;
        SqliteRestore::new(&target).restore(body(&dump), replace()).await.unwrap();
    });
    assert_eq!(names(folder.path()), ["a.sqlite", "b.sqlite", "target.sqlite"]);
}

#[test]
#[ignore = "started by what_a_killed_dump_leaves_is_removed_by_the_next"]
fn child_dumps_for_ever() {
    let folder = child_folder();
    runtime().block_on(async {
        loop {
            SqliteDump::new(folder.join("big.sqlite")).dump().await.unwrap();
        }
    });
}

#[test]
fn what_a_killed_dump_leaves_is_removed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.sqlite");
    make(&path, "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(50000000))");
    let mut child = child("child_dumps_for_ever", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    // Killed as soon as it is seen at work; a dump that is alive is left alone by the others.
    while names(folder.path()).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "the child does not dump");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    runtime().block_on(async {
        let (one, two) = tokio::join!(async { SqliteDump::new(&path).dump().await.unwrap() }, async {
            SqliteDump::new(&path).dump().await.unwrap()
        });
        assert_eq!(collect(one.body).await.len(), collect(two.body).await.len());
    });
    assert_eq!(names(folder.path()), ["big.sqlite"]);
}

#[test]
#[ignore = "started by what_may_not_be_read_or_written_is_said_so, as a user who is not root"]
fn child_without_rights() {
    let folder = child_folder();
    let denied = |err: backup_core::Error| {
        assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err}");
        assert!(!err.suggestions().is_empty(), "{err}");
    };
    runtime().block_on(async {
        denied(SqliteDump::new(folder.join("secret.sqlite")).dump().await.unwrap_err());
        // A database in rollback-journal mode needs no write permission to be read, only a place for the copy.
        let readable = SqliteDump::new(folder.join("readable.sqlite"));
        denied(readable.dump().await.unwrap_err());
        let dump = readable.with_temp_dir(folder.join("tmp")).dump().await.unwrap();
        assert_eq!(dump.inventory.unwrap().rows(), 300);
        // One in WAL mode does, for its -shm.
        denied(
            SqliteDump::new(folder.join("wal.sqlite"))
                .with_temp_dir(folder.join("tmp"))
                .dump()
                .await
                .unwrap_err(),
        );
        let dump = SqliteDump::new(folder.join("tmp/own.sqlite"));
        make(&folder.join("tmp/own.sqlite"), ROWS);
        let bytes = collect(dump.dump().await.unwrap().body).await;
        denied(
            SqliteRestore::new(folder.join("target.sqlite"))
                .restore(body(&bytes), options())
                .await
                .unwrap_err(),
        );
        denied(
            SqliteRestore::new(folder.join("readable.sqlite"))
                .restore(body(&bytes), replace())
                .await
                .unwrap_err(),
        );
    });
}

#[test]
fn what_may_not_be_read_or_written_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, mode) in [("secret.sqlite", 0o000), ("readable.sqlite", 0o444), ("wal.sqlite", 0o444)] {
        make(&path(name), ROWS);
        if name == "wal.sqlite" {
            make(&path(name), "PRAGMA journal_mode = WAL");
        }
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(path("tmp")).unwrap();
    fs::set_permissions(path("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut child = child("child_without_rights", folder.path());
    if is_root(folder.path()) {
        child.uid(65_534).gid(65_534);
    }
    let output = child.output().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Root may write into any folder.
fn is_root(read_only: &std::path::Path) -> bool {
    let probe = read_only.join("probe");
    fs::write(&probe, b"").is_ok() && fs::remove_file(probe).is_ok()
}
