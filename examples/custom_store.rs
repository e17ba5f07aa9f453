//! A store of one's own, made in a few lines and put through the conformance kit.
//!
//! It keeps the objects below one folder of another store: the shape of every
//! wrapper. `cargo test --package examples --example custom_store` runs each clause of the contract on it.

use std::time::Duration;

use async_trait::async_trait;
use backup_core::{
    ByteStream, GetOptions, GetResult, Key, MemoryStore, ObjectMeta, Pipeline, Prefix, PutOptions, Result,
    Store,
    pipeline::BackupRequest,
    store::{Space, StoreCapabilities, SweepReport},
    testkit::fake::FakeDumper,
};
use examples::output::print;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};

/// Keeps every object of another store below one folder, so that several programs can share a store.
#[derive(Debug, Clone)]
struct FolderStore<S> {
    inner: S,
    folder: String,
}

impl<S: Store> FolderStore<S> {
    fn new(inner: S, folder: &str) -> Result<Self> {
        Key::parse(folder)?;
        Ok(Self { inner, folder: folder.to_owned() })
    }

    fn outside(&self, key: &Key) -> Result<Key> {
        Key::parse(format!("{}/{key}", self.folder))
    }
}

/// The object under the key by which the user of the store knows it.
fn inside(folder: &str, meta: &ObjectMeta) -> Result<ObjectMeta> {
    let key =
        meta.key.as_str().strip_prefix(folder).and_then(|key| key.strip_prefix('/')).unwrap_or_default();
    Ok(ObjectMeta::new(Key::parse(key)?, meta.size, meta.last_modified))
}

#[async_trait]
impl<S: Store> Store for FolderStore<S> {
    fn location(&self) -> String {
        format!("{}/{}", self.inner.location(), self.folder)
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        inside(&self.folder, &self.inner.put(&self.outside(key)?, body, options).await?)
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let got = self.inner.get(&self.outside(key)?, options).await?;
        Ok(GetResult::new(inside(&self.folder, &got.meta)?, got.range, got.body))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        inside(&self.folder, &self.inner.head(&self.outside(key)?).await?)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(&self.outside(key)?).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = self.folder.clone();
        let outside = if prefix.as_str().is_empty() { folder.clone() } else { format!("{folder}/{prefix}") };
        match Prefix::parse(outside) {
            Ok(outside) => {
                let objects = self.inner.list(&outside);
                objects.and_then(move |meta| std::future::ready(inside(&folder, &meta))).boxed()
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

#[tokio::main]
async fn main() -> Result<()> {
    let shared = MemoryStore::new();
    let store = FolderStore::new(shared.clone(), "team-a")?;
    let pipeline = Pipeline::new(FakeDumper::new("all the rows"), store);
    let report = pipeline.backup(BackupRequest::new()).await?;
    print(&format!("backed up {} into a store of one's own", report.backup))?;

    let keys: Vec<String> =
        shared.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await?;
    print(&format!("the shared store holds\n  {}", keys.join("\n  ")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use backup_core::testkit::store::StoreFixture;

    use super::*;

    fn folder_store() -> StoreFixture {
        let shared = MemoryStore::new();
        StoreFixture::new(move || std::future::ready(FolderStore::new(shared.clone(), "team-a").unwrap()))
    }

    backup_core::store_conformance!(folder_store());
}
