use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{GetOptions, GetResult, ObjectMeta, PutOptions, Space, Store, StoreCapabilities, SweepReport};
use crate::{ByteStream, Error, ErrorKind, Key, Prefix, Result};

/// Lets nobody change another store: `put`, `delete` and `sweep` are
/// [`PermissionDenied`](ErrorKind::PermissionDenied), and the store is not even asked.
///
/// For restores, drills and health checks, whose credentials may be able to do more than they should.
#[derive(Debug, Clone)]
pub struct ReadOnly<S> {
    inner: S,
}

impl<S: Store> ReadOnly<S> {
    /// The objects of `inner`, as they are.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    fn refusal(&self) -> Error {
        Error::new(ErrorKind::PermissionDenied, "the store is opened for reading alone")
            .with_context("store", self.inner.location())
            .with_suggestion("open the store for writing, if it shall be changed")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for ReadOnly<S> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, _: ByteStream, _: PutOptions) -> Result<ObjectMeta> {
        Err(self.refusal().with_context("key", key))
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.inner.get(key, options).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.inner.head(key).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        Err(self.refusal().with_context("key", key))
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.inner.space().await
    }

    async fn sweep(&self, _: Duration) -> Result<SweepReport> {
        Err(self.refusal())
    }
}
