//! Backups into several stores at once.

use std::time::Duration;

use backup_core::{
    Annotation, Catalog, ErrorKind, Filter, JsonCatalog, Level, Manifest, MemoryStore, Note, Pipeline,
    PutMode, PutOptions, Retention, Store,
    health::Fact,
    pipeline::{BackupReport, BackupRequest, Confirmation},
    retention::Period,
    store::{CopyPolicy, CopyTo, FanOut},
    testkit::{
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use bytes::Bytes;

use super::names;

type Faulty = FaultyStore<MemoryStore>;

pub(crate) fn stores() -> [Faulty; 2] {
    std::array::from_fn(|_| FaultyStore::new(MemoryStore::new()))
}

pub(crate) fn both(policy: CopyPolicy, stores: &[Faulty; 2]) -> FanOut {
    let copies =
        stores.iter().map(|store| CopyTo::new(store.clone()).with_stall_timeout(Duration::from_secs(5)));
    FanOut::new(policy, copies.collect()).unwrap()
}

fn database() -> FakeDumper {
    // What does not compress.
    let mut state = 1_u64;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    });
    FakeDumper::new(bytes.take(300_000).collect::<Vec<_>>())
}

pub(crate) async fn back_up(policy: CopyPolicy, stores: &[Faulty; 2]) -> backup_core::Result<BackupReport> {
    Pipeline::new(database(), both(policy, stores)).backup(BackupRequest::new()).await
}

pub(crate) async fn is_whole(store: &Faulty, report: &BackupReport) {
    let alone = Pipeline::for_store(store.inner().clone());
    alone.verify(&report.backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    assert_eq!(alone.entry(&report.backup).await.unwrap().manifest, report.manifest);
}

/// The store fails every call of everything from now on.
fn down(store: Faulty) -> Faulty {
    use StoreOp::{Delete, Get, Head, List, Put, Sweep};
    [Put, Get, Head, Delete, List, Sweep].into_iter().fold(store, |store, op| {
        let made = store.calls(op);
        (1..60).fold(store, |store, nth| store.fail_on(op, made + nth, ErrorKind::Unavailable))
    })
}

#[tokio::test]
async fn a_backup_into_two_stores_is_whole_in_each() {
    let stores = stores();
    let report = back_up(CopyPolicy::All, &stores).await.unwrap();
    assert_eq!(report.warnings, [""; 0]);
    let locations: Vec<_> = report.manifest.copies.iter().map(|copy| copy.location.as_str()).collect();
    assert_eq!(locations, ["memory:", "memory: (2)"]);
    assert!(report.copies.iter().all(|copy| copy.error.is_none()));
    for store in &stores {
        is_whole(store, &report).await;
        assert!(
            names(store.inner()).await.iter().all(|name| !name.contains("claim")),
            "nothing else is left"
        );
    }
    let read = Manifest::from_json(&report.manifest.to_json().unwrap()).unwrap();
    assert_eq!(read, report.manifest);
}

#[tokio::test]
async fn a_copy_that_fails_in_the_middle_leaves_no_manifest_there_and_the_report_says_so() {
    let [a, b] = stores();
    let stores = [a, b.fail_body_after(100_000)];
    let report = back_up(CopyPolicy::Primary, &stores).await.unwrap();
    is_whole(&stores[0], &report).await;
    assert_eq!(report.manifest.copies[1].error.as_deref(), Some("unavailable"));
    assert_eq!(report.copies, report.manifest.copies);
    assert!(report.warnings.iter().any(|text| text.contains("memory: (2)") && text.contains("sync")));
    let left = names(stores[1].inner()).await;
    assert!(left.iter().all(|name| !name.contains("manifest") && !name.contains(".zst")), "{left:?}");
    // In a pipeline over both it is listed and restored as any other.
    let pipeline = Pipeline::for_store(both(CopyPolicy::Primary, &stores));
    assert_eq!(pipeline.list(&Filter::all()).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_manifest_that_one_store_refuses_is_a_warning() {
    let [a, b] = stores();
    // Claim, dump, claim, manifest.
    let stores = [a, b.fail_on(StoreOp::Put, 4, ErrorKind::StorageFull)];
    let report = back_up(CopyPolicy::Primary, &stores).await.unwrap();
    assert!(report.manifest.copies.iter().all(|copy| copy.error.is_none()));
    assert_eq!(report.copies[1].error.as_deref(), Some("insufficient_disk_space"));
    assert!(
        report.warnings.iter().any(|text| text.contains("copy of the manifest")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn a_policy_that_is_missed_leaves_no_backup_in_any_store() {
    let [a, b] = stores();
    let stores = [a, b.fail_body_after(100_000)];
    let err = back_up(CopyPolicy::All, &stores).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);
    for store in &stores {
        assert_eq!(names(store.inner()).await, [""; 0]);
    }
}

#[tokio::test]
async fn backups_and_restores_go_on_while_a_store_that_can_be_spared_is_down() {
    let [a, b] = stores();
    let stores = [a, down(b)];
    let report = back_up(CopyPolicy::Primary, &stores).await.unwrap();
    is_whole(&stores[0], &report).await;
    let pipeline = Pipeline::for_store(both(CopyPolicy::Primary, &stores));
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert_eq!((listing.entries.len(), listing.unreachable.len()), (1, 1));
    pipeline.verify(&report.backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    backup_core::catalog::find(&**pipeline.catalog(), report.backup.id.as_str()).await.unwrap();
}

#[tokio::test]
async fn the_second_store_is_read_while_the_first_is_down() {
    let [a, b] = stores();
    let report = back_up(CopyPolicy::All, &[a.clone(), b.clone()]).await.unwrap();
    let pipeline = Pipeline::for_store(both(CopyPolicy::All, &[down(a), b]));
    assert_eq!(pipeline.list(&Filter::all()).await.unwrap().entries.len(), 1);
    let found = pipeline.verify(&report.backup, Level::Decoded).await.unwrap();
    assert!(found.evidence.passed());
}

#[tokio::test]
async fn nothing_is_deleted_while_a_store_cannot_be_asked() {
    let [a, b] = stores();
    let stores = [a, b];
    let first = back_up(CopyPolicy::All, &stores).await.unwrap();
    back_up(CopyPolicy::All, &stores).await.unwrap();
    // A hold that only the second store knows.
    let alone = Pipeline::for_store(stores[1].inner().clone());
    let held =
        Annotation::new("2026-11-20T00:00:00Z".parse().unwrap(), Note::Held { reason: "court".to_owned() });
    alone.catalog().annotate(&first.backup, &held).await.unwrap();
    let before = (names(stores[0].inner()).await, names(stores[1].inner()).await);
    let [a, b] = stores;
    let stores = [a, down(b)];
    let pipeline = Pipeline::for_store(both(CopyPolicy::Primary, &stores));
    let policy = Retention::new().keep_last_of(Period::Each, 1).with_max_deleted_percent(100);
    assert_eq!(
        pipeline.plan_prune(&policy, &Filter::all()).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    pipeline.delete(&first.backup, Confirmation::Confirmed).await.unwrap_err();
    pipeline.sweep(Duration::ZERO).await.unwrap_err();
    assert_eq!((names(stores[0].inner()).await, names(stores[1].inner()).await), before);
    stores[1].heal();
    let refused = pipeline.delete(&first.backup, Confirmation::Confirmed).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "the hold is seen again");
}

#[tokio::test]
async fn a_prune_deletes_every_copy_and_completes_what_one_store_kept() {
    let stores = stores();
    let first = back_up(CopyPolicy::All, &stores).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = back_up(CopyPolicy::All, &stores).await.unwrap();
    let [a, b] = stores;
    let nth = b.calls(StoreOp::Delete) + 2;
    let stores = [a, b.fail_on(StoreOp::Delete, nth, ErrorKind::PermissionDenied)];
    let pipeline = Pipeline::for_store(both(CopyPolicy::All, &stores));
    let policy = Retention::new().keep_last_of(Period::Each, 1).with_max_deleted_percent(100);
    let plan = pipeline.plan_prune(&policy, &Filter::all()).await.unwrap();
    let failed = pipeline.prune(&plan, Confirmation::Confirmed).await;
    assert!(failed.is_err());
    for _ in 0..2 {
        let plan = pipeline.plan_prune(&policy, &Filter::all()).await.unwrap();
        pipeline.prune(&plan, Confirmation::Confirmed).await.unwrap();
        pipeline.sweep(Duration::ZERO).await.unwrap();
    }
    for store in &stores {
        let left = names(store.inner()).await;
        assert!(left.iter().all(|name| !name.contains(first.backup.id.as_str())), "{left:?}");
        is_whole(store, &second).await;
    }
}

#[tokio::test]
async fn a_catalog_that_is_no_store_of_several_tells_of_no_copies() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = JsonCatalog::open(folder.path().join("backups.json")).await.unwrap();
    let stores = stores();
    let report = back_up(CopyPolicy::All, &stores).await.unwrap();
    assert_eq!(catalog.insert(&report.manifest).await.unwrap(), []);
}

#[tokio::test]
async fn health_finds_a_copy_that_vanished_and_one_that_was_cut_short() {
    let stores = stores();
    let report = back_up(CopyPolicy::All, &stores).await.unwrap();
    let fan_out = both(CopyPolicy::All, &stores);
    let pipeline = Pipeline::for_store(fan_out.clone()).with_copies(&fan_out);
    let places = async || match pipeline.health_facts().await.unwrap().missing_copies {
        Fact::Known(missing) => missing.into_iter().map(|copy| copy.place).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(places().await, [""; 0]);
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    let cut = Bytes::from_static(b"cut short").into();
    stores[1].inner().put(&report.manifest.artifact.key, cut, overwrite).await.unwrap();
    assert_eq!(places().await, ["memory: (2)"]);
    stores[1].inner().delete(&report.manifest.artifact.key).await.unwrap();
    assert_eq!(places().await, ["memory: (2)"]);
}
