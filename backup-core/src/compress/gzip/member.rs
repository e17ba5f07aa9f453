//! One gzip member, as the encoder writes it.

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};

use crate::{Error, ErrorKind, Result};

/// Whether more members follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Inner,
    Last,
}

/// The id of our subfield in the extra field of a header.
pub(super) const SUBFIELD_ID: [u8; 2] = *b"DB";

impl Position {
    /// The byte that says so in the subfield.
    fn to_byte(self) -> u8 {
        match self {
            Self::Inner => 0,
            Self::Last => 1,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Inner),
            1 => Some(Self::Last),
            _ => None,
        }
    }
}

const TRAILER_BYTES: usize = 8;

/// Compresses blocks into members.
pub(super) struct Writer {
    compressor: Compressor,
    deflated: Vec<u8>,
}

impl Writer {
    pub(super) fn new(level: i32) -> Result<Self> {
        let level = CompressionLvl::new(level)
            .map_err(|err| Error::new(ErrorKind::InvalidInput, format!("gzip level: {err:?}")))?;
        Ok(Self { compressor: Compressor::new(level), deflated: Vec::new() })
    }

    pub(super) fn write(&mut self, plain: &[u8], position: Position) -> Result<Bytes> {
        let bound = self.compressor.deflate_compress_bound(plain.len());
        if self.deflated.len() < bound {
            self.deflated.resize(bound, 0);
        }
        let len = self
            .compressor
            .deflate_compress(plain, &mut self.deflated)
            .map_err(|err| Error::new(ErrorKind::Unexpected, format!("deflate failed: {err:?}")))?;
        let deflated = self.deflated.get(..len).unwrap_or_default();
        let size = u32::try_from(plain.len())
            .map_err(|_| Error::new(ErrorKind::Unexpected, "a gzip member is too large"))?;

        let header = header(position);
        let mut member = Vec::with_capacity(header.len() + len + TRAILER_BYTES);
        member.extend_from_slice(&header);
        member.extend_from_slice(deflated);
        member.extend_from_slice(&libdeflater::crc32(plain).to_le_bytes());
        member.extend_from_slice(&size.to_le_bytes());
        Ok(member.into())
    }
}

/// No name and no time, so that the same bytes give the same file; system 255 is "unknown".
fn header(position: Position) -> [u8; 17] {
    let [first, second] = SUBFIELD_ID;
    [0x1f, 0x8b, 8, 1 << 2, 0, 0, 0, 0, 0, 255, 5, 0, first, second, 1, 0, position.to_byte()]
}
