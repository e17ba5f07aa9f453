//! [`ScriptFilter`]: makes a dump fit to be run by any client, in a database of any name.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use backup_core::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};

use crate::format::Definers;

mod databases;
mod definer;
mod section;

pub(super) use databases::{Begun, Databases};
pub(super) use definer::quoted;
use definer::without_definer;
pub(super) use section::{PartOf, Sections, name_of};

/// The start of a line that is looked at, in bytes; longer lines hold rows.
const CANDIDATE_BYTES: usize = 4096;

/// MariaDB's command to its own client, which other clients take for an error.
const SANDBOX: &[u8] = b"enable the sandbox mode";

/// How lines with rows begin; some programs write each row on a line of its own.
const ROWS: &[&[u8]] = &[b"INSERT ", b"REPLACE ", b"(", b"DO SETVAL(", b"SELECT SETVAL("];

/// What stands before the name of the database that was dumped.
const ALTER: &[u8] = b"ALTER DATABASE ";

/// What of a dump is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// These tables, by their bare names.
    Tables(Vec<String>),
    Definitions,
}

/// Changes a dump as it passes, line by line; line numbers stay.
///
/// - MariaDB's sandbox line is left out: this client is run in binary mode, in which it obeys no commands anyway;
/// - `USE` and `CREATE DATABASE` are refused, or [watched](Databases) in a dump of several databases: else such a dump
///   would write into other databases than the target;
/// - `ALTER DATABASE`, which surrounds routines that were made under another collation, is made to mean the target: it
///   names the database that was dumped, which may be there too;
/// - definers are left out where that was asked for;
/// - everything but the chosen tables is left out where some were chosen, and rows where none are wanted.
///
/// The dump programs write line breaks in rows as `\n`, so that a line is a row's only where it begins as one.
#[derive(Debug)]
pub(super) struct ScriptFilter {
    definers: Definers,
    sections: Option<Sections>,
    /// Whether rows are left out.
    without_rows: bool,
    databases: Option<Databases>,
    /// The current line's start, until it is known what the line is.
    held: Vec<u8>,
    line: Line,
    number: u64,
    /// Between `DELIMITER ;;` and `DELIMITER ;`: the text of a stored program.
    in_program: bool,
    /// The first line of a stored program is still to come.
    program_head: bool,
    /// The length of the longest line, in bytes: of the largest statement with rows.
    longest: Arc<AtomicU64>,
    length: u64,
}

/// What becomes of the line that is passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Its start is still being read.
    Undecided,
    Pass,
    Drop,
}

impl ScriptFilter {
    pub(super) fn new(definers: Definers, wanted: &Wanted) -> Self {
        Self {
            definers,
            sections: match wanted {
                Wanted::Tables(tables) => Some(Sections::new(tables)),
                Wanted::All | Wanted::Definitions => None,
            },
            without_rows: *wanted == Wanted::Definitions,
            databases: None,
            held: Vec::new(),
            line: Line::Undecided,
            number: 1,
            in_program: false,
            program_head: false,
            longest: Arc::default(),
            length: 0,
        }
    }

    /// Lets the dump make its databases by itself.
    pub(super) fn with_databases(mut self, databases: Databases) -> Self {
        self.databases = Some(databases);
        self
    }

    /// Tells the length of the longest line so far, in bytes, also when the filter is gone.
    pub(super) fn longest_line(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.longest)
    }

    /// Takes a chunk, however it is cut, and returns what passes.
    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<Bytes> {
        let mut out = BytesMut::with_capacity(chunk.len() + self.held.len());
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let (part, tail) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = tail;
            self.part(part, end.is_some(), &mut out)?;
        }
        Ok(out.freeze())
    }

    /// Returns what was held, and says whether all chosen tables were there.
    pub(super) fn finish(mut self) -> Result<Bytes> {
        let mut out = BytesMut::new();
        if self.line == Line::Undecided && !self.held.is_empty() {
            self.decide(&mut out)?;
        }
        match self.sections.as_ref().and_then(Sections::missing) {
            None => Ok(out.freeze()),
            Some(table) => {
                Err(Error::new(ErrorKind::InvalidInput, "the dump does not hold a table that was asked for")
                    .with_context("table", table)
                    .with_suggestion("look at the backup's inventory for the names of its tables"))
            }
        }
    }

    fn part(&mut self, part: &[u8], ends_line: bool, out: &mut BytesMut) -> Result<()> {
        match self.line {
            Line::Pass => out.extend_from_slice(part),
            Line::Drop => {
                if ends_line {
                    out.extend_from_slice(b"\n");
                }
            }
            Line::Undecided => {
                let room = CANDIDATE_BYTES.saturating_sub(self.held.len());
                if part.len() > room || ends_line {
                    self.held.extend_from_slice(part);
                    self.decide(out)?;
                } else {
                    self.held.extend_from_slice(part);
                }
            }
        }
        self.length += part.len() as u64;
        self.longest.fetch_max(self.length, Ordering::Relaxed);
        if ends_line {
            self.length = 0;
            self.number += 1;
            self.line = Line::Undecided;
        }
        Ok(())
    }

    /// Decides on the line whose start is held, and lets it pass or not.
    fn decide(&mut self, out: &mut BytesMut) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        let head = held.get(..held.len().min(CANDIDATE_BYTES)).unwrap_or_default();
        let first = head.first().copied().unwrap_or(b'\n');
        let is_first = self.number == 1;
        let program_head = self.program_head;
        // Settings stand before an event's first line.
        self.program_head =
            program_head && memchr::memmem::find(head.get(..14).unwrap_or_default(), b" SET ").is_some();
        if self.in_program {
            if head.starts_with(b"DELIMITER ;\n") {
                self.in_program = false;
            }
        } else if head.starts_with(b"DELIMITER ") {
            (self.in_program, self.program_head) = (true, true);
        } else if is_first && first == b'/' && memchr::memmem::find(head, SANDBOX).is_some() {
            return self.drop(&held, out);
        } else if let Some(databases) = &mut self.databases
            && let Some(line) = databases.line(&held, self.number)?
        {
            out.extend_from_slice(&line);
            self.line = Line::Pass;
            return Ok(());
        } else if starts_with_any(
            head,
            &[b"USE `", b"CREATE DATABASE ", b"DROP DATABASE ", b"/*!40000 DROP DATABASE "],
        ) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the dump is of several databases, or names its own",
            )
            .with_context("line", self.number)
            .with_suggestion(
                "restore it with the stock client, into a server that has none of its databases",
            ));
        }
        if self.without_rows && !self.in_program && starts_with_any(head, ROWS) {
            return self.drop(&held, out);
        }
        if let Some(sections) = &mut self.sections
            && !sections.passes(head, self.in_program || head.starts_with(b"DELIMITER "))
        {
            return self.drop(&held, out);
        }
        if let Some(rest) = held.strip_prefix(ALTER).filter(|_| !self.in_program && self.databases.is_none())
            && let Some(tail) = quoted(rest).and_then(|name| rest.get(name..))
        {
            out.extend_from_slice(ALTER.trim_ascii_end());
            out.extend_from_slice(tail);
            self.line = Line::Pass;
            return Ok(());
        }
        let is_definer_line = first == b'/' || (program_head && first == b'C');
        if self.definers == Definers::Strip
            && is_definer_line
            && (program_head || !self.in_program)
            && let Some(line) = without_definer(&held)
        {
            out.extend_from_slice(&line);
        } else {
            out.extend_from_slice(&held);
        }
        self.line = Line::Pass;
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps)] // The last word of a decision.
    fn drop(&mut self, held: &[u8], out: &mut BytesMut) -> Result<()> {
        self.line = Line::Drop;
        if held.ends_with(b"\n") {
            out.extend_from_slice(b"\n");
        }
        Ok(())
    }
}

fn starts_with_any(line: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests;
