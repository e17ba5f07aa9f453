//! Clauses about reading and deleting.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;

use super::{assert_absent, key, names, pattern, read};
use crate::{ErrorKind, GetOptions, Store, StoreExt};

const LEN: u64 = 2_500_003;

async fn range(store: &dyn Store, name: &str, range: Range<u64>) -> crate::Result<Bytes> {
    let got = store.get(&key(name), GetOptions::range(range.clone())).await?;
    assert_eq!((got.range, got.meta.size), (range, LEN));
    got.body.collect_bytes(usize::MAX).await
}

/// A range read yields the bytes of the range, at the edges, in the middle, and none for an empty one.
pub async fn range_reads_yield_just_the_range(store: &dyn Store) {
    let bytes = pattern(usize::try_from(LEN).unwrap(), 11);
    store.put_bytes(&key("range/object"), bytes.clone()).await.unwrap();
    for asked in [0..LEN, 0..1, LEN - 1..LEN, 1..2, 1_048_575..1_048_577, 1..LEN - 1, 0..0, 17..17, LEN..LEN]
    {
        let index = |at: u64| usize::try_from(at).unwrap();
        let got = range(store, "range/object", asked.clone()).await.unwrap();
        assert!(got == bytes.slice(index(asked.start)..index(asked.end)), "{asked:?}");
    }
    let whole = store.get(&key("range/object"), GetOptions::default()).await.unwrap();
    assert_eq!(whole.range, 0..LEN);
    store.put_bytes(&key("range/empty"), Bytes::new()).await.unwrap();
    assert_eq!(read(store, &key("range/empty")).await, Bytes::new());
    let none = store.get(&key("range/empty"), GetOptions::range(0..0)).await.unwrap();
    assert_eq!(none.body.collect_bytes(0).await.unwrap(), Bytes::new());
}

/// A range that starts or ends beyond the object, or ends before it starts, is `InvalidInput`.
pub async fn range_beyond_the_object_is_invalid(store: &dyn Store) {
    store.put_bytes(&key("range/short"), pattern(10, 12)).await.unwrap();
    let backwards = Range { start: 5, end: 3 };
    for asked in [0..11, 10..11, 11..11, 11..12, 0..u64::MAX, u64::MAX..u64::MAX, backwards] {
        let got = store.get(&key("range/short"), GetOptions::range(asked.clone())).await;
        assert_eq!(got.unwrap_err().kind(), ErrorKind::InvalidInput, "{asked:?}");
    }
}

/// `head` and `get` of what does not exist, also beside or below what does, are `NotFound`.
pub async fn missing_object_is_not_found(store: &dyn Store) {
    assert_absent(store, &key("missing")).await;
    assert_absent(store, &key("missing/in/folders")).await;
    store.put_bytes(&key("there/object"), Bytes::from_static(b"x")).await.unwrap();
    for missing in ["there", "there/objec", "there/object2", "there/object/below", "there/other"] {
        assert_absent(store, &key(missing)).await;
        assert!(!store.exists(&key(missing)).await.unwrap());
        let ranged = store.get(&key(missing), GetOptions::range(0..1)).await;
        assert_eq!(ranged.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(store.exists(&key("there/object")).await.unwrap());
}

/// Dropping a body that was read in part, or not at all, harms nothing.
pub async fn dropped_read_is_harmless(store: &dyn Store) {
    let bytes = pattern(4_000_000, 13);
    store.put_bytes(&key("drop/read"), bytes.clone()).await.unwrap();
    for _ in 0..20 {
        let unread = store.get(&key("drop/read"), GetOptions::default()).await.unwrap();
        drop(unread);
        let mut begun = store.get(&key("drop/read"), GetOptions::default()).await.unwrap();
        let first = begun.body.next().await.unwrap().unwrap();
        assert!(bytes.starts_with(&first));
    }
    assert!(read(store, &key("drop/read")).await == bytes);
    store.delete(&key("drop/read")).await.unwrap();
    assert_absent(store, &key("drop/read")).await;
}

/// Deleting what does not exist succeeds, also twice, and also where there is no folder.
pub async fn delete_is_idempotent(store: &dyn Store) {
    store.delete(&key("missing")).await.unwrap();
    store.delete(&key("missing/in/folders")).await.unwrap();
    store.put_bytes(&key("delete/object"), Bytes::from_static(b"x")).await.unwrap();
    store.delete(&key("delete/object")).await.unwrap();
    store.delete(&key("delete/object")).await.unwrap();
    assert_absent(store, &key("delete/object")).await;
    assert!(names(store, "").await.is_empty());
}

/// Deleting an object leaves those whose names are like its own, and deleting a folder's name leaves all.
pub async fn delete_removes_just_that_object(store: &dyn Store) {
    for name in ["delete/a/b", "delete/a/bc", "delete/a/b.c", "delete/ab/c"] {
        store.put_bytes(&key(name), Bytes::from_static(b"x")).await.unwrap();
    }
    store.delete(&key("delete/a")).await.unwrap();
    store.delete(&key("delete")).await.unwrap();
    store.delete(&key("delete/a/b")).await.unwrap();
    store.delete(&key("delete/a/bc/below")).await.unwrap();
    assert_eq!(names(store, "").await, ["delete/a/b.c", "delete/a/bc", "delete/ab/c"]);
    assert_absent(store, &key("delete/a/b")).await;
}

/// A deleted key is free again, and then holds the new bytes.
pub async fn deleted_key_can_be_created_again(store: &dyn Store) {
    let key = key("delete/again");
    for round in 0..3 {
        store.put_bytes(&key, pattern(1000, round)).await.unwrap();
        assert_eq!(read(store, &key).await, pattern(1000, round));
        store.delete(&key).await.unwrap();
        assert_absent(store, &key).await;
    }
}
