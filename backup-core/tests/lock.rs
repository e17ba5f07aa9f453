//! Backups that the store itself keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{collections::BTreeMap, time::Duration};

use backup_core::{
    Clock, ErrorKind, Filter, Key, LockMode, MemoryStore, ObjectLock, Pipeline, Prefix, PutMode, PutOptions,
    Retention, Store, StoreExt,
    pipeline::{BackupReport, BackupRequest, Confirmation, SpareReason},
    retention::{Decision, KeepReason, Period},
    store::{MockStore, StoreCapabilities},
    testkit::{clock::ManualClock, fake::FakeDumper, faults::FaultyStore},
};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::TryStreamExt;

const CONFIRMED: Confirmation = Confirmation::Confirmed;

fn setup() -> (MemoryStore, ManualClock, Pipeline) {
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let store = MemoryStore::new().with_clock(clock.clone());
    let pipeline = Pipeline::new(FakeDumper::new("all the rows"), store.clone()).with_clock(clock.clone());
    (store, clock, pipeline)
}

/// One backup a day.
async fn made(pipeline: &Pipeline, clock: &ManualClock, days: usize) -> Vec<BackupReport> {
    let mut reports = Vec::new();
    for _ in 0..days {
        clock.advance(TimeDelta::days(1));
        reports.push(pipeline.backup(BackupRequest::new()).await.unwrap());
    }
    reports
}

async fn objects(store: &MemoryStore) -> BTreeMap<Key, Bytes> {
    let mut found = BTreeMap::new();
    for object in store.list(&Prefix::root()).try_collect::<Vec<_>>().await.unwrap() {
        // What is left of a lease on purpose, so that its numbers go on.
        if object.key.as_str().starts_with("leases/") {
            continue;
        }
        let bytes = store.get_bytes(&object.key, usize::MAX).await.unwrap();
        found.insert(object.key, bytes);
    }
    found
}

fn last_one() -> Retention {
    let mut policy = Retention::new().keep_last_of(Period::Each, 1);
    policy.max_deleted_percent = 100;
    policy
}

#[tokio::test]
async fn a_locked_backup_cannot_be_deleted_by_prune_by_delete_or_at_the_store() {
    let (store, clock, pipeline) = setup();
    let pipeline = pipeline.with_object_lock(LockMode::Compliance, 30).unwrap();
    let reports = made(&pipeline, &clock, 3).await;
    let first = &reports[0];
    let until = first.manifest.created_at + TimeDelta::days(30);
    assert_eq!(first.manifest.lock, Some(ObjectLock::new(LockMode::Compliance, until)));
    assert_eq!(pipeline.entry(&first.backup).await.unwrap().manifest.lock, first.manifest.lock);
    let before = objects(&store).await;

    // The plan keeps what no rule keeps, and says why.
    let plan = pipeline.plan_prune(&last_one(), &Filter::all()).await.unwrap();
    assert_eq!(plan.deletions().count(), 0);
    let oldest = plan.entries.last().unwrap();
    assert_eq!(oldest.decision, Decision::Keep { reasons: vec![KeepReason::Locked { until }] });
    assert!(plan.to_string().contains("locked until 2026-12-21 02:00 UTC"), "{plan}");
    assert!(pipeline.prune(&plan, CONFIRMED).await.unwrap().deleted.is_empty());

    let err = pipeline.delete(&first.backup, CONFIRMED).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err}");
    assert!(err.to_string().contains("locked_until: 2026-12-21T02:00:00"), "{err}");

    let (locked, free): (Vec<_>, Vec<_>) = before.keys().partition(|key| !key.as_str().contains(".notes/"));
    assert_eq!((locked.len(), free.len()), (6, 3), "artifacts and manifests, and a note each");
    for key in locked {
        assert_eq!(store.delete(key).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
        let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
        let put = store.put(key, Bytes::from("x").into(), overwrite).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    assert_eq!(objects(&store).await, before, "something was touched");

    // Once the lock is over, retention does what it says.
    clock.advance(TimeDelta::days(31));
    let plan = pipeline.plan_prune(&last_one(), &Filter::all()).await.unwrap();
    let report = pipeline.prune(&plan, CONFIRMED).await.unwrap();
    assert_eq!((report.deleted.len(), objects(&store).await.len()), (2, 3));
}

#[tokio::test]
async fn a_lock_that_only_the_store_knows_of_spares_a_backup_too() {
    let (store, clock, pipeline) = setup();
    let reports = made(&pipeline, &clock, 2).await;
    let key = &reports[0].manifest.artifact.key;
    let bytes = store.get_bytes(key, usize::MAX).await.unwrap();
    let lock = ObjectLock::new(LockMode::Governance, clock.now() + TimeDelta::days(9));
    let options = PutOptions::default().with_mode(PutMode::Overwrite).with_lock(lock);
    store.put(key, bytes.into(), options).await.unwrap();
    let before = objects(&store).await;

    let plan = pipeline.plan_prune(&last_one(), &Filter::all()).await.unwrap();
    assert_eq!(plan.deletions().count(), 1);
    let report = pipeline.prune(&plan, CONFIRMED).await.unwrap();
    assert_eq!(report.spared[0].reason, SpareReason::Locked);
    assert!(report.warnings[0].contains("locked_until: 2026-12-01"), "{:?}", report.warnings);
    let err = pipeline.delete(&reports[0].backup, CONFIRMED).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
    assert_eq!(objects(&store).await, before, "something was touched");
}

#[tokio::test]
async fn a_store_without_locks_and_a_lock_of_no_days_are_refused_at_the_start() {
    let mut store = MockStore::new();
    store.expect_capabilities().returning(StoreCapabilities::default);
    store.expect_location().returning(|| "file:///backups".to_owned());
    let err = Pipeline::for_store(store).with_object_lock(LockMode::Governance, 30).unwrap_err();
    assert!(err.kind() == ErrorKind::Unsupported && err.to_string().contains("file:///backups"), "{err}");
    for days in [0, u32::MAX] {
        let err = setup().2.with_object_lock(LockMode::Governance, days).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{days}: {err}");
    }
}

#[tokio::test]
async fn what_a_failed_backup_stored_stays_until_its_lock_ends_and_is_swept_then() {
    let (store, clock, _) = setup();
    let faulty = FaultyStore::new(store.clone()).corrupt_read(3);
    let pipeline = Pipeline::new(FakeDumper::new("all the rows"), faulty.clone()).with_clock(clock.clone());
    let pipeline = pipeline.with_object_lock(LockMode::Compliance, 1).unwrap();
    let err = pipeline.backup(BackupRequest::new()).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Corrupt && err.to_string().contains("remains"), "{err}");
    faulty.heal();
    assert!(pipeline.list(&Filter::all()).await.unwrap().entries.is_empty());
    let left = objects(&store).await.len();
    assert_eq!(left, 2, "the artifact and its claim");
    clock.advance(TimeDelta::hours(1));
    let report = pipeline.sweep(Duration::ZERO).await.unwrap();
    // Beside them now, the mark of the sweep.
    assert_eq!((report.removed, report.too_young, objects(&store).await.len()), (0, 1, 3));
    clock.advance(TimeDelta::days(1));
    assert!(report.next_at.is_some_and(|at| at <= clock.now()));
    assert_eq!(pipeline.sweep(Duration::ZERO).await.unwrap().removed, 2);
    assert!(objects(&store).await.is_empty());
}
