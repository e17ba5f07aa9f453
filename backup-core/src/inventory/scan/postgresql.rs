//! Plain dumps of `pg_dump` 9.6 to 18, and of `pg_dumpall`.
//!
//! The text is cut into tokens as `psql` cuts it ([`lexer`]); a [`statement`] says which table it is about;
//! the data of `COPY`, most of any dump, is only counted ([`copy`]). The end mark counts where `pg_dump`
//! writes it: as a comment of its own between statements, with no statement behind it.

mod command;
mod copy;
mod lexer;
mod object;
mod row;
mod statement;

use memchr::memmem;

use self::{
    command::Command,
    copy::{CopyData, Seen},
    lexer::{Lexer, Literals, Token},
    object::Object,
    row::simple_row,
    statement::{Ended, NextRow, Setting, Statement, Step},
};
use super::{
    Checksums, Error, ErrorKind, Outcome, Tap,
    checksum::{Checksum, Form, Rows},
    corrupt, incomplete,
    mark::Mark,
    places::Places,
    repeated::Repeated,
    rows::Place,
    tables::{TableId, Tables},
};
use crate::{
    Result,
    inventory::{Inspector, Inventory},
};

/// The last comments of a dump, without their dashes.
const DATABASE_MARK: &[u8] = b" PostgreSQL database dump complete";
const CLUSTER_MARK: &[u8] = b" PostgreSQL database cluster dump complete";

/// Scans a plain dump: takes its inventory and finds its end mark.
pub(super) struct Plain {
    end_mark: &'static [u8],
    lexer: Lexer,
    statement: Statement,
    object: Object,
    /// The data being read, if any.
    copy: Option<CopyData>,
    copy_end: memmem::Finder<'static>,
    tables: Tables,
    /// Takes the checksum of the rows of each `INSERT`, where checksums are wanted.
    rows: Option<Rows>,
    mark: Mark,
    /// The token of a `\restrict` that still waits for its `\unrestrict`.
    restricted: Option<Vec<u8>>,
    /// Where names without schema are (`search_path`, of versions before 9.6.8 and 10.3).
    schema: Option<String>,
    /// Bytes before the current chunk.
    offset: u64,
    /// Where the current statement began.
    statement_offset: u64,
    repeated: Repeated,
    failed: bool,
    places: Places,
    outcome: Outcome<Option<Inventory>>,
}

impl Plain {
    /// The inspector of a dump of `pg_dump`.
    pub(super) fn inspector(checksums: Checksums) -> Inspector {
        let rows = (checksums == Checksums::Taken).then(Rows::default);
        let places = Places::default();
        let mut inspector = Inspector::new(|outcome| {
            let scanner = Self::new(DATABASE_MARK, outcome);
            Box::new(Self { rows, places: places.clone(), ..scanner })
        });
        inspector.places = places;
        inspector
    }

    /// A dump of `pg_dumpall --globals-only`, which holds no tables.
    pub(super) fn cluster(outcome: Outcome<Option<Inventory>>) -> Self {
        Self::new(CLUSTER_MARK, outcome)
    }

    fn new(end_mark: &'static [u8], outcome: Outcome<Option<Inventory>>) -> Self {
        Self {
            end_mark,
            lexer: Lexer::new(),
            statement: Statement::default(),
            object: Object::default(),
            copy: None,
            copy_end: memmem::Finder::new(b"\n\\."),
            tables: Tables::default(),
            rows: None,
            mark: Mark::default(),
            restricted: None,
            schema: None,
            offset: 0,
            statement_offset: 0,
            repeated: Repeated::default(),
            failed: false,
            places: Places::default(),
            outcome,
        }
    }

    fn scan(&mut self, chunk: &[u8]) -> Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            if let Some(copy) = &mut self.copy {
                let (begun, end_offset) = (copy.begin.is_some(), self.offset + chunk.len() as u64);
                let seen = copy.read(&mut rest, &self.copy_end, end_offset)?;
                if let Some(begin) = copy.begin.filter(|_| !begun) {
                    self.places.begin(begin);
                }
                if seen == Seen::End {
                    let end = copy.begin.unwrap_or_default() + copy.bytes;
                    self.places.end(end, || Some(self.tables.name(copy.table).to_owned()));
                    self.tables.add(copy.table, copy.rows, copy.bytes);
                    if let Some(checksum) = &mut copy.checksum {
                        self.tables.add_checksum(copy.table, Form::Copy, checksum.take());
                    }
                    self.copy = None;
                    self.lexer.begin_line();
                }
                continue;
            }
            if let Some(place) = self.statement.place() {
                if self.lexer.is_between()
                    && self.statement.is_row_start()
                    && self.simple_rows(chunk, &mut rest)
                {
                    continue;
                }
                let base = chunk.len() - rest.len();
                let passed = match &mut self.rows {
                    None => self.lexer.pass_rows(&mut rest, place, &mut ()),
                    Some(rows) => self.lexer.pass_rows(&mut rest, place, &mut rows.within(chunk, base)),
                };
                if let Some(passed) = passed {
                    self.statement.pass(passed);
                }
            } else if self.lexer.is_between() {
                if self.statement.is_start() {
                    self.lexer.skip_space(&mut rest);
                    if self.repeat_insert(chunk, &mut rest) {
                        continue;
                    }
                } else if self.statement.is_skippable() && !self.object.is_open() {
                    self.lexer.skip(&mut rest);
                }
            }
            match self.lexer.next(&mut rest)? {
                Some(Token::Comment) => self.comment(),
                Some(Token::Command) => self.command()?,
                Some(token) => self.token(token, chunk, rest)?,
                None => {}
            }
        }
        if let Some(rows) = &mut self.rows {
            rows.end_chunk(chunk);
        }
        self.offset += chunk.len() as u64;
        Ok(())
    }

    fn comment(&mut self) {
        let is_mark = self.lexer.text().whole() == Some(self.end_mark);
        if is_mark && self.statement.is_start() && self.lexer.began_line() {
            self.mark.see();
        }
    }

    fn token(&mut self, token: Token, chunk: &[u8], rest: &[u8]) -> Result<()> {
        let position = chunk.len() - rest.len();
        if self.statement.is_start() {
            self.mark.follow();
            let length = if token == Token::Word { self.lexer.text().start().len() } else { 0 };
            self.statement_offset = (self.offset + position as u64).saturating_sub(length as u64);
        }
        let (text, schema) = (self.lexer.text(), self.schema.as_deref());
        let (table, place) = (self.statement.table(), self.statement.place());
        let step = self.statement.token(token, text, schema, &mut self.tables)?;
        if let Some(rows) = &mut self.rows {
            match (token, place, self.statement.place()) {
                (Token::Symbol(b'('), None | Some(Place::Gap), Some(Place::Row)) => rows.open(position),
                (Token::Symbol(b')'), Some(Place::Row), None | Some(Place::Gap)) => {
                    rows.close(chunk, position.saturating_sub(1));
                }
                _ => {}
            }
        }
        if matches!(step, Step::End(_)) {
            self.object.end(&self.lexer, table, schema, &mut self.tables);
        } else if self.object.is_open() {
            self.object.token(token, &mut self.lexer, &mut self.tables);
        }
        match step {
            Step::Setting => self.lexer.literals = Literals::Keep,
            Step::End(_) => self.lexer.literals = Literals::Pass,
            Step::More | Step::FirstRow(_) => {}
        }
        match step {
            Step::More | Step::Setting | Step::End(Ended::Other) => Ok(()),
            Step::FirstRow(table) => {
                let before = chunk.get(..position).unwrap_or_default();
                self.repeated.remember(table, before, self.offset, self.statement_offset);
                Ok(())
            }
            Step::End(Ended::Copy(table)) => {
                self.copy = Some(CopyData::new(table, self.rows.as_ref().map(|_| Checksum::default())));
                Ok(())
            }
            Step::End(Ended::Insert(table, rows)) => {
                let end = self.offset + position as u64;
                self.end_insert(table, rows, end);
                Ok(())
            }
            Step::End(Ended::Set(setting, value)) => self.set(setting, value),
        }
    }

    /// Takes the start of an `INSERT` that is the same as before off `rest`.
    fn repeat_insert(&mut self, chunk: &[u8], rest: &mut &[u8]) -> bool {
        let Some((table, tail)) = self.repeated.strip(rest) else { return false };
        self.mark.follow();
        self.statement_offset = self.offset + (chunk.len() - rest.len()) as u64;
        self.statement.resume_insert(table);
        self.object.pass();
        *rest = tail;
        if let Some(rows) = &mut self.rows {
            rows.open(chunk.len() - tail.len());
        }
        true
    }

    /// Takes rows that need no closer look off `rest`, as they follow each other; says whether there were any.
    fn simple_rows(&mut self, chunk: &[u8], rest: &mut &[u8]) -> bool {
        let before = rest.len();
        while let Some(table) = self.statement.table()
            && self.lexer.is_plain()
            && let Some(tail) = simple_row(rest).and_then(|end| rest.get(end + 1..))
        {
            *rest = tail;
            let behind = chunk.len() - tail.len();
            if let Some(rows) = &mut self.rows {
                rows.close(chunk, behind - 1);
            }
            match tail {
                [b',', b'\n', b'\t', b'(', tail @ ..] => {
                    *rest = tail;
                    if let Some(rows) = &mut self.rows {
                        rows.open(chunk.len() - tail.len());
                    }
                    self.statement.pass_row(NextRow::Opened);
                }
                [b';', b'\n', tail @ ..] => {
                    let end = self.offset + (chunk.len() - tail.len() - 1) as u64;
                    let rows = self.statement.end_insert();
                    self.object.restart();
                    self.end_insert(table, rows, end);
                    self.lexer.begin_line();
                    *rest = tail;
                    if !self.repeat_insert(chunk, rest) {
                        break;
                    }
                }
                _ => {
                    self.statement.pass_row(NextRow::Unknown);
                    break;
                }
            }
        }
        rest.len() < before
    }

    /// Adds the rows of an `INSERT` that ends at `end`.
    fn end_insert(&mut self, table: TableId, rows: u64, end: u64) {
        self.tables.add(table, rows, end.saturating_sub(self.statement_offset));
        if let Some(seen) = &mut self.rows {
            self.tables.add_checksum(table, Form::Values, seen.end(rows));
        }
    }

    fn command(&mut self) -> Result<()> {
        let line = self.lexer.text();
        // psql would run a command in the middle of a statement, too.
        if !self.statement.is_start() || !self.lexer.began_line() {
            return Err(command::refused(line));
        }
        match (Command::parse(line)?, self.restricted.take()) {
            (Command::Restrict(token), None) => {
                self.restricted = Some(token);
                self.mark.follow();
            }
            (Command::Unrestrict(token), Some(open)) if token == open => {}
            (Command::Connect, None) => {
                self.lexer.set_standard_conforming_strings(b"on");
                self.schema = None;
                self.repeated.forget();
                self.mark.follow();
            }
            (Command::Encoding, None) => self.mark.follow(),
            _ => return Err(command::refused(line)),
        }
        Ok(())
    }

    fn set(&mut self, setting: Setting, value: Vec<u8>) -> Result<()> {
        self.repeated.forget();
        match setting {
            Setting::SearchPath => {
                self.schema = String::from_utf8(value).ok().filter(|schema| !schema.is_empty());
            }
            Setting::StandardConformingStrings => self.lexer.set_standard_conforming_strings(&value),
            Setting::ClientEncoding => check_encoding(&value)?,
        }
        Ok(())
    }

    fn check_end(&self) -> Result<()> {
        if self.failed {
            return Err(corrupt("the dump was refused before its end"));
        }
        if let Some(copy) = &self.copy {
            return Err(incomplete("the dump ends inside the data of a table")
                .with_context("table", self.tables.name(copy.table)));
        }
        if !self.statement.is_start() || !self.lexer.ends_well() {
            let err = incomplete("the dump ends inside a statement");
            return Err(match self.statement.table() {
                Some(table) => err.with_context("table", self.tables.name(table)),
                None => err,
            });
        }
        if self.restricted.is_some() {
            return Err(incomplete("the dump has no end mark").with_context("missing", r"\unrestrict"));
        }
        self.mark.check()
    }
}

impl Tap for Plain {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        let result = self.scan(bytes);
        self.failed |= result.is_err();
        result
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.check_end().map_err(|err| err.with_context("bytes", self.offset))?;
        let shows_tables = self.end_mark == DATABASE_MARK;
        let Self { tables, outcome, .. } = *self;
        outcome.set(shows_tables.then(|| tables.into_inventory()));
        Ok(())
    }
}

/// Refuses the encodings in which a quote or backslash can be half of a letter; no server stores them.
fn check_encoding(name: &[u8]) -> Result<()> {
    #[rustfmt::skip]
    const UNSAFE: [&str; 17] = [
        "sjis", "shiftjis", "mskanji", "win932", "windows932", "shiftjis2004", "big5", "win950", "windows950",
        "gbk", "win936", "windows936", "uhc", "win949", "windows949", "gb18030", "johab",
    ];
    let letters: String = name
        .iter()
        .filter(|b| b.is_ascii_alphanumeric())
        .map(|b| char::from(b.to_ascii_lowercase()))
        .collect();
    if UNSAFE.contains(&letters.as_str()) {
        return Err(Error::new(ErrorKind::Unsupported, "the dump's encoding cannot be scanned")
            .with_operation("inspect")
            .with_context("encoding", letters)
            .with_suggestion("let pg_dump write UTF8: unset PGCLIENTENCODING, or give --encoding=UTF8"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
