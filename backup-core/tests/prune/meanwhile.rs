//! Sweeps while a backup or a copy is being made, with a grace that is too short for it, as where its host stood still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Error, Filter, GetOptions, GetResult, Key, Level, MemoryStore, ObjectMeta, Pipeline, Prefix,
    PutOptions, Result, Store,
    copy::{self, CopyOptions},
    pipeline::BackupRequest,
    store::{Space, StoreCapabilities, SweepReport},
    testkit::fake::FakeDumper,
};
use futures::{TryStreamExt, future::BoxFuture, stream::BoxStream};
use tokio::sync::Notify;

type Before = Arc<dyn Fn(u64) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store before each of whose calls, counted from 0, something else may be done.
#[derive(Clone)]
struct Meanwhile {
    inner: MemoryStore,
    calls: Arc<AtomicU64>,
    before: Before,
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meanwhile").finish_non_exhaustive()
    }
}

impl Meanwhile {
    fn new(
        inner: &MemoryStore,
        before: impl Fn(u64) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { inner: inner.clone(), calls: Arc::default(), before: Arc::new(before) }
    }

    async fn before(&self) {
        (self.before)(self.calls.fetch_add(1, Ordering::SeqCst)).await;
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Meanwhile {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        self.before().await;
        self.inner.put(key, body, options).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.before().await;
        self.inner.get(key, options).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.before().await;
        self.inner.head(key).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.before().await;
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.inner.space().await
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.inner.sweep(grace).await
    }
}

fn pipeline(store: impl Store + 'static) -> Pipeline {
    Pipeline::new(FakeDumper::new("all the rows"), store).with_level(Level::Decoded)
}

/// What is worked on while a sweep goes on beside it: its answer is whether it says that it was done.
type Work = fn(Meanwhile, MemoryStore) -> BoxFuture<'static, std::result::Result<(), Error>>;

fn backup(store: Meanwhile, _: MemoryStore) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move { pipeline(store).backup(BackupRequest::new()).await.map(drop) })
}

fn copied(store: Meanwhile, from: MemoryStore) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move {
        let made = pipeline(from.clone()).list(&Filter::all()).await?.entries.remove(0).manifest.backup_ref();
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(from), Arc::new(store));
        let report = copy::copy(&made, &from, &to, &CopyOptions::default()).await?;
        let skipped =
            || Error::new(backup_core::ErrorKind::Unavailable, "it says itself that nothing was copied");
        if report.outcome == copy::Copied::BeingDeleted { Err(skipped()) } else { Ok(()) }
    })
}

/// Runs the work, and before its call `start` a sweep up to its call `pause`; the sweep goes on at the work's call
/// `resume`, or once the work has ended. How many calls work and sweep made.
async fn beside(work: Work, start: u64, pause: u64, resume: u64) -> (u64, u64) {
    let (store, from) = (MemoryStore::new(), MemoryStore::new());
    pipeline(from.clone()).backup(BackupRequest::new()).await.unwrap();
    let (begin, paused, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let swept = {
        let (paused, go_on) = (Arc::clone(&paused), Arc::clone(&go_on));
        Meanwhile::new(&store, move |nth| {
            let (paused, go_on) = (Arc::clone(&paused), Arc::clone(&go_on));
            Box::pin(async move {
                if nth == pause {
                    paused.notify_one();
                    go_on.notified().await;
                }
            })
        })
    };
    let sweep = tokio::spawn({
        let (swept, begin, paused) = (swept.clone(), Arc::clone(&begin), Arc::clone(&paused));
        async move {
            begin.notified().await;
            let done = pipeline(swept).sweep(Duration::ZERO).await;
            paused.notify_one();
            done
        }
    });
    let worked = {
        let (begin, paused, go_on) = (Arc::clone(&begin), Arc::clone(&paused), Arc::clone(&go_on));
        Meanwhile::new(&store, move |nth| {
            let (begin, paused, go_on) = (Arc::clone(&begin), Arc::clone(&paused), Arc::clone(&go_on));
            Box::pin(async move {
                if nth == start {
                    begin.notify_one();
                    paused.notified().await;
                }
                if nth == resume {
                    go_on.notify_one();
                    tokio::task::yield_now().await;
                }
            })
        })
    };
    let done = work(worked.clone(), from.clone()).await;
    begin.notify_one();
    go_on.notify_one();
    tokio::time::timeout(Duration::from_secs(20), sweep).await.unwrap().unwrap().unwrap();

    let case = format!("a sweep from call {start} to its call {pause}, on at {resume}: {done:?}");
    let clean = pipeline(store.clone());
    let listed = clean.list(&Filter::all()).await.unwrap();
    assert!(listed.damaged.is_empty(), "{case}: {listed:?}");
    assert!(done.is_err() || listed.entries.len() == 1, "{case}: done, and not there");
    for entry in listed.entries {
        let proof = clean.verify(&entry.manifest.backup_ref(), Level::Decoded).await.unwrap();
        assert!(
            proof.evidence.passed(),
            "{case}: listed without its artifact: {:?}",
            proof.evidence.findings
        );
    }
    if let Err(err) = done {
        assert!(!err.suggestions().is_empty(), "{case}");
    }
    clean.sweep(Duration::ZERO).await.unwrap();
    clean.backup(BackupRequest::new()).await.unwrap();
    let objects: Vec<_> = store.list(&Prefix::root()).try_collect().await.unwrap();
    assert!(objects.iter().all(|object| !object.key.as_str().ends_with(".claim.json")), "{case}");
    (worked.calls(), swept.calls())
}

async fn everywhere(work: Work) {
    let (calls, _) = beside(work, u64::MAX, u64::MAX, u64::MAX).await;
    let (mut cases, mut most) = (0, 0);
    for start in 0..calls {
        let (_, swept) = beside(work, start, u64::MAX, u64::MAX).await;
        most = most.max(swept);
        for pause in 0..swept {
            for resume in start + 1..=calls {
                beside(work, start, pause, resume).await;
                cases += 1;
            }
        }
    }
    assert!(cases > 500 && most > 6, "{cases} cases, {most} calls of a sweep");
}

#[tokio::test]
async fn a_backup_that_a_sweep_takes_for_remains_is_no_backup_and_says_so() {
    everywhere(backup).await;
}

#[tokio::test]
async fn a_copy_that_a_sweep_takes_for_remains_is_no_copy_and_says_so() {
    everywhere(copied).await;
}
