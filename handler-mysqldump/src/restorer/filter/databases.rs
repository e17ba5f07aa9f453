//! [`Databases`]: the databases that a dump makes by itself.

use std::sync::{Arc, Mutex, PoisonError};

use backup_core::{Error, ErrorKind, Result};

use super::definer::quoted;
use crate::restorer::target::marker;

/// The databases that were begun so far; shared with whoever has to remove them after a failure.
pub(in crate::restorer) type Begun = Arc<Mutex<Vec<String>>>;

/// Watches the lines that make and choose databases.
///
/// A database that is there already stops the restore, as the server refuses to make it; each new one is marked before
/// anything else is made in it, so that only what this restore has made is ever removed.
#[derive(Debug)]
pub(in crate::restorer) struct Databases {
    begun: Begun,
    token: String,
    marked: Vec<String>,
}

impl Databases {
    /// `token` is what the marks hold.
    pub(in crate::restorer) fn new(begun: Begun, token: String) -> Self {
        Self { begun, token, marked: Vec::new() }
    }

    /// The line to run instead, or nothing where it is another kind of line.
    pub(super) fn line(&mut self, line: &[u8], number: u64) -> Result<Option<Vec<u8>>> {
        let refused = |message| Error::new(ErrorKind::Corrupt, message).with_context("line", number);
        if let Some(rest) = line.strip_prefix(b"CREATE DATABASE ") {
            let rest = rest.strip_prefix(b"/*!32312 IF NOT EXISTS*/ ").unwrap_or(rest);
            let (name, tail) =
                split_name(rest).ok_or_else(|| refused("the dump makes a database without a name"))?;
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.contains(&name) {
                return Err(refused("the dump makes a database twice"));
            }
            begun.push(name);
            let head = rest.get(..rest.len() - tail.len()).unwrap_or_default();
            return Ok(Some([b"CREATE DATABASE ", head, tail].concat()));
        }
        if let Some(rest) = line.strip_prefix(b"USE ") {
            let (name, _) =
                split_name(rest).ok_or_else(|| refused("the dump uses a database without a name"))?;
            if !self.begun.lock().unwrap_or_else(PoisonError::into_inner).contains(&name) {
                return Err(refused("the dump uses a database that it does not make"));
            }
            if self.marked.contains(&name) {
                return Ok(Some(line.to_vec()));
            }
            self.marked.push(name);
            let statement = line.trim_ascii_end();
            return Ok(Some([statement, b" ", marker(None, &self.token).as_bytes()].concat()));
        }
        Ok(None)
    }
}

/// A name in backticks as it is, and what stands behind it.
fn split_name(text: &[u8]) -> Option<(String, &[u8])> {
    let length = quoted(text)?;
    let name = text.get(1..length - 1)?;
    Some((String::from_utf8(name.to_vec()).ok()?.replace("``", "`"), text.get(length..)?))
}
