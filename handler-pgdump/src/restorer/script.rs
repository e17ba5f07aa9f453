//! [`ScriptFilter`]: makes a plain dump fit to be run as one transaction, by a restricted `psql`.

use backup_core::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};

use super::{
    lexer::{Lexer, Place},
    run::Atomic,
};

/// The longest line that can be one of those that are left out, in bytes.
const CANDIDATE_BYTES: usize = 256;

/// Leaves lines out of a plain dump as it passes; each leaves its line break, so that line numbers stay.
///
/// - `BEGIN;` and `COMMIT;`, which `pg_dump` writes around large objects, where the whole dump is restored in one
///   transaction: they would end it. Elsewhere they stay, because large objects cannot be written without;
/// - `\restrict` and `\unrestrict`: the whole dump is run restricted, by a key that it cannot know;
/// - `SET transaction_timeout`, which servers before version 17 do not know.
///
/// Only whole statements at the top level count: rows, strings, function bodies and comments pass unchanged. Any
/// other command to `psql` is an error; `psql` in its restricted mode refuses it a second time.
#[derive(Debug)]
pub(super) struct ScriptFilter {
    lexer: Lexer,
    target_major: u32,
    atomic: Atomic,
    /// A line from its start, while it may be one that is left out.
    held: Vec<u8>,
    holding: bool,
    line: u64,
}

impl ScriptFilter {
    /// A filter for a server of this major version.
    pub(super) fn new(target_major: u32, atomic: Atomic) -> Self {
        Self { lexer: Lexer::default(), target_major, atomic, held: Vec::new(), holding: true, line: 1 }
    }

    /// Takes a chunk, however it is cut, and returns what passes.
    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<Bytes> {
        let mut out = BytesMut::with_capacity(chunk.len() + self.held.len());
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.lexer.place() == Place::Rows {
                let taken = self.lexer.rows(rest, &mut self.line);
                let (passed, left) = rest.split_at(taken.min(rest.len()));
                out.extend_from_slice(passed);
                rest = left;
                // After the end of the rows a line starts at the top level.
                self.holding = self.lexer.place() == Place::Start;
                continue;
            }
            let Some((byte, left)) = rest.split_first() else { break };
            rest = left;
            self.byte(*byte, &mut out)?;
        }
        Ok(out.freeze())
    }

    /// Says whether the dump ended between two statements, and returns what was held.
    pub(super) fn finish(mut self) -> Result<Bytes> {
        let mut out = BytesMut::new();
        if self.holding && !self.held.is_empty() {
            self.byte(b'\n', &mut out)?;
        }
        if self.lexer.place() == Place::Start {
            Ok(out.freeze())
        } else {
            Err(Error::new(ErrorKind::Corrupt, "the dump ends inside a statement")
                .with_context("line", self.line))
        }
    }

    fn byte(&mut self, byte: u8, out: &mut BytesMut) -> Result<()> {
        self.lexer.byte(byte);
        if byte == b'\n' {
            self.line += 1;
        }
        if !self.holding {
            out.extend_from_slice(&[byte]);
        } else if byte != b'\n' {
            self.held.push(byte);
            if self.held.len() > CANDIDATE_BYTES {
                self.release(out);
            } else {
                return Ok(());
            }
        } else if self.left_out() {
            self.held.clear();
            self.lexer.restart();
            out.extend_from_slice(b"\n");
        } else {
            self.release(out);
            out.extend_from_slice(b"\n");
        }
        if self.lexer.saw_command() {
            return Err(Error::new(ErrorKind::Corrupt, "the dump holds a command to psql")
                .with_context("line", self.line)
                .with_suggestion("do not trust this dump: pg_dump writes no such command"));
        }
        if byte == b'\n' {
            self.holding = self.lexer.place() == Place::Start;
        }
        Ok(())
    }

    fn release(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(&self.held);
        self.held.clear();
        self.holding = false;
    }

    fn left_out(&self) -> bool {
        let line = self.held.strip_suffix(b"\r").unwrap_or(&self.held);
        (self.atomic == Atomic::OneTransaction && matches!(line, b"BEGIN;" | b"COMMIT;"))
            || line.starts_with(b"\\restrict ")
            || line.starts_with(b"\\unrestrict ")
            || (self.target_major < 17 && line == b"SET transaction_timeout = 0;")
    }
}

#[cfg(test)]
mod tests;
