//! [`Object`]: which object a statement makes, and which table's definition it is part of.
//!
//! The keys of a table are counted where they stand, in its `CREATE TABLE`: primary keys and checks as `constraint`,
//! all others, also unique ones, as `index`.

use super::{
    super::{
        capped::Capped,
        tables::{TableId, Tables},
    },
    lexer::{Lexer, Literals, Token},
};
use crate::inventory::qualified_name;

/// One statement, read token by token beside [`Statement`](super::statement::Statement).
#[derive(Debug, Default)]
pub(super) struct Object {
    state: State,
    /// Open parentheses.
    depth: u32,
    /// The table of a trigger.
    owner: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// Nothing more to learn.
    Passed,
    /// What is made is not said yet; who defines it does not count.
    Create,
    Package,
    /// Before the columns and keys of a table.
    Table,
    /// Where a column or key of a table begins.
    Element,
    /// Behind `CONSTRAINT`.
    Constraint,
    /// Within a column or key.
    InElement,
    /// Behind the columns and keys of a table.
    Options,
    /// The counter that the next row's key is taken from, up to its number: it changes with the rows.
    Counter,
    /// The name of a trigger, up to the table's.
    Trigger,
    /// The table of a trigger.
    Owner,
    /// All further tokens belong to the definition.
    Rest,
}

impl Object {
    /// Whether the tokens of the statement are of interest.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Passed
    }

    /// The statement is of no interest.
    pub(super) fn pass(&mut self) {
        self.state = State::Passed;
    }

    /// Reads a token of the statement, but its end.
    pub(super) fn token(&mut self, token: Token, lexer: &mut Lexer, tables: &mut Tables) {
        let before = self.state;
        match token {
            Token::Word => self.state = self.word(lexer.text(), tables),
            Token::Quoted => self.quoted(lexer.text()),
            Token::Symbol(byte) => self.symbol(byte),
            Token::Literal => {}
            Token::End | Token::Comment | Token::BlockComment | Token::Sandbox | Token::Line => return,
        }
        match (before, self.state) {
            (State::Create, State::Table | State::Trigger) => {
                lexer.literals = Literals::Digest;
                lexer.fingerprint.clear();
                return;
            }
            (_, State::Passed) if lexer.literals == Literals::Digest => lexer.literals = Literals::Pass,
            // The database is another one where the dump is restored under another name.
            (State::Trigger, State::Trigger) if token == Token::Symbol(b'.') => {
                lexer.fingerprint.clear();
                return;
            }
            (State::Owner, State::Owner) => return,
            _ => {}
        }
        let is_counter = before == State::Counter || self.state == State::Counter;
        if lexer.literals == Literals::Digest && !is_counter {
            lexer.add_token(token);
        }
    }

    /// The statement ended; `table` is the one that it makes, if it makes one, `database` where names are.
    pub(super) fn end(
        &mut self,
        lexer: &Lexer,
        table: Option<TableId>,
        database: Option<&str>,
        tables: &mut Tables,
    ) {
        let Self { state, owner, .. } = std::mem::take(self);
        let digest = || lexer.fingerprint.digest();
        match (state, table, owner) {
            (State::Options | State::Counter, Some(table), _) => {
                tables.make(table, "table");
                tables.define(table, digest());
            }
            (State::Rest | State::Owner, _, Some(owner)) => {
                let name = qualified_name(database.into_iter().chain([owner.as_str()]));
                if let Some(table) = tables.known(&name) {
                    tables.define(table, digest());
                }
            }
            _ => {}
        }
    }

    fn word(&mut self, text: &Capped, tables: &mut Tables) -> State {
        let is = |word| text.is(word);
        match self.state {
            State::Start if is("create") => State::Create,
            State::Create => create(text, tables),
            State::Package => {
                tables.count(if is("body") { "package-body" } else { "package" });
                State::Passed
            }
            State::Element => match () {
                () if is("constraint") => State::Constraint,
                () if is("foreign") => count(tables, "foreign-key"),
                () if is("primary") || is("check") => count(tables, "constraint"),
                () if ["key", "index", "unique", "fulltext", "spatial"].into_iter().any(is) => {
                    count(tables, "index")
                }
                () if is("vector") => State::Element,
                () => State::InElement,
            },
            State::Constraint if is("foreign") => count(tables, "foreign-key"),
            State::Constraint if is("primary") || is("check") => count(tables, "constraint"),
            State::Constraint if is("unique") => count(tables, "index"),
            State::InElement if self.depth == 1 && is("check") => count(tables, "constraint"),
            State::Options if self.depth == 0 && is("auto_increment") => State::Counter,
            State::Counter => State::Options,
            State::Trigger if is("on") => State::Owner,
            State::Owner => self.owner(text),
            State::Start => State::Passed,
            state => state,
        }
    }

    fn quoted(&mut self, text: &Capped) {
        self.state = match self.state {
            State::Owner => self.owner(text),
            State::Element => State::InElement,
            State::Start => State::Passed,
            state => state,
        };
    }

    fn owner(&mut self, text: &Capped) -> State {
        if self.owner.is_some() {
            return State::Rest;
        }
        self.owner = text.to_name().ok();
        State::Owner
    }

    fn symbol(&mut self, byte: u8) {
        match byte {
            b'(' => self.depth = self.depth.saturating_add(1),
            b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.state = match (self.state, byte) {
            (State::Table, b'(') => State::Element,
            (State::InElement, b',') if self.depth == 1 => State::Element,
            (State::Element | State::InElement, b')') if self.depth == 0 => State::Options,
            (State::Owner, b'.') => {
                self.owner = None;
                State::Owner
            }
            (State::Start, _) => State::Passed,
            (state, _) => state,
        };
    }
}

/// Counts a key or constraint of a table.
fn count(tables: &mut Tables, kind: &'static str) -> State {
    tables.count(kind);
    State::InElement
}

/// Reads a word that says what is made.
fn create(text: &Capped, tables: &mut Tables) -> State {
    const COUNTED: [&str; 6] = ["function", "procedure", "event", "sequence", "server", "library"];
    #[rustfmt::skip]
    const OTHERS: [&str; 12] = [
        "view", "database", "schema", "index", "user", "role", "tablespace", "logfile", "temporary", "masking",
        "resource", "spatial",
    ];
    let is = |word: &&str| text.is(word);
    if text.is("table") {
        return State::Table;
    }
    if text.is("trigger") {
        tables.count("trigger");
        return State::Trigger;
    }
    if text.is("package") {
        return State::Package;
    }
    if let Some(kind) = COUNTED.into_iter().find(is) {
        tables.count(kind);
        return State::Passed;
    }
    if OTHERS.iter().any(is) { State::Passed } else { State::Create }
}

#[cfg(test)]
mod tests;
