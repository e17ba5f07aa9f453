//! Clauses about storing.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, future::join_all};
use tokio::sync::oneshot;

use super::{LARGEST, StoreFixture, assert_absent, body, cut, key, listed, names, pattern, read};
use crate::{
    ByteStream, Digest, Error, ErrorKind, GetOptions, PutMode, PutOptions, Store, StoreExt,
    testkit::faults::broken_body,
};

/// Nothing, one byte and several MiB in odd chunks, some of them empty, come back as they were.
pub async fn round_trip_of_any_size(store: &dyn Store) {
    for (len, chunk) in [(0, 1), (1, 1), (4096, 4096), (100_003, 17), (LARGEST, 7919), (LARGEST, LARGEST)] {
        let key = key(&format!("round/trip-{len}-{chunk}"));
        let bytes = pattern(len, len as u64);
        let mut chunks = cut(&bytes, chunk);
        chunks.insert(chunks.len() / 2, Bytes::new());
        chunks.push(Bytes::new());
        let meta = store.put(&key, body(chunks), PutOptions::default()).await.unwrap();
        assert_eq!(meta.size, len as u64);
        assert!(read(store, &key).await == bytes, "{key} came back changed");
    }
}

/// `put`, `head`, `get` and `list` agree on key, size and time.
pub async fn meta_is_the_same_from_put_head_get_and_list(store: &dyn Store) {
    let key = key("meta/object");
    let mut put = store.put_bytes(&key, pattern(1000, 1)).await.unwrap();
    assert_eq!((&put.key, put.size), (&key, 1000));
    // Only `put` tells of single copies.
    put.copies.clear();
    assert_eq!(store.head(&key).await.unwrap(), put);
    assert_eq!(store.get(&key, GetOptions::default()).await.unwrap().meta, put);
    assert_eq!(listed(store, "").await, [put]);
}

/// A body that ends in an error, at its start, in its middle or after its last byte, publishes nothing, and
/// its error comes out unchanged.
pub async fn failing_body_publishes_nothing(store: &dyn Store) {
    let key = key("fail/body");
    for chunks in [0, 1, 40] {
        for mode in [PutMode::Create, PutMode::Overwrite] {
            let chunks = cut(&pattern(chunks * 100_000, 2), 100_000);
            let body = broken_body(chunks, ErrorKind::ToolFailed);
            let err = store.put(&key, body, PutOptions::default().with_mode(mode)).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::ToolFailed);
            assert_absent(store, &key).await;
        }
    }
    store.put_bytes(&key, Bytes::from_static(b"good")).await.unwrap();
}

/// A body that fails while it is to replace an object leaves the object as it was.
pub async fn failing_body_leaves_the_old_object(store: &dyn Store) {
    let key = key("fail/old");
    let old = pattern(5000, 3);
    let mut before = store.put_bytes(&key, old.clone()).await.unwrap();
    before.copies.clear();
    let body = broken_body(cut(&pattern(300_000, 4), 4096), ErrorKind::ConnectionFailed);
    let options = PutOptions::default().with_mode(PutMode::Overwrite);
    assert_eq!(store.put(&key, body, options).await.unwrap_err().kind(), ErrorKind::ConnectionFailed);
    assert_eq!(read(store, &key).await, old);
    assert_eq!(store.head(&key).await.unwrap(), before);
}

/// Yields `chunks`, says that it did, and then waits for ever.
fn stalling(chunks: Vec<Bytes>) -> (ByteStream, oneshot::Receiver<()>) {
    let (told, stalled) = oneshot::channel();
    let stall = futures::stream::once(async move {
        let _nobody_waits = told.send(());
        std::future::pending::<Result<Bytes, Error>>().await
    });
    (ByteStream::new(futures::stream::iter(chunks.into_iter().map(Ok)).chain(stall)), stalled)
}

async fn drop_a_put(store: &dyn Store, name: &str, chunks: Vec<Bytes>, options: PutOptions) {
    let (body, stalled) = stalling(chunks);
    let key = key(name);
    tokio::select! {
        done = store.put(&key, body, options) => panic!("a put without an end returned {done:?}"),
        stalled = stalled => stalled.unwrap(),
    }
}

/// A `put` whose future is dropped, before its first byte or later, publishes nothing.
pub async fn dropped_put_publishes_nothing(store: &dyn Store) {
    let key = key("drop/put");
    for len in [0, 1, 100_000, 3_000_000] {
        drop_a_put(store, key.as_str(), cut(&pattern(len, 5), 65_536), PutOptions::default()).await;
        assert_absent(store, &key).await;
    }
    // Never even polled.
    let (body, _) = stalling(Vec::new());
    drop(store.put(&key, body, PutOptions::default()));
    // Whatever is still being cleared away does not stand in the way of the next one.
    store.put_bytes(&key, Bytes::from_static(b"good")).await.unwrap();
    assert_eq!(names(store, "").await, ["drop/put"]);
}

/// A `put` that was to replace an object and is dropped leaves the object as it was.
pub async fn dropped_overwrite_leaves_the_old_object(store: &dyn Store) {
    let key = key("drop/old");
    let old = pattern(5000, 6);
    store.put_bytes(&key, old.clone()).await.unwrap();
    let options = PutOptions::default().with_mode(PutMode::Overwrite);
    drop_a_put(store, key.as_str(), cut(&pattern(200_000, 7), 65_536), options).await;
    assert_eq!(read(store, &key).await, old);
}

/// A create of an existing object is refused and does not touch it, whatever its body does.
pub async fn create_refuses_existing_and_leaves_it_untouched(store: &dyn Store) {
    let key = key("create/object");
    let mut before = store.put_bytes(&key, Bytes::from_static(b"first")).await.unwrap();
    before.copies.clear();
    for second in [Bytes::new(), Bytes::from_static(b"first"), pattern(2_000_000, 8)] {
        let refused = store.put(&key, body(cut(&second, 100_000)), PutOptions::default()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(read(store, &key).await, b"first".as_slice());
    assert_eq!(store.head(&key).await.unwrap(), before);
}

/// An overwrite replaces what is there by something shorter or longer, and creates what is not.
pub async fn overwrite_replaces_and_creates(store: &dyn Store) {
    let key = key("overwrite/object");
    for len in [1000, 10, 100_000] {
        let new = pattern(len, len as u64);
        let options = PutOptions::default().with_mode(PutMode::Overwrite);
        store.put(&key, new.clone().into(), options).await.unwrap();
        assert_eq!(read(store, &key).await, new);
    }
    assert_eq!(names(store, "").await, ["overwrite/object"]);
}

/// Who reads while an object is replaced gets the old one or the new one, whole, and never none.
pub async fn overwrite_is_seen_whole_or_not_at_all(store: &dyn Store) {
    const LEN: usize = 300_000;
    let key = key("overwrite/seen");
    let fill = |round: u8| Bytes::from(vec![round; LEN]);
    store.put_bytes(&key, fill(0)).await.unwrap();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let write = async {
        for round in 1..=20 {
            let options = PutOptions::default().with_mode(PutMode::Overwrite);
            store.put(&key, body(cut(&fill(round), 10_000)), options).await.unwrap();
        }
        drop(stop);
    };
    let watch = async {
        let mut latest = 0;
        while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
            let seen = read(store, &key).await;
            assert_eq!(seen.len(), LEN);
            let round = seen[0];
            assert!(seen.iter().all(|&byte| byte == round), "a mix of two objects");
            assert!(round >= latest, "an older object came back");
            latest = round;
        }
    };
    futures::join!(write, watch);
    assert_eq!(read(store, &key).await, fill(20));
}

/// Of 32 racing creates one wins, where the store declares so, and what is there is the winner's.
pub async fn exactly_one_of_racing_creates_wins(store: &dyn Store) {
    race(&[store]).await;
}

/// The same, through two handles of one store.
pub async fn creates_race_across_two_handles(fixture: &StoreFixture) {
    let (first, second) = (fixture.open().await, fixture.open().await);
    race(&[&*first, &*second]).await;
}

async fn race(stores: &[&dyn Store]) {
    let key = key("race/for/it");
    let bodies: Vec<_> = (0..32).map(|racer| pattern(50_000 + racer, racer as u64)).collect();
    let puts = bodies.iter().zip(stores.iter().cycle()).map(|(bytes, store)| {
        let key = &key;
        async move { store.put(key, body(cut(bytes, 10_000)), PutOptions::default()).await }
    });
    let results = join_all(puts).await;
    let winners: Vec<_> = (0..results.len()).filter(|&racer| results[racer].is_ok()).collect();
    for result in &results {
        let lost = result.as_ref().map_err(Error::kind);
        assert!(matches!(lost, Ok(_) | Err(ErrorKind::AlreadyExists)), "a loser was told {result:?}");
    }
    let kept = read(stores[0], &key).await;
    if stores[0].capabilities().atomic_create {
        assert_eq!(winners.len(), 1, "winners: {winners:?}");
        assert_eq!(kept, bodies[winners[0]]);
    } else {
        assert!(winners.iter().any(|&winner| kept == bodies[winner]), "no winner's bytes");
    }
    assert_eq!(names(stores[0], "").await, ["race/for/it"]);
}

/// A body that has not the announced digest is `Corrupt` and not stored, one that has it is.
pub async fn wrong_digest_is_refused_and_not_stored(store: &dyn Store) {
    let key = key("digest/object");
    let right = pattern(200_000, 9);
    let announced = PutOptions::default().with_digest(Digest::sha256(&right));
    let mut flipped = right.to_vec();
    flipped[123_456] ^= 1;
    let cut_short = right.slice(..right.len() - 1);
    for wrong in [Bytes::from(flipped), cut_short, Bytes::new()] {
        let err = store.put(&key, body(cut(&wrong, 10_000)), announced.clone()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt);
        assert_absent(store, &key).await;
    }
    store.put(&key, body(cut(&right, 10_000)), announced.clone()).await.unwrap();
    let overwrite = announced.with_mode(PutMode::Overwrite);
    let err = store.put(&key, Bytes::from_static(b"wrong").into(), overwrite).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    assert!(read(store, &key).await == right);
}

/// Two puts of different keys run at once: each waits for a byte of the other to be taken.
pub async fn two_puts_run_at_the_same_time(store: &dyn Store) {
    let (a, b) = (key("parallel/a"), key("parallel/b"));
    let (tell_a, told_a) = oneshot::channel::<()>();
    let (tell_b, told_b) = oneshot::channel::<()>();
    let body = |tell: oneshot::Sender<()>, told: oneshot::Receiver<()>| {
        let first = futures::stream::once(async { Ok(Bytes::from_static(b"1")) });
        let second = futures::stream::once(async move {
            tell.send(()).unwrap();
            told.await.unwrap();
            Ok(Bytes::from_static(b"2"))
        });
        ByteStream::new(first.chain(second))
    };
    let both = futures::future::join(
        store.put(&a, body(tell_a, told_b), PutOptions::default()),
        store.put(&b, body(tell_b, told_a), PutOptions::default()),
    );
    let (put_a, put_b) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("one waits");
    put_a.unwrap();
    put_b.unwrap();
    assert_eq!((read(store, &a).await, read(store, &b).await), ("12".into(), "12".into()));
}

/// An object `x` and an object `x/y` are both kept, or the second is refused as `Unsupported` (a file system
/// cannot hold both) and the first is untouched.
pub async fn object_and_folder_of_one_name_are_both_kept_or_refused(store: &dyn Store) {
    for (first, second) in [("one/x", "one/x/y"), ("two/x/y", "two/x"), ("three/x/y/z", "three/x")] {
        let (first, second) = (key(first), key(second));
        store.put_bytes(&first, Bytes::from_static(b"first")).await.unwrap();
        for mode in [PutMode::Create, PutMode::Overwrite] {
            let options = PutOptions::default().with_mode(mode);
            match store.put(&second, Bytes::from_static(b"second").into(), options).await {
                Ok(_) => {
                    assert_eq!(read(store, &second).await, b"second".as_slice());
                    store.delete(&second).await.unwrap();
                }
                Err(err) => {
                    assert_eq!(err.kind(), ErrorKind::Unsupported, "{err}");
                    // Deleting what is not there succeeds, and takes nothing else with it.
                    store.delete(&second).await.unwrap();
                }
            }
            assert_absent(store, &second).await;
            assert_eq!(read(store, &first).await, b"first".as_slice());
        }
        // With the first one gone, its name is free for the other kind.
        store.delete(&first).await.unwrap();
        store.put_bytes(&second, Bytes::from_static(b"second")).await.unwrap();
        assert_eq!(read(store, &second).await, b"second".as_slice());
    }
}

/// What was put is there for who opens the store anew.
pub async fn objects_are_there_after_opening_again(fixture: &StoreFixture) {
    let key = key("again/object");
    let bytes = pattern(300_000, 10);
    let mut put = fixture.open().await.put_bytes(&key, bytes.clone()).await.unwrap();
    put.copies.clear();
    let again = fixture.open().await;
    assert_eq!(again.head(&key).await.unwrap(), put);
    assert_eq!(read(&*again, &key).await, bytes);
}

/// A store that names a largest object takes at least what this kit stores.
pub async fn largest_object_is_plausible(store: &dyn Store) {
    if let Some(largest) = store.capabilities().max_object_size {
        assert!(largest >= LARGEST as u64, "{largest} bytes are too few for a backup");
    }
}
