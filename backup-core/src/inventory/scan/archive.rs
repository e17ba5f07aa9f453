//! Archives of `pg_dump`: the custom format, and tar files (the directory format packed, or `--format=tar`).

use super::{Outcome, Tap, corrupt, incomplete};
use crate::{Result, inventory::Inventory};

/// Checks the start of a custom-format archive, which has no end mark; `pg_restore -l` tells more.
pub(super) struct Custom {
    start: Vec<u8>,
    outcome: Outcome<Option<Inventory>>,
}

const MAGIC: &[u8] = b"PGDMP";
/// Magic, three bytes of version, size of an integer, size of an offset, format.
const START: usize = 11;
const MAJOR_VERSION: u8 = 1;
const FORMAT_CUSTOM: u8 = 1;

impl Custom {
    pub(super) fn new(outcome: Outcome<Option<Inventory>>) -> Self {
        Self { start: Vec::with_capacity(START), outcome }
    }
}

impl Tap for Custom {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        let missing = START - self.start.len();
        if missing == 0 {
            return Ok(());
        }
        self.start.extend(bytes.iter().take(missing));
        let fits = |at: usize, should: u8| self.start.get(at).is_none_or(|is| *is == should);
        if self.start.iter().zip(MAGIC).any(|(is, should)| is != should)
            || !fits(MAGIC.len(), MAJOR_VERSION)
            || !fits(START - 1, FORMAT_CUSTOM)
        {
            return Err(corrupt("this is no archive of pg_dump in the custom format"));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        if self.start.len() < START {
            return Err(incomplete("the archive ends in its header"));
        }
        self.outcome.set(None);
        Ok(())
    }
}

/// Walks the entries of a tar file to its end, which is two blocks of zeros.
pub(super) struct Tar {
    block: Vec<u8>,
    /// Bytes of the current entry that are still to come, padding included.
    skip: u64,
    end_blocks: u8,
    has_contents: bool,
    outcome: Outcome<Option<Inventory>>,
}

const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

impl Tar {
    pub(super) fn new(outcome: Outcome<Option<Inventory>>) -> Self {
        Self { block: Vec::with_capacity(BLOCK), skip: 0, end_blocks: 0, has_contents: false, outcome }
    }

    fn header(&mut self) -> Result<()> {
        if self.block.iter().all(|byte| *byte == 0) {
            self.end_blocks = self.end_blocks.saturating_add(1);
            return Ok(());
        }
        let broken = || corrupt("this is no tar file of a dump");
        // One block of zeros is no end; after two, only zeros may come.
        if self.end_blocks > 0 {
            return Err(broken());
        }
        let sum: u64 = self
            .block
            .iter()
            .enumerate()
            .map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte })
            .map(u64::from)
            .sum();
        if self.block.get(CHECKSUM).and_then(number) != Some(sum) {
            return Err(broken());
        }
        let size = self.block.get(124..136).and_then(number).ok_or_else(broken)?;
        self.skip = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(broken)?;
        let path = self.block.get(..100).and_then(|name| name.split(|byte| *byte == 0).next());
        let file = path.and_then(|path| path.rsplit(|byte| *byte == b'/').next());
        // Without its table of contents a directory cannot be restored, and pg_dump writes it last.
        self.has_contents |= file == Some(b"toc.dat");
        Ok(())
    }
}

impl Tap for Tar {
    fn update(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let missing = (BLOCK - self.block.len()).min(bytes.len());
            let (head, tail) = bytes.split_at(missing);
            self.block.extend_from_slice(head);
            bytes = tail;
            if self.block.len() == BLOCK {
                self.header()?;
                self.block.clear();
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        if self.skip > 0 || !self.block.is_empty() || self.end_blocks < 2 {
            return Err(incomplete("the tar file has no end mark"));
        }
        if !self.has_contents {
            return Err(incomplete("the tar file holds no table of contents").with_context("file", "toc.dat"));
        }
        self.outcome.set(None);
        Ok(())
    }
}

/// A number of a tar header: octal digits, or big-endian with the highest bit set where those do not suffice.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        return rest.iter().try_fold(u64::from(first & 0x7f), |sum, byte| {
            sum.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let digits = field.trim_ascii_start().split(|byte| matches!(byte, b' ' | 0)).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, inventory::Inspector};

    fn inspect(format: &str, bytes: &[u8], chunk: usize) -> Result<(), ErrorKind> {
        let Inspector { mut tap, inventory, .. } = Inspector::for_format("postgresql", format);
        for piece in bytes.chunks(chunk) {
            tap.update(piece).map_err(|err| err.kind())?;
        }
        tap.finish().map_err(|err| err.kind())?;
        assert_eq!(inventory.take(), Some(None));
        Ok(())
    }

    fn entry(name: &str, contents: &[u8]) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", contents.len()).as_bytes());
        block[257..262].copy_from_slice(b"ustar");
        block[CHECKSUM].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block.extend(contents);
        block.resize(block.len().next_multiple_of(BLOCK), 0);
        block
    }

    fn tar() -> Vec<u8> {
        // Contents of zeros look like an end mark to whoever does not walk the entries.
        let mut tar = entry("dump/3000.dat", &[0; 2000]);
        tar.extend(entry("dump/toc.dat", b"PGDMP"));
        tar.extend([0; 2 * BLOCK]);
        tar
    }

    #[test]
    fn a_tar_file_is_whole_only_with_both_blocks_of_its_end() {
        let tar = tar();
        for chunk in [1, 511, 512, 4096] {
            assert_eq!(inspect("directory", &tar, chunk), Ok(()));
        }
        let padded = [&tar[..], &[0; 3 * BLOCK]].concat();
        assert_eq!(inspect("tar", &padded, 1000), Ok(()));
        for cut in 0..tar.len() {
            assert_eq!(inspect("directory", &tar[..cut], 4096), Err(ErrorKind::Incomplete), "{cut}");
        }
    }

    #[test]
    fn a_damaged_tar_header_is_refused() {
        for at in (0..155).chain(156..BLOCK) {
            let mut tar = tar();
            tar[at] ^= 1;
            assert_eq!(inspect("directory", &tar, 4096), Err(ErrorKind::Corrupt), "{at}");
        }
    }

    #[test]
    fn a_tar_file_without_table_of_contents_is_incomplete() {
        let tar = [entry("3000.dat", b"1"), vec![0; 2 * BLOCK]].concat();
        assert_eq!(inspect("directory", &tar, 4096), Err(ErrorKind::Incomplete));
    }

    #[test]
    fn a_custom_archive_starts_with_its_magic() {
        let archive = b"PGDMP\x01\x0e\x00\x04\x08\x01and more";
        for chunk in [1, 5, 64] {
            assert_eq!(inspect("custom", archive, chunk), Ok(()));
            assert_eq!(inspect("custom", &archive[..10], chunk), Err(ErrorKind::Incomplete));
            assert_eq!(inspect("custom", b"--\n-- PostgreSQL", chunk), Err(ErrorKind::Corrupt));
            assert_eq!(inspect("custom", b"PGDMP\x01\x0e\x00\x04\x08\x05", chunk), Err(ErrorKind::Corrupt));
        }
        assert_eq!(inspect("custom", b"", 1), Err(ErrorKind::Incomplete));
    }
}
