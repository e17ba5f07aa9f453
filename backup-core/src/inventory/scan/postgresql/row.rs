//! [`simple_row`]: passes over a row of `INSERT` at the speed of a vector comparison.

use memchr::memchr;

/// Rows on longer lines are read by the lexer, which is fast on long literals.
const LONGEST: usize = 4096;
const LANES: usize = 16;
type Block = [u8; LANES];

/// Finds the closing parenthesis of a row, from behind the opening one, where the line shows it without a
/// closer look: `values)` and one more byte up to the line feed, with an even number of single quotes, and
/// nowhere, be it in a literal or not, a byte that could mean anything else to the lexer.
///
/// An escape literal without backslash reads like a plain one, so its prefix does not matter.
pub(super) fn simple_row(text: &[u8]) -> Option<usize> {
    let line = text.get(..memchr(b'\n', text.get(..LONGEST).unwrap_or(text))?)?;
    let (values, [b')', _]) = line.split_last_chunk::<2>()? else { return None };
    let next = line.get(1..=values.len())?;
    let mut seen = Seen::default();
    let ((blocks, rest), (nexts, next_rest)) = (values.as_chunks(), next.as_chunks());
    for (block, next) in blocks.iter().zip(nexts) {
        seen.add(block, next, &[1; LANES]);
    }
    if let (Some(block), Some(next)) = (values.last_chunk(), next.last_chunk()) {
        // The last block overlaps the one before it, whose quotes count once.
        seen.add(block, next, COUNTED.get(rest.len()..)?.first_chunk()?);
    } else {
        seen.add(&padded(rest)?, &padded(next_rest)?, &[1; LANES]);
    }
    seen.is_simple().then_some(values.len())
}

/// From `n` on: a block of which the last `n` lanes are ones.
const COUNTED: [u8; 2 * LANES] = {
    let mut lanes = [0; 2 * LANES];
    let (_, ones) = lanes.split_at_mut(LANES);
    ones.copy_from_slice(&[1; LANES]);
    lanes
};

/// What was seen, one lane a byte, so that the compiler compares all lanes at once.
#[derive(Default)]
struct Seen {
    special: Block,
    quotes: Block,
}

impl Seen {
    /// Looks at a block; `next` holds the byte after each, `counted` a one where a quote counts.
    fn add(&mut self, block: &Block, next: &Block, counted: &Block) {
        let lanes = self.special.iter_mut().zip(&mut self.quotes);
        for ((special, quotes), ((byte, next), counted)) in lanes.zip(block.iter().zip(next).zip(counted)) {
            // No branches: numbers instead of conditions.
            let is = |value| u8::from(*byte == value);
            let then = |value| u8::from(*next == value);
            let parenthesis = u8::from(byte & !1 == b'(');
            let comment = is(b'-') & then(b'-') | is(b'/') & then(b'*');
            *special |= parenthesis | comment | is(b'"') | is(b'$') | is(b'\\') | is(b';');
            *quotes ^= is(b'\'') & counted;
        }
    }

    fn is_simple(&self) -> bool {
        let special = self.special.iter().fold(0, |all, lane| all | lane);
        let odd = self.quotes.iter().fold(0, |all, lane| all ^ lane);
        special == 0 && odd == 0
    }
}

fn padded(bytes: &[u8]) -> Option<Block> {
    let mut block = [b' '; LANES];
    block.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_byte_at_any_place_needs_a_closer_look() {
        for length in 0..70 {
            let row = |values: &[u8]| simple_row(&[values, b"),\n\t(1),\n"].concat());
            let plain = vec![b'x'; length];
            assert_eq!(row(&plain), Some(length));
            for at in 0..length {
                for special in *b"();\"$\\'\n" {
                    let mut values = plain.clone();
                    values[at] = special;
                    assert_eq!(row(&values), None, "{special} at {at} of {length}");
                }
                for pair in ["--", "/*"] {
                    let mut values = plain.clone();
                    values.splice(at.., pair.bytes());
                    values.resize(length.max(at + 2), b'x');
                    assert_eq!(row(&values), None, "{pair} at {at} of {length}");
                }
                for other in at + 1..length {
                    let mut values = plain.clone();
                    (values[at], values[other]) = (b'\'', b'\'');
                    assert_eq!(row(&values), Some(length), "{at} and {other} of {length}");
                }
            }
        }
    }

    #[test]
    fn a_row_that_does_not_end_with_its_line_needs_a_closer_look() {
        for text in ["", "1", "1)", "1);", "1)\n", "1;\n", "1) ;\n", "1)\n;\n", "1,\n2);\n"] {
            assert_eq!(simple_row(text.as_bytes()), None, "{text}");
        }
        assert_eq!(simple_row(b");\n"), Some(0));
        assert_eq!(simple_row(b"-1, '+', 5 / 3 * 2, '#%&');\n"), Some(25));
        assert_eq!(simple_row(&[&[b'x'; LONGEST][..], b");\n"].concat()), None);
    }
}
