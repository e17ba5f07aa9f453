use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use tokio::time::Instant;

use super::{
    GetOptions, GetResult, ObjectMeta, PutOptions, Space, Store, StoreCapabilities, StoreOp, SweepReport,
};
use crate::{ByteStream, Key, Prefix, Result};

/// Is told of every call of an [`Observed`] store once it is over.
///
/// # Contract
///
/// `observe` is called in asynchronous code and must not block; what takes longer belongs on a task or a channel.
pub trait StoreObserver: Send + Sync + Debug + 'static {
    /// A call is over.
    fn observe(&self, call: &StoreCall<'_>);
}

/// A call of a store that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCall<'a> {
    /// Which method it was.
    pub op: StoreOp,
    /// The key that it was about, or the prefix of a listing; empty where there is none.
    pub key: &'a str,
    /// How many bytes of a body passed; of a listing how many objects.
    pub amount: u64,
    /// How long it took: of a read or a listing until its end, with the time in which nobody asked for more.
    pub duration: Duration,
    /// What came of it.
    pub outcome: CallOutcome,
}

/// What came of a call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It did what it should.
    Done,
    /// It ended in an error of this [code](crate::ErrorKind::code).
    Failed(&'static str),
    /// Who called went away before it was over.
    Dropped,
}

/// Tells an observer of every call of another store, for metrics and logs of one's own.
#[derive(Debug, Clone)]
pub struct Observed<S> {
    inner: S,
    observer: Arc<dyn StoreObserver>,
}

impl<S: Store> Observed<S> {
    /// `inner`, whose calls `observer` hears of.
    pub fn new(inner: S, observer: impl StoreObserver) -> Self {
        Self { inner, observer: Arc::new(observer) }
    }

    fn begin(&self, op: StoreOp, key: &str) -> Call {
        Call {
            observer: Arc::clone(&self.observer),
            op,
            key: key.to_owned(),
            amount: 0,
            started: Instant::now(),
            outcome: CallOutcome::Dropped,
        }
    }
}

/// A call that is under way; tells of itself when it is dropped.
struct Call {
    observer: Arc<dyn StoreObserver>,
    op: StoreOp,
    key: String,
    amount: u64,
    started: Instant,
    outcome: CallOutcome,
}

impl Call {
    fn note<T>(&mut self, result: &Result<T>) {
        self.outcome = match result {
            Ok(_) => CallOutcome::Done,
            Err(err) => CallOutcome::Failed(err.code()),
        };
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.observer.observe(&StoreCall {
            op: self.op,
            key: &self.key,
            amount: self.amount,
            duration: self.started.elapsed(),
            outcome: self.outcome,
        });
    }
}

/// `items` to their end, where the call is over.
fn told<T: Send + 'static>(
    items: impl futures::Stream<Item = Result<T>> + Send + 'static,
    call: Call,
    amount: impl Fn(&T) -> u64 + Send + 'static,
) -> impl futures::Stream<Item = Result<T>> + Send + 'static {
    let state = (items.boxed(), call, amount);
    futures::stream::unfold(state, |(mut items, mut call, amount)| async move {
        let item = items.next().await;
        match &item {
            Some(Ok(item)) => call.amount += amount(item),
            Some(failed @ Err(_)) => call.note(failed),
            None if call.outcome == CallOutcome::Dropped => call.outcome = CallOutcome::Done,
            None => {}
        }
        item.map(|item| (item, (items, call, amount)))
    })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Observed<S> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let mut call = self.begin(StoreOp::Put, key.as_str());
        let stored = self.inner.put(key, body, options).await;
        call.amount = stored.as_ref().map_or(0, |meta| meta.size);
        call.note(&stored);
        stored
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut call = self.begin(StoreOp::Get, key.as_str());
        let opened = self.inner.get(key, options).await;
        if opened.is_err() {
            call.note(&opened);
        }
        let mut got = opened?;
        got.body = ByteStream::new(told(got.body, call, |chunk| chunk.len() as u64));
        Ok(got)
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let mut call = self.begin(StoreOp::Head, key.as_str());
        let found = self.inner.head(key).await;
        call.note(&found);
        found
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let mut call = self.begin(StoreOp::Delete, key.as_str());
        let deleted = self.inner.delete(key).await;
        call.note(&deleted);
        deleted
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let call = self.begin(StoreOp::List, prefix.as_str());
        told(self.inner.list(prefix), call, |_| 1).boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        let mut call = self.begin(StoreOp::Space, "");
        let space = self.inner.space().await;
        call.note(&space);
        space
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        let mut call = self.begin(StoreOp::Sweep, "");
        let swept = self.inner.sweep(grace).await;
        call.note(&swept);
        swept
    }
}
