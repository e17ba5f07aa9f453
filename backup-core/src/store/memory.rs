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
    GetOptions, GetResult, ObjectLock, ObjectMeta, PutMode, PutOptions, Space, Store, StoreCapabilities,
    SweepReport,
};
use crate::{
    ByteStream, Error, ErrorKind, Key, Prefix, Result,
    clock::{Clock, SystemClock},
};

/// Keeps objects in memory, for tests and for trying things out; clones share them.
///
/// It keeps locked objects too, as long as it is not told another time.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<Key, Object>>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    stored_at: DateTime<Utc>,
    lock: Option<ObjectLock>,
}

impl Object {
    fn meta(&self, key: &Key) -> ObjectMeta {
        ObjectMeta::new(key.clone(), self.bytes.len() as u64, self.stored_at)
    }
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

    /// Takes the time from elsewhere than the operating system: when objects were stored, and when locks end.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Fails where an object is locked now.
    fn check_lock(&self, key: &Key, object: &Object) -> Result<()> {
        match object.lock.filter(|lock| lock.is_active(self.clock.now())) {
            Some(lock) => Err(lock.refusal(key)),
            None => Ok(()),
        }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<Key, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, key: &Key) -> Result<Object> {
        let missing = || Error::new(ErrorKind::NotFound, "no such object").with_context("key", key);
        self.objects().get(key).cloned().ok_or_else(missing)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { objects: Arc::default(), clock: Arc::new(SystemClock) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory:".to_owned()
    }

    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default().with_atomic_create().with_object_lock()
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
        let object = Object { bytes: bytes.into(), stored_at: self.clock.now(), lock: options.lock };
        let meta = object.meta(key).with_lock(object.lock);
        let mut objects = self.objects();
        if let Some(existing) = objects.get(key) {
            if options.mode == PutMode::Create {
                return Err(Error::new(ErrorKind::AlreadyExists, "the object exists already")
                    .with_context("key", key));
            }
            self.check_lock(key, existing)?;
        }
        objects.insert(key.clone(), object);
        Ok(meta)
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let object = self.object(key)?;
        let size = object.bytes.len() as u64;
        let range = options.resolve(key, size)?;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let body = object.bytes.slice(index(range.start)..index(range.end));
        Ok(GetResult::new(object.meta(key), range, body.into()))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let object = self.object(key)?;
        Ok(object.meta(key).with_lock(object.lock))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let mut objects = self.objects();
        if let Some(object) = objects.get(key) {
            self.check_lock(key, object)?;
        }
        objects.remove(key);
        Ok(())
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let found: Vec<_> = self
            .objects()
            .iter()
            .filter(|(key, _)| prefix.contains(key))
            .map(|(key, object)| Ok(object.meta(key)))
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
