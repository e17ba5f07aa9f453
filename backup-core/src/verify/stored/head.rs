//! The start of an encrypted artifact, which says whose keys open it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Codec, check_present, missing_is_corrupt};
use crate::{
    Encryptor, Error, ErrorKind, GetOptions, Result, Store,
    digest::{ByteCount, Tap},
    encrypt::Parts,
    manifest::Artifact,
    transform::Output,
};

/// How much is read first, in bytes: recipients take some hundred bytes each.
const HEAD_BYTES: u64 = 4096;
/// How much is read to open the first bytes: the recipients, and a chunk of those that are opened at once.
const TRIED_BYTES: u64 = 96 * 1024;

/// Opens an artifact of which parts are read.
pub(super) async fn open(
    store: &dyn Store,
    artifact: &Artifact,
    encryptor: &Arc<dyn Encryptor>,
    read: &ByteCount,
) -> Result<Arc<dyn Parts>> {
    let mut head = BytesMut::new();
    let mut wanted = HEAD_BYTES;
    loop {
        head.extend_from_slice(&next(store, artifact, head.len() as u64, wanted, read).await?);
        let (encryptor, start, size) = (Arc::clone(encryptor), head.clone().freeze(), artifact.size);
        let opened = blocking(move || match encryptor.parts() {
            Some(parts) => parts.open_head(&start, size),
            None => {
                Err(Error::new(ErrorKind::Unsupported, "nothing that is encrypted so can be read in part"))
            }
        });
        match opened.await? {
            Some(parts) => return Ok(parts),
            None if head.len() as u64 >= artifact.size => return Err(cut_off(artifact)),
            None => wanted = wanted.saturating_mul(2),
        }
    }
}

/// Makes sure that a key is here which opens an artifact, by opening its first bytes; those that were read are counted.
///
/// # Errors
///
/// [`NoIdentity`](crate::encrypt::NoIdentity); [`Corrupt`](ErrorKind::Corrupt) where it is not as recorded as far as it is read.
pub(crate) async fn check_key(
    store: &dyn Store,
    artifact: &Artifact,
    codec: &Codec,
    read: &ByteCount,
) -> Result<()> {
    let Some(encryptor) = &codec.encryptor else { return Ok(()) };
    let mut opener = encryptor.open()?;
    check_present(store, artifact).await?;
    let mut at = 0;
    loop {
        let bytes = next(store, artifact, at, TRIED_BYTES, read).await?;
        at += bytes.len() as u64;
        let is_all = at >= artifact.size;
        let tried = blocking(move || {
            let mut first = First(false);
            let mut result = opener.update(bytes, &mut first);
            if first.0 {
                return Ok(None);
            }
            if is_all && result.is_ok() {
                result = opener.finish(&mut first);
                return if first.0 { Ok(None) } else { result.map(|()| None) };
            }
            result.map(|()| Some(opener))
        });
        match tried.await? {
            Some(more) => opener = more,
            None => return Ok(()),
        }
    }
}

/// Stops at the first bytes.
struct First(bool);

impl Output for First {
    fn put(&mut self, _: Bytes) -> Result<()> {
        self.0 = true;
        Err(Error::new(ErrorKind::Unexpected, "the first bytes were enough"))
    }

    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The next bytes of an artifact.
async fn next(
    store: &dyn Store,
    artifact: &Artifact,
    at: u64,
    bytes: u64,
    read: &ByteCount,
) -> Result<Bytes> {
    let range = at..at.saturating_add(bytes).min(artifact.size);
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let object = store.get(&artifact.key, GetOptions::range(range)).await.map_err(missing_is_corrupt)?;
    let found = object.body.collect_bytes(length).await?;
    if found.len() != length {
        return Err(cut_off(artifact));
    }
    read.clone().update(&found)?;
    Ok(found)
}

fn cut_off(artifact: &Artifact) -> Error {
    Error::new(ErrorKind::Corrupt, "the encrypted artifact is cut off in its start")
        .with_context("key", &artifact.key)
}

/// Keys and passphrases take processor time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let span = tracing::Span::current();
    let result = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    result.unwrap_or_else(|err| {
        Err(Error::new(ErrorKind::Unexpected, "opening an encrypted artifact panicked").with_source(err))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Key, MemoryStore, StoreExt, Transform, compress::Identity, encrypt::OpenParts};

    /// Opens nothing of its first bytes, as where these name very many recipients.
    #[derive(Debug, Clone, Copy)]
    struct Late(usize);

    impl Encryptor for Late {
        fn name(&self) -> &'static str {
            "late"
        }

        fn extension(&self) -> &'static str {
            "late"
        }

        fn recipients(&self) -> Vec<String> {
            vec!["everybody".to_owned()]
        }

        fn seal(&self) -> Result<Box<dyn Transform>> {
            self.open()
        }

        fn open(&self) -> Result<Box<dyn Transform>> {
            Ok(Box::new(*self))
        }

        fn check_opens(&self) -> Result<()> {
            Ok(())
        }

        fn parts(&self) -> Option<&dyn OpenParts> {
            None
        }
    }

    impl Transform for Late {
        fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
            self.0 = self.0.saturating_sub(input.len());
            if self.0 == 0 { output.put(input) } else { Ok(()) }
        }

        fn boundary(&mut self, _: &mut dyn Output) -> Result<()> {
            Ok(())
        }

        fn finish(self: Box<Self>, _: &mut dyn Output) -> Result<()> {
            Err(Error::new(ErrorKind::Corrupt, "it ends in its start"))
        }
    }

    #[tokio::test]
    async fn as_much_is_read_as_opens_the_first_bytes_and_no_more() {
        let store = MemoryStore::new();
        let bytes = vec![7; 400 * 1024];
        let key = Key::parse("e/d/x.sql").unwrap();
        let artifact = Artifact::new(key.clone(), bytes.len() as u64, Digest::sha256(&bytes));
        store.put_bytes(&key, bytes).await.unwrap();
        for (starts, read) in [(1, 96), (96, 96), (97, 192), (390, 400), (401, 400)] {
            let encryptor: Option<Arc<dyn Encryptor>> = Some(Arc::new(Late(starts * 1024)));
            let codec = Codec { compressor: Arc::new(Identity), encryptor };
            let counted = ByteCount::default();
            let checked = check_key(&store, &artifact, &codec, &counted).await;
            assert_eq!(checked.is_ok(), starts <= 400, "{starts}: {checked:?}");
            assert_eq!(counted.get(), read * 1024, "{starts}");
        }
    }
}
