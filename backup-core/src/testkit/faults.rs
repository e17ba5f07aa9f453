//! Faults on purpose: [`FaultyStore`] around any store, bodies that break, and calls that are [dropped](polled).

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};

use crate::{
    ByteStream, Error, ErrorKind, GetOptions, GetResult, Key, ObjectMeta, Prefix, PutOptions, Result, Store,
    store::{Space, StoreCapabilities, SweepReport},
};

/// A body of `chunks` that then ends in an error of `kind`.
pub fn broken_body(chunks: impl IntoIterator<Item = impl Into<Bytes>>, kind: ErrorKind) -> ByteStream {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
    ByteStream::new(
        futures::stream::iter(chunks).chain(futures::stream::once(async move { Err(fault(kind)) })),
    )
}

/// Polls `future` until it is ready or was polled `most` times, and drops it then; what it returned, and how often it was
/// polled.
///
/// Called with 1, 2, 3 and so on, until the future ends before, it drops an operation at each of its awaits.
///
/// # Cancel safety
///
/// Drops the future with itself.
pub async fn polled<T>(most: u64, future: impl Future<Output = T>) -> (Option<T>, u64) {
    let mut future = pin!(future);
    let mut polls = 0;
    let ended = poll_fn(|context| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls == most => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    let ended = ended.await;
    (ended, polls)
}

fn fault(kind: ErrorKind) -> Error {
    Error::new(kind, "a fault on purpose")
}

pub use crate::store::StoreOp;

/// A store whose calls fail, hang, lose their answer or return damaged bytes, as it was told.
///
/// Clones share faults and counts, so that a test can keep one and [`heal`](Self::heal) it later. Calls are
/// counted from 1, per method, from the making of the store.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use backup_core::{ErrorKind, Key, MemoryStore, StoreExt, testkit::faults::{FaultyStore, StoreOp}};
///
/// let store = FaultyStore::new(MemoryStore::new()).fail_on(StoreOp::Put, 2, ErrorKind::StorageFull);
/// store.put_bytes(&Key::parse("a").unwrap(), "1").await.unwrap();
/// let err = store.put_bytes(&Key::parse("b").unwrap(), "2").await.unwrap_err();
/// assert_eq!(err.kind(), ErrorKind::StorageFull);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct FaultyStore<S> {
    inner: S,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: BTreeMap<StoreOp, u64>,
    faults: Vec<(StoreOp, u64, Fault)>,
    fail_body_after: Option<u64>,
    corrupt_read: Option<u64>,
    truncate_read: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Fail(ErrorKind),
    Hang,
    LoseAck,
}

impl<S: Store> FaultyStore<S> {
    /// A store that does what `inner` does, until it is told otherwise.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// The store inside, without faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The `nth` call of `op` fails and does nothing; a list fails as its first item.
    #[must_use]
    pub fn fail_on(self, op: StoreOp, nth: u64, kind: ErrorKind) -> Self {
        self.plan().faults.push((op, nth, Fault::Fail(kind)));
        self
    }

    /// The `nth` call of `op` never returns and does nothing.
    #[must_use]
    pub fn hang(self, op: StoreOp, nth: u64) -> Self {
        self.plan().faults.push((op, nth, Fault::Hang));
        self
    }

    /// The `nth` call of `op` does all of it, and then says [`Unavailable`](ErrorKind::Unavailable).
    #[must_use]
    pub fn lose_ack(self, op: StoreOp, nth: u64) -> Self {
        self.plan().faults.push((op, nth, Fault::LoseAck));
        self
    }

    /// Every put of more than `bytes` fails after it took that many, with
    /// [`Unavailable`](ErrorKind::Unavailable).
    #[must_use]
    pub fn fail_body_after(self, bytes: u64) -> Self {
        self.plan().fail_body_after = Some(bytes);
        self
    }

    /// Every read finds one bit of the byte at `offset` of the object flipped.
    #[must_use]
    pub fn corrupt_read(self, offset: u64) -> Self {
        self.plan().corrupt_read = Some(offset);
        self
    }

    /// Every read ends at `offset` of the object, as if it ended there: cleanly, against the contract.
    #[must_use]
    pub fn truncate_read(self, offset: u64) -> Self {
        self.plan().truncate_read = Some(offset);
        self
    }

    /// Forgets all faults; the counts go on.
    pub fn heal(&self) {
        let mut plan = self.plan();
        *plan = Plan { calls: std::mem::take(&mut plan.calls), ..Plan::default() };
    }

    /// How many calls of `op` were made.
    #[must_use]
    pub fn calls(&self, op: StoreOp) -> u64 {
        self.plan().calls.get(&op).copied().unwrap_or_default()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and says what shall happen to it.
    fn count(&self, op: StoreOp) -> Option<Fault> {
        let mut plan = self.plan();
        let calls = plan.calls.entry(op).or_default();
        *calls += 1;
        let now = *calls;
        plan.faults.iter().find(|(on, nth, _)| *on == op && *nth == now).map(|(.., fault)| *fault)
    }

    async fn run<T>(&self, op: StoreOp, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self.count(op) {
            None => call.await,
            Some(Fault::Fail(kind)) => Err(fault(kind)),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::LoseAck) => {
                call.await?;
                Err(fault(ErrorKind::Unavailable))
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for FaultyStore<S> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let limit = self.plan().fail_body_after;
        let body = match limit {
            Some(limit) => failing_after(body, limit),
            None => body,
        };
        self.run(StoreOp::Put, self.inner.put(key, body, options)).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut got = self.run(StoreOp::Get, self.inner.get(key, options)).await?;
        let (corrupt, truncate) = {
            let plan = self.plan();
            (plan.corrupt_read, plan.truncate_read)
        };
        if corrupt.is_some() || truncate.is_some() {
            got.body = damaged(got.body, got.range.start, corrupt, truncate);
        }
        Ok(got)
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.run(StoreOp::Head, self.inner.head(key)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.run(StoreOp::Delete, self.inner.delete(key)).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let failed = |kind| futures::stream::once(async move { Err(fault(kind)) });
        match self.count(StoreOp::List) {
            None => self.inner.list(prefix),
            Some(Fault::Fail(kind)) => failed(kind).boxed(),
            Some(Fault::Hang) => futures::stream::pending().boxed(),
            Some(Fault::LoseAck) => self.inner.list(prefix).chain(failed(ErrorKind::Unavailable)).boxed(),
        }
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.run(StoreOp::Space, self.inner.space()).await
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.run(StoreOp::Sweep, self.inner.sweep(grace)).await
    }
}

/// The first `limit` bytes of `body`, and an error if there are more.
fn failing_after(body: ByteStream, limit: u64) -> ByteStream {
    let mut left = limit;
    let cut = body.map_ok(move |mut chunk| {
        let whole = chunk.len() as u64 <= left;
        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= chunk.len() as u64;
        let rest = if whole { None } else { Some(Err(fault(ErrorKind::Unavailable))) };
        futures::stream::iter(std::iter::once(Ok(chunk)).chain(rest))
    });
    ByteStream::new(cut.try_flatten())
}

/// `body`, which starts at `start` of its object, with a bit flipped or its end missing.
fn damaged(body: ByteStream, start: u64, corrupt: Option<u64>, truncate: Option<u64>) -> ByteStream {
    let mut at = start;
    let chunks = body.map_ok(move |chunk| {
        let end = at + chunk.len() as u64;
        let index = |offset: u64| usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut bytes = chunk.to_vec();
        if let Some(offset) = corrupt.filter(|offset| (at..end).contains(offset)) {
            bytes[index(offset)] ^= 1;
        }
        if let Some(offset) = truncate {
            bytes.truncate(index(offset));
        }
        at = end;
        Bytes::from(bytes)
    });
    ByteStream::new(chunks)
}

#[cfg(test)]
mod tests;
