//! The header of a gzip member, read byte by byte, so that it may be cut anywhere.

use flate2::Crc;

use super::{
    decoder::corrupt,
    member::{Position, SUBFIELD_ID},
};
use crate::Result;

/// Longer headers are refused; names and comments have no bound in the format.
const HEADER_BYTES_MAX: u32 = 128 * 1024;

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Reads one header.
#[derive(Default)]
pub(super) struct Header {
    flags: u8,
    part: Part,
    crc: Crc,
    extra: Vec<u8>,
}

/// What the next byte belongs to; numbers count the bytes of the part that were read.
#[derive(Default, Clone, Copy)]
enum Part {
    #[default]
    Magic1,
    Magic2,
    Method,
    Flags,
    /// Time, extra flags and system: six bytes that mean nothing here.
    Unused(u8),
    ExtraLen1,
    ExtraLen2(u8),
    Extra(u16),
    Name,
    Comment,
    Crc1,
    Crc2(u8),
    Done,
}

impl Header {
    /// Takes the next byte; true when the header is complete.
    pub(super) fn push(&mut self, byte: u8) -> Result<bool> {
        let sum = self.crc.sum();
        self.crc.update(&[byte]);
        if self.crc.amount() > HEADER_BYTES_MAX {
            return Err(corrupt("a gzip header is too long"));
        }
        self.part = match self.part {
            Part::Magic1 if byte == 0x1f => Part::Magic2,
            Part::Magic2 if byte == 0x8b => Part::Method,
            Part::Magic1 | Part::Magic2 => return Err(corrupt("no gzip header where one should be")),
            Part::Method if byte == 8 => Part::Flags,
            Part::Method => return Err(corrupt("a gzip member with an unknown method")),
            Part::Flags if byte & RESERVED == 0 => {
                self.flags = byte;
                Part::Unused(0)
            }
            Part::Flags => return Err(corrupt("a gzip member with unknown flags")),
            Part::Unused(5) => self.after(0),
            Part::Unused(read) => Part::Unused(read + 1),
            Part::ExtraLen1 => Part::ExtraLen2(byte),
            Part::ExtraLen2(low) => match u16::from_le_bytes([low, byte]) {
                0 => self.after(FEXTRA),
                len => Part::Extra(len),
            },
            Part::Extra(left) => {
                self.extra.push(byte);
                if left == 1 { self.after(FEXTRA) } else { Part::Extra(left - 1) }
            }
            Part::Name if byte == 0 => self.after(FNAME),
            Part::Comment if byte == 0 => self.after(FCOMMENT),
            same @ (Part::Name | Part::Comment) => same,
            // The checksum is that of the header before it, its low half.
            Part::Crc1 if sum.to_le_bytes().first() == Some(&byte) => Part::Crc2(sum.to_le_bytes()[1]),
            Part::Crc2(expected) if expected == byte => Part::Done,
            Part::Crc1 | Part::Crc2(_) => return Err(corrupt("a gzip header does not match its checksum")),
            Part::Done => Part::Done,
        };
        Ok(matches!(self.part, Part::Done))
    }

    /// The part that follows the one of flag `done` (0: the fixed bytes); they come in this order.
    fn after(&self, done: u8) -> Part {
        let rest = |flag: u8| done < flag && self.flags & flag != 0;
        if rest(FEXTRA) {
            Part::ExtraLen1
        } else if rest(FNAME) {
            Part::Name
        } else if rest(FCOMMENT) {
            Part::Comment
        } else if self.flags & FHCRC != 0 {
            Part::Crc1
        } else {
            Part::Done
        }
    }

    /// What our subfield says, if there is one.
    pub(super) fn position(&self) -> Result<Option<Position>> {
        let mut rest = self.extra.as_slice();
        while let [first, second, low, high, tail @ ..] = rest {
            let len = usize::from(u16::from_le_bytes([*low, *high]));
            // Some programs write extra fields without subfields: nothing of ours.
            let Some((data, next)) = tail.split_at_checked(len) else { break };
            if [*first, *second] == SUBFIELD_ID {
                // Another program may use the same id for something else, but not with this length.
                if let [byte] = data {
                    return match Position::from_byte(*byte) {
                        Some(position) => Ok(Some(position)),
                        None => Err(corrupt("a gzip member with a wrong end mark")),
                    };
                }
            }
            rest = next;
        }
        Ok(None)
    }
}
