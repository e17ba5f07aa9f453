//! The database file of SQLite: its header states how long it is.

use super::{Error, Outcome, Tap, corrupt, incomplete};
use crate::{Result, inventory::Inventory};

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// Checks start and length of a database file; see <https://sqlite.org/fileformat2.html>.
pub(super) struct Database {
    header: Vec<u8>,
    length: u64,
    outcome: Outcome<Option<Inventory>>,
}

impl Database {
    pub(super) fn new(outcome: Outcome<Option<Inventory>>) -> Self {
        Self { header: Vec::with_capacity(HEADER), length: 0, outcome }
    }
}

impl Tap for Database {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.length += bytes.len() as u64;
        let missing = HEADER - self.header.len();
        if missing > 0 {
            self.header.extend(bytes.iter().take(missing));
            if self.header.iter().zip(MAGIC).any(|(is, should)| is != should) {
                return Err(no_database());
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let header =
            Header::parse(&self.header).ok_or_else(|| incomplete("the database ends in its header"))?;
        header.check(self.length).map_err(|err| err.with_context("bytes", self.length))?;
        self.outcome.set(None);
        Ok(())
    }
}

fn no_database() -> Error {
    corrupt("this is no SQLite database")
}

struct Header {
    /// As written: 1 stands for 65536.
    page_size: u16,
    page_count: u32,
    change_counter: u32,
    version_valid_for: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            page_size: u16::from_be_bytes(at(bytes, 16)?),
            change_counter: u32::from_be_bytes(at(bytes, 24)?),
            page_count: u32::from_be_bytes(at(bytes, 28)?),
            version_valid_for: u32::from_be_bytes(at(bytes, 92)?),
        })
        .filter(|_| bytes.len() >= HEADER)
    }

    fn check(&self, length: u64) -> Result<()> {
        let page_size = match self.page_size {
            1 => 65536,
            size if size >= 512 && size.is_power_of_two() => u64::from(size),
            _ => return Err(no_database()),
        };
        // SQLite before 3.7.0 did not keep the count; then the two counters differ and it means nothing.
        let expected = if self.page_count > 0 && self.change_counter == self.version_valid_for {
            page_size * u64::from(self.page_count)
        } else {
            length.next_multiple_of(page_size)
        };
        if length < expected {
            return Err(incomplete("the database is shorter than its header states")
                .with_context("expected_bytes", expected));
        }
        if length > expected {
            return Err(corrupt("the database is longer than its header states")
                .with_context("expected_bytes", expected));
        }
        Ok(())
    }
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, inventory::Inspector};

    fn header(page_size: u16, pages: u32, counters: (u32, u32)) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(HEADER, 0);
        bytes[16..18].copy_from_slice(&page_size.to_be_bytes());
        bytes[24..28].copy_from_slice(&counters.0.to_be_bytes());
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        bytes[92..96].copy_from_slice(&counters.1.to_be_bytes());
        bytes
    }

    fn inspect(mut bytes: Vec<u8>, length: usize, chunk: usize) -> Result<(), ErrorKind> {
        bytes.resize(length, 0);
        let Inspector { mut tap, inventory, .. } = Inspector::for_format("sqlite", "database");
        for piece in bytes.chunks(chunk) {
            tap.update(piece).map_err(|err| err.kind())?;
        }
        tap.finish().map_err(|err| err.kind())?;
        assert_eq!(inventory.take(), Some(None));
        Ok(())
    }

    #[test]
    fn a_database_has_exactly_the_length_that_its_header_states() {
        for (page_size, bytes) in [(512, 512), (4096, 4096), (1, 65536)] {
            for chunk in [1, 7, 100, 1 << 20] {
                let header = header(page_size, 3, (9, 9));
                assert_eq!(inspect(header.clone(), 3 * bytes, chunk), Ok(()));
                assert_eq!(inspect(header.clone(), 3 * bytes - 1, chunk), Err(ErrorKind::Incomplete));
                assert_eq!(inspect(header.clone(), 2 * bytes, chunk), Err(ErrorKind::Incomplete));
                assert_eq!(inspect(header, 4 * bytes, chunk), Err(ErrorKind::Corrupt));
            }
        }
    }

    #[test]
    fn a_stale_page_count_is_not_believed() {
        assert_eq!(inspect(header(512, 3, (9, 8)), 512 * 5, 64), Ok(()));
        assert_eq!(inspect(header(512, 3, (9, 8)), 512 * 5 - 1, 64), Err(ErrorKind::Incomplete));
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        assert_eq!(inspect(Vec::new(), 0, 1), Err(ErrorKind::Incomplete));
        assert_eq!(inspect(MAGIC.to_vec(), 99, 1), Err(ErrorKind::Incomplete));
        assert_eq!(inspect(b"SQLite format 2\0".to_vec(), 512, 3), Err(ErrorKind::Corrupt));
        assert_eq!(inspect(header(1000, 1, (1, 1)), 1000, 10), Err(ErrorKind::Corrupt));
    }
}
