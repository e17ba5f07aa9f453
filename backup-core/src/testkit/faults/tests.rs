use std::time::Duration;

use futures::TryStreamExt;

use super::*;
use crate::{MemoryStore, StoreExt};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn faulty() -> FaultyStore<MemoryStore> {
    FaultyStore::new(MemoryStore::new())
}

#[tokio::test]
async fn just_the_nth_call_fails_and_does_nothing() {
    let store = faulty().fail_on(StoreOp::Put, 2, ErrorKind::RateLimited);
    store.put_bytes(&key("a"), "1").await.unwrap();
    assert_eq!(store.put_bytes(&key("b"), "2").await.unwrap_err().kind(), ErrorKind::RateLimited);
    assert!(!store.exists(&key("b")).await.unwrap());
    store.put_bytes(&key("b"), "2").await.unwrap();
    assert_eq!((store.calls(StoreOp::Put), store.calls(StoreOp::Get)), (3, 0));
}

#[tokio::test]
async fn a_lost_answer_did_its_work() {
    let store = faulty().lose_ack(StoreOp::Put, 1).lose_ack(StoreOp::List, 1);
    assert_eq!(store.put_bytes(&key("a"), "1").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(store.exists(&key("a")).await.unwrap());
    let items: Vec<_> = store.list(&Prefix::root()).collect().await;
    assert!(items.len() == 2 && items[0].is_ok() && items[1].is_err());
}

#[tokio::test]
async fn a_hanging_call_waits_until_it_is_dropped() {
    let store = faulty().hang(StoreOp::Head, 1);
    let key = key("a");
    assert!(tokio::time::timeout(Duration::from_millis(10), store.head(&key)).await.is_err());
    assert_eq!(store.head(&key).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_body_fails_after_the_bytes_and_not_before() {
    let store = faulty().fail_body_after(3);
    assert!(store.put_bytes(&key("three"), "abc").await.is_ok());
    assert_eq!(store.put_bytes(&key("four"), "abcd").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(!store.exists(&key("four")).await.unwrap());
    store.heal();
    assert!(store.put_bytes(&key("four"), "abcd").await.is_ok());
}

#[tokio::test]
async fn reads_are_damaged_at_the_offset_of_the_object() {
    let store = faulty().corrupt_read(2);
    store.put_bytes(&key("a"), "aaaa").await.unwrap();
    assert_eq!(store.get_bytes(&key("a"), 10).await.unwrap(), "aa`a");
    let range = store.get(&key("a"), GetOptions::range(1..3)).await.unwrap();
    assert_eq!(range.body.collect_bytes(10).await.unwrap(), "a`");
    let store = FaultyStore::new(store.inner().clone()).truncate_read(3);
    assert_eq!(store.get_bytes(&key("a"), 10).await.unwrap(), "aaa");
}

#[tokio::test]
async fn a_broken_body_yields_its_chunks_first() {
    let mut body = broken_body(["a", "b"], ErrorKind::Timeout);
    assert_eq!(body.try_next().await.unwrap().unwrap(), "a");
    assert_eq!(body.try_next().await.unwrap().unwrap(), "b");
    assert_eq!(body.try_next().await.unwrap_err().kind(), ErrorKind::Timeout);
}

crate::store_conformance!(crate::testkit::store::StoreFixture::new({
    let store = faulty();
    move || {
        let store = store.clone();
        async move { store }
    }
}));
