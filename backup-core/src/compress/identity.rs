use bytes::Bytes;

use super::Compressor;
use crate::{
    Result,
    transform::{Output, Transform},
};

/// No compression.
///
/// It cannot notice damage: of a backup stored so, only the digests of its manifest tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Identity;

impl Compressor for Identity {
    fn name(&self) -> &'static str {
        "none"
    }

    fn extension(&self) -> &'static str {
        ""
    }

    fn encoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Pass))
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Pass))
    }
}

struct Pass;

impl Transform for Pass {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        output.put(input)
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        output.boundary()
    }

    fn finish(self: Box<Self>, _: &mut dyn Output) -> Result<()> {
        Ok(())
    }
}
