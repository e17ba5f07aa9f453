use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};

use super::{GetOptions, GetResult, ObjectMeta, PutOptions, Space, Store, StoreCapabilities, SweepReport};
use crate::{ByteStream, Error, ErrorKind, Key, Prefix, Result};

/// Keeps every object of another store below a prefix, so that several programs can share a store.
///
/// What lies elsewhere in the store cannot be reached through it. A key may be shorter by the length of the prefix
/// than the store allows; one that is longer is [`InvalidInput`](ErrorKind::InvalidInput). A sweep is that of the whole
/// store, as unfinished uploads have no keys that all stores know.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use backup_core::{Key, MemoryStore, Prefix, StoreExt, store::Prefixed};
///
/// let shared = MemoryStore::new();
/// let team = Prefixed::new(shared.clone(), Prefix::parse("team-a").unwrap());
/// team.put_bytes(&Key::parse("object").unwrap(), "1").await.unwrap();
/// assert!(shared.exists(&Key::parse("team-a/object").unwrap()).await.unwrap());
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Prefixed<S> {
    inner: S,
    prefix: Prefix,
}

impl<S: Store> Prefixed<S> {
    /// The part of `inner` that lies below `prefix`; all of it for the root.
    pub fn new(inner: S, prefix: Prefix) -> Self {
        Self { inner, prefix }
    }

    fn outside(&self, key: &Key) -> Result<Key> {
        if self.prefix.as_str().is_empty() {
            Ok(key.clone())
        } else {
            Key::parse(format!("{}/{key}", self.prefix))
        }
    }
}

/// The object under the key by which the user of this store knows it.
fn inside(prefix: &Prefix, mut meta: ObjectMeta) -> Result<ObjectMeta> {
    if prefix.as_str().is_empty() {
        return Ok(meta);
    }
    let stranger = || {
        Error::new(ErrorKind::Unexpected, "the store told of an object that was not asked for")
            .with_context("key", &meta.key)
            .with_context("prefix", prefix)
    };
    let key = meta.key.as_str().strip_prefix(prefix.as_str()).and_then(|key| key.strip_prefix('/'));
    meta.key = Key::parse(key.ok_or_else(stranger)?)?;
    Ok(meta)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Prefixed<S> {
    fn location(&self) -> String {
        let location = self.inner.location();
        match self.prefix.as_str() {
            "" => location,
            prefix => format!("{}/{prefix}", location.trim_end_matches('/')),
        }
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        inside(&self.prefix, self.inner.put(&self.outside(key)?, body, options).await?)
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut got = self.inner.get(&self.outside(key)?, options).await?;
        got.meta = inside(&self.prefix, got.meta)?;
        Ok(got)
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        inside(&self.prefix, self.inner.head(&self.outside(key)?).await?)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(&self.outside(key)?).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = match (self.prefix.as_str(), prefix.as_str()) {
            ("", prefix) => Prefix::parse(prefix),
            (own, "") => Prefix::parse(own),
            (own, prefix) => Prefix::parse(format!("{own}/{prefix}")),
        };
        let own = self.prefix.clone();
        match below {
            Ok(below) => {
                let objects = self.inner.list(&below);
                objects.and_then(move |meta| std::future::ready(inside(&own, meta))).boxed()
            }
            Err(err) => futures::stream::once(std::future::ready(Err(err))).boxed(),
        }
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.inner.space().await
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.inner.sweep(grace).await
    }
}
