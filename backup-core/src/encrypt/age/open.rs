use bytes::{Bytes, BytesMut};

use super::{
    chunks::{Chunks, Place, SEALED, no_boundaries},
    damaged,
    header::Header,
    identity::Identity,
};
use crate::{
    Result,
    transform::{Output, Transform},
};

/// Opens from the start to the end.
pub(super) struct Open {
    identities: Vec<Identity>,
    /// Once the header was there.
    chunks: Option<Chunks>,
    number: u64,
    /// The header while it is not whole, then a chunk that is the last one unless more comes.
    held: BytesMut,
}

impl Open {
    pub(super) fn new(identities: Vec<Identity>) -> Self {
        Self { identities, chunks: None, number: 0, held: BytesMut::new() }
    }

    fn open(&mut self, place: Place, chunk: BytesMut, output: &mut dyn Output) -> Result<()> {
        let chunks =
            self.chunks.as_ref().ok_or_else(|| damaged("the encrypted object is cut off in its start"))?;
        let content = chunks.open(self.number, place, chunk)?;
        self.number += 1;
        if content.is_empty() { Ok(()) } else { output.put(content) }
    }
}

impl Transform for Open {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.held.extend_from_slice(&input);
        if self.chunks.is_none() {
            let Some(header) = Header::read(&self.held)? else { return Ok(()) };
            self.chunks = Some(header.open(&self.held, &self.identities)?);
            let _header = self.held.split_to(header.bytes());
        }
        while self.held.len() > SEALED {
            let chunk = self.held.split_to(SEALED);
            self.open(Place::Inside, chunk, output)?;
        }
        Ok(())
    }

    fn boundary(&mut self, _: &mut dyn Output) -> Result<()> {
        Err(no_boundaries())
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        let chunk = std::mem::take(&mut self.held);
        self.open(Place::Last, chunk, output)
    }
}
