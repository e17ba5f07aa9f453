use std::time::Duration;

use backup_core::{
    ByteStream, ErrorKind, GetOptions, MemoryStore, PutMode, PutOptions, Store, StoreExt,
    store::ReadOnly,
    testkit::faults::{FaultyStore, StoreOp},
};

use super::{key, names};

#[tokio::test]
async fn everything_that_changes_a_store_is_refused_without_asking_it() {
    let inner = FaultyStore::new(MemoryStore::new());
    inner.put_bytes(&key("object"), "1").await.unwrap();
    let store = ReadOnly::new(inner.clone());
    for mode in [PutMode::Create, PutMode::Overwrite] {
        let options = PutOptions::default().with_mode(mode);
        let put = store.put(&key("object"), ByteStream::empty(), options).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    let refused = [store.delete(&key("object")).await, store.sweep(Duration::ZERO).await.map(|_| ())];
    for refused in refused {
        let err = refused.unwrap_err();
        assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::PermissionDenied, false));
    }
    assert_eq!(
        (inner.calls(StoreOp::Put), inner.calls(StoreOp::Delete), inner.calls(StoreOp::Sweep)),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn everything_that_reads_a_store_is_answered() {
    let inner = MemoryStore::new();
    inner.put_bytes(&key("a/object"), "123").await.unwrap();
    let store = ReadOnly::new(inner.clone());
    assert_eq!(store.get_bytes(&key("a/object"), 10).await.unwrap(), "123");
    let part = store.get(&key("a/object"), GetOptions::range(1..2)).await.unwrap();
    assert_eq!(part.body.collect_bytes(10).await.unwrap(), "2");
    assert_eq!(store.head(&key("a/object")).await.unwrap(), inner.head(&key("a/object")).await.unwrap());
    assert_eq!(store.head(&key("b")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(names(&store).await, ["a/object"]);
    assert_eq!((store.location(), store.capabilities()), (inner.location(), inner.capabilities()));
    assert_eq!(store.space().await.unwrap(), None);
}
