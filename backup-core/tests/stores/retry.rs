use std::time::Duration;

use backup_core::{
    ErrorKind, MemoryStore, Prefix, Store, StoreExt,
    store::{Retry, RetryOptions},
    testkit::faults::{FaultyStore, StoreOp},
};
use futures::StreamExt;
use tokio::time::Instant;

use super::{key, names, wrapped};

backup_core::store_conformance!(wrapped(|store| Retry::new(store, RetryOptions::default())));

async fn faulty() -> FaultyStore<MemoryStore> {
    let store = MemoryStore::new();
    store.put_bytes(&key("object"), "1").await.unwrap();
    FaultyStore::new(store)
}

fn retrying(store: &FaultyStore<MemoryStore>) -> Retry<FaultyStore<MemoryStore>> {
    Retry::new(store.clone(), RetryOptions::default().with_attempts(3))
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_asked_again_and_succeeds() {
    let store = faulty().await;
    let store = [StoreOp::Get, StoreOp::Head, StoreOp::List, StoreOp::Space, StoreOp::Sweep, StoreOp::Delete]
        .into_iter()
        .fold(store, |store, op| {
            store.fail_on(op, 1, ErrorKind::Unavailable).fail_on(op, 2, ErrorKind::RateLimited)
        });
    let retry = retrying(&store);
    assert_eq!(retry.get_bytes(&key("object"), 10).await.unwrap(), "1");
    retry.head(&key("object")).await.unwrap();
    assert_eq!(names(&retry).await, ["object"]);
    retry.space().await.unwrap();
    retry.sweep(Duration::ZERO).await.unwrap();
    retry.delete(&key("object")).await.unwrap();
    for op in [StoreOp::Get, StoreOp::Head, StoreOp::List, StoreOp::Space, StoreOp::Sweep, StoreOp::Delete] {
        assert_eq!(store.calls(op), 3, "{op:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_pauses_grow() {
    let store =
        (1..=9).fold(faulty().await, |store, nth| store.fail_on(StoreOp::Head, nth, ErrorKind::Unavailable));
    let started = Instant::now();
    let err = retrying(&store).head(&key("object")).await.unwrap_err();
    assert_eq!((err.kind(), store.calls(StoreOp::Head)), (ErrorKind::Unavailable, 3));
    assert!(err.context().any(|context| context == ("attempts", "3")), "{err}");
    // Half a second and one, each cut by half at most.
    let waited = started.elapsed().as_secs_f64();
    assert!((0.7..=1.6).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_pass_and_a_put_are_never_repeated() {
    let store = faulty().await.fail_on(StoreOp::Delete, 1, ErrorKind::PermissionDenied);
    let store = store.fail_on(StoreOp::Put, 1, ErrorKind::Unavailable);
    let retry = retrying(&store);
    assert_eq!(retry.delete(&key("object")).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(retry.put_bytes(&key("new"), "1").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(retry.head(&key("no")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        (store.calls(StoreOp::Delete), store.calls(StoreOp::Put), store.calls(StoreOp::Head)),
        (1, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_began_is_not_begun_again() {
    let store = faulty().await.lose_ack(StoreOp::List, 1);
    let listed: Vec<_> = retrying(&store).list(&Prefix::root()).collect().await;
    assert_eq!(listed.len(), 2, "no object twice, and the error is told");
    assert!(listed[0].is_ok() && listed[1].is_err());
    assert_eq!(store.calls(StoreOp::List), 1);
}
