use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use tokio::time::Instant;

use super::{GetOptions, GetResult, ObjectMeta, PutOptions, Space, Store, StoreCapabilities, SweepReport};
use crate::{ByteStream, Key, Prefix, Result};

/// Stores and reads at most so many bytes a second, so that a backup leaves others some of the line.
///
/// All puts together share one limit, all reads another; clones share both. What was not used is not saved up: the
/// rate holds from the first second on. A chunk passes as a whole and is paid for afterwards, so that the rate is kept
/// over a few chunks and not within one.
#[derive(Debug, Clone)]
pub struct RateLimit<S> {
    inner: S,
    up: Arc<Bucket>,
    down: Arc<Bucket>,
}

impl<S: Store> RateLimit<S> {
    /// At most so many bytes a second in each direction.
    pub fn new(inner: S, bytes_per_second: NonZeroU64) -> Self {
        let bucket = || Arc::new(Bucket { bytes_per_second, free_at: Mutex::new(None) });
        Self { inner, up: bucket(), down: bucket() }
    }
}

/// A token bucket that holds nothing while it is full, and goes into debt by one chunk.
#[derive(Debug)]
struct Bucket {
    bytes_per_second: NonZeroU64,
    /// When everything that passed is paid for.
    free_at: Mutex<Option<Instant>>,
}

impl Bucket {
    /// When `bytes` may pass.
    fn reserve(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free_at.map_or(now, |free_at| free_at.max(now));
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second.get());
        *free_at = Some(start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        start
    }
}

/// `body`, no faster than the bucket allows.
fn limited(body: ByteStream, bucket: &Arc<Bucket>) -> ByteStream {
    let bucket = Arc::clone(bucket);
    ByteStream::new(body.then(move |chunk| {
        let start = chunk.as_ref().ok().map(|chunk| bucket.reserve(chunk.len()));
        async move {
            if let Some(start) = start {
                tokio::time::sleep_until(start).await;
            }
            chunk
        }
    }))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for RateLimit<S> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        self.inner.put(key, limited(body, &self.up), options).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut got = self.inner.get(key, options).await?;
        got.body = limited(got.body, &self.down);
        Ok(got)
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.inner.head(key).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
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
