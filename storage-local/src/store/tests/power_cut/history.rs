//! What is done while changes are recorded.

use std::{path::PathBuf, sync::Arc, time::Duration};

use backup_core::{
    Annotation, ByteStream, Clock, ErrorKind, Key, Note, Pipeline, PutMode, PutOptions, Store, StoreExt,
    SystemClock,
    pipeline::{BackupRequest, Confirmation},
    testkit::fake::FakeDumper,
};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::stream;

use super::{
    STORE,
    record::{Event, Recorder},
    scratch,
    watched::Watched,
};
use crate::{
    LocalStore,
    dir::Dir,
    path::{Access, Root, split},
};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// Several chunks that are written each for itself.
fn chunks(seed: u8) -> ByteStream {
    let chunks = (0..3).map(move |nth| Ok(Bytes::from(vec![seed + nth; 70_000])));
    ByteStream::new(stream::iter(chunks))
}

fn overwrite() -> PutOptions {
    PutOptions::default().with_mode(PutMode::Overwrite)
}

/// Records what `run` does, which gets the path of a store that is to be made, and the recorder.
async fn recorded<F: Future<Output = ()>>(run: impl FnOnce(PathBuf, Arc<Recorder>) -> F) -> Vec<Event> {
    let dir = scratch();
    let recorder = Arc::new(Recorder::start(dir.path()));
    run(dir.path().join(STORE), Arc::clone(&recorder)).await;
    recorder.events()
}

/// The same, with the store made.
async fn watched<F: Future<Output = ()>>(run: impl FnOnce(Watched) -> F) -> Vec<Event> {
    recorded(|path, recorder| async move {
        let store = LocalStore::open(path).await.unwrap();
        run(Watched { store, recorder }).await;
    })
    .await
}

pub(super) async fn created() -> Vec<Event> {
    watched(|store| async move {
        store.put(&key("a/b/object"), chunks(1), PutOptions::default()).await.unwrap();
        store.put_bytes(&key("a/b/empty"), "").await.unwrap();
        let err = store.put_bytes(&key("a/b/object"), "another").await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists);
    })
    .await
}

pub(super) async fn replaced() -> Vec<Event> {
    watched(|store| async move {
        store.put_bytes(&key("a/object"), "old").await.unwrap();
        store.put(&key("a/object"), chunks(1), overwrite()).await.unwrap();
        store.put(&key("a/object"), Bytes::from("shorter").into(), overwrite()).await.unwrap();
    })
    .await
}

pub(super) async fn deleted() -> Vec<Event> {
    watched(|store| async move {
        store.put_bytes(&key("a/b/one"), "1").await.unwrap();
        store.put_bytes(&key("a/b/two"), "2").await.unwrap();
        store.delete(&key("a/b/one")).await.unwrap();
        // The last one takes its folders with it, and the next one makes them anew.
        store.delete(&key("a/b/two")).await.unwrap();
        store.put_bytes(&key("a/b/one"), "3").await.unwrap();
        store.delete(&key("a/b/two")).await.unwrap();
        store.delete(&key("a/b/one")).await.unwrap();
    })
    .await
}

/// A backup, notes on it and its deletion: claim, artifact, manifest, in the order of the pipeline.
pub(super) async fn backed_up() -> Vec<Event> {
    watched(|store| async move {
        let pipeline = Pipeline::new(FakeDumper::new("all the rows"), store).with_environment("production");
        let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
        let notes =
            [Note::Held { reason: "an audit".into() }, Note::Released { reason: "it is over".into() }];
        for (seconds, note) in (0..).zip(notes) {
            let note = Annotation::new(SystemClock.now() + TimeDelta::seconds(seconds), note);
            pipeline.catalog().annotate(&backup, &note).await.unwrap();
        }
        pipeline.delete(&backup, Confirmation::Confirmed).await.unwrap();
    })
    .await
}

pub(super) async fn swept() -> Vec<Event> {
    watched(|store| async move {
        store.put_bytes(&key("a/object"), "kept").await.unwrap();
        // What a process that was killed leaves.
        let root = Root::open(store.store.path(), Access::ReadWrite).unwrap();
        for cut_off in ["a/cut-off", "b/c/cut-off"] {
            let folder = root.make_folder(&key(cut_off)).unwrap();
            drop(folder.create_file(".cut-off.0123456789abcdef.part").unwrap());
        }
        assert_eq!(store.sweep(Duration::ZERO).await.unwrap().removed, 2);
        store.put_bytes(&key("b/c/cut-off"), "now whole").await.unwrap();
    })
    .await
}

pub(super) async fn at_once() -> Vec<Event> {
    watched(|store| async move {
        store.put_bytes(&key("a/deleted"), "old").await.unwrap();
        let calls =
            [("a/b/one", 10), ("a/b/two", 20), ("c/three", 30), ("a/b/one", 40)].map(|(name, seed)| {
                let store = store.clone();
                tokio::spawn(async move {
                    store
                        .put(&key(name), Bytes::from(vec![seed; 10]).into(), PutOptions::default())
                        .await
                        .is_ok()
                })
            });
        store.delete(&key("a/deleted")).await.unwrap();
        let mut won = 0;
        for call in calls {
            won += usize::from(call.await.unwrap());
        }
        assert_eq!(won, 3, "one of two racing creates");
    })
    .await
}

/// Another process made the store's folders and was killed before it had synced them.
pub(super) async fn made_by_another() -> Vec<Event> {
    recorded(|path, recorder| async move {
        Dir::make(path.parent().unwrap()).unwrap();
        Dir::make(&path).unwrap();
        let store = Watched { store: LocalStore::open_existing(path).await.unwrap(), recorder };
        store.put_bytes(&key("object"), "bytes").await.unwrap();
    })
    .await
}

/// Another process removed the object and was killed before it had synced that, and a third one the folder.
pub(super) async fn deleted_by_another() -> Vec<Event> {
    watched(|store| async move {
        let object = key("a/b/object");
        store.put_bytes(&object, "bytes").await.unwrap();
        store.recorder.tell(Event::Asked(object.clone(), None));
        let root = Root::open(store.store.path(), Access::ReadWrite).unwrap();
        let (segments, name) = split(&object);
        root.folder(&segments).unwrap().unwrap().remove_file(name).unwrap();
        root.prune(&segments).unwrap();
        store.delete(&object).await.unwrap();
    })
    .await
}
