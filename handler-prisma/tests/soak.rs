//! Hundreds of backups and restores with random faults, which leave nothing behind in their process or on the disk.
//!
//! All rounds are run where `BACKUP_TEST_LONG` is set. A failed run prints the seed that `BACKUP_TEST_SEED` repeats.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)] // The figures are what is asked of it.
// The child is what is tested, and its databases are small.
#![allow(clippy::disallowed_methods)]

#[allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses a part of it.
#[path = "fixture/databases.rs"]
mod databases;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use backup_core::{
    BackupRef, ErrorKind, Filter, Level, Pipeline, Prefix, Result, Store,
    pipeline::{BackupRequest, Confirmation, RestoreRequest},
    testkit::faults::{FaultyStore, StoreOp},
};
use databases::{ask, ask_text, make, names};
use futures::TryStreamExt;
use handler_prisma::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;

/// By how many bytes the memory may grow after the first rounds: what the allocator keeps of its arenas. A process that
/// kept the bytes of one database per round would grow by more than that in the short form already.
const MARGIN: u64 = 24 << 20;
/// When a call that hangs on purpose is given up.
const STALL: Duration = Duration::from_millis(200);
const ROWS: &str =
    "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800)
    INSERT INTO t SELECT randomblob(1000) FROM n;";

#[test]
fn backups_and_restores_with_random_faults_leave_nothing_behind() {
    // In memory where that is possible: waiting for a disk is most of the time, and shows nothing here.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let temp = folder.path().join("tmp");
    fs::create_dir(&temp).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_backs_up_and_restores", "--nocapture"])
        .env("CHILD_FOLDER", folder.path())
        .env("TMPDIR", &temp)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(names(&temp), [""; 0], "temporary files stay");
    assert_eq!(names(folder.path()), ["database.sqlite", "store", "target.sqlite", "tmp"]);
}

/// Numbers that a seed repeats: `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What the process has.
#[derive(Debug, Clone, Copy)]
struct Owned {
    memory: u64,
    files: usize,
    threads: usize,
    children: usize,
}

impl Owned {
    fn now() -> Self {
        let count = |path: &str| fs::read_dir(path).unwrap().count();
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let resident: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let children = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
        Self {
            memory: resident * 4096,
            children: children.map(|pids| pids.split_whitespace().count()).sum(),
            files: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
        }
    }
}

/// Where the rounds work, and what came of them.
struct Soak {
    folder: PathBuf,
    store: LocalStore,
    random: Random,
    newest: BackupRef,
    outcomes: BTreeMap<String, u64>,
}

impl Soak {
    async fn new(folder: &Path, seed: u64) -> Self {
        make(&folder.join("database.sqlite"), ROWS);
        make(&folder.join("target.sqlite"), ROWS);
        let store = LocalStore::open(folder.join("store")).await.unwrap();
        let clean = pipeline(folder, store.clone());
        let newest = clean.backup(BackupRequest::new()).await.unwrap().backup;
        Self { folder: folder.to_owned(), store, random: Random(seed), newest, outcomes: BTreeMap::new() }
    }

    /// The store with none, one or two faults ahead.
    fn faulty(&mut self) -> FaultyStore<LocalStore> {
        const OPS: [StoreOp; 6] =
            [StoreOp::Put, StoreOp::Put, StoreOp::Get, StoreOp::Head, StoreOp::Delete, StoreOp::List];
        let kinds = [ErrorKind::Unavailable, ErrorKind::StorageFull, ErrorKind::PermissionDenied];
        let mut store = FaultyStore::new(self.store.clone());
        for _ in 0..self.random.below(5) / 2 {
            let (op, nth) = (self.random.of(&OPS), 1 + self.random.below(4));
            store = match self.random.below(9) {
                0..=2 => store.fail_on(op, nth, self.random.of(&kinds)),
                3 | 4 => store.lose_ack(op, nth),
                5 => store.hang(op, nth),
                6 => store.fail_body_after(self.random.below(1_200_000)),
                7 => store.corrupt_read(self.random.below(900_000)),
                _ => store.truncate_read(self.random.below(900_000)),
            };
        }
        store
    }

    /// Runs `operation`, and drops it at any moment one time in six; the kinds of what comes of it are counted.
    async fn run<T>(&mut self, name: &str, operation: impl Future<Output = Result<T>>) -> Option<T> {
        let dropped = self.random.below(6) == 0;
        let limit = if dropped { self.random.below(120) } else { 60_000 };
        let ended = tokio::time::timeout(Duration::from_millis(limit), operation).await;
        assert!(ended.is_ok() || dropped, "{name} hangs");
        let outcome = match &ended {
            Ok(Ok(_)) => "done".to_owned(),
            Ok(Err(err)) => {
                assert_ne!(err.kind(), ErrorKind::Unexpected, "{err:?}");
                err.kind().code().to_owned()
            }
            Err(_) => "dropped".to_owned(),
        };
        *self.outcomes.entry(format!("{name} {outcome}")).or_default() += 1;
        ended.ok()?.ok()
    }

    async fn round(&mut self) {
        let store = self.faulty();
        let pipeline = pipeline(&self.folder, store).with_stall_timeout(STALL);
        let operation = pipeline.backup(BackupRequest::new());
        if let Some(done) = self.run("backup", operation).await {
            self.newest = done.backup;
        }
        pipeline.settle().await;

        let store = self.faulty();
        let pipeline = self::pipeline(&self.folder, store).with_stall_timeout(STALL);
        let (target, newest) = (SqliteRestore::new(self.folder.join("target.sqlite")), self.newest.clone());
        let operation = pipeline.restore(&newest, &target, RestoreRequest::new().replacing().confirmed());
        self.run("restore", operation).await;
        pipeline.settle().await;

        let target = self.folder.join("target.sqlite");
        assert_eq!(ask_text(&target, "PRAGMA integrity_check"), "ok");
        assert_eq!(ask(&target, "SELECT count(*) FROM t"), 800);
        self.keep_newest().await;
    }

    /// What is listed is whole; all but the newest good backup is then deleted.
    async fn keep_newest(&self) {
        let clean = pipeline(&self.folder, self.store.clone());
        let listing = clean.list(&Filter::all()).await.unwrap();
        assert!(listing.damaged.is_empty(), "{listing:?}");
        for entry in &listing.entries {
            let backup = entry.manifest.backup_ref();
            clean.verify(&backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
            if backup != self.newest {
                clean.delete(&backup, Confirmation::Confirmed).await.unwrap();
            }
        }
        clean.sweep(Duration::ZERO).await.unwrap();
        assert_eq!(clean.orphans().await.unwrap().objects, 0);
    }
}

fn pipeline(folder: &Path, store: impl Store) -> Pipeline {
    Pipeline::new(SqliteDump::new(folder.join("database.sqlite")), store)
}

/// Not a test: the process that is measured.
#[test]
#[ignore = "started by backups_and_restores_with_random_faults_leave_nothing_behind"]
fn child_backs_up_and_restores() {
    let Some(folder) = std::env::var_os("CHILD_FOLDER").map(PathBuf::from) else { return };
    let rounds = if std::env::var_os("BACKUP_TEST_LONG").is_some() { 500 } else { 60 };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = std::env::var("BACKUP_TEST_SEED").map_or(now.as_secs(), |seed| seed.parse().unwrap());
    println!("BACKUP_TEST_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(100))
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(soak(&folder, seed, rounds));
}

async fn soak(folder: &Path, seed: u64, rounds: u64) {
    let mut soak = Soak::new(folder, seed).await;
    let (mut before, mut memory) = (Owned::now(), Vec::new());
    for round in 0..rounds {
        if round == rounds / 4 {
            before = settled(None).await;
        }
        soak.round().await;
        if round % (rounds / 10) == 0 {
            memory.push(Owned::now().memory >> 20);
        }
    }
    let after = settled(Some(before)).await;
    println!(
        "{rounds} rounds: {:?}\nafter a quarter {before:?}\nat the end      {after:?}\nMiB along the way {memory:?}",
        soak.outcomes
    );
    assert!(after.memory < before.memory + MARGIN, "memory grows: {before:?}, {after:?}");
    for name in ["backup done", "restore done"] {
        let done = soak.outcomes.get(name).copied().unwrap_or_default();
        assert!(done > rounds / 6 && done < rounds, "{name}: {done} of {rounds}");
    }
    let objects: Vec<_> = soak.store.list(&Prefix::root()).try_collect().await.unwrap();
    let stray = objects.iter().map(|object| object.key.as_str());
    let stray: Vec<_> = stray.filter(|key| !key.starts_with(&format!("{}.", soak.newest))).collect();
    assert!(stray.iter().all(|key| key.starts_with("leases/")), "{stray:?}");
}

/// What the process has once its idle threads are gone: no more than `before`.
async fn settled(before: Option<Owned>) -> Owned {
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = Owned::now();
        let fits = match before {
            Some(before) => now.files <= before.files && now.threads <= before.threads,
            // This thread and the two of the runtime, and one that reads.
            None => now.threads <= 4,
        };
        if fits && now.children == 0 {
            return now;
        }
    }
    panic!("files, threads, children: before {before:?}, now {:?}", Owned::now());
}
