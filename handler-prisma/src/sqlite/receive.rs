//! Writes a body into a private file, and tells whether it is a whole database.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use backup_core::{ByteStream, Error, ErrorKind, Result};
use bytes::Bytes;
use futures::StreamExt;

use super::{MAGIC, blocking, error};

/// The length of a database's header.
const HEADER_BYTES: usize = 100;

/// Writes all of `body` into the new file at `path`, and syncs it.
pub(super) async fn receive(mut body: ByteStream, file: File, path: PathBuf) -> Result<()> {
    let mut receiving = Receiving { file, path, head: Vec::new(), length: 0 };
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        receiving = blocking::run(move |_| {
            receiving.write(&chunk)?;
            Ok(receiving)
        })
        .await?;
    }
    blocking::run(move |_| receiving.finish()).await
}

struct Receiving {
    file: File,
    path: PathBuf,
    head: Vec<u8>,
    length: u64,
}

impl Receiving {
    fn write(&mut self, chunk: &Bytes) -> Result<()> {
        let missing = HEADER_BYTES - self.head.len();
        self.head.extend(chunk.iter().take(missing));
        if self.head.len() >= MAGIC.len() && !self.head.starts_with(MAGIC) {
            return Err(corrupt("the dump is not an SQLite database"));
        }
        self.length += chunk.len() as u64;
        self.file.write_all(chunk).map_err(no_room(&self.path))
    }

    fn finish(self) -> Result<()> {
        require_whole(&self.head, self.length)?;
        self.file.sync_all().map_err(no_room(&self.path))
    }
}

/// Compares the length with what the header states.
fn require_whole(head: &[u8], length: u64) -> Result<()> {
    let number = |at: usize, size: usize| {
        head.get(at..at + size)
            .map(|bytes| bytes.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)))
    };
    // Offsets as in SQLite's file format: page size, change counter, pages, version for which they are valid.
    let (Some(page_size), Some(changes), Some(pages), Some(valid_for)) =
        (number(16, 2), number(24, 4), number(28, 4), number(92, 4))
    else {
        return Err(incomplete(length));
    };
    let page_size = if page_size == 1 { 65_536 } else { page_size };
    if !page_size.is_power_of_two() || page_size < 512 {
        return Err(corrupt("the dump states an impossible page size"));
    }
    let whole = pages * page_size;
    if pages == 0 || changes != valid_for {
        // Written by an SQLite older than 3.7.0, which did not state the number of pages.
        return if length.is_multiple_of(page_size) { Ok(()) } else { Err(incomplete(length)) };
    }
    match length.cmp(&whole) {
        std::cmp::Ordering::Less => Err(incomplete(length).with_context("expected_bytes", whole)),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(corrupt("the dump is longer than its database")),
    }
}

fn incomplete(length: u64) -> Error {
    Error::new(ErrorKind::Incomplete, "the dump is cut short")
        .with_context("found_bytes", length)
        .with_suggestion("nothing was changed; restore another backup")
}

fn corrupt(message: &str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

fn no_room(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |err| {
        let more_room_helps = err.kind() != io::ErrorKind::FileTooLarge;
        let err = error::io_at(path)(err);
        if err.kind() == ErrorKind::StorageFull && more_room_helps {
            return err.with_suggestion(
                "free space beside the target: the restored database is built there before it takes its place",
            );
        }
        err
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(page_size: u16, pages: u32, valid: bool) -> Vec<u8> {
        let mut head = vec![0; HEADER_BYTES];
        head[..16].copy_from_slice(MAGIC);
        head[16..18].copy_from_slice(&page_size.to_be_bytes());
        head[24..28].copy_from_slice(&7_u32.to_be_bytes());
        head[28..32].copy_from_slice(&pages.to_be_bytes());
        head[92..96].copy_from_slice(&(if valid { 7_u32 } else { 6 }).to_be_bytes());
        head
    }

    fn kind(head: &[u8], length: u64) -> Option<ErrorKind> {
        require_whole(head, length).err().map(|err| err.kind())
    }

    #[test]
    fn only_the_stated_length_is_whole() {
        let head = header(4096, 3, true);
        assert_eq!(kind(&head, 3 * 4096), None);
        assert_eq!(kind(&head, 3 * 4096 - 1), Some(ErrorKind::Incomplete));
        assert_eq!(kind(&head, 3 * 4096 + 1), Some(ErrorKind::Corrupt));
        assert_eq!(kind(&head[..95], 95), Some(ErrorKind::Incomplete));
        assert_eq!(kind(&[], 0), Some(ErrorKind::Incomplete));
    }

    #[test]
    fn the_largest_page_size_is_written_as_one() {
        assert_eq!(kind(&header(1, 2, true), 2 * 65_536), None);
        assert_eq!(kind(&header(3, 2, true), 6), Some(ErrorKind::Corrupt));
    }

    #[test]
    fn a_stale_page_count_is_not_believed() {
        assert_eq!(kind(&header(1024, 9, false), 4 * 1024), None);
        assert_eq!(kind(&header(1024, 9, false), 4 * 1024 + 1), Some(ErrorKind::Incomplete));
    }
}
