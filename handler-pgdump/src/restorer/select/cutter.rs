//! [`Cutter`]: cuts a dump into statements and rows as it passes, and lets through what is wanted.

use backup_core::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};

use super::super::lexer::{Lexer, Place};

/// The longest definition, in bytes; rows written as `INSERT` may be longer.
const STATEMENT_BYTES: usize = 64 * 1024 * 1024;

/// How much of a long statement tells whether it is wanted.
const HEAD_BYTES: usize = 64 * 1024;

/// Whether a statement, with the rows that follow it, is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Yes,
    No,
}

/// Decides on a statement; long ones are cut off.
pub(super) trait Judge {
    fn judge(&mut self, statement: &str) -> Result<Keep>;
}

/// Cuts a dump into statements and rows.
///
/// Comments before a statement go with it. Lines for `psql` itself pass, for the
/// [`ScriptFilter`](super::super::script::ScriptFilter) to judge.
#[derive(Debug)]
pub(super) struct Cutter<J> {
    judge: J,
    lexer: Lexer,
    /// Of a statement that is not judged yet.
    held: Vec<u8>,
    /// Of the statement that has begun or its rows.
    judged: Option<Keep>,
    /// In a line for `psql`.
    command: bool,
    line: u64,
}

impl<J: Judge> Cutter<J> {
    pub(super) fn new(judge: J) -> Self {
        Self { judge, lexer: Lexer::default(), held: Vec::new(), judged: None, command: false, line: 1 }
    }

    /// Takes a chunk, however it is cut, and returns what passes.
    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<Bytes> {
        let mut out = BytesMut::new();
        let mut rest = chunk;
        while let Some((byte, left)) = rest.split_first() {
            if self.lexer.place() == Place::Rows {
                let taken = self.lexer.rows(rest, &mut self.line);
                let (rows, left) = rest.split_at(taken.min(rest.len()));
                if self.judged == Some(Keep::Yes) {
                    out.extend_from_slice(rows);
                }
                if self.lexer.place() != Place::Rows {
                    self.judged = None;
                }
                rest = left;
                continue;
            }
            rest = left;
            self.byte(*byte, &mut out)?;
        }
        Ok(out.freeze())
    }

    /// Says whether the dump ended between two statements, and returns who judged and what was held.
    pub(super) fn finish(self) -> Result<(J, Bytes)> {
        if self.lexer.place() == Place::Start || self.command {
            return Ok((self.judge, self.held.into()));
        }
        Err(Error::new(ErrorKind::Corrupt, "the dump ends inside a statement")
            .with_context("line", self.line))
    }

    fn byte(&mut self, byte: u8, out: &mut BytesMut) -> Result<()> {
        if byte == b'\n' {
            self.line += 1;
        }
        if self.command {
            self.held.push(byte);
            if byte == b'\n' {
                out.extend_from_slice(&self.held);
                self.held.clear();
                self.lexer.restart();
                self.command = false;
            }
            return Ok(());
        }
        let start = self.lexer.place() == Place::Start;
        self.lexer.byte(byte);
        if self.lexer.saw_command() {
            if !start {
                return Err(Error::new(ErrorKind::Corrupt, "the dump holds a command to psql")
                    .with_context("line", self.line)
                    .with_suggestion("do not trust this dump: pg_dump writes no such command"));
            }
            self.command = true;
        }
        match self.judged {
            Some(Keep::Yes) => out.extend_from_slice(&[byte]),
            Some(Keep::No) => {}
            None => self.held.push(byte),
        }
        if self.judged.is_none() && (self.lexer.ended() || self.held.len() == HEAD_BYTES) {
            self.judge_held(out)?;
        }
        if self.held.len() > STATEMENT_BYTES {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a definition in the dump is too long to be selected",
            )
            .with_context("line", self.line)
            .with_context("limit_bytes", STATEMENT_BYTES));
        }
        if self.lexer.ended() && !self.lexer.rows_follow() {
            self.judged = None;
        }
        Ok(())
    }

    fn judge_held(&mut self, out: &mut BytesMut) -> Result<()> {
        if !self.lexer.ended() && !is_insert(&self.held) {
            return Ok(());
        }
        let keep = match std::str::from_utf8(&self.held) {
            Ok(text) => self.judge.judge(text)?,
            // Cut off inside a character, or the rows of an `INSERT` in another encoding.
            Err(err) if is_insert(&self.held) => {
                let head = self.held.get(..err.valid_up_to()).unwrap_or_default();
                self.judge.judge(&String::from_utf8_lossy(head))?
            }
            Err(err) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "nothing can be selected in a dump that is not in UTF-8",
                )
                .with_context("line", self.line)
                .with_suggestion("restore all of it into a new database, and take the tables from there")
                .with_source(err));
            }
        };
        if keep == Keep::Yes {
            out.extend_from_slice(&self.held);
        }
        self.held.clear();
        self.judged = Some(keep);
        Ok(())
    }
}

/// Whether it begins with a row, behind blanks and comments.
fn is_insert(statement: &[u8]) -> bool {
    let mut lines = statement.split(|byte| *byte == b'\n');
    lines
        .find(|line| !line.is_empty() && !line.starts_with(b"--"))
        .is_some_and(|line| line.starts_with(b"INSERT INTO "))
}
