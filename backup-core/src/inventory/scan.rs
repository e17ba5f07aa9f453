//! Reads inventories out of dumps as they pass; one scanner a format.
//!
//! A scanner is a [`Tap`]: it is pushed chunks that are cut anywhere, keeps a bounded state between them,
//! and says at the end whether the dump is whole.

mod archive;
mod capped;
mod checksum;
mod fingerprint;
mod mark;
mod mysql;
pub(crate) mod places;
mod postgresql;
mod repeated;
mod rows;
mod sqlite;
mod tables;

use super::Inspector;
use crate::{
    Error, ErrorKind,
    digest::{Outcome, Tap},
};

/// Whether checksums of rows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksums {
    Taken,
    Omitted,
}

/// The inspector for `engine` and `format`.
pub(super) fn inspector(engine: &str, format: &str, checksums: Checksums) -> Inspector {
    match (engine, format) {
        ("postgresql", "plain") => postgresql::Plain::inspector(checksums),
        ("postgresql", "globals") => Inspector::new(|outcome| Box::new(postgresql::Plain::cluster(outcome))),
        ("postgresql", "custom") => Inspector::new(|outcome| Box::new(archive::Custom::new(outcome))),
        ("postgresql", "directory" | "tar") => Inspector::new(|outcome| Box::new(archive::Tar::new(outcome))),
        ("mysql" | "mariadb", "plain" | "databases") => mysql::Plain::inspector(checksums),
        ("sqlite", "database") => Inspector::new(|outcome| Box::new(sqlite::Database::new(outcome))),
        _ => Inspector::blind(),
    }
}

/// The dump was cut short.
fn incomplete(message: &'static str) -> Error {
    Error::new(ErrorKind::Incomplete, message).with_operation("inspect")
}

/// The dump holds what its tool does not write.
fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
        .with_operation("inspect")
        .with_suggestion("do not store or restore this dump; look at where it came from, then dump again")
}

/// Takes `end` bytes off `rest`, or all.
fn take<'a>(rest: &mut &'a [u8], end: Option<usize>) -> &'a [u8] {
    let (head, tail) = end.and_then(|end| rest.split_at_checked(end)).unwrap_or((rest, &[]));
    *rest = tail;
    head
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}
