//! [`Store`]: where objects are kept.

use std::{fmt::Debug, future::Future, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{ByteStream, Digest, Error, ErrorKind, Key, Prefix, Result, digest::Hasher};

mod lock;
mod memory;
pub use lock::{LockMode, ObjectLock};
pub use memory::MemoryStore;

/// Keeps objects under keys.
///
/// # Contract
///
/// Executed by the [conformance kit](crate::testkit::store): implementing `Store` means passing it.
///
/// - `put` is all or nothing: an object is there, whole, when `put` returned success, and not there when it
///   returned an error, when the body ended in an error, or when the future was dropped.
/// - In [`PutMode::Create`] an existing object is never touched
///   ([`AlreadyExists`](ErrorKind::AlreadyExists)), and exactly one of any number of racing creates wins where
///   [`StoreCapabilities::atomic_create`] says so.
/// - An object is durable when `put` returns, where [`StoreCapabilities::durable`] says so.
/// - A digest in [`PutOptions`] is enforced: other bytes are [`Corrupt`](ErrorKind::Corrupt) and not stored.
/// - `get` of a range yields just that range; a range beyond the object is
///   [`InvalidInput`](ErrorKind::InvalidInput).
/// - `list` never shows an unfinished upload, works by whole segments, goes to the end whatever the number of
///   objects, and yields an error where it could not; an error is never an empty list.
/// - `delete` of what does not exist succeeds. What is listed can be read, what was deleted is
///   [`NotFound`](ErrorKind::NotFound).
/// - An object and a folder of one name (`a` and `a/b`) are both kept, or the second is refused with
///   [`Unsupported`](ErrorKind::Unsupported): a file system cannot hold both.
///
/// There are no default methods: a default would silently bypass a wrapper.
#[cfg_attr(feature = "testkit", mockall::automock)]
#[async_trait]
pub trait Store: Send + Sync + Debug + 'static {
    /// Where the store is, without secrets: `file:///backups`.
    fn location(&self) -> String;

    /// What this store promises beyond the least.
    fn capabilities(&self) -> StoreCapabilities;

    /// Stores `body` under `key`.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call stores nothing; what it left behind is invisible and is swept.
    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta>;

    /// Reads an object, or a range of it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult>;

    /// Asks for an object's size and time.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn head(&self, key: &Key) -> Result<ObjectMeta>;

    /// Deletes an object.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have deleted; call again.
    async fn delete(&self, key: &Key) -> Result<()>;

    /// Lists the objects below `prefix`, in no particular order.
    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>>;

    /// Asks for the free space; `None` where the store cannot tell.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn space(&self) -> Result<Option<Space>>;

    /// Removes what uploads left behind that were cut off more than `grace` ago.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a later call removes the rest.
    async fn sweep(&self, grace: Duration) -> Result<SweepReport>;
}

/// An object as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectMeta {
    /// Its name.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored, by the store's clock.
    pub last_modified: DateTime<Utc>,
    /// Until when the store lets nobody delete it, where `put` or `head` asked for it; `list` does not tell.
    pub lock: Option<ObjectLock>,
}

impl ObjectMeta {
    /// Describes an object.
    #[must_use]
    pub fn new(key: Key, size: u64, last_modified: DateTime<Utc>) -> Self {
        Self { key, size, last_modified, lock: None }
    }

    /// Says until when the store lets nobody delete it.
    #[must_use]
    pub fn with_lock(mut self, lock: Option<ObjectLock>) -> Self {
        self.lock = lock;
        self
    }
}

/// What happens to an object that exists under the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutMode {
    /// It stays, and the put fails.
    #[default]
    Create,
    /// It is replaced in one step.
    Overwrite,
}

/// How to store an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// What happens to an object that exists.
    pub mode: PutMode,
    /// The digest that the body must have.
    pub digest: Option<Digest>,
    /// About how many bytes will come.
    pub size_hint: Option<u64>,
    /// Until when nobody may delete or replace the object.
    ///
    /// A store without [`object_lock`](StoreCapabilities::object_lock) refuses it with
    /// [`Unsupported`](ErrorKind::Unsupported).
    pub lock: Option<ObjectLock>,
}

impl PutOptions {
    /// Says what happens to an object that exists.
    #[must_use]
    pub fn with_mode(mut self, mode: PutMode) -> Self {
        self.mode = mode;
        self
    }

    /// Demands that the body has this digest.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Says about how many bytes will come.
    #[must_use]
    pub fn with_size_hint(mut self, bytes: u64) -> Self {
        self.size_hint = Some(bytes);
        self
    }

    /// Demands that nobody may delete or replace the object for a time.
    #[must_use]
    pub fn with_lock(mut self, lock: ObjectLock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// What an implementer feeds the body to, to enforce [`digest`](Self::digest).
    pub fn digest_check(&self) -> Result<DigestCheck> {
        let hasher = self.digest.map(|expected| Hasher::new(expected.algorithm())).transpose()?;
        Ok(DigestCheck { expected: self.digest, hasher })
    }
}

/// Enforces the digest of [`PutOptions`]; does nothing where none was given.
#[derive(Debug)]
pub struct DigestCheck {
    expected: Option<Digest>,
    hasher: Option<Hasher>,
}

impl DigestCheck {
    /// The next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    /// Fails with [`Corrupt`](ErrorKind::Corrupt) unless the bytes were those that were announced.
    pub fn finish(self, key: &Key) -> Result<()> {
        match (self.expected, self.hasher.map(Hasher::finish)) {
            (Some(expected), Some(found)) if expected != found => {
                Err(Error::new(ErrorKind::Corrupt, "the bytes to store are not those that were announced")
                    .with_context("key", key)
                    .with_context("expected", expected)
                    .with_context("found", found))
            }
            _ => Ok(()),
        }
    }
}

/// What to read of an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetOptions {
    /// The bytes from start (inclusive) to end (exclusive); all where `None`.
    pub range: Option<Range<u64>>,
}

impl GetOptions {
    /// Reads just these bytes.
    #[must_use]
    pub fn range(range: Range<u64>) -> Self {
        Self { range: Some(range) }
    }

    /// The bytes to read of an object of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where the range lies outside the object.
    pub fn resolve(&self, key: &Key, size: u64) -> Result<Range<u64>> {
        let range = self.range.clone().unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(Error::new(ErrorKind::InvalidInput, "the range lies outside the object")
                .with_context("key", key)
                .with_context("range", format!("{}..{}", range.start, range.end))
                .with_context("size", size));
        }
        Ok(range)
    }
}

/// An object, or a range of it, being read.
#[derive(Debug)]
#[non_exhaustive]
pub struct GetResult {
    /// The whole object.
    pub meta: ObjectMeta,
    /// The bytes that come.
    pub range: Range<u64>,
    /// The bytes; fewer than `range` promises is an error as the last item.
    pub body: ByteStream,
}

impl GetResult {
    /// Describes what is being read.
    #[must_use]
    pub fn new(meta: ObjectMeta, range: Range<u64>, body: ByteStream) -> Self {
        Self { meta, range, body }
    }
}

/// What a store promises; each field is read by a clause of the kit.
// Each promise stands for itself.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCapabilities {
    /// Exactly one of any number of racing creates wins.
    pub atomic_create: bool,
    /// An object survives a power cut once `put` returned.
    pub durable: bool,
    /// `space` tells the free space.
    pub reports_space: bool,
    /// [`PutOptions::lock`] is enforced by the store itself, against every credential that its mode says.
    pub object_lock: bool,
    /// The largest object, in bytes, where there is a limit.
    pub max_object_size: Option<u64>,
}

impl StoreCapabilities {
    /// Declares that racing creates have one winner.
    #[must_use]
    pub fn with_atomic_create(mut self) -> Self {
        self.atomic_create = true;
        self
    }

    /// Declares that objects survive a power cut.
    #[must_use]
    pub fn with_durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Declares that the store itself keeps locked objects.
    #[must_use]
    pub fn with_object_lock(mut self) -> Self {
        self.object_lock = true;
        self
    }

    /// Declares that the free space is known.
    #[must_use]
    pub fn with_space(mut self) -> Self {
        self.reports_space = true;
        self
    }
}

/// The space of a store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Space {
    /// All of it.
    pub total_bytes: u64,
    /// What this user may still write.
    pub free_bytes: u64,
}

impl Space {
    /// Describes a store's space.
    #[must_use]
    pub fn new(total_bytes: u64, free_bytes: u64) -> Self {
        Self { total_bytes, free_bytes }
    }
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepReport {
    /// How many leftovers.
    pub removed: u64,
    /// How many bytes they held.
    pub freed_bytes: u64,
    /// How many more are younger than the grace, and stay: leftovers, or uploads and backups under way.
    #[serde(default)]
    pub too_young: u64,
    /// When the first of those is old enough.
    #[serde(default)]
    pub next_at: Option<DateTime<Utc>>,
}

impl SweepReport {
    /// Describes a sweep.
    #[must_use]
    pub fn new(removed: u64, freed_bytes: u64) -> Self {
        Self { removed, freed_bytes, ..Self::default() }
    }

    /// Counts one that is too young, until `old_enough_at`.
    pub fn keep(&mut self, old_enough_at: Option<DateTime<Utc>>) {
        self.too_young += 1;
        self.next_at = match (self.next_at, old_enough_at) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }
}

macro_rules! forward_store {
    ($pointer:ty) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<T: Store + ?Sized> Store for $pointer {
            fn location(&self) -> String {
                (**self).location()
            }
            fn capabilities(&self) -> StoreCapabilities {
                (**self).capabilities()
            }
            async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
                (**self).put(key, body, options).await
            }
            async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
                (**self).get(key, options).await
            }
            async fn head(&self, key: &Key) -> Result<ObjectMeta> {
                (**self).head(key).await
            }
            async fn delete(&self, key: &Key) -> Result<()> {
                (**self).delete(key).await
            }
            fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
                (**self).list(prefix)
            }
            async fn space(&self) -> Result<Option<Space>> {
                (**self).space().await
            }
            async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
                (**self).sweep(grace).await
            }
        }
    };
}
forward_store!(Arc<T>);
forward_store!(Box<T>);

/// Comfort on top of any [`Store`].
pub trait StoreExt: Store {
    /// Creates an object of these bytes, with their digest enforced.
    ///
    /// # Cancel safety
    ///
    /// As [`Store::put`].
    fn put_bytes(
        &self,
        key: &Key,
        bytes: impl Into<Bytes> + Send,
    ) -> impl Future<Output = Result<ObjectMeta>> + Send {
        async move {
            let bytes = bytes.into();
            let options =
                PutOptions::default().with_digest(Digest::sha256(&bytes)).with_size_hint(bytes.len() as u64);
            self.put(key, bytes.into(), options).await
        }
    }

    /// Reads a whole object, refusing more than `limit` bytes.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    fn get_bytes(&self, key: &Key, limit: usize) -> impl Future<Output = Result<Bytes>> + Send {
        async move { self.get(key, GetOptions::default()).await?.body.collect_bytes(limit).await }
    }

    /// Whether an object exists; an error is never "no".
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    fn exists(&self, key: &Key) -> impl Future<Output = Result<bool>> + Send {
        async move {
            match self.head(key).await {
                Ok(_) => Ok(true),
                Err(err) if err.kind() == ErrorKind::NotFound => Ok(false),
                Err(err) => Err(err),
            }
        }
    }
}

impl<T: Store + ?Sized> StoreExt for T {}
