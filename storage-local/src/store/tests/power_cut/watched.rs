//! A store that writes down what was asked of it and what it answered, between the changes that it made.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, ErrorKind, GetOptions, GetResult, Key, ObjectMeta, Prefix, PutOptions, Result, Store,
    store::{Space, StoreCapabilities, SweepReport},
};
use bytes::Bytes;
use futures::{
    TryStreamExt,
    stream::{self, BoxStream},
};

use super::record::{Event, Recorder};
use crate::LocalStore;

#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) store: LocalStore,
    pub(super) recorder: Arc<Recorder>,
}

impl Watched {
    async fn tell<T>(
        &self,
        key: &Key,
        holds: Option<Bytes>,
        run: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.recorder.tell(Event::Asked(key.clone(), holds.clone()));
        let done = run.await;
        match &done {
            Ok(_) => self.recorder.tell(Event::Done(key.clone(), holds)),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                self.recorder.tell(Event::Refused(key.clone(), holds));
            }
            Err(_) => {}
        }
        done
    }
}

#[async_trait]
impl Store for Watched {
    fn location(&self) -> String {
        self.store.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.store.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let chunks: Vec<Bytes> = body.try_collect().await?;
        let body = ByteStream::new(stream::iter(chunks.clone().into_iter().map(Ok)));
        self.tell(key, Some(chunks.concat().into()), self.store.put(key, body, options)).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.store.get(key, options).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.store.head(key).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.tell(key, None, self.store.delete(key)).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.store.space().await
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.store.sweep(grace).await
    }
}
