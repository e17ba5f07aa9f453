//! Calls that are dropped wherever they wait, and runtimes that end in the middle of a backup.
// A test may block, and its files are small.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs)]
#![allow(clippy::case_sensitive_file_extension_comparisons)] // The store itself made the names.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use backup_core::{
    ByteStream, ErrorKind, Filter, GetOptions, Key, Level, Pipeline, Prefix, PutMode, PutOptions, Result,
    Store, StoreExt,
    pipeline::BackupRequest,
    testkit::{clock::ManualClock, fake::FakeDumper, faults::polled},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use storage_local::LocalStore;

#[path = "dropped/files.rs"]
mod files;

use files::files;

const OLD: &[u8] = b"the old object";

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// What is stored: more than the writer takes at once.
fn new() -> Bytes {
    Bytes::from((0..400_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>())
}

/// Many chunks, each of which lets itself be waited for.
fn body() -> ByteStream {
    let new = new();
    let chunks = (0..new.len()).step_by(40_000).map(move |at| new.slice(at..new.len().min(at + 40_000)));
    ByteStream::new(futures::stream::iter(chunks).then(|chunk| async move {
        tokio::task::yield_now().await;
        Ok(chunk)
    }))
}

/// A call of a store, by its name.
async fn call(name: &str, store: &LocalStore) -> Result<()> {
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    match name {
        "create" => store.put(&key("a/new"), body(), PutOptions::default()).await.map(drop),
        "overwrite" => store.put(&key("a/old"), body(), overwrite).await.map(drop),
        "get" => {
            store.get(&key("a/old"), GetOptions::default()).await?.body.try_for_each(async |_| Ok(())).await
        }
        "head" => store.head(&key("a/old")).await.map(drop),
        "delete" => store.delete(&key("a/old")).await,
        "list" => store.list(&Prefix::root()).try_for_each(async |_| Ok(())).await,
        "space" => store.space().await.map(drop),
        "sweep" => store.sweep(Duration::ZERO).await.map(drop),
        "open" => LocalStore::open(store.path().join("open/below")).await.map(drop),
        "open_existing" => LocalStore::open_existing(store.path()).await.map(drop),
        "open_read_only" => LocalStore::open_read_only(store.path()).await.map(drop),
        _ => unreachable!("{name}"),
    }
}

/// Waits until the thread of a dropped call came to its end: no unfinished file is left, without any sweep.
async fn settled(root: &Path) -> Vec<String> {
    let started = Instant::now();
    loop {
        let files = files(root);
        if !files.iter().any(|file| file.ends_with(".part")) {
            return files;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "an unfinished file stays: {files:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Calls that are dropped after each number of polls, until one of them ends before.
async fn dropped_anywhere(name: &str) {
    for most in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let store = LocalStore::open(&root).await.unwrap();
        store.put_bytes(&key("a/old"), OLD).await.unwrap();
        let (ended, _) = polled(most, call(name, &store)).await;
        let case = format!("{name}, dropped after {most} polls");
        for file in settled(&root).await {
            // What a key leads to is whole, whichever it is.
            let bytes = fs::read(root.join(&file));
            let is_gone = bytes.as_ref().is_err_and(|_| name == "delete");
            let is_whole = bytes.is_ok_and(|bytes| match file.as_str() {
                "a/old" => bytes == OLD || name == "overwrite" && bytes == new(),
                "a/new" => bytes == new() && name == "create",
                _ => false,
            });
            assert!(is_gone || is_whole, "{case}: {file}");
        }
        // The same once more, in another process, and nothing is in its way.
        let other = LocalStore::open(&root).await.unwrap();
        if let Err(err) = call(name, &other).await {
            assert_eq!((name, err.kind()), ("create", ErrorKind::AlreadyExists), "{case}: {err:?}");
        }
        let mut wanted = vec!["a/old".to_owned()];
        match name {
            "create" => wanted.insert(0, "a/new".to_owned()),
            "delete" => wanted.clear(),
            _ => {}
        }
        assert_eq!(settled(&root).await, wanted, "{case}");
        if let Some(ended) = ended {
            ended.unwrap();
            let least = if matches!(name, "create" | "overwrite") { 5 } else { 1 };
            assert!(most >= least, "{name} waits but {most} times");
            return;
        }
    }
}

#[tokio::test]
async fn any_call_dropped_anywhere_shows_nothing_in_part_and_hinders_no_other() {
    let names = "create overwrite get head delete list space sweep open open_existing open_read_only";
    for name in names.split(' ') {
        dropped_anywhere(name).await;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_runtime_that_ends_in_mid_backup_leaves_a_whole_backup_or_nothing() {
    let (mut nothing, mut whole) = (0, 0);
    for round in 0..24_u64 {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let backup = {
            let runtime = runtime();
            let store = runtime.block_on(LocalStore::open(&root)).unwrap();
            let dumper = FakeDumper::new(new()).slow(40_000, Duration::from_millis(3));
            let pipeline = Pipeline::new(dumper, store);
            let backup = runtime.spawn(async move { pipeline.backup(BackupRequest::new()).await });
            std::thread::sleep(Duration::from_millis(round * 5));
            runtime.shutdown_timeout(Duration::from_secs(20));
            // It ended well before, or was cancelled.
            self::runtime().block_on(backup).is_ok_and(|done| done.is_ok())
        };
        runtime().block_on(async {
            let store = LocalStore::open(&root).await.unwrap();
            let dumper = FakeDumper::new(new());
            let pipeline = Pipeline::new(dumper, store.clone());
            let listing = pipeline.list(&Filter::all()).await.unwrap();
            assert!(listing.damaged.is_empty(), "{listing:?}");
            for entry in &listing.entries {
                let backup = entry.manifest.backup_ref();
                pipeline.verify(&backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
            }
            match listing.entries.len() {
                0 => nothing += 1,
                1 => whole += 1,
                more => panic!("{more} backups of one"),
            }
            assert!(!backup || listing.entries.len() == 1, "round {round}: reported, and not there");
            // Every claim is old by then.
            let later = pipeline.clone().with_clock(ManualClock::at("2126-01-01T00:00:00Z"));
            later.sweep(Duration::ZERO).await.unwrap();
            let left = files(&root);
            let of_backup = |file: &&String| {
                let backups = listing.entries.iter().map(|entry| entry.manifest.backup_ref());
                !file.starts_with("leases/")
                    && !backups.into_iter().any(|backup| file.starts_with(&format!("{backup}.")))
            };
            assert_eq!(left.iter().find(of_backup), None, "round {round}");
            let next = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
            pipeline.verify(&next, Level::Decoded).await.unwrap().ensure_passed().unwrap();
        });
    }
    assert!(nothing > 1, "{nothing} left nothing, {whole} were whole");
}
