use bytes::BytesMut;

use super::Compressor;
use crate::{Result, transform::Transform};

/// No compression.
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
        Ok(Box::new(Copy))
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Copy))
    }
}

struct Copy;

impl Transform for Copy {
    fn update(&mut self, input: &[u8], output: &mut BytesMut) -> Result<()> {
        output.extend_from_slice(input);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut BytesMut) -> Result<()> {
        Ok(())
    }
}
