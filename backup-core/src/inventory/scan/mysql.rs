//! Plain dumps of `mysqldump` 5.7 to 9 and of `mariadb-dump` 10 and 11.
//!
//! The text is cut into tokens as the client cuts it ([`lexer`]), which also follows the few lines that are meant
//! for the client itself ([`client`]); a [`statement`] says which table it is about; the rows of `INSERT`, most
//! of any dump, are only counted ([`rows`](super::rows)). What the dump sets of the session is followed as far as
//! it changes how the text reads ([`session`], [`setting`]), and tells the position in the binary log.
//!
//! The end mark counts where the tool writes it: as a comment of its own between statements, with no statement
//! behind it.

mod client;
mod lexer;
mod object;
mod section;
mod session;
mod setting;
mod statement;

use self::{
    client::Delimiter,
    lexer::{Lexer, Literals, Token},
    object::Object,
    section::Section,
    session::Session,
    setting::read_comment,
    statement::{Ended, Statement, Step},
};
use super::{
    Checksums, Outcome, Tap,
    checksum::{Form, Rows},
    corrupt, incomplete,
    mark::Mark,
    places::Places,
    repeated::Repeated,
    rows::{self, Backslash, Place},
    tables::Tables,
};
use crate::{
    Result, SourcePosition,
    inventory::{Inspector, Inventory},
};

/// Scans a plain dump: takes its inventory and its position, and finds its end mark.
pub(super) struct Plain {
    lexer: Lexer,
    statement: Statement,
    object: Object,
    tables: Tables,
    /// Takes the checksum of the rows of each `INSERT`, where checksums are wanted.
    rows: Option<Rows>,
    session: Session,
    mark: Mark,
    /// Where names without database are, once the dump says so.
    database: Option<String>,
    /// Bytes before the current chunk.
    offset: u64,
    /// Where the current statement began.
    statement_offset: u64,
    repeated: Repeated,
    failed: bool,
    section: Section,
    places: Places,
    inventory: Outcome<Option<Inventory>>,
    position: Outcome<Option<SourcePosition>>,
    warnings: Outcome<Vec<String>>,
}

impl Plain {
    pub(super) fn inspector(checksums: Checksums) -> Inspector {
        let (position, warnings) = (Outcome::pending(), Outcome::pending());
        let outcomes = (position.clone(), warnings.clone());
        let places = Places::default();
        let mut inspector = Inspector::new(|inventory| {
            Box::new(Self {
                lexer: Lexer::new(),
                statement: Statement::default(),
                object: Object::default(),
                tables: Tables::default(),
                rows: (checksums == Checksums::Taken).then(Rows::default),
                session: Session::default(),
                mark: Mark::default(),
                database: None,
                offset: 0,
                statement_offset: 0,
                repeated: Repeated::default(),
                failed: false,
                section: Section::default(),
                places: places.clone(),
                inventory,
                position,
                warnings,
            })
        });
        (inspector.position, inspector.warnings) = outcomes;
        inspector.places = places;
        inspector
    }

    fn scan(&mut self, chunk: &[u8]) -> Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.statement.is_start() && self.lexer.is_between() {
                self.lexer.skip_space(&mut rest);
                self.repeat_insert(chunk, &mut rest);
            }
            self.pass_rows(chunk, &mut rest);
            if let Some(token) = self.lexer.next(&mut rest)? {
                self.token(token, chunk, rest)?;
            }
        }
        if let Some(rows) = &mut self.rows {
            rows.end_chunk(chunk);
        }
        self.offset += chunk.len() as u64;
        Ok(())
    }

    /// Takes rows off `rest`, up to what needs a closer look.
    fn pass_rows(&mut self, chunk: &[u8], rest: &mut &[u8]) {
        let Some(place) = self.statement.place().and_then(|place| self.lexer.place(place)) else { return };
        let no_escapes = self.lexer.sql_mode.no_backslash_escapes;
        let backslash = if no_escapes { Backslash::Plain } else { Backslash::Escape };
        let passed = match &mut self.rows {
            None => rows::pass(rest, place, backslash, &mut ()),
            Some(rows) => {
                let base = chunk.len() - rest.len();
                rows::pass(rest, place, backslash, &mut rows.within(chunk, base))
            }
        };
        if passed.taken > 0 {
            self.statement.pass(passed);
            self.lexer.go_on(passed.place);
            *rest = rest.get(passed.taken..).unwrap_or_default();
        }
    }

    /// Takes the start of an `INSERT` that is the same as before off `rest`.
    fn repeat_insert(&mut self, chunk: &[u8], rest: &mut &[u8]) {
        let Some((table, tail)) = self.repeated.strip(rest) else { return };
        self.mark.follow();
        self.statement_offset = self.offset + (chunk.len() - rest.len()) as u64;
        self.statement.resume_insert(table);
        self.object.pass();
        *rest = tail;
        if let Some(rows) = &mut self.rows {
            rows.open(chunk.len() - tail.len());
        }
    }

    fn token(&mut self, token: Token, chunk: &[u8], rest: &[u8]) -> Result<()> {
        let starts = self.statement.is_start();
        match token {
            Token::Comment | Token::BlockComment => {
                if starts && self.lexer.began_line() {
                    let behind = self.offset + (chunk.len() - rest.len()) as u64 + 1;
                    self.comment(token, behind);
                }
                return Ok(());
            }
            Token::Sandbox if starts && self.lexer.began_line() => return Ok(()),
            Token::Sandbox => return Err(corrupt("the dump begins a sandbox in its middle")),
            Token::Line => return self.set_delimiter(),
            Token::Word if starts && self.lexer.began_line() && self.lexer.text().is("delimiter") => {
                self.mark.follow();
                self.section.leave(self.offset + (chunk.len() - rest.len()) as u64, &self.places);
                self.lexer.read_line();
                return Ok(());
            }
            _ => {}
        }
        let position = chunk.len() - rest.len();
        if starts {
            self.mark.follow();
            let length = if token == Token::Word { self.lexer.text().start().len() } else { 0 };
            let at = self.offset + position as u64;
            self.statement_offset = at.saturating_sub(length as u64);
            if token == Token::Word {
                self.section.statement(self.lexer.text(), at, &self.places);
            }
        }
        let database = self.database.as_deref();
        let (table, place) = (self.statement.table(), self.statement.place());
        let step = self.statement.token(token, &self.lexer, database, &mut self.tables, &mut self.session)?;
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
            self.object.end(&self.lexer, table, database, &mut self.tables);
        } else if self.object.is_open() {
            self.object.token(token, &mut self.lexer, &mut self.tables);
        }
        match step {
            Step::More => {}
            Step::Settings => self.lexer.literals = Literals::Keep,
            Step::FirstRow(table) => {
                let before = chunk.get(..position).unwrap_or_default();
                self.repeated.remember(table, before, self.offset, self.statement_offset);
            }
            Step::End(ended) => self.end(ended, self.offset + position as u64),
        }
        Ok(())
    }

    fn end(&mut self, ended: Ended, end: u64) {
        self.lexer.literals = Literals::Pass;
        if self.lexer.sql_mode != self.session.sql_mode {
            self.lexer.sql_mode = self.session.sql_mode;
            self.repeated.forget();
        }
        self.section.end(end, &self.tables, &self.places);
        match ended {
            Ended::Other => {}
            Ended::Insert(table, rows) => {
                self.section.insert(table, end, &self.places);
                self.tables.add(table, rows, end.saturating_sub(self.statement_offset));
                if let Some(seen) = &mut self.rows {
                    self.tables.add_checksum(table, Form::Values, seen.end(rows));
                }
            }
            Ended::Use(database) => {
                self.repeated.forget();
                self.database = Some(database);
            }
        }
    }

    fn comment(&mut self, token: Token, behind: u64) {
        let text = self.lexer.kept();
        if token == Token::Comment {
            self.section.comment(text, behind, &self.places);
        }
        if token == Token::Comment && text.whole().is_some_and(is_end_mark) {
            self.mark.see();
        }
        read_comment(text, &mut self.session);
    }

    fn set_delimiter(&mut self) -> Result<()> {
        self.lexer.delimiter = Delimiter::parse(self.lexer.text())?;
        self.repeated.forget();
        Ok(())
    }

    fn check_end(&self) -> Result<()> {
        if self.failed {
            return Err(corrupt("the dump was refused before its end"));
        }
        if !self.statement.is_start() || !self.lexer.ends_well() {
            let err = incomplete("the dump ends inside a statement");
            return Err(match self.statement.table() {
                Some(table) => err.with_context("table", self.tables.name(table)),
                None => err,
            });
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
        let Self { tables, session, inventory, position, warnings, .. } = *self;
        inventory.set(Some(tables.into_inventory()));
        let is_stated = session.position != SourcePosition::default();
        position.set(is_stated.then_some(session.position));
        warnings.set(session.warnings);
        Ok(())
    }
}

/// Whether a comment is the last one of a dump, with the date or without.
fn is_end_mark(comment: &[u8]) -> bool {
    let Some(date) = comment.trim_ascii_end().strip_prefix(b" Dump completed") else { return false };
    let in_date = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b' ');
    match date.strip_prefix(b" on ") {
        Some(date) => !date.is_empty() && date.iter().all(in_date),
        None => date.is_empty(),
    }
}

#[cfg(test)]
mod tests;
