//! Clauses about listing, space and sweeping.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use super::{assert_absent, cut, key, listed, names, pattern, read};
use crate::{ByteStream, ErrorKind, Key, PutOptions, Store, StoreExt};

const HOUR: Duration = Duration::from_secs(3600);

/// `list` works by whole segments: `a/b` is no prefix of `a/bc`, and not of the object `a/b` itself.
pub async fn list_is_segment_wise(store: &dyn Store) {
    let all = ["a/b/c", "a/b/d/e", "a/b-c/d", "a/b.c/d", "a/bc/d", "a/x", "ab/c", "z"];
    for name in all {
        store.put_bytes(&key(name), Bytes::from_static(b"x")).await.unwrap();
    }
    assert_eq!(names(store, "a/b").await, ["a/b/c", "a/b/d/e"]);
    assert_eq!(names(store, "a").await, ["a/b-c/d", "a/b.c/d", "a/b/c", "a/b/d/e", "a/bc/d", "a/x"]);
    assert_eq!(names(store, "a/x").await, [""; 0]);
    assert_eq!(names(store, "a/b/c").await, [""; 0]);
    let mut expected = all.map(str::to_owned);
    expected.sort();
    assert_eq!(names(store, "").await, expected);
}

/// `list` goes to the end over 1,100 objects, each once, with its size.
pub async fn list_sees_everything_over_1000_objects(store: &dyn Store) {
    let all: Vec<_> =
        (0..1100).map(|number| key(&format!("many/{}/object-{number:04}", number % 3))).collect();
    futures::stream::iter(&all)
        .map(|key| async move {
            let size = key.as_str().bytes().map(usize::from).sum::<usize>() % 50;
            store.put_bytes(key, vec![7; size]).await.map(|meta| assert_eq!(meta.size, size as u64))
        })
        .buffer_unordered(32)
        .try_collect::<()>()
        .await
        .unwrap();
    let found = listed(store, "many").await;
    assert_eq!(found.len(), 1100);
    for meta in &found {
        let size = meta.key.as_str().bytes().map(u64::from).sum::<u64>() % 50;
        assert_eq!(meta.size, size, "{}", meta.key);
    }
    let found: BTreeSet<&Key> = found.iter().map(|meta| &meta.key).collect();
    assert_eq!(found, all.iter().collect());
    assert_eq!(names(store, "many/1").await.len(), 367);
    // A listing that nobody reads to its end is harmless.
    assert!(store.list(&key_prefix("many")).next().await.unwrap().is_ok());
}

fn key_prefix(text: &str) -> crate::Prefix {
    crate::Prefix::parse(text).unwrap()
}

/// A body that tells when two thirds were taken, and goes on when it may.
fn paused(bytes: &Bytes) -> (ByteStream, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (tell, paused) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    let at = bytes.len() * 2 / 3;
    let (first, last) = (cut(&bytes.slice(..at), 65_536), bytes.slice(at..));
    let rest = futures::stream::once(async move {
        let _nobody_waits = tell.send(());
        let _dropped = resumed.await;
        Ok(last)
    });
    let body = ByteStream::new(futures::stream::iter(first.into_iter().map(Ok)).chain(rest));
    (body, paused, resume)
}

/// While an upload is under way neither `list` nor `head` nor `get` shows it; afterwards they do.
pub async fn list_never_shows_unfinished_uploads(store: &dyn Store) {
    let bytes = pattern(3_000_000, 14);
    let key = key("unfinished/object");
    let (body, paused, resume) = paused(&bytes);
    let look = async {
        paused.await.unwrap();
        assert_eq!(names(store, "").await, [""; 0]);
        assert_absent(store, &key).await;
        resume.send(()).unwrap();
    };
    let (put, ()) = futures::join!(store.put(&key, body, PutOptions::default()), look);
    put.unwrap();
    assert_eq!(names(store, "").await, ["unfinished/object"]);
    assert!(read(store, &key).await == bytes);
}

/// A store without objects, and a prefix without any, list nothing, and that is no error.
pub async fn list_below_nothing_is_empty(store: &dyn Store) {
    assert!(names(store, "").await.is_empty());
    assert!(names(store, "no/such/folder").await.is_empty());
    store.put_bytes(&key("some/object"), Bytes::from_static(b"x")).await.unwrap();
    assert!(names(store, "no/such/folder").await.is_empty());
    assert!(names(store, "some/object/below").await.is_empty());
    store.delete(&key("some/object")).await.unwrap();
    assert!(names(store, "").await.is_empty());
}

/// Keys with every allowed character, of the greatest length and depth, are stored, listed and read.
///
/// Keys of more than 800 bytes may be refused instead, by a store that keeps its objects below a folder of another.
pub async fn every_allowed_key_is_kept(store: &dyn Store) {
    let longest_segment = "s".repeat(200);
    let all = [
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_%+@=-.x".to_owned(),
        "-rf/--/~".replace('~', "_"),
        "%2e%2e/%2F/a".to_owned(),
        "a..b/c...d".to_owned(),
        "a+b/c=d/e@f/g%20h".to_owned(),
        "CON/nul/aux.txt".to_owned(),
        "plain.part/object.tmp".to_owned(),
        format!("{longest_segment}/{longest_segment}/{longest_segment}/{longest_segment}/{}", "t".repeat(96)),
        vec!["d"; 450].join("/") + "d",
    ];
    let mut expected = Vec::new();
    for name in &all {
        let bytes = Bytes::from(name.clone());
        match store.put_bytes(&key(name), bytes.clone()).await {
            Ok(_) => {}
            Err(err) if err.kind() == ErrorKind::InvalidInput && name.len() > 800 => continue,
            Err(err) => panic!("{name}: {err}"),
        }
        assert_eq!(read(store, &key(name)).await, bytes);
        expected.push(name.clone());
    }
    assert_eq!(all.iter().map(String::len).max(), Some(900));
    expected.sort();
    assert_eq!(names(store, "").await, expected);
    for name in &expected {
        store.delete(&key(name)).await.unwrap();
    }
    assert!(names(store, "").await.is_empty());
}

/// `space` answers where the store declares so, with numbers that can be, and else says that it cannot tell.
pub async fn space_is_reported_where_declared(store: &dyn Store) {
    let space = store.space().await.unwrap();
    assert_eq!(space.is_some(), store.capabilities().reports_space);
    if let Some(space) = space {
        assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes, "{space:?}");
    }
}

/// A sweep with a long grace removes neither objects nor an upload that is under way.
pub async fn sweep_within_the_grace_harms_nothing(store: &dyn Store) {
    store.put_bytes(&key("sweep/object"), Bytes::from_static(b"good")).await.unwrap();
    let bytes = pattern(1_500_000, 15);
    let key = key("sweep/under-way");
    let (body, paused, resume) = paused(&bytes);
    let sweep = async {
        paused.await.unwrap();
        let report = store.sweep(24 * HOUR).await.unwrap();
        assert_eq!((report.removed, report.freed_bytes), (0, 0));
        resume.send(()).unwrap();
    };
    let (put, ()) = futures::join!(store.put(&key, body, PutOptions::default()), sweep);
    put.unwrap();
    assert!(read(store, &key).await == bytes);
    assert_eq!(names(store, "").await, ["sweep/object", "sweep/under-way"]);
}

/// A sweep without any grace, while nothing is being stored, keeps every object.
pub async fn sweep_keeps_finished_objects(store: &dyn Store) {
    for name in ["sweep/a", "sweep/b.part", "sweep/c/d.tmp", "e"] {
        store.put_bytes(&key(name), Bytes::from_static(b"good")).await.unwrap();
    }
    store.sweep(Duration::ZERO).await.unwrap();
    assert_eq!(names(store, "").await, ["e", "sweep/a", "sweep/b.part", "sweep/c/d.tmp"]);
    assert_eq!(read(store, &key("sweep/b.part")).await, b"good".as_slice());
}
