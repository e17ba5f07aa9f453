//! Calls that nobody waits for any longer.

use std::time::Duration;

use backup_core::{
    ByteStream, Error, ErrorKind, GetOptions, LockMode, ObjectLock, Prefix, PutMode, PutOptions, Result,
    Store, StoreExt,
    testkit::faults::{broken_body, polled},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use futures::{StreamExt, TryStreamExt};
use storage_s3::{
    LegalHold, S3Store, StorageClass,
    transition::{self, Candidate, Rules},
};

use crate::fixture::{
    MIB, body, key,
    moto::{self, Has},
    names, open, options, pattern,
    proxy::{Fault, Proxy, Step},
};

/// A body that then says nothing for ever.
fn hanging(bytes: &Bytes) -> ByteStream {
    ByteStream::new(body(bytes).chain(futures::stream::pending()))
}

/// Dropped in the first part, between parts, in a part that hangs on the wire, and while the upload is begun.
#[tokio::test]
async fn a_put_that_is_dropped_at_any_moment_is_aborted() {
    for (bytes, hanging_step, wait) in [
        (1000, None, 100),
        (6 * MIB, None, 400),
        (11 * MIB, None, 600),
        (11 * MIB, Some(Step::Part), 400),
        (6 * MIB, Some(Step::Create), 200),
        (6 * MIB, None, 5),
    ] {
        let what = format!("{bytes} bytes, {hanging_step:?} hangs, dropped after {wait} ms");
        let bucket = moto::bucket(Has::Nothing).await;
        let proxy = Proxy::start(moto::url()).await;
        if let Some(step) = hanging_step {
            proxy.once(step, 1, Fault::Stall);
        }
        let stall = options(&proxy.url, &bucket).with_stall_timeout(Duration::from_secs(1));
        let store = open(stall).await;
        let key = key("a/object");
        let put = store.put(&key, hanging(&pattern(bytes)), PutOptions::default());
        assert!(tokio::time::timeout(Duration::from_millis(wait), put).await.is_err(), "{what}");
        settle(&bucket, &what).await;
        assert_eq!(names(&store).await, [""; 0], "{what}");
    }
}

/// A body that fails after several parts ends in its own error, and the upload is gone when the put returns.
#[tokio::test]
async fn a_body_that_fails_late_is_aborted_before_the_put_returns() {
    let bucket = moto::bucket(Has::Nothing).await;
    let store = open(options(moto::url(), &bucket)).await;
    let chunks = (0..12).map(|_| pattern(MIB));
    let key = key("a/object");
    let put = store.put(&key, broken_body(chunks, ErrorKind::ToolFailed), PutOptions::default());
    assert_eq!(put.await.unwrap_err().kind(), ErrorKind::ToolFailed);
    assert_eq!(moto::uploads(&bucket).await, [""; 0]);
    assert_eq!(names(&store).await, [""; 0]);
}

/// A part that fails ends the put although the body has nothing to say.
#[tokio::test]
async fn a_part_that_fails_ends_a_put_whose_body_is_silent() {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    proxy.from(Step::Part, 1, Fault::Answer(403, "AccessDenied"));
    let store = open(options(&proxy.url, &bucket)).await;
    let key = key("a/object");
    let put = store.put(&key, hanging(&pattern(6 * MIB)), PutOptions::default());
    let put: Result<Result<_, Error>, _> = tokio::time::timeout(Duration::from_secs(10), put).await;
    assert_eq!(put.unwrap().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(moto::uploads(&bucket).await, [""; 0]);
}

/// A call of a store that holds `a/b/old`, by its name.
async fn call(name: &str, store: &S3Store, bucket: &str) -> Result<()> {
    let old = key("a/b/old");
    let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
    match name {
        "open" => S3Store::open(options(moto::url(), bucket)).await.map(drop),
        "create" => {
            store.put(&key("a/b/new"), body(&pattern(6 * MIB)), PutOptions::default()).await.map(drop)
        }
        "overwrite" => {
            let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
            store.put(&old, body(&pattern(2000)), overwrite).await.map(drop)
        }
        "get" => store.get(&old, GetOptions::default()).await?.body.try_for_each(async |_| Ok(())).await,
        "head" => store.head(&old).await.map(drop),
        "delete" => store.delete(&old).await,
        "list" => store.list(&Prefix::root()).try_for_each(async |_| Ok(())).await,
        "space" => store.space().await.map(drop),
        "sweep" => store.sweep(Duration::from_hours(1)).await.map(drop),
        "set_legal_hold" => store.set_legal_hold(&old, LegalHold::On).await,
        "extend_lock" => {
            let lock = ObjectLock::new(LockMode::Governance, now + TimeDelta::days(9));
            store.extend_lock(&old, lock).await.map(drop)
        }
        "presigned_get" => store.presigned_get(&old, Duration::from_mins(1)).await.map(drop),
        "plan_transition" => store.plan_transition(&[], &Rules::new(), now).await.map(drop),
        "transition" => {
            let candidate =
                Candidate::new(old, 6 * MIB as u64, now - TimeDelta::days(45), StorageClass::Standard);
            let rules = Rules::new().cool_after(30, StorageClass::StandardIa);
            store
                .transition(&transition::plan(vec![candidate], &rules, now))
                .await
                .ensure_complete()
                .map(drop)
        }
        _ => unreachable!("{name}"),
    }
}

/// Calls that are dropped after more and more polls, until one of them ends before.
async fn dropped_anywhere(name: &str) {
    let has = if matches!(name, "set_legal_hold" | "extend_lock") { Has::Lock } else { Has::Nothing };
    let bucket = moto::bucket(has).await;
    let locking = || {
        let options = options(moto::url(), &bucket).with_copy_part_bytes(5 * MIB as u64);
        if matches!(has, Has::Lock) { options.with_object_lock() } else { options }
    };
    let store = open(locking()).await;
    // What is moved is copied in parts.
    let old = pattern(if name == "transition" { 6 * MIB } else { 1000 });
    for most in 1.. {
        if !matches!(name, "set_legal_hold" | "extend_lock") || most == 1 {
            let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
            store.put(&key("a/b/old"), body(&old), overwrite).await.unwrap();
        }
        let (ended, _) = polled(most, Box::pin(call(name, &store, &bucket))).await;
        let case = format!("{name}, dropped after {most} polls");
        settle(&bucket, &case).await;
        let left = names(&store).await;
        for object in &left {
            let bytes = store.get_bytes(&key(object), 10 * MIB).await.unwrap();
            let is_new = match name {
                "create" => object == "a/b/new" && bytes == pattern(6 * MIB),
                "overwrite" => bytes == pattern(2000),
                _ => false,
            };
            assert!(is_new || object == "a/b/old" && bytes == old, "{case}: {object} is not whole");
        }
        assert!(name == "delete" || left.contains(&"a/b/old".to_owned()), "{case}: {left:?}");
        // The same once more, and nothing is in its way.
        if let Err(err) = Box::pin(call(name, &store, &bucket)).await {
            assert_eq!((name, err.kind()), ("create", ErrorKind::AlreadyExists), "{case}: {err:?}");
        }
        if name == "create" {
            store.delete(&key("a/b/new")).await.unwrap();
        }
        if let Some(ended) = ended {
            ended.unwrap();
            return;
        }
    }
}

/// Waits until no upload is begun that nobody ends.
async fn settle(bucket: &str, case: &str) {
    for _ in 0..400 {
        if moto::uploads(bucket).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{case}: the upload was not aborted");
}

#[tokio::test]
async fn any_call_dropped_anywhere_leaves_whole_objects_and_hinders_no_other() {
    let names = "open create overwrite get head delete list space sweep set_legal_hold extend_lock presigned_get \
                 plan_transition transition";
    futures::future::join_all(names.split_whitespace().map(dropped_anywhere)).await;
}
