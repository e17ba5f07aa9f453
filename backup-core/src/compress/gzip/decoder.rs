//! gzip files of any program, member by member.

use bytes::{Buf, Bytes};
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{super::pieces::Pieces, header::Header, member::Position};
use crate::{
    Error, ErrorKind, Result,
    transform::{Output, Transform},
};

/// Decodes all members of a file.
pub(super) struct Decoder {
    part: Part,
    inflate: Decompress,
    /// Checksum and number of the member's plain bytes.
    crc: Crc,
    /// What the member that was read last, or is being read, said about itself.
    position: Option<Position>,
    pieces: Pieces,
}

enum Part {
    /// Before the first byte of a file, or behind the last of a member.
    Start {
        members: Members,
    },
    Header(Header),
    Body,
    Trailer(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    None,
    Some,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            part: Part::Start { members: Members::None },
            inflate: Decompress::new(false),
            crc: Crc::new(),
            position: None,
            pieces: Pieces::default(),
        }
    }
}

const TRAILER_BYTES: usize = 8;

impl Transform for Decoder {
    fn update(&mut self, mut input: Bytes, output: &mut dyn Output) -> Result<()> {
        while !input.is_empty() {
            match &mut self.part {
                Part::Start { .. } => self.part = Part::Header(Header::default()),
                Part::Header(header) => {
                    if header.push(input.get_u8())? {
                        self.position = header.position()?;
                        self.inflate.reset(false);
                        self.crc.reset();
                        self.part = Part::Body;
                    }
                }
                Part::Body => self.inflate(&mut input, output)?,
                Part::Trailer(trailer) => {
                    trailer.push(input.get_u8());
                    if trailer.len() == TRAILER_BYTES {
                        check(trailer, &self.crc)?;
                        self.part = Part::Start { members: Members::Some };
                    }
                }
            }
        }
        self.pieces.put_if_worth(output)
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        self.end_member(output)?;
        output.boundary()
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        if matches!(self.part, Part::Start { .. }) && self.position == Some(Position::Inner) {
            return Err(corrupt("gzip data is cut short between two members"));
        }
        self.end_member(output)
    }
}

impl Decoder {
    fn end_member(&mut self, output: &mut dyn Output) -> Result<()> {
        match self.part {
            Part::Start { members: Members::None } => Err(corrupt("empty where gzip data should be")),
            Part::Start { members: Members::Some } => self.pieces.put(output),
            Part::Header(_) | Part::Body | Part::Trailer(_) => Err(corrupt("gzip data is cut short")),
        }
    }

    /// Inflates until the input is used up or the member's data ends.
    fn inflate(&mut self, input: &mut Bytes, output: &mut dyn Output) -> Result<()> {
        loop {
            let room = self.pieces.room();
            let (len, read) = (room.len(), self.inflate.total_in());
            let status = self
                .inflate
                .decompress_vec(input, room, FlushDecompress::None)
                .map_err(|err| corrupt("not valid gzip data").with_source(err))?;
            let made = room.get(len..).unwrap_or_default();
            self.crc.update(made);
            let taken = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX);
            let stuck = taken == 0 && made.is_empty();
            input.advance(taken.min(input.len()));
            let full = self.pieces.put_if_full(output)?;
            if status == Status::StreamEnd {
                self.part = Part::Trailer(Vec::with_capacity(TRAILER_BYTES));
                return Ok(());
            }
            if stuck && !input.is_empty() {
                return Err(corrupt("not valid gzip data"));
            }
            // A full piece may mean that there is more to come, also when all input was taken.
            if stuck || (input.is_empty() && !full) {
                return Ok(());
            }
        }
    }
}

/// Compares the trailer of a member with what was read.
fn check(trailer: &[u8], crc: &Crc) -> Result<()> {
    if !trailer.starts_with(&crc.sum().to_le_bytes()) {
        return Err(corrupt("gzip data does not match its checksum"));
    }
    // Both count modulo 2^32.
    if !trailer.ends_with(&crc.amount().to_le_bytes()) {
        return Err(corrupt("gzip data does not have its recorded size"));
    }
    Ok(())
}

pub(super) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
