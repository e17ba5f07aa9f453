//! Object Lock, legal holds and versions.

use backup_core::{
    Error, ErrorKind, LockMode, ObjectLock, PutMode, PutOptions, Store, StoreExt,
    testkit::faults::broken_body,
};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use storage_s3::{Deletes, LegalHold, S3Store};

use crate::fixture::{
    MIB, body, client, key,
    moto::{self, Has},
    names, open, options, pattern,
};

// The tests lock against the clock of the server.
#[allow(clippy::disallowed_methods)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn in_days(days: i64) -> DateTime<Utc> {
    (now() + Duration::days(days)).trunc_subsecs(0)
}

async fn versions(bucket: &str) -> usize {
    let listed = client(moto::url()).list_object_versions().bucket(bucket).send().await.unwrap();
    listed.versions().len() + listed.delete_markers().len()
}

async fn locking(deletes: Deletes) -> (S3Store, String) {
    let bucket = moto::bucket(Has::Lock).await;
    (open(options(moto::url(), &bucket).with_object_lock().with_deletes(deletes)).await, bucket)
}

#[tokio::test]
async fn a_locked_object_is_neither_deleted_nor_replaced() {
    for deletes in [Deletes::Name, Deletes::EveryVersion] {
        let (store, _) = locking(deletes).await;
        assert!(store.capabilities().object_lock);
        for (bytes, mode) in [(1000, LockMode::Governance), (6 * MIB, LockMode::Compliance)] {
            let key = key(&format!("a/{bytes}"));
            let lock = ObjectLock::new(mode, in_days(3));
            let options = PutOptions::default().with_lock(lock);
            let put = store.put(&key, body(&pattern(bytes)), options).await.unwrap();
            assert_eq!(put.lock, Some(lock));
            assert_eq!(store.head(&key).await.unwrap().lock, Some(lock));
            let err = store.delete(&key).await.unwrap_err();
            assert_eq!(
                (err.kind(), err.message()),
                (ErrorKind::PermissionDenied, "the object is locked by its store")
            );
            let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
            let err = store.put(&key, body(&pattern(10)), overwrite).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::PermissionDenied);
            assert!(store.get_bytes(&key, 10 * MIB).await.unwrap() == pattern(bytes));
        }
    }
}

#[tokio::test]
async fn a_lock_ends_and_then_the_object_goes() {
    let (store, bucket) = locking(Deletes::EveryVersion).await;
    let lock = ObjectLock::new(LockMode::Compliance, now() + Duration::seconds(2));
    store
        .put(&key("a/b"), bytes::Bytes::from_static(b"x").into(), PutOptions::default().with_lock(lock))
        .await
        .unwrap();
    assert_eq!(store.delete(&key("a/b")).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    tokio::time::sleep(std::time::Duration::from_millis(3200)).await;
    store.delete(&key("a/b")).await.unwrap();
    assert_eq!(versions(&bucket).await, 0);
}

#[tokio::test]
async fn a_default_lock_keeps_artifacts_and_manifests_but_not_claims_and_notes() {
    let bucket = moto::bucket(Has::Lock).await;
    let store = open(options(moto::url(), &bucket).with_default_lock(LockMode::Governance, 7)).await;
    for (name, locked) in [
        ("production/shop/backup-1.sql.zst", true),
        ("production/shop/backup-1.manifest.json", true),
        ("production/shop/backup-1.claim.json", false),
        ("production/shop/backup-1.notes/x.json", false),
    ] {
        let meta = store.put_bytes(&key(name), "x").await.unwrap();
        assert_eq!(meta.lock.is_some(), locked, "{name}");
        assert_eq!(store.delete(&key(name)).await.is_err(), locked, "{name}");
        if let Some(lock) = meta.lock {
            assert!((in_days(6)..=in_days(8)).contains(&lock.until), "{lock:?}");
        }
    }
}

#[tokio::test]
async fn a_lock_is_extended_and_never_shortened() {
    let (store, _) = locking(Deletes::Name).await;
    let short = ObjectLock::new(LockMode::Governance, in_days(2));
    store
        .put(&key("a/b"), bytes::Bytes::from_static(b"x").into(), PutOptions::default().with_lock(short))
        .await
        .unwrap();
    let longer = ObjectLock::new(LockMode::Compliance, in_days(9));
    assert_eq!(store.extend_lock(&key("a/b"), longer).await.unwrap(), longer);
    assert_eq!(store.head(&key("a/b")).await.unwrap().lock, Some(longer));
    for weaker in [
        ObjectLock::new(LockMode::Compliance, in_days(8)),
        ObjectLock::new(LockMode::Governance, in_days(10)),
    ] {
        let err = store.extend_lock(&key("a/b"), weaker).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{weaker:?}");
    }
    let missing = store.extend_lock(&key("a/c"), longer).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_legal_hold_keeps_an_object_until_it_is_lifted() {
    let (store, bucket) = locking(Deletes::EveryVersion).await;
    store.put_bytes(&key("a/b"), "x").await.unwrap();
    store.set_legal_hold(&key("a/b"), LegalHold::On).await.unwrap();
    let err = store.delete(&key("a/b")).await.unwrap_err();
    assert_eq!(
        (err.kind(), err.message()),
        (ErrorKind::PermissionDenied, "the object is under a legal hold")
    );
    store.set_legal_hold(&key("a/b"), LegalHold::Off).await.unwrap();
    store.delete(&key("a/b")).await.unwrap();
    assert_eq!(versions(&bucket).await, 0);
    let held = open(options(moto::url(), &bucket).with_legal_hold()).await;
    held.put_bytes(&key("a/c"), "x").await.unwrap();
    assert_eq!(held.delete(&key("a/c")).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_lock_that_cannot_be_kept_is_refused() {
    let bucket = moto::bucket(Has::Nothing).await;
    let store = open(options(moto::url(), &bucket)).await;
    let lock = ObjectLock::new(LockMode::Governance, in_days(2));
    let options = PutOptions::default().with_lock(lock);
    let body = broken_body(["never read"], ErrorKind::ToolFailed);
    assert_eq!(store.put(&key("a"), body, options).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let held = store.set_legal_hold(&key("a"), LegalHold::On).await;
    assert_eq!(held.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(store.extend_lock(&key("a"), lock).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_bucket_without_object_lock_is_named_where_it_was_declared() {
    let bucket = moto::bucket(Has::Versions).await;
    let store = open(options(moto::url(), &bucket).with_object_lock()).await;
    let lock = ObjectLock::new(LockMode::Governance, in_days(2));
    let locked = |name, bytes| {
        let (key, put) = (key(name), PutOptions::default().with_lock(lock));
        let store = &store;
        async move { store.put(&key, body(&pattern(bytes)), put).await.unwrap_err() }
    };
    let refused = locked("small", 1000).await;
    assert!(names(&store).await.is_empty());
    // Some services find out of a large one when it is stored: this is said too.
    let late = locked("large", 6 * MIB).await;
    let said = |err: &Error| err.suggestions().iter().any(|advice| advice.contains("stored and not locked"));
    assert_eq!((said(&refused), said(&late)), (false, names(&store).await == ["large"]));
    store.put_bytes(&key("a"), "x").await.unwrap();
    let errors = [
        refused,
        late,
        store.extend_lock(&key("a"), lock).await.unwrap_err(),
        store.set_legal_hold(&key("a"), LegalHold::On).await.unwrap_err(),
    ];
    for err in errors {
        assert_eq!((err.kind(), err.message()), (ErrorKind::Unsupported, "the bucket has no Object Lock"));
        assert!(err.suggestions()[0].contains("turn Object Lock on"), "{err:?}");
    }
}

/// In a bucket with versions a plain delete leaves bytes that are paid for; asked for every version, it leaves none.
#[tokio::test]
async fn a_delete_of_every_version_frees_the_bytes() {
    let bucket = moto::bucket(Has::Versions).await;
    let by_name = open(options(moto::url(), &bucket)).await;
    let overwrite = || PutOptions::default().with_mode(PutMode::Overwrite);
    for round in 1..4 {
        by_name.put(&key("a/b"), body(&pattern(round)), overwrite()).await.unwrap();
    }
    by_name.put_bytes(&key("a/b2"), "stays").await.unwrap();
    by_name.delete(&key("a/b")).await.unwrap();
    assert_eq!(by_name.head(&key("a/b")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(versions(&bucket).await, 5);
    // A create over the mark of a deletion is no replacement.
    by_name.put_bytes(&key("a/b"), "again").await.unwrap();
    let for_ever = open(options(moto::url(), &bucket).with_deletes(Deletes::EveryVersion)).await;
    for_ever.delete(&key("a/b")).await.unwrap();
    for_ever.delete(&key("a/b")).await.unwrap();
    assert_eq!(versions(&bucket).await, 1);
    assert_eq!(names(&for_ever).await, ["a/b2"]);
}
