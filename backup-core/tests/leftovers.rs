//! What is said of what should not be there, or not any more: orphans, young leftovers, halves of deletions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use backup_core::{
    BackupRef, Clock, ErrorKind, Key, Level, MemoryStore, Pipeline, Prefix, Store, StoreExt, SystemClock,
    pipeline::{BackupRequest, Confirmation},
    testkit::{
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use futures::TryStreamExt;

fn pipeline(store: &MemoryStore) -> Pipeline {
    Pipeline::new(FakeDumper::new("all the rows"), store.clone()).with_environment("production")
}

async fn made(store: &MemoryStore) -> BackupRef {
    pipeline(store).backup(BackupRequest::new()).await.unwrap().backup
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<_> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    // What is left of a lease on purpose, so that its numbers go on.
    keys.retain(|key| !key.starts_with("leases/"));
    keys
}

#[tokio::test]
async fn objects_whose_manifest_is_gone_are_named_and_never_swept() {
    let store = MemoryStore::new();
    let (whole, orphan) = (made(&store).await, made(&store).await);
    store.put_bytes(&key("production/fake/notes.txt"), "somebody's own").await.unwrap();
    store.put_bytes(&key("elsewhere.txt"), "somebody's own").await.unwrap();
    assert_eq!(pipeline(&store).orphans().await.unwrap().objects, 0);

    store.delete(&key(&format!("{orphan}.manifest.json"))).await.unwrap();
    let before = keys(&store).await;
    let found = pipeline(&store).orphans().await.unwrap();
    // The artifact and the note of the backup's own read-back.
    assert_eq!((found.objects, found.keys.len()), (2, 2), "{found:?}");
    assert!(found.keys.iter().all(|key| key.as_str().starts_with(&format!("{orphan}."))), "{found:?}");
    assert!(found.bytes > 0);
    pipeline(&store).sweep(Duration::ZERO).await.unwrap();
    assert_eq!(keys(&store).await, before);
    let err = pipeline(&store).verify(&orphan, Level::Digest).await.unwrap_err();
    assert!(err.suggestions()[0].contains("manifest is gone"), "{err:?}");
    pipeline(&store).verify(&whole, Level::Decoded).await.unwrap().ensure_passed().unwrap();
}

#[tokio::test]
async fn what_a_claim_explains_is_no_orphan_and_a_sweep_says_when_it_is_old_enough() {
    let store = MemoryStore::new();
    // The removal of what it stored fails too, as it does in a process that is killed.
    let faulty = FaultyStore::new(store.clone());
    let faulty = (1..=20)
        .fold(faulty, |faulty, nth| faulty.fail_on(StoreOp::Delete, nth, ErrorKind::PermissionDenied));
    let failing = FakeDumper::new("all the rows").fail_after(12, ErrorKind::ToolFailed);
    let err = Pipeline::new(failing, faulty).backup(BackupRequest::new()).await.unwrap_err();
    assert!(err.to_string().contains("left for the sweep"), "{err}");
    let left = keys(&store).await;
    assert!(left.iter().any(|key| key.ends_with(".claim.json")), "{left:?}");

    assert_eq!(pipeline(&store).orphans().await.unwrap().objects, 0, "{left:?}");
    let grace = Duration::from_secs(3600);
    let report = pipeline(&store).sweep(grace).await.unwrap();
    assert_eq!((report.removed, report.too_young), (0, 1));
    let wait = report.next_at.unwrap() - SystemClock.now();
    assert!(wait > chrono::TimeDelta::minutes(50) && wait <= chrono::TimeDelta::minutes(60), "{wait}");
    let report = pipeline(&store).sweep(Duration::ZERO).await.unwrap();
    assert_eq!((report.removed, report.too_young, report.next_at), (1, 0, None));
}

#[tokio::test]
async fn whoever_loses_a_race_of_deletions_is_told_of_the_deletion() {
    let store = MemoryStore::new();
    let backup = made(&store).await;
    let faulty = FaultyStore::new(store.clone());
    // Mark, manifest, note, and then no more.
    let faulty = (2..=20)
        .fold(faulty, |faulty, nth| faulty.fail_on(StoreOp::Delete, nth, ErrorKind::PermissionDenied));
    Pipeline::for_store(faulty).delete(&backup, Confirmation::Confirmed).await.unwrap_err();
    assert!(!keys(&store).await.contains(&format!("{backup}.manifest.json")));

    let err = pipeline(&store).delete(&backup, Confirmation::Confirmed).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert!(err.message().contains("being deleted"), "{err}");
    pipeline(&store).sweep(Duration::ZERO).await.unwrap();
    assert_eq!(keys(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_error_names_its_backup_once_there_is_one() {
    let store = MemoryStore::new();
    let failing = FakeDumper::new("all the rows").fail_after(3, ErrorKind::ToolFailed);
    let err = Pipeline::new(failing, store).with_environment("production").backup(BackupRequest::new()).await;
    let err = err.unwrap_err();
    let named: Vec<_> = err.context().filter(|(key, _)| *key == "backup").collect();
    assert!(named.len() == 1 && named[0].1.starts_with("production/fake/backup-"), "{err}");

    let none = FakeDumper::new("").fail_probe(ErrorKind::ConnectionFailed);
    let err = Pipeline::new(none, MemoryStore::new()).backup(BackupRequest::new()).await.unwrap_err();
    assert!(err.context().all(|(key, _)| key != "backup"), "{err}");
}

#[tokio::test]
async fn an_environment_that_cannot_be_one_is_named_with_advice() {
    for environment in [String::new(), "x".repeat(300), "ü".repeat(100)] {
        let pipeline = pipeline(&MemoryStore::new()).with_environment(environment.clone());
        let err = pipeline.backup(BackupRequest::new()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
        assert!(err.message().contains("environment") && err.to_string().len() < 400, "{err}");
        assert!(err.suggestions().iter().all(|text| text.contains("production")), "{err:?}");
    }
}

#[tokio::test]
async fn a_damaged_manifest_comes_with_the_way_to_get_rid_of_it() {
    let store = MemoryStore::new();
    let backup = made(&store).await;
    let manifest = key(&format!("{backup}.manifest.json"));
    store.delete(&manifest).await.unwrap();
    store.put_bytes(&manifest, "{").await.unwrap();
    let err = pipeline(&store).delete(&backup, Confirmation::Confirmed).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    let advice = err.suggestions().join("\n");
    assert!(advice.contains(manifest.as_str()) && advice.contains("remove the objects"), "{advice}");
}
