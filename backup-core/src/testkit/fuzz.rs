//! What must hold of every parser, whatever it reads: the targets in `fuzz/` run these functions on inputs that are made
//! up, and the tests on those that were kept.
//!
//! A function panics where a claim does not hold of the input. None is part of the public interface.

mod dump;
mod json;
mod name;

pub use dump::{archive, mysql, postgresql};
pub use json::{annotation, manifest, protocol};
pub use name::name;

pub use crate::{catalog::fuzz::catalog, verify::stored::fuzz::frames};

use std::path::Path;

/// Runs `body` on every input in a folder, and says how many there were.
///
/// # Panics
///
/// Where `body` does, with the input's name, and where the folder cannot be read.
#[allow(clippy::disallowed_methods)] // Called by tests that do nothing else meanwhile.
pub fn replay(folder: impl AsRef<Path>, body: fn(&[u8])) -> usize {
    let folder = folder.as_ref();
    let files = std::fs::read_dir(folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    let mut count = 0;
    for file in files {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let ended = std::panic::catch_unwind(|| body(&input));
        assert!(ended.is_ok(), "{} shows it: see the panic above", path.display());
        count += 1;
    }
    count
}

/// Takes the sizes of chunks off the start of an input: their number, at most seven, then each in a byte.
pub(crate) fn cuts(input: &[u8]) -> (Vec<usize>, &[u8]) {
    let Some((count, rest)) = input.split_first() else { return (Vec::new(), input) };
    let (sizes, rest) = rest.split_at(usize::from(count % 8).min(rest.len()));
    (sizes.iter().map(|size| usize::from(*size).max(1)).collect(), rest)
}

/// Cuts `bytes` by `sizes`, over and over; without sizes it is one chunk.
pub(crate) fn chunks<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next().map_or(bytes.len(), |size| (*size).min(bytes.len()));
        let (head, tail) = bytes.split_at(size);
        bytes = tail;
        (size > 0).then_some(head)
    })
}

#[cfg(test)]
mod tests;
