//! Puts that nobody waits for any longer.

use std::time::Duration;

use backup_core::{ByteStream, Error, ErrorKind, PutOptions, Store, testkit::faults::broken_body};
use bytes::Bytes;
use futures::StreamExt;
use storage_s3::S3Store;

use crate::fixture::{
    MIB, body, key,
    moto::{self, Has},
    names, open, options, pattern,
    proxy::{Fault, Proxy, Step},
};

async fn settled(store: &S3Store, bucket: &str, what: &str) {
    for _ in 0..200 {
        if moto::uploads(bucket).await.is_empty() {
            assert_eq!(names(store).await, [""; 0], "{what}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: the upload was not aborted");
}

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
        settled(&store, &bucket, &what).await;
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
