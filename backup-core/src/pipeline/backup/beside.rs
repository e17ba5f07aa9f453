//! Bytes that are stored as they come, and decoded on the side.

use bytes::Bytes;

use crate::{Error, ErrorKind, Result, Transform, digest::Tap, transform::Output};

/// Passes bytes on unchanged, and shows what they decode to, to taps.
///
/// What cannot be decoded, or does not pass a tap, fails the whole: nothing is published of it.
pub(super) struct Beside {
    decoder: Box<dyn Transform>,
    taps: Taps,
}

impl Beside {
    pub(super) fn new(decoder: Box<dyn Transform>, taps: Vec<Box<dyn Tap>>) -> Self {
        Self { decoder, taps: Taps(taps) }
    }
}

impl Transform for Beside {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.decoder.update(input.clone(), &mut self.taps)?;
        output.put(input)
    }

    /// What comes is stored as it comes.
    fn boundary(&mut self, _: &mut dyn Output) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "bytes that were compressed elsewhere have no boundaries"))
    }

    fn finish(self: Box<Self>, _: &mut dyn Output) -> Result<()> {
        let Self { decoder, mut taps } = *self;
        decoder.finish(&mut taps)?;
        taps.0.into_iter().try_for_each(Tap::finish)
    }
}

struct Taps(Vec<Box<dyn Tap>>);

impl Output for Taps {
    fn put(&mut self, chunk: Bytes) -> Result<()> {
        self.0.iter_mut().try_for_each(|tap| tap.update(&chunk))
    }

    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}
