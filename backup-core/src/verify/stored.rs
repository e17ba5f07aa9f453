//! Reads an artifact back, in a stream that ends cleanly only if every byte is as recorded.

use std::sync::Arc;

mod head;
mod part;

pub(crate) use self::head::check_key;
#[cfg(feature = "testkit")]
pub(crate) use self::part::fuzz;
use self::part::{Complete, Part};
use crate::{
    ByteStream, Compressor, Digest, Encryptor, Error, ErrorKind, GetOptions, Inventory, Key, Manifest,
    Result, Stages, Store,
    digest::{ByteCount, Hasher, Outcome, Tap},
    inventory::Inspector,
    manifest::{Artifact, FrameIndex, Plain},
};

/// What decodes an artifact.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    pub(crate) compressor: Arc<dyn Compressor>,
    pub(crate) encryptor: Option<Arc<dyn Encryptor>>,
}

/// Fails unless the artifact exists with its recorded size.
pub(crate) async fn check_present(store: &dyn Store, artifact: &Artifact) -> Result<()> {
    let found = store.head(&artifact.key).await.map_err(missing_is_corrupt)?.size;
    check_size(&artifact.key, artifact.size, found)
}

/// Reads the stored bytes; the last item is [`Corrupt`](ErrorKind::Corrupt) unless they are as recorded.
pub(crate) async fn open_stored(
    store: &dyn Store,
    artifact: &Artifact,
    read: ByteCount,
) -> Result<ByteStream> {
    let stages = stored_stages(artifact, read)?;
    Ok(stages.run(get(store, artifact).await?))
}

/// Reads the plain bytes; the last item is [`Corrupt`](ErrorKind::Corrupt) or
/// [`Incomplete`](ErrorKind::Incomplete) unless stored *and* plain bytes are as recorded. The inventory is
/// that of the format's inspector.
pub(crate) async fn open_plain(
    store: &dyn Store,
    artifact: &Artifact,
    plain: &Plain,
    codec: &Codec,
    inspector: Inspector,
    read: ByteCount,
    decoded: ByteCount,
) -> Result<(ByteStream, Outcome<Option<Inventory>>)> {
    let digest = plain.digest.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, "the manifest tells no digest of the plain bytes")
            .with_context("key", &artifact.key)
    })?;
    let mut stored = stored_stages(artifact, read)?;
    if let Some(encryptor) = &codec.encryptor {
        stored = stored.transform(encryptor.open()?);
    }
    let decoding = Stages::new()
        .transform(codec.compressor.decoder()?)
        .tap(decoded)
        .boxed_tap(inspector.tap)
        .tap(Expect::new("decoded", &artifact.key, plain.size, digest)?);
    // Each on a thread of its own: together they are slower than what a stock program does, which checks nothing.
    Ok((decoding.run(stored.run(get(store, artifact).await?)), inspector.inventory))
}

/// Reads a dump without the rows of the tables that are not wanted, as far as they can be left out without reading
/// them: whoever restores a part of it leaves out what is still there.
///
/// Rows are left out where the manifest says where the frames of the artifact begin, and all is read where it does
/// not, or where it was encrypted so that no part can be opened alone. Of a part the stored digest cannot be computed, which
/// is that of the whole; the stream ends cleanly only if what is no row has the digest of the index, and the wanted tables
/// have the rows and checksums of the inventory.
pub(crate) async fn open_part(
    store: &Arc<dyn Store>,
    manifest: &Manifest,
    codec: &Codec,
    rows: &RowsOf<'_>,
    read: ByteCount,
    decoded: ByteCount,
) -> Result<ByteStream> {
    let (artifact, plain) = (&manifest.artifact, &manifest.plain);
    let Some((index, inventory)) = parts(manifest, codec) else {
        let (body, _) =
            open_plain(&**store, artifact, plain, codec, Inspector::blind(), read, decoded).await?;
        return Ok(body);
    };
    check_present(&**store, artifact).await?;
    let sealed = match &codec.encryptor {
        Some(encryptor) => Some(head::open(&**store, artifact, encryptor, &read).await?),
        None => None,
    };
    let part = Part::new(manifest, sealed, index, rows)?;
    let complete = Complete::new(manifest, inventory, rows);
    let body = part.open(Arc::clone(store), Arc::clone(&codec.compressor), read)?;
    Ok(Stages::new().tap(decoded).tap(complete).run(body))
}

/// What leads [`open_part`] to the parts of an artifact; `None` where it has to read all.
pub(crate) fn parts<'a>(manifest: &'a Manifest, codec: &Codec) -> Option<(&'a FrameIndex, &'a Inventory)> {
    let parts = manifest.frames.as_ref().zip(manifest.inventory.as_ref());
    parts.filter(|_| codec.encryptor.as_ref().is_none_or(|encryptor| encryptor.parts().is_some()))
}

/// Whose rows are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowsOf<'a> {
    /// Those of no table.
    Nothing,
    /// Those of these tables, named as the inventory names them.
    Tables(&'a [String]),
}

fn stored_stages(artifact: &Artifact, read: ByteCount) -> Result<Stages> {
    Ok(Stages::new().tap(read).tap(Expect::new("stored", &artifact.key, artifact.size, artifact.digest)?))
}

async fn get(store: &dyn Store, artifact: &Artifact) -> Result<ByteStream> {
    let object = store.get(&artifact.key, GetOptions::default()).await.map_err(missing_is_corrupt)?;
    check_size(&artifact.key, artifact.size, object.meta.size)?;
    Ok(object.body)
}

/// A manifest promises its artifact: one that is gone is damage, not a wrong question.
fn missing_is_corrupt(err: Error) -> Error {
    if err.kind() != ErrorKind::NotFound {
        return err;
    }
    Error::new(ErrorKind::Corrupt, "the artifact of the backup is missing in the store")
        .with_source(err)
        .with_suggestion("restore another backup, or bring the object back from a copy of the store")
}

fn check_size(key: &Key, expected: u64, found: u64) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Corrupt, "the artifact has not its recorded size")
        .with_context("key", key)
        .with_context("expected_bytes", expected)
        .with_context("found_bytes", found))
}

/// A tap that fails the stream at its end unless it saw the recorded bytes.
struct Expect {
    what: &'static str,
    key: Key,
    size: u64,
    digest: Digest,
    seen: u64,
    hasher: Hasher,
}

impl Expect {
    fn new(what: &'static str, key: &Key, size: u64, digest: Digest) -> Result<Self> {
        Ok(Self { what, key: key.clone(), size, digest, seen: 0, hasher: Hasher::new(digest.algorithm())? })
    }

    fn differs(&self, found: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Corrupt, format!("the {} bytes are not those that were recorded", self.what))
            .with_context("key", &self.key)
            .with_context("expected", format!("{} bytes, {}", self.size, self.digest))
            .with_context("found", found)
    }
}

impl Tap for Expect {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.seen += bytes.len() as u64;
        if self.seen > self.size {
            return Err(self.differs(format!("more than {} bytes", self.size)));
        }
        self.hasher.update(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let found = self.hasher.clone().finish();
        if self.seen == self.size && found == self.digest {
            return Ok(());
        }
        Err(self.differs(format!("{} bytes, {found}", self.seen)))
    }
}
