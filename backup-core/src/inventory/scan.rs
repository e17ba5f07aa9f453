//! Reads inventories out of dumps as they pass; one scanner a format.
//!
//! A scanner is a [`Tap`]: it is pushed chunks that are cut anywhere, keeps a bounded state between them,
//! and says at the end whether the dump is whole.

mod archive;
mod capped;
mod postgresql;
mod sqlite;
mod tables;

use super::Inspector;
use crate::{
    Error, ErrorKind,
    digest::{Outcome, Tap},
};

/// The inspector for `engine` and `format`.
pub(super) fn inspector(engine: &str, format: &str) -> Inspector {
    let inventory = Outcome::pending();
    let outcome = inventory.clone();
    let tap: Box<dyn Tap> = match (engine, format) {
        ("postgresql", "plain") => Box::new(postgresql::Plain::database(outcome)),
        ("postgresql", "globals") => Box::new(postgresql::Plain::cluster(outcome)),
        ("postgresql", "custom") => Box::new(archive::Custom::new(outcome)),
        ("postgresql", "directory" | "tar") => Box::new(archive::Tar::new(outcome)),
        ("sqlite", "database") => Box::new(sqlite::Database::new(outcome)),
        _ => return Inspector::blind(),
    };
    Inspector { tap, inventory }
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
