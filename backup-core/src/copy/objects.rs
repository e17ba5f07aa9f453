//! Single objects from one store into another.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::{Comparison, CopyReport, Difference, Stores};
use crate::{
    ByteStream, Digest, Error, ErrorKind, Key, ObjectMeta, Prefix, PutMode, PutOptions, Result, Store,
    StoreExt,
    digest::{ByteCount, Tap},
    manifest::Artifact,
    verify::stored,
};

impl Stores<'_> {
    /// Makes sure that an artifact is in the other store.
    pub(super) async fn artifact(&self, artifact: &Artifact, report: &mut CopyReport) -> Result<()> {
        let mode = match self.is_equal(artifact).await {
            Ok(true) => return Ok(()),
            Ok(false) => PutMode::Create,
            Err(err) => self.replacing(err)?,
        };
        let body = stored::open_stored(&**self.from, artifact, ByteCount::default());
        let body = self.within(body).await.map_err(|err| err.with_context("store", self.from.location()))?;
        let options =
            PutOptions::default().with_mode(mode).with_digest(artifact.digest).with_size_hint(artifact.size);
        self.put(&artifact.key, self.moving(body), options, artifact.size, report).await
    }

    /// Whether the other store holds the artifact; one that is different is [`ErrorKind::Corrupt`].
    pub(super) async fn is_equal(&self, artifact: &Artifact) -> Result<bool> {
        if !self.is_there(artifact).await? {
            return Ok(false);
        }
        if self.options.comparison == Comparison::Digest {
            let body = self.within(stored::open_stored(&**self.to, artifact, ByteCount::default())).await?;
            self.moving(body).try_for_each(|_| std::future::ready(Ok(()))).await?;
        }
        Ok(true)
    }

    /// Whether the other store has an artifact, of the size that it should have.
    pub(super) async fn is_there(&self, artifact: &Artifact) -> Result<bool> {
        match self.within(stored::check_present(&**self.to, artifact)).await {
            Ok(()) => Ok(true),
            Err(_) if !self.within(self.to.exists(&artifact.key)).await? => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// Makes sure that a small object, read before, is in the other store as it is.
    pub(super) async fn small(&self, key: &Key, bytes: Bytes, report: &mut CopyReport) -> Result<()> {
        let mode = match self.within(self.to.get_bytes(key, bytes.len())).await {
            Ok(found) if found == bytes => return Ok(()),
            Err(err) if err.kind() == ErrorKind::NotFound => PutMode::Create,
            // One that is longer is refused as corrupt.
            Err(err) if err.kind() != ErrorKind::Corrupt => return Err(err),
            Ok(_) | Err(_) => {
                self.replacing(Error::new(ErrorKind::Corrupt, "not the bytes that were expected"))?
            }
        };
        let options = PutOptions::default().with_mode(mode).with_digest(Digest::sha256(&bytes));
        let size = bytes.len() as u64;
        self.put(key, bytes.into(), options.with_size_hint(size), size, report)
            .await
            .map_err(|err| err.with_context("key", key))
    }

    async fn put(
        &self,
        key: &Key,
        body: ByteStream,
        options: PutOptions,
        size: u64,
        report: &mut CopyReport,
    ) -> Result<()> {
        let mode = options.mode;
        let stored = self.put_moving(key, body, options).await?;
        if stored.size != size {
            if mode == PutMode::Create {
                self.within(self.to.delete(key)).await?;
            }
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the store holds another number of bytes than were sent",
            )
            .with_context("key", key)
            .with_context("sent_bytes", size)
            .with_context("stored_bytes", stored.size));
        }
        report.objects += 1;
        report.bytes += size;
        Ok(())
    }

    /// Puts a body, and gives up where the store stands still.
    ///
    /// Nothing that was stored is taken back when a caller goes away: the next call may have found it by then.
    async fn put_moving(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let limit = self.options.stall_timeout;
        let (taken, mut seen) = (ByteCount::default(), 0);
        let mut counter = taken.clone();
        let body = body.and_then(move |chunk| std::future::ready(counter.update(&chunk).map(|()| chunk)));
        let mut put = self.to.put(key, ByteStream::new(body), options);
        loop {
            match tokio::time::timeout(limit, &mut put).await {
                Ok(stored) => return stored,
                Err(_) if taken.get() > seen => seen = taken.get(),
                Err(_) => return Err(too_long(limit).with_context("store", self.to.location())),
            }
        }
    }

    /// How to store what is there and different, if at all.
    fn replacing(&self, err: Error) -> Result<PutMode> {
        match self.options.difference {
            Difference::Replace if err.kind() == ErrorKind::Corrupt => Ok(PutMode::Overwrite),
            Difference::Refuse if err.kind() == ErrorKind::Corrupt => Err(Error::new(
                ErrorKind::AlreadyExists,
                "what the other store holds under this name is different",
            )
            .with_context("store", self.to.location())
            .with_suggestion("verify both, and replace the one that is wrong by explicit word")
            .with_source(err)),
            _ => Err(err),
        }
    }

    /// The keys below a prefix, all of them or an error.
    pub(super) async fn keys(store: &dyn Store, prefix: &Prefix) -> Result<Vec<Key>> {
        store.list(prefix).map_ok(|object| object.key).try_collect().await
    }

    /// A body that fails where it stands still for too long.
    fn moving(&self, body: ByteStream) -> ByteStream {
        let limit = self.options.stall_timeout;
        let chunks = futures::stream::unfold(body, move |mut body| async move {
            match tokio::time::timeout(limit, body.next()).await {
                Ok(chunk) => chunk.map(|chunk| (chunk, body)),
                Err(_) => Some((Err(too_long(limit)), ByteStream::empty())),
            }
        });
        ByteStream::new(chunks)
    }

    pub(super) async fn within<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.options.stall_timeout;
        tokio::time::timeout(limit, step).await.unwrap_or_else(|_| Err(too_long(limit)))
    }
}

fn too_long(limit: std::time::Duration) -> Error {
    Error::new(ErrorKind::Timeout, "a store stood still for too long")
        .with_context("limit_seconds", limit.as_secs_f64())
}
