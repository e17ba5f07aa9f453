//! Output of a codec, gathered into pieces of a good size.

use bytes::Bytes;

use crate::{Result, transform::Output};

/// The size of a piece: large enough that handing it over costs nothing beside making it.
const PIECE_BYTES: usize = 256 * 1024;

/// Gathers what a codec writes and puts it on in pieces of 256 KiB.
#[derive(Default)]
pub(super) struct Pieces(Vec<u8>);

impl Pieces {
    /// A buffer with room behind what it holds; the codec appends without growing it.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(PIECE_BYTES);
        }
        &mut self.0
    }

    /// Puts the piece if it is full; false if there is room left, so that the codec had nothing more to say.
    pub(super) fn put_if_full(&mut self, output: &mut dyn Output) -> Result<bool> {
        if self.0.len() < self.0.capacity() {
            return Ok(false);
        }
        self.put(output)?;
        Ok(true)
    }

    /// Puts what is there unless it is too little to be worth it: whoever wants only the start of a file does not
    /// have to read on for it.
    pub(super) fn put_if_worth(&mut self, output: &mut dyn Output) -> Result<()> {
        /// Less than a block of any codec makes.
        const LITTLE: usize = 16 * 1024;
        if self.0.len() < LITTLE {
            return Ok(());
        }
        self.put(output)
    }

    /// Puts what is there.
    pub(super) fn put(&mut self, output: &mut dyn Output) -> Result<()> {
        // Freezing a vector keeps its memory: no copy.
        output.put(Bytes::from(std::mem::take(&mut self.0)))
    }
}
