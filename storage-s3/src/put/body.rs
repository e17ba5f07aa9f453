//! Cutting a body into parts.

use backup_core::{ByteStream, Error, ErrorKind, Key, Result, store::DigestCheck};
use bytes::{Buf, Bytes, BytesMut};
use futures::StreamExt;

use super::piece::{Piece, Spool};
use crate::bucket::Bucket;

/// The largest part that is kept in memory, unless the options ask for larger ones.
const IN_MEMORY: u64 = 64 * 1024 * 1024;

/// A body on its way into parts.
#[derive(Debug)]
pub(super) struct Body {
    stream: ByteStream,
    /// What was read and belongs to the next part.
    rest: Bytes,
    digest: DigestCheck,
    ended: bool,
}

impl Body {
    pub(super) fn new(stream: ByteStream, digest: DigestCheck) -> Self {
        Self { stream, rest: Bytes::new(), digest, ended: false }
    }

    /// Whether the last byte was handed out, and the end was clean.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Fails unless the bytes were those that were announced.
    pub(super) fn check(self, key: &Key) -> Result<()> {
        self.digest.finish(key)
    }

    /// The next `size` bytes; fewer, or none, where the body ends.
    pub(super) async fn part(&mut self, size: u64, bucket: &Bucket) -> Result<Piece> {
        if size <= IN_MEMORY.max(bucket.options.part_bytes) {
            let size = usize::try_from(size).map_err(|_| too_large())?;
            return self.in_memory(size).await.map(Piece::Memory);
        }
        let mut spool = Spool::open(bucket).await?;
        while spool.bytes() < size {
            let room = usize::try_from(size - spool.bytes()).unwrap_or(usize::MAX);
            match self.chunk(room).await? {
                Some(chunk) => spool.write(&chunk).await?,
                None => break,
            }
        }
        self.peek().await?;
        spool.finish().await.map(Piece::Spooled)
    }

    async fn in_memory(&mut self, size: usize) -> Result<Bytes> {
        let mut buffer = BytesMut::new();
        while buffer.len() < size {
            let Some(chunk) = self.chunk(size - buffer.len()).await? else { break };
            // Doubled, up to what the part can have: most bodies are short.
            let wanted = chunk.len().max(buffer.len()).min(size - buffer.len());
            buffer.reserve(wanted);
            buffer.extend_from_slice(&chunk);
        }
        self.peek().await?;
        Ok(buffer.freeze())
    }

    /// At most `most` bytes, not none; `None` at the end.
    async fn chunk(&mut self, most: usize) -> Result<Option<Bytes>> {
        self.peek().await?;
        if self.rest.is_empty() {
            return Ok(None);
        }
        let chunk = self.rest.split_to(most.min(self.rest.remaining()));
        Ok(Some(chunk))
    }

    /// Sees to it that there are bytes, or that the end is known.
    async fn peek(&mut self) -> Result<()> {
        while self.rest.is_empty() && !self.ended {
            match self.stream.next().await.transpose()? {
                Some(chunk) => {
                    self.digest.update(&chunk);
                    self.rest = chunk;
                }
                None => self.ended = true,
            }
        }
        Ok(())
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidInput, "a part is larger than this computer can address")
}
