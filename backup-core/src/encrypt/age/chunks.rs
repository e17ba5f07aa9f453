//! The content of a file of `age`: chunks, each sealed with its number, the last one as such.
//!
//! A chunk opens only where it was sealed: another place, another file or another end is as good as damage. So what is
//! opened in part is authentic, and where all of it is opened, whole.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit, Nonce, Tag};

use super::damaged;
use crate::{
    Error, ErrorKind, Result,
    encrypt::Parts,
    transform::{Output, Transform},
};

/// The content of a chunk, in bytes; only the last one may have less.
const CHUNK: usize = 64 * 1024;
/// By how much a chunk is longer sealed.
const TAG: usize = 16;
/// A whole chunk, sealed.
pub(super) const SEALED: usize = CHUNK + TAG;

/// Whether a chunk is the last one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    Last,
}

/// What opens the chunks of one file.
#[derive(Clone)]
pub(super) struct Chunks {
    key: ChaCha20Poly1305,
    /// Where in the file the first one begins.
    start: u64,
}

impl Chunks {
    pub(super) fn new(key: &[u8; 32], start: u64) -> Self {
        Self { key: ChaCha20Poly1305::new(key.into()), start }
    }

    /// Opens a chunk.
    pub(super) fn open(&self, number: u64, place: Place, mut chunk: BytesMut) -> Result<Bytes> {
        let damaged = || damaged("the encrypted bytes are damaged, cut off, or not in their place");
        let content = chunk.len().checked_sub(TAG).ok_or_else(damaged)?;
        // Only of nothing the last chunk is empty.
        if content == 0 && number > 0 {
            return Err(damaged());
        }
        let tag = chunk.split_off(content);
        // A number of eleven bytes, and one for the end.
        let mut nonce = Nonce::default();
        for (to, from) in nonce.iter_mut().skip(3).zip(number.to_be_bytes()) {
            *to = from;
        }
        if let Some(last) = nonce.last_mut() {
            *last = u8::from(place == Place::Last);
        }
        self.key
            .decrypt_in_place_detached(&nonce, b"", &mut chunk, Tag::from_slice(&tag))
            .map_err(|_| damaged())?;
        Ok(chunk.freeze())
    }

    /// The same of a file of which the size is known.
    pub(super) fn parts(self, size: u64) -> Result<AgeParts> {
        let sealed = size.checked_sub(self.start).filter(|sealed| *sealed >= TAG as u64);
        let sealed = sealed.ok_or_else(|| damaged("the encrypted object is cut off"))?;
        let chunks = sealed.div_ceil(SEALED as u64);
        let content = sealed.saturating_sub(chunks.saturating_mul(TAG as u64));
        Ok(AgeParts { chunks: self, size, content, last: chunks.saturating_sub(1) })
    }
}

/// A file of which parts are read.
pub(super) struct AgeParts {
    chunks: Chunks,
    size: u64,
    content: u64,
    /// The number of the last chunk.
    last: u64,
}

impl Parts for AgeParts {
    fn content_bytes(&self) -> u64 {
        self.content
    }

    fn place(&self, content: Range<u64>) -> Range<u64> {
        let at =
            |chunk: u64| self.chunks.start.saturating_add(chunk.saturating_mul(SEALED as u64)).min(self.size);
        let first = content.start / CHUNK as u64;
        at(first)..at(content.end.div_ceil(CHUNK as u64).max(first))
    }

    fn open(&self, content: Range<u64>) -> Result<Box<dyn Transform>> {
        if content.start > content.end || content.end > self.content {
            return Err(Error::new(ErrorKind::InvalidInput, "the range lies outside of what is encrypted"));
        }
        let number = content.start / CHUNK as u64;
        Ok(Box::new(OpenPart {
            chunks: self.chunks.clone(),
            last: self.last,
            number,
            at: number.saturating_mul(CHUNK as u64),
            content,
            held: BytesMut::new(),
        }))
    }
}

/// Opens some chunks, and puts what is wanted of them.
struct OpenPart {
    chunks: Chunks,
    last: u64,
    /// The number of the next chunk, and where in the content it begins.
    number: u64,
    at: u64,
    content: Range<u64>,
    held: BytesMut,
}

impl OpenPart {
    fn open(&mut self, chunk: BytesMut, output: &mut dyn Output) -> Result<()> {
        let place = if self.number == self.last { Place::Last } else { Place::Inside };
        let mut content = self.chunks.open(self.number, place, chunk)?;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let end = self.at + content.len() as u64;
        content.truncate(index(self.content.end.saturating_sub(self.at)));
        let before = index(self.content.start.saturating_sub(self.at)).min(content.len());
        let wanted = content.split_off(before);
        (self.number, self.at) = (self.number + 1, end);
        if wanted.is_empty() { Ok(()) } else { output.put(wanted) }
    }
}

impl Transform for OpenPart {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.held.extend_from_slice(&input);
        while self.held.len() >= SEALED {
            let chunk = self.held.split_to(SEALED);
            self.open(chunk, output)?;
        }
        Ok(())
    }

    fn boundary(&mut self, _: &mut dyn Output) -> Result<()> {
        Err(no_boundaries())
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        if !self.held.is_empty() {
            let chunk = std::mem::take(&mut self.held);
            self.open(chunk, output)?;
        }
        if self.at < self.content.end {
            return Err(damaged("the encrypted object is cut off"));
        }
        Ok(())
    }
}

pub(super) fn no_boundaries() -> Error {
    Error::new(ErrorKind::Unsupported, "what is encrypted has no boundaries")
}
