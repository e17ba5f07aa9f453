use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream::BoxStream};

use super::{
    GetOptions, GetResult, ObjectMeta, PutMode, PutOptions, Space, Store, StoreCapabilities, SweepReport,
};
use crate::{
    ByteStream, Error, ErrorKind, Key, Prefix, Result,
    clock::{Clock, SystemClock},
};

/// Keeps objects in memory, for tests and for trying things out; clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<Key, Object>>>);

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    stored_at: DateTime<Utc>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("size", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// A store without objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<Key, Object>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, key: &Key) -> Result<Object> {
        let missing = || Error::new(ErrorKind::NotFound, "no such object").with_context("key", key);
        self.objects().get(key).cloned().ok_or_else(missing)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory:".to_owned()
    }

    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default().with_atomic_create()
    }

    async fn put(&self, key: &Key, mut body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let mut bytes = Vec::new();
        let mut digest = options.digest_check()?;
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            digest.update(&chunk);
            bytes.extend_from_slice(&chunk);
        }
        digest.finish(key)?;
        let stored_at = SystemClock.now();
        let meta = ObjectMeta::new(key.clone(), bytes.len() as u64, stored_at);
        let mut objects = self.objects();
        if options.mode == PutMode::Create && objects.contains_key(key) {
            return Err(
                Error::new(ErrorKind::AlreadyExists, "the object exists already").with_context("key", key)
            );
        }
        objects.insert(key.clone(), Object { bytes: bytes.into(), stored_at });
        Ok(meta)
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let object = self.object(key)?;
        let size = object.bytes.len() as u64;
        let range = options.resolve(key, size)?;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let body = object.bytes.slice(index(range.start)..index(range.end));
        Ok(GetResult::new(ObjectMeta::new(key.clone(), size, object.stored_at), range, body.into()))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let object = self.object(key)?;
        Ok(ObjectMeta::new(key.clone(), object.bytes.len() as u64, object.stored_at))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.objects().remove(key);
        Ok(())
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let found: Vec<_> = self
            .objects()
            .iter()
            .filter(|(key, _)| prefix.contains(key))
            .map(|(key, object)| {
                Ok(ObjectMeta::new(key.clone(), object.bytes.len() as u64, object.stored_at))
            })
            .collect();
        futures::stream::iter(found).boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    async fn sweep(&self, _: Duration) -> Result<SweepReport> {
        Ok(SweepReport::default())
    }
}
