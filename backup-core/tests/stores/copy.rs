//! Bringing backups from one store into another.

use std::{sync::Arc, time::Duration};

use backup_core::{
    Annotation, ErrorKind, Filter, MemoryStore, Note, Pipeline, PutMode, PutOptions, Store, StoreExt,
    copy::{self, Comparison, Copied, CopyOptions, Difference, SyncInterrupted},
    manifest::Layout,
    pipeline::{BackupReport, BackupRequest, Confirmation},
    store::CopyPolicy,
    testkit::{
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};

use super::{
    backup::{back_up, is_whole, stores},
    names,
};

fn shared(store: &(impl Store + Clone)) -> Arc<dyn Store> {
    Arc::new(store.clone())
}

fn options() -> CopyOptions {
    CopyOptions::default().with_stall_timeout(Duration::from_secs(5))
}

/// A backup with a companion and a hold, in a store of its own.
async fn made() -> (MemoryStore, BackupReport) {
    let store = MemoryStore::new();
    let dumper = FakeDumper::new("rows ".repeat(10_000)).with_companion("globals", "roles");
    let report = Pipeline::new(dumper, store.clone()).backup(BackupRequest::new()).await.unwrap();
    let held =
        Annotation::new("2026-11-20T00:00:00Z".parse().unwrap(), Note::Held { reason: "court".to_owned() });
    Pipeline::for_store(store.clone()).catalog().annotate(&report.backup, &held).await.unwrap();
    (store, report)
}

async fn everything(store: &MemoryStore) -> Vec<(String, bytes::Bytes)> {
    let mut all = Vec::new();
    for name in names(store).await {
        let bytes = store.get_bytes(&super::key(&name), 1 << 24).await.unwrap();
        all.push((name, bytes));
    }
    all
}

#[tokio::test]
async fn a_copy_that_failed_is_repaired_from_a_good_one_and_then_nothing_is_left_to_do() {
    let [a, b] = stores();
    let stores = [a, b.fail_body_after(100_000)];
    let report = back_up(CopyPolicy::Primary, &stores).await.unwrap();
    stores[1].heal();
    let (from, to) = (shared(&stores[0]), shared(&stores[1]));
    let copied = copy::copy(&report.backup, &from, &to, &options()).await.unwrap();
    assert_eq!((copied.outcome, copied.objects > 1), (Copied::Copied, true));
    assert!(everything(stores[0].inner()).await == everything(stores[1].inner()).await, "byte for byte");
    let synced = copy::sync(&from, &to, &Filter::all(), &options()).await.unwrap();
    assert_eq!((synced.equal, synced.copied.len(), synced.bytes), (1, 0, 0));
    is_whole(&stores[1], &report).await;
}

#[tokio::test]
async fn companions_and_holds_are_copied_too() {
    let (from, report) = made().await;
    let to = MemoryStore::new();
    let synced = copy::sync(&shared(&from), &shared(&to), &Filter::all(), &options()).await.unwrap();
    assert_eq!(synced.copied, std::slice::from_ref(&report.backup));
    assert!(everything(&from).await == everything(&to).await);
    assert!(Pipeline::for_store(to).entry(&report.backup).await.unwrap().is_held());
}

#[tokio::test]
async fn a_copy_cut_off_at_any_call_is_completed_by_the_next_and_never_half_there() {
    for (op, fault) in
        [(StoreOp::Put, "fails"), (StoreOp::Put, "lost"), (StoreOp::Get, "fails"), (StoreOp::Put, "dropped")]
    {
        for nth in 1..=5 {
            let (from, report) = made().await;
            let to = FaultyStore::new(MemoryStore::new());
            let to = match fault {
                "fails" => to.fail_on(op, nth, ErrorKind::StorageFull),
                "lost" => to.lose_ack(op, nth),
                _ => to.hang(op, nth),
            };
            let (from, options) = (shared(&from), options());
            let to_shared = shared(&to);
            let attempt = copy::copy(&report.backup, &from, &to_shared, &options);
            let first = tokio::time::timeout(Duration::from_millis(100), attempt).await;
            let alone = Pipeline::for_store(to.inner().clone());
            for entry in alone.list(&Filter::all()).await.unwrap().entries {
                let backup = entry.manifest.backup_ref();
                let proof = alone.verify(&backup, backup_core::Level::Decoded).await.unwrap();
                assert!(proof.evidence.passed(), "{op:?} {fault} {nth}: listed, and not whole");
            }
            assert!(!matches!(first, Ok(Ok(_))) || nth > 3, "{op:?} {fault} {nth}: the fault must hit");
            to.heal();
            copy::copy(&report.backup, &from, &to_shared, &options).await.unwrap();
            alone.verify(&report.backup, backup_core::Level::Decoded).await.unwrap().ensure_passed().unwrap();
            let left = names(to.inner()).await;
            assert!(left.iter().all(|name| !name.contains("claim")), "{op:?} {fault} {nth}: {left:?}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_was_given_up_is_swept() {
    let (from, report) = made().await;
    let to = FaultyStore::new(MemoryStore::new()).fail_on(StoreOp::Put, 3, ErrorKind::StorageFull);
    copy::copy(&report.backup, &shared(&from), &shared(&to), &options()).await.unwrap_err();
    assert!(!names(to.inner()).await.is_empty());
    Pipeline::for_store(to.inner().clone()).sweep(Duration::ZERO).await.unwrap();
    assert_eq!(names(to.inner()).await, [""; 0]);
}

#[tokio::test]
async fn what_is_there_and_different_is_left_unless_it_shall_be_replaced() {
    let (from, report) = made().await;
    let manifest = Layout::of(&report.backup).manifest().unwrap();
    for key in [&report.manifest.artifact.key, &manifest] {
        let to = MemoryStore::new();
        copy::copy(&report.backup, &shared(&from), &shared(&to), &options()).await.unwrap();
        let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
        to.put(key, "other".into_body(), overwrite).await.unwrap();
        let (from, to_shared) = (shared(&from), shared(&to));
        let err = copy::sync(&from, &to_shared, &Filter::all(), &options()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{err}");
        assert_eq!(SyncInterrupted::report(&err).unwrap().different[0].backup, report.backup);
        assert_eq!(to.get_bytes(key, 10).await.unwrap(), "other");
        let replace = options().with_difference(Difference::Replace);
        copy::copy(&report.backup, &from, &to_shared, &replace).await.unwrap();
        let proof =
            Pipeline::for_store(to).verify(&report.backup, backup_core::Level::Decoded).await.unwrap();
        assert!(proof.evidence.passed());
    }
}

trait IntoBody {
    fn into_body(self) -> backup_core::ByteStream;
}

impl IntoBody for &'static str {
    fn into_body(self) -> backup_core::ByteStream {
        bytes::Bytes::from_static(self.as_bytes()).into()
    }
}

#[tokio::test]
async fn bytes_that_decayed_are_found_by_their_digest_and_never_copied() {
    let (store, report) = made().await;
    let decayed = FaultyStore::new(store.clone()).corrupt_read(100);
    let to = MemoryStore::new();
    copy::copy(&report.backup, &shared(&store), &shared(&to), &options()).await.unwrap();
    let by_digest = options().with_comparison(Comparison::Digest);
    let there = FaultyStore::new(to.clone()).corrupt_read(100);
    // Manifests are damaged by that fault too: only what is found is of interest.
    copy::copy(&report.backup, &shared(&store), &shared(&there), &by_digest).await.unwrap_err();
    let empty = MemoryStore::new();
    copy::copy(&report.backup, &shared(&decayed), &shared(&empty), &options()).await.unwrap_err();
    assert!(names(&empty).await.iter().all(|name| !name.contains("manifest") && !name.contains(".zst")));
}

#[tokio::test]
async fn a_backup_that_is_being_deleted_is_not_copied() {
    let (from, report) = made().await;
    let note = Note::Pruning { reason: "retention".to_owned() };
    let at = "2026-11-21T00:00:00Z".parse().unwrap();
    Pipeline::for_store(from.clone())
        .catalog()
        .annotate(&report.backup, &Annotation::new(at, note))
        .await
        .unwrap();
    let to = MemoryStore::new();
    let synced = copy::sync(&shared(&from), &shared(&to), &Filter::all(), &options()).await.unwrap();
    assert_eq!((synced.being_deleted, names(&to).await), (vec![report.backup], vec![]));
}

#[tokio::test]
async fn a_deletion_that_races_with_a_copy_leaves_no_manifest_without_artifact() {
    for pause in 0..40_u64 {
        let from = MemoryStore::new();
        let dumper = FakeDumper::new("rows ".repeat(10_000));
        let report = Pipeline::new(dumper, from.clone()).backup(BackupRequest::new()).await.unwrap();
        let to = MemoryStore::new();
        let stores = [FaultyStore::new(from.clone()), FaultyStore::new(to.clone())];
        let deleting = Pipeline::for_store(super::backup::both(CopyPolicy::All, &stores));
        let (from, to_shared, options) = (shared(&from), shared(&to), options());
        let copying = copy::copy(&report.backup, &from, &to_shared, &options);
        let delete = async {
            for _ in 0..pause {
                tokio::task::yield_now().await;
            }
            deleting.delete(&report.backup, Confirmation::Confirmed).await
        };
        let (copied, deleted) = futures::join!(copying, delete);
        deleted.unwrap();
        let alone = Pipeline::for_store(to.clone());
        let back = alone.list(&Filter::all()).await.unwrap().entries;
        assert!(back.is_empty(), "it came back, pause {pause}, {copied:?}: {:?}", names(&to).await);
        alone.sweep(Duration::ZERO).await.unwrap();
        assert_eq!(names(&to).await, [""; 0], "pause {pause}, {copied:?}");
    }
}

#[tokio::test]
async fn a_sync_tells_what_it_did_when_a_store_fails() {
    let from = MemoryStore::new();
    for label in ["a", "b", "c"] {
        let pipeline = Pipeline::new(FakeDumper::new("rows"), from.clone());
        pipeline.backup(BackupRequest::new().with_label(label)).await.unwrap();
    }
    // Claim, dump, manifest and evidence of the first backup; then the store is away.
    let to = FaultyStore::new(MemoryStore::new()).fail_on(StoreOp::Put, 6, ErrorKind::Unavailable);
    let err = copy::sync(&shared(&from), &shared(&to), &Filter::all(), &options()).await.unwrap_err();
    let report = SyncInterrupted::report(&err).unwrap();
    assert_eq!((report.copied.len(), report.failed.len(), report.left), (1, 1, 1));
    assert!(err.is_retryable());
    let synced = copy::sync(&shared(&from), &shared(&to), &Filter::all(), &options()).await.unwrap();
    assert_eq!((synced.equal, synced.copied.len()), (1, 2));
}
