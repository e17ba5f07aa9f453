//! [`Checksum`]: of rows in any order; and [`Rows`], which finds the rows of `INSERT` in their chunks.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::rows::Edges;

/// How the rows that a checksum is of were written; those of one form compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines of `COPY`, without their line feed.
    Copy,
    /// What stands between the parentheses of `INSERT`.
    Values,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Values => "values",
        }
    }
}

/// A checksum of rows: the sum of their hashes (XXH3, 128 bits), so that order means nothing and a row that is there
/// twice counts twice.
///
/// It finds damage and rows that were lost, changed or added; who wants to deceive it can.
#[derive(Debug, Default)]
pub(super) struct Checksum {
    sum: u128,
    /// What was read of a row of which the start lies in an earlier chunk.
    started: Option<Box<Started>>,
}

struct Started {
    hasher: Xxh3,
    is_used: bool,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started").field("is_used", &self.is_used).finish_non_exhaustive()
    }
}

impl Checksum {
    /// Adds a row, or the rest of one that was started.
    #[inline]
    pub(super) fn row(&mut self, rest: &[u8]) {
        let hash = match &mut self.started {
            Some(started) if started.is_used => {
                started.is_used = false;
                started.hasher.update(rest);
                started.hasher.digest128()
            }
            _ => xxh3_128(rest),
        };
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Adds a part of a row that goes on.
    pub(super) fn part(&mut self, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        let started =
            self.started.get_or_insert_with(|| Box::new(Started { hasher: Xxh3::new(), is_used: false }));
        if !started.is_used {
            started.hasher.reset();
            started.is_used = true;
        }
        started.hasher.update(part);
    }

    /// The sum so far, without a row that was only started; another one begins.
    pub(super) fn take(&mut self) -> u128 {
        if let Some(started) = &mut self.started {
            started.is_used = false;
        }
        std::mem::take(&mut self.sum)
    }
}

/// The checksum of an `INSERT`, told where in the current chunk its rows begin and end.
#[derive(Debug, Default)]
pub(super) struct Rows {
    checksum: Checksum,
    /// Where in the current chunk the part of the open row begins, if a row is open.
    begin: Option<usize>,
    seen: u64,
}

impl Rows {
    /// A row was opened by the byte before `at`.
    pub(super) fn open(&mut self, at: usize) {
        self.begin = Some(at);
    }

    /// The open row is closed by the byte at `at`.
    pub(super) fn close(&mut self, chunk: &[u8], at: usize) {
        if let Some(begin) = self.begin.take() {
            self.checksum.row(chunk.get(begin..at).unwrap_or_default());
            self.seen += 1;
        }
    }

    /// The chunk ends.
    pub(super) fn end_chunk(&mut self, chunk: &[u8]) {
        if let Some(begin) = &mut self.begin {
            self.checksum.part(chunk.get(*begin..).unwrap_or_default());
            *begin = 0;
        }
    }

    /// The checksum of the statement, which had so many rows: one without parentheses is empty.
    pub(super) fn end(&mut self, rows: u64) -> u128 {
        if self.seen < rows {
            self.checksum.row(b"");
        }
        (self.begin, self.seen) = (None, 0);
        self.checksum.take()
    }

    /// What takes the edges of rows in the part of `chunk` that begins at `base`.
    pub(super) fn within<'a>(&'a mut self, chunk: &'a [u8], base: usize) -> Within<'a> {
        Within { rows: self, chunk, base }
    }
}

/// Takes the edges of rows in a part of a chunk.
pub(super) struct Within<'a> {
    rows: &'a mut Rows,
    chunk: &'a [u8],
    base: usize,
}

impl Edges for Within<'_> {
    #[inline]
    fn block(&mut self, at: usize, open: u64, close: u64) {
        let mut edges = open | close;
        while edges != 0 {
            let bit = edges.trailing_zeros();
            let place = self.base + at + bit as usize;
            if open >> bit & 1 == 1 {
                self.rows.open(place + 1);
            } else {
                self.rows.close(self.chunk, place);
            }
            edges &= edges - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[u8]]) -> u128 {
        let mut checksum = Checksum::default();
        for row in rows {
            checksum.row(row);
        }
        checksum.take()
    }

    #[test]
    fn order_means_nothing_and_number_does() {
        assert_eq!(sum(&[b"a", b"b", b""]), sum(&[b"", b"b", b"a"]));
        assert_ne!(sum(&[b"a", b"a"]), sum(&[b"a"]));
        assert_ne!(sum(&[b"a", b"b", b""]), sum(&[b"a", b"b"]));
        assert_ne!(sum(&[b"ab", b"cd"]), sum(&[b"ad", b"cb"]));
    }

    #[test]
    fn a_row_in_parts_is_the_same_row() {
        let row: Vec<u8> = (0_u8..=255).cycle().take(3000).collect();
        for length in [0, 1, 3, 16, 17, 128, 129, 240, 241, 1024, 3000] {
            let row = &row[..length];
            for size in [1, 7, 256] {
                let mut checksum = Checksum::default();
                row.chunks(size).for_each(|part| checksum.part(part));
                checksum.row(b"");
                checksum.part(b"not the whole of a row");
                assert_eq!(checksum.take(), sum(&[row]), "{length} by {size}");
                assert_eq!(checksum.take(), 0);
            }
        }
    }
}
