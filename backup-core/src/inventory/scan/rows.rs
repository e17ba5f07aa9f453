//! [`pass`]: reads the rows of an `INSERT` in blocks, at much the same speed whatever their texts hold.
//!
//! The bytes of a block that mean something become bit masks, one bit a byte, and a few operations on
//! integers tell which of them stand in a literal and which open or close a row. No byte costs a branch, so
//! that a text full of quotes, parentheses and backslashes is read like any other.

/// Bytes of a block: as many as a mask has bits.
const BLOCK: usize = 64;
type Block = [u8; BLOCK];

/// What a backslash in a literal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backslash {
    Plain,
    Escape,
}

/// Where the reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind a row, or before the first one.
    Gap,
    /// In a row, and in no literal.
    Row,
    /// In a literal of a row.
    Literal,
    /// Behind the backslash that escapes the next byte of a literal.
    Escape,
}

/// What [`pass`] read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    /// How many bytes; those behind them, if any, need a closer look.
    pub(super) taken: usize,
    /// How many rows were opened in them.
    pub(super) rows: u64,
    pub(super) place: Place,
}

/// Reads rows from `place` on, up to the first byte outside of literals that is not theirs.
///
/// Such are: the end of a statement, an identifier in quotes, a comment or what may be one, a parenthesis
/// within a row, a dollar or backslash, the prefix `E` of a literal, and between rows anything but commas and
/// white space. Literals are in single quotes, in which a quote is doubled.
pub(super) fn pass(text: &[u8], place: Place, backslash: Backslash, edges: &mut impl Edges) -> Passed {
    match backslash {
        Backslash::Plain => Reader::new(place, edges).read(text, |_, _| 0),
        Backslash::Escape => Reader::new(place, edges).read(text, escaped),
    }
}

/// Is told where rows begin and end.
pub(super) trait Edges {
    /// Those of the block at `at`: a bit for each parenthesis that opens a row, and for each that closes one.
    fn block(&mut self, at: usize, open: u64, close: u64);
}

/// Nobody wants to know.
impl Edges for () {
    #[inline]
    fn block(&mut self, _: usize, _: u64, _: u64) {}
}

/// What one block leaves to the next.
struct Reader<'a, E> {
    /// All ones in a literal, or all zeros.
    literal: u64,
    /// All ones in a row, or all zeros.
    row: u64,
    /// One behind a backslash that escapes, or zero.
    escape: u64,
    rows: u64,
    edges: &'a mut E,
}

impl<'a, E: Edges> Reader<'a, E> {
    fn new(place: Place, edges: &'a mut E) -> Self {
        Self {
            literal: all_if(matches!(place, Place::Literal | Place::Escape)),
            row: all_if(place != Place::Gap),
            escape: u64::from(place == Place::Escape),
            rows: 0,
            edges,
        }
    }

    fn read(mut self, text: &[u8], escaped: impl Fn(u64, &mut u64) -> u64) -> Passed {
        // Each byte is seen with the one behind it: half of a comment's mark is none.
        let (nexts, last_next) = text.get(1..).unwrap_or_default().as_chunks::<BLOCK>();
        let (blocks, _) = text.as_chunks::<BLOCK>();
        let mut taken = 0;
        for (block, next) in blocks.iter().zip(nexts) {
            if let Some(stop) = self.block(taken, block, next, &escaped) {
                return self.passed(taken + stop);
            }
            taken += BLOCK;
        }
        let last = text.get(taken..).unwrap_or_default();
        let mut before = self.escape;
        if let Some(stop) = self.block(taken, &padded(last), &padded(last_next), &escaped) {
            return self.passed(taken + stop);
        }
        if last.len() < BLOCK {
            // What the last byte escapes is not the padding.
            let ends = escaped(mask(&padded(last), is_backslash), &mut before);
            self.escape = ends >> last.len() & 1;
        }
        // The dash is half of a comment's mark, perhaps.
        let dash = self.literal == 0 && last.ends_with(b"-");
        self.passed(text.len() - usize::from(dash))
    }

    /// Reads a block up to the place where it needs a closer look, if any.
    #[inline]
    fn block(
        &mut self,
        at: usize,
        block: &Block,
        next: &Block,
        escaped: impl Fn(u64, &mut u64) -> u64,
    ) -> Option<usize> {
        let escaped = escaped(mask(block, is_backslash), &mut self.escape);
        let quotes = mask(block, |byte| u8::from(byte == b'\'')) & !escaped;
        // From an opening quote on up to the closing one, which is outside again.
        let literal = prefix_xor(quotes) ^ self.literal;
        if quotes == 0 && literal != 0 {
            return None;
        }
        self.literal = last_bit(literal);
        let marks = mask_pairs(block, next, is_mark) & !literal;
        if marks == 0 && self.row != 0 {
            return None;
        }
        let open = mask(block, |byte| u8::from(byte == b'(')) & marks;
        let close = mask(block, |byte| u8::from(byte == b')')) & marks;
        // From an opening parenthesis on up to the closing one.
        let row = prefix_xor(open | close) ^ self.row;
        let nested = open & !row | close & row;
        let words = mask(block, |byte| u8::from(byte > b',')) & !literal | quotes;
        let stops = marks & !(open | close) | nested | words & !row;
        if stops == 0 {
            self.rows += u64::from(open.count_ones());
            self.edges.block(at, open, close);
            self.row = last_bit(row);
            return None;
        }
        let stop = stops.trailing_zeros();
        let before_stop = (1 << stop) - 1;
        self.rows += u64::from((open & before_stop).count_ones());
        self.edges.block(at, open & before_stop, close & before_stop);
        let before = row << 1 | self.row & 1;
        (self.row, self.literal, self.escape) = (all_if(before >> stop & 1 == 1), 0, 0);
        Some(stop as usize)
    }

    fn passed(&self, taken: usize) -> Passed {
        let place = match (self.literal, self.escape, self.row) {
            (0, _, 0) => Place::Gap,
            (0, _, _) => Place::Row,
            (_, 0, _) => Place::Literal,
            _ => Place::Escape,
        };
        Passed { taken, rows: self.rows, place }
    }
}

/// One for a byte that, outside of literals, is a parenthesis or no business of the rows.
#[inline]
fn is_mark(byte: u8, next: u8) -> u8 {
    let is = |value| u8::from(byte == value);
    let then = |value| u8::from(next == value);
    // Both parentheses, without their lowest bit; `"` and `#`.
    let twins = u8::from(byte & !1 == b'(') | u8::from(byte & !1 == b'"');
    let pairs = is(b'-') & then(b'-') | u8::from(byte | 0x20 == b'e') & then(b'\'');
    twins | pairs | is(b';') | is(b'`') | is(b'$') | is(b'/') | is(b'\\')
}

#[inline]
fn is_backslash(byte: u8) -> u8 {
    u8::from(byte == b'\\')
}

/// The bytes that a backslash before them escapes; `carry` is one where the first of a block is.
///
/// Within a run of backslashes each second one escapes nothing: adding to the start of a run carries a bit
/// through to its end, and whether start and end are both even tells the length.
#[inline]
fn escaped(backslashes: u64, carry: &mut u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    if backslashes == 0 {
        return std::mem::take(carry);
    }
    let starts = backslashes & !*carry;
    let behind = starts << 1;
    let ends = (behind | ODD).wrapping_sub(starts) ^ ODD;
    let escaped = ends ^ (backslashes | *carry);
    *carry = (ends & backslashes) >> 63;
    escaped
}

/// Each bit is the sum of itself and all before it, without carry.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The last bit of a block, all over.
#[inline]
fn last_bit(bits: u64) -> u64 {
    0_u64.wrapping_sub(bits >> 63)
}

fn all_if(yes: bool) -> u64 {
    if yes { u64::MAX } else { 0 }
}

/// The bit of the packed byte that each lane of a block sets: eight lanes the first, eight the second, and so on.
const WEIGHTS: Block = {
    let mut weights = [0; BLOCK];
    let (groups, _) = weights.as_chunks_mut::<8>();
    let mut bit = 0;
    let mut left: &mut [[u8; 8]] = groups;
    while let Some((group, rest)) = left.split_first_mut() {
        *group = [1 << bit; 8];
        bit += 1;
        left = rest;
    }
    weights
};

/// A bit for each byte for which `is` says one.
#[inline]
fn mask(block: &Block, is: impl Fn(u8) -> u8) -> u64 {
    mask_pairs(block, block, |byte, _| is(byte))
}

/// The same of each byte with the one behind it.
#[inline]
fn mask_pairs(block: &Block, next: &Block, is: impl Fn(u8, u8) -> u8) -> u64 {
    let mut lanes = [0; BLOCK];
    for (lane, (byte, next)) in lanes.iter_mut().zip(block.iter().zip(next)) {
        *lane = is(*byte, *next);
    }
    for (lane, weight) in lanes.iter_mut().zip(WEIGHTS) {
        *lane = 0_u8.wrapping_sub(*lane) & weight;
    }
    let (groups, _) = lanes.as_chunks::<8>();
    transposed(groups.iter().fold(0, |bits, group| bits | u64::from_le_bytes(*group)))
}

/// Swaps rows and columns of eight bytes by eight bits, in squares of one, two and four.
#[inline]
fn transposed(mut bits: u64) -> u64 {
    for (shift, square) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0xf0f0_f0f0)] {
        let swapped = (bits ^ bits >> shift) & square;
        bits ^= swapped ^ swapped << shift;
    }
    bits
}

fn padded(bytes: &[u8]) -> Block {
    let mut block = [b' '; BLOCK];
    for (place, byte) in block.iter_mut().zip(bytes) {
        *place = *byte;
    }
    block
}

#[cfg(test)]
mod tests;
