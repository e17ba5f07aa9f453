//! Every step of a backup × every fault of a store or a dumper: a backup exists and is whole, or it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{future::Future, time::Duration};

use backup_core::{
    ErrorKind, Event, Filter, Level, MemoryStore, Pipeline, Prefix, Store,
    pipeline::{BackupRequest, Confirmation},
    testkit::{
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use futures::TryStreamExt;

const CALLS: u64 = 6;

fn database() -> FakeDumper {
    FakeDumper::new("rows ".repeat(40_000)).slow(16 * 1024, Duration::from_millis(1))
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<_> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    // What is left of a lease on purpose, so that its numbers go on.
    keys.retain(|key| !key.starts_with("leases/"));
    keys
}

/// What must hold whatever happened: each listed backup is whole, and nothing else is left after a sweep.
async fn check_invariant(store: &MemoryStore, case: &str) -> usize {
    let pipeline = Pipeline::for_store(store.clone());
    pipeline.sweep(Duration::ZERO).await.unwrap();
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert!(listing.damaged.is_empty(), "{case}: {:?}", listing.damaged);
    for entry in &listing.entries {
        let proof = pipeline.verify(&entry.manifest.backup_ref(), Level::Decoded).await.unwrap();
        assert!(proof.evidence.passed(), "{case}: {:?}", proof.evidence.findings);
    }
    let listed =
        |key: &String| listing.entries.iter().any(|entry| key.contains(&format!("/{}.", entry.manifest.id)));
    let left = keys(store).await;
    assert!(left.iter().all(listed), "{case}: {left:?}");
    listing.entries.len()
}

async fn bounded<T>(case: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.unwrap_or_else(|_| panic!("{case} hangs"))
}

#[tokio::test]
async fn no_fault_of_the_store_makes_a_backup_that_is_not_whole() {
    let ops = [StoreOp::Put, StoreOp::Get, StoreOp::Head, StoreOp::Delete, StoreOp::List, StoreOp::Space];
    let mut failed = 0;
    for op in ops {
        for nth in 1..=CALLS {
            for fault in ["full", "unavailable", "denied", "hang", "lost acknowledgement"] {
                let case = format!("call {nth} of {op:?}: {fault}");
                let store = MemoryStore::new();
                let faulty = FaultyStore::new(store.clone());
                let faulty = match fault {
                    "full" => faulty.fail_on(op, nth, ErrorKind::StorageFull),
                    "unavailable" => faulty.fail_on(op, nth, ErrorKind::Unavailable),
                    "denied" => faulty.fail_on(op, nth, ErrorKind::PermissionDenied),
                    "hang" => faulty.hang(op, nth),
                    _ => faulty.lose_ack(op, nth),
                };
                // Long enough for a busy machine where nothing hangs.
                let limit = Duration::from_millis(if fault == "hang" { 400 } else { 30_000 });
                let pipeline = Pipeline::new(database(), faulty.clone()).with_stall_timeout(limit);
                let result = bounded(&case, pipeline.backup(BackupRequest::new())).await;
                let backups = check_invariant(&store, &case).await;
                match result {
                    Ok(_) => assert_eq!(backups, 1, "{case}: reported, but not there"),
                    Err(err) => {
                        failed += 1;
                        assert_ne!(err.kind(), ErrorKind::Unexpected, "{case}: {err}");
                        // An error may hide a commit whose acknowledgement was lost, and says so then.
                        let unknown = err.suggestions().iter().any(|text| text.contains("unknown"));
                        assert!(backups == 0 || unknown, "{case}: {err}");
                    }
                }
                faulty.heal();
                let pipeline = pipeline.with_stall_timeout(Duration::from_secs(30));
                bounded(&case, pipeline.backup(BackupRequest::new().with_label("next"))).await.unwrap();
                assert!(check_invariant(&store, &case).await >= 1, "{case}: the next run works");
            }
        }
    }
    assert!(failed > 30, "the faults must hit: {failed}");
}

#[tokio::test]
async fn a_dump_that_fails_at_any_byte_leaves_nothing() {
    for at in [0, 1, 16 * 1024, 100_000, 199_999, 200_000] {
        let store = MemoryStore::new();
        let dumper = database().fail_after(at, ErrorKind::ToolFailed);
        let err = Pipeline::new(dumper, store.clone()).backup(BackupRequest::new()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolFailed, "at {at}");
        assert_eq!(keys(&store).await, Vec::<String>::new(), "at {at}, before any sweep");
    }
}

#[tokio::test]
async fn an_empty_dump_is_no_backup() {
    let store = MemoryStore::new();
    let err =
        Pipeline::new(FakeDumper::new(""), store.clone()).backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Incomplete);
    assert_eq!(keys(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_hanging_dump_is_given_up_and_ended() {
    let store = MemoryStore::new();
    let dumper = database().hang_after(50_000);
    let pipeline =
        Pipeline::new(dumper.clone(), store.clone()).with_stall_timeout(Duration::from_millis(300));
    let err = bounded("hang", pipeline.backup(BackupRequest::new())).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Timeout);
    assert_eq!(keys(&store).await, Vec::<String>::new());
    while dumper.running() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_backup_dropped_at_any_moment_leaves_nothing_or_a_whole_one() {
    let (mut nothing, mut whole) = (0, 0);
    for delay in 0..60 {
        let store = MemoryStore::new();
        let dumper = database();
        let pipeline = Pipeline::new(dumper.clone(), store.clone());
        let backup = pipeline.backup(BackupRequest::new());
        let dropped = tokio::time::timeout(Duration::from_millis(delay), backup).await.is_err();
        bounded("settling", pipeline.settle()).await;
        // A commit that was under way goes on by itself: give it the time.
        while dropped && keys(&store).await.iter().any(|key| key.ends_with(".claim.json")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        match check_invariant(&store, &format!("dropped after {delay} ms")).await {
            0 => nothing += 1,
            _ => whole += 1,
        }
        while dumper.running() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(nothing > 0, "{nothing} left nothing, {whole} were whole");
}

#[tokio::test]
async fn a_panicking_observer_leaves_nothing_or_a_whole_backup() {
    for panics_on in ["started", "progress", "committed", "finished"] {
        let store = MemoryStore::new();
        let pipeline = Pipeline::new(database(), store.clone()).with_observer(move |event: &Event<'_>| {
            let name = match event {
                Event::Started { .. } => "started",
                Event::Progress { .. } => "progress",
                Event::Committed { .. } => "committed",
                Event::Finished { .. } => "finished",
                _ => "other",
            };
            assert_ne!(name, panics_on, "on purpose");
        });
        let clone = pipeline.clone();
        let result = tokio::spawn(async move { clone.backup(BackupRequest::new()).await }).await;
        assert!(result.is_err(), "the panic is the caller's");
        bounded("settling", pipeline.settle()).await;
        let backups = check_invariant(&store, panics_on).await;
        assert_eq!(backups, usize::from(matches!(panics_on, "committed" | "finished")), "{panics_on}");
    }
}

#[tokio::test]
async fn a_deletion_cut_off_anywhere_is_completed_by_a_rerun_or_a_sweep() {
    for op in [StoreOp::Put, StoreOp::Delete, StoreOp::List, StoreOp::Get] {
        for nth in 1..=CALLS {
            for lose_ack in [false, true] {
                let case = format!("call {nth} of {op:?} of the deletion, acknowledgement lost: {lose_ack}");
                let store = MemoryStore::new();
                let backup = Pipeline::new(database(), store.clone())
                    .backup(BackupRequest::new())
                    .await
                    .unwrap()
                    .backup;
                let faulty = FaultyStore::new(store.clone());
                let faulty = if lose_ack {
                    faulty.lose_ack(op, nth)
                } else {
                    faulty.fail_on(op, nth, ErrorKind::Unavailable)
                };
                let pipeline = Pipeline::for_store(faulty.clone());
                let result = pipeline.delete(&backup, Confirmation::Confirmed).await;
                faulty.heal();
                let still_there = check_invariant(&store, &case).await;
                if result.is_ok() {
                    assert_eq!(still_there, 0, "{case}");
                }
                match pipeline.delete(&backup, Confirmation::Confirmed).await {
                    Ok(()) => assert_eq!(still_there, 1, "{case}"),
                    Err(err) => assert_eq!((err.kind(), still_there), (ErrorKind::NotFound, 0), "{case}"),
                }
                assert_eq!(keys(&store).await, Vec::<String>::new(), "{case}");
            }
        }
    }
}
