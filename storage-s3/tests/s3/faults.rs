//! Every step with every fault: the object is there, whole, or it is not; the error says what happened; a sweep leaves
//! nothing.

use std::time::Duration;

use backup_core::{ErrorKind, GetOptions, Prefix, PutOptions, Store, StoreExt};
use futures::TryStreamExt;
use storage_s3::{Retries, S3Store};

use crate::fixture::{
    MIB, body, key,
    moto::{self, Has},
    names, open, options, pattern,
    proxy::{Fault, Proxy, Step},
    side_by_side,
};

const FAULTS: [Fault; 7] = [
    Fault::Reset,
    Fault::LostAck,
    Fault::Answer(503, "SlowDown"),
    Fault::Answer(403, "AccessDenied"),
    Fault::OkWithError,
    Fault::CutBody,
    Fault::NoEtag,
];

struct Broken {
    proxy: Proxy,
    store: S3Store,
    /// The same bucket, without the proxy.
    whole: S3Store,
    bucket: String,
}

async fn broken() -> Broken {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    let retries = Retries::default().with_attempts(3).with_first_pause(Duration::from_millis(1));
    let store = open(options(&proxy.url, &bucket).with_retries(retries)).await;
    let whole = open(options(moto::url(), &bucket)).await;
    Broken { proxy, store, whole, bucket }
}

impl Broken {
    /// The object is there, whole, exactly if the put said so, and nothing is left after a sweep.
    async fn check(&self, stored: bool, bytes: &bytes::Bytes, what: &str) {
        let found = self.whole.get_bytes(&key("a/object"), 100 * MIB).await;
        match found {
            Ok(found) => assert!(stored && found == *bytes, "{what}: stored {stored}, {} bytes", found.len()),
            Err(err) => {
                assert!(!stored && err.kind() == ErrorKind::NotFound, "{what}: stored {stored}, {err}");
            }
        }
        self.whole.sweep(Duration::ZERO).await.unwrap();
        assert_eq!(moto::uploads(&self.bucket).await, [""; 0], "{what}");
    }
}

/// One fault at every step of a put: most are healed by a retry, and whatever comes of it is the truth.
#[tokio::test]
async fn one_fault_at_any_step_of_a_put_is_survived_or_leaves_nothing() {
    let (small, large) = (pattern(1000), pattern(5 * MIB + 1));
    let steps = [
        (Step::Put, 1, &small),
        (Step::Create, 1, &large),
        (Step::Part, 2, &large),
        (Step::Complete, 1, &large),
        (Step::Head, 1, &large),
    ];
    let mut cases = Vec::new();
    for (step, nth, bytes) in steps {
        cases.extend(FAULTS.map(|fault| (step, nth, fault, bytes)));
    }
    side_by_side(cases, async |(step, nth, fault, bytes): (Step, u32, Fault, &bytes::Bytes)| {
        let what = format!("{step:?} {nth} {fault:?}");
        let broken = broken().await;
        broken.proxy.once(step, nth, fault);
        let put = broken.store.put(&key("a/object"), body(bytes), PutOptions::default()).await;
        assert!(broken.proxy.seen(step) >= nth, "{what} was never reached");
        if fault == Fault::Answer(403, "AccessDenied") && step != Step::Head {
            assert_eq!(put.as_ref().unwrap_err().kind(), ErrorKind::PermissionDenied, "{what}");
        } else {
            // Also where the acknowledgement was lost, and where a status of 200 lied.
            let meta = put.as_ref().unwrap_or_else(|err| panic!("{what}: {err:?}"));
            assert_eq!(meta.size, bytes.len() as u64);
        }
        broken.check(put.is_ok(), bytes, &what).await;
    })
    .await;
}

/// A step that fails whenever it is tried: a typed error, and nothing is left.
#[tokio::test]
async fn a_step_that_always_fails_is_a_typed_error_and_leaves_nothing() {
    let (small, large) = (pattern(1000), pattern(5 * MIB + 1));
    let slow = Fault::Answer(503, "SlowDown");
    let cases = [
        (Step::Put, 1, slow, &small, ErrorKind::RateLimited),
        (Step::Put, 1, Fault::Reset, &small, ErrorKind::Unavailable),
        (Step::Put, 1, Fault::Answer(404, "NoSuchBucket"), &small, ErrorKind::Unavailable),
        (Step::Put, 1, Fault::Answer(400, "EntityTooLarge"), &small, ErrorKind::StorageFull),
        (Step::Put, 1, Fault::Answer(507, "XMinioStorageFull"), &small, ErrorKind::StorageFull),
        (Step::Create, 1, slow, &large, ErrorKind::RateLimited),
        (Step::Create, 1, Fault::LostAck, &large, ErrorKind::Unavailable),
        (Step::Part, 2, slow, &large, ErrorKind::RateLimited),
        (Step::Part, 1, Fault::Reset, &large, ErrorKind::Unavailable),
        (Step::Part, 1, Fault::Answer(404, "NoSuchUpload"), &large, ErrorKind::Unavailable),
        (Step::Part, 2, Fault::NoEtag, &large, ErrorKind::Unavailable),
        (Step::Complete, 1, Fault::OkWithError, &large, ErrorKind::Unavailable),
        (Step::Complete, 1, Fault::Reset, &large, ErrorKind::Unavailable),
        (Step::Complete, 1, Fault::Answer(412, "PreconditionFailed"), &large, ErrorKind::AlreadyExists),
    ];
    side_by_side(
        cases,
        async |(step, nth, fault, bytes, kind): (Step, u32, Fault, &bytes::Bytes, ErrorKind)| {
            let what = format!("{step:?} {nth} {fault:?}");
            let broken = broken().await;
            broken.proxy.from(step, nth, fault);
            let err =
                broken.store.put(&key("a/object"), body(bytes), PutOptions::default()).await.unwrap_err();
            assert_eq!((err.kind(), err.operation()), (kind, "put"), "{what}: {err:?}");
            assert!(!err.suggestions().is_empty(), "{what}");
            if step != Step::Create {
                // Aborted at once, not only by a sweep.
                assert_eq!(moto::uploads(&broken.bucket).await, [""; 0], "{what}");
            }
            broken.check(false, bytes, &what).await;
        },
    )
    .await;
}

/// The service made the object and never said so: that is a success, and a retry does not take it for another's.
#[tokio::test]
async fn an_object_whose_acknowledgements_are_all_lost_is_still_ours() {
    for (step, bytes) in [(Step::Put, pattern(1000)), (Step::Complete, pattern(6 * MIB))] {
        let broken = broken().await;
        broken.proxy.from(step, 1, Fault::LostAck);
        broken.store.put(&key("a/object"), body(&bytes), PutOptions::default()).await.unwrap();
        broken.check(true, &bytes, "lost").await;
    }
}

/// The same for somebody else's object: it is not taken for ours.
#[tokio::test]
async fn an_object_of_another_is_never_taken_for_ours() {
    let broken = broken().await;
    broken.whole.put_bytes(&key("a/object"), "of another").await.unwrap();
    broken.proxy.once(Step::Put, 1, Fault::LostAck);
    let err = broken.store.put_bytes(&key("a/object"), "of another").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AlreadyExists);
}

/// An abort that fails at first is repeated; one that always fails leaves what a sweep finds.
#[tokio::test]
async fn an_abort_is_repeated_and_what_it_leaves_is_swept() {
    let large = pattern(5 * MIB + 1);
    for (last, left) in [(1, 0), (99, 1)] {
        let broken = broken().await;
        broken.proxy.from(Step::Complete, 1, Fault::Answer(403, "AccessDenied"));
        for nth in 1..=last {
            broken.proxy.once(Step::Abort, nth, Fault::Answer(503, "SlowDown"));
        }
        let err = broken.store.put(&key("a/object"), body(&large), PutOptions::default()).await.unwrap_err();
        // The first error, not that of the abort.
        assert_eq!(err.kind(), ErrorKind::PermissionDenied);
        assert_eq!(moto::uploads(&broken.bucket).await.len(), left);
        // The server dates every upload to 2010.
        let young = broken.whole.sweep(Duration::from_hours(100 * 365 * 24)).await.unwrap();
        assert_eq!((young.removed, young.too_young), (0, left as u64));
        assert_eq!(broken.whole.sweep(Duration::ZERO).await.unwrap().removed, left as u64);
        broken.check(false, &large, "abort").await;
    }
}

/// A service that says nothing is given up after the time of the options.
#[tokio::test]
async fn a_silent_service_is_a_timeout() {
    let broken = broken().await;
    let store = open(
        options(&broken.proxy.url, &broken.bucket)
            .with_stall_timeout(Duration::from_millis(400))
            .with_retries(Retries::none()),
    )
    .await;
    broken.proxy.from(Step::Head, 1, Fault::Stall).from(Step::Put, 1, Fault::Stall);
    let err = store.head(&key("a/object")).await.unwrap_err();
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Timeout, true));
    assert_eq!(store.put_bytes(&key("a/object"), "x").await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_listing_that_breaks_is_an_error_and_never_shorter() {
    let broken = broken().await;
    for name in ["a/1", "a/2", "a/3"] {
        broken.whole.put_bytes(&key(name), "x").await.unwrap();
    }
    for fault in [Fault::Reset, Fault::Answer(503, "SlowDown"), Fault::CutBody, Fault::OkWithError] {
        broken.proxy.from(Step::List, 1, fault);
        let listed: Result<Vec<_>, _> = broken.store.list(&Prefix::root()).try_collect().await;
        assert_eq!(listed.unwrap_err().operation(), "list", "{fault:?}");
        broken.proxy.heal();
        broken.proxy.once(Step::List, broken.proxy.seen(Step::List) + 1, fault);
        assert_eq!(names(&broken.store).await, ["a/1", "a/2", "a/3"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_delete_is_repeated_until_it_is_known() {
    let broken = broken().await;
    for fault in [Fault::Reset, Fault::LostAck, Fault::Answer(503, "SlowDown")] {
        broken.whole.put_bytes(&key("a/object"), "x").await.unwrap();
        broken.proxy.once(Step::Delete, broken.proxy.seen(Step::Delete) + 1, fault);
        broken.store.delete(&key("a/object")).await.unwrap();
        assert_eq!(names(&broken.whole).await, [""; 0]);
    }
    broken.proxy.from(Step::Delete, 1, Fault::Answer(403, "AccessDenied"));
    let err = broken.store.delete(&key("a/object")).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
}

/// A body that is cut goes on where it broke, and comes out whole.
#[tokio::test]
async fn a_read_that_is_cut_goes_on_where_it_broke() {
    let broken = broken().await;
    let bytes = pattern(3 * MIB);
    broken.whole.put_bytes(&key("a/object"), bytes.clone()).await.unwrap();
    for nth in [1, 2] {
        broken.proxy.once(Step::Get, nth, Fault::CutBody);
    }
    assert!(broken.store.get_bytes(&key("a/object"), 4 * MIB).await.unwrap() == bytes);
    assert_eq!(broken.proxy.seen(Step::Get), 3);
    broken.proxy.once(Step::Get, 4, Fault::CutBody);
    let got = broken.store.get(&key("a/object"), GetOptions::range(1000..2_000_000)).await.unwrap();
    assert!(got.body.collect_bytes(4 * MIB).await.unwrap() == bytes.slice(1000..2_000_000));
}

/// Where it cannot go on, the last item is an error: a short body is never a whole one.
#[tokio::test]
async fn a_read_that_stays_cut_ends_in_an_error() {
    let broken = broken().await;
    let bytes = pattern(MIB);
    broken.whole.put_bytes(&key("a/object"), bytes.clone()).await.unwrap();
    broken.proxy.once(Step::Get, 1, Fault::CutBody).from(Step::Get, 2, Fault::Answer(503, "SlowDown"));
    let got = broken.store.get(&key("a/object"), GetOptions::default()).await.unwrap();
    assert_eq!(got.body.collect_bytes(4 * MIB).await.unwrap_err().kind(), ErrorKind::RateLimited);
}

/// An object that is replaced while it is read is never glued together of two.
#[tokio::test]
async fn a_read_never_mixes_two_objects() {
    use futures::StreamExt;

    let broken = broken().await;
    let bytes = pattern(3 * MIB);
    broken.whole.put_bytes(&key("a/object"), bytes.clone()).await.unwrap();
    broken.proxy.once(Step::Get, 1, Fault::CutBody);
    let mut got = broken.store.get(&key("a/object"), GetOptions::default()).await.unwrap();
    got.body.next().await.unwrap().unwrap();
    let overwrite = PutOptions::default().with_mode(backup_core::PutMode::Overwrite);
    broken.whole.put(&key("a/object"), body(&pattern(3 * MIB + 1)), overwrite).await.unwrap();
    assert_eq!(got.body.collect_bytes(4 * MIB).await.unwrap_err().kind(), ErrorKind::Corrupt);
}
