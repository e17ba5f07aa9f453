//! [`Statement`]: what a statement of a dump says about tables.

use super::{
    super::{
        Error,
        capped::{Capped, long_name},
        corrupt,
        rows::{Passed, Place},
        tables::{TableId, Tables},
    },
    client::check_first_word,
    lexer::{Lexer, Runs, Token},
    session::Session,
    setting::Assignments,
};
use crate::inventory::qualified_name;

/// One statement, read token by token; what is not about tables is passed over.
#[derive(Debug, Default)]
pub(super) struct Statement {
    state: State,
    /// Open parentheses.
    depth: u32,
    /// The parts of the table's name so far.
    name: Vec<String>,
    table: Option<TableId>,
    rows: u64,
    used: Option<String>,
    assignments: Option<Box<Assignments>>,
    first: First,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Create,
    /// The next token is a part of the name.
    Name(Purpose),
    /// A dot and another part, or the end of the name.
    NamePart(Purpose),
    /// Behind the columns of a table.
    Table,
    Insert,
    InsertColumns,
    Values,
    /// Nothing more to learn.
    Other,
}

/// Why something is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Table,
    View,
    Insert,
    /// The database that the following statements are about.
    Use,
}

/// Which tokens of a statement may be its first ones to a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum First {
    #[default]
    Next,
    /// All so far stand where MariaDB reads code, and MySQL a comment.
    OnlyMariaDb,
    Passed,
}

/// What a token meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    /// The first row of an `INSERT` begins.
    FirstRow(TableId),
    /// Values follow that may be literals.
    Settings,
    End(Ended),
}

/// What a statement was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Other,
    Insert(TableId, u64),
    Use(String),
}

impl Statement {
    /// Whether no token of the statement was read yet.
    pub(super) fn is_start(&self) -> bool {
        self.state == State::Start
    }

    /// The table that an open `INSERT` is about.
    pub(super) fn table(&self) -> Option<TableId> {
        self.table
    }

    /// Where in the rows of an `INSERT` the statement stands, from its first row on.
    pub(super) fn place(&self) -> Option<Place> {
        match (self.state, self.depth) {
            (State::Values, 0) if self.rows > 0 => Some(Place::Gap),
            (State::Values, 1) => Some(Place::Row),
            _ => None,
        }
    }

    /// Rows were read elsewhere.
    pub(super) fn pass(&mut self, passed: Passed) {
        self.rows += passed.rows;
        self.depth = u32::from(passed.place != Place::Gap);
    }

    /// A statement of which everything up to the first row of an `INSERT` was read already.
    pub(super) fn resume_insert(&mut self, table: TableId) {
        *self = Self {
            state: State::Values,
            depth: 1,
            rows: 1,
            table: Some(table),
            first: First::Passed,
            ..Self::default()
        };
    }

    /// Reads a token that is no comment. `database` is where names without database are.
    pub(super) fn token(
        &mut self,
        token: Token,
        lexer: &Lexer,
        database: Option<&str>,
        tables: &mut Tables,
        session: &mut Session,
    ) -> Result<Step, Error> {
        if self.first != First::Passed {
            self.check_first(token, lexer)?;
        }
        if let State::NamePart(purpose) = self.state
            && token != Token::Symbol(b'.')
        {
            self.end_name(purpose, database, tables)?;
        }
        if let Some(assignments) = &mut self.assignments {
            assignments.token(token, lexer, session)?;
        }
        match token {
            Token::End => return self.end().map(Step::End),
            Token::Word => self.word(lexer.text(), tables)?,
            Token::Quoted => self.quoted(lexer.text())?,
            Token::Symbol(b'(') => return self.open(),
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            Token::Symbol(b'.') if matches!(self.state, State::NamePart(_)) => self.dot(),
            Token::Symbol(b',') if self.state == State::Values => {}
            Token::Symbol(_) | Token::Literal => self.other()?,
            Token::Comment | Token::BlockComment | Token::Sandbox | Token::Line => {}
        }
        let begins = self.assignments.is_some();
        Ok(if begins { Step::Settings } else { Step::More })
    }

    /// No statement begins with anything but a word, and that is no command to any client.
    fn check_first(&mut self, token: Token, lexer: &Lexer) -> Result<(), Error> {
        let is_maria_db = matches!(lexer.code(), Some((Runs::MariaDb, _)));
        match token {
            _ if is_maria_db && self.first == First::OnlyMariaDb => {}
            Token::Word => check_first_word(lexer.text())?,
            Token::End => {}
            _ => return Err(corrupt("the dump holds a statement that mysqldump does not write")),
        }
        self.first = if is_maria_db { First::OnlyMariaDb } else { First::Passed };
        Ok(())
    }

    fn word(&mut self, text: &Capped, tables: &mut Tables) -> Result<(), Error> {
        let is = |word| text.is(word);
        let top = self.depth == 0;
        self.state = match self.state {
            State::Start if is("create") => State::Create,
            State::Start if is("insert") || is("replace") => State::Insert,
            State::Start if is("use") => State::Name(Purpose::Use),
            State::Start if is("set") => {
                self.assignments = Some(Box::new(Assignments::set()));
                State::Other
            }
            State::Start if is("change") => {
                self.assignments = Some(Box::new(Assignments::change()));
                State::Other
            }
            State::Create if is("table") => State::Name(Purpose::Table),
            State::Create if is("view") => State::Name(Purpose::View),
            State::Create if ends_create(text) => State::Other,
            State::Create => State::Create,
            State::Name(Purpose::Table | Purpose::View) if ["if", "not", "exists"].into_iter().any(is) => {
                self.state
            }
            State::Name(purpose) => {
                self.part(text)?;
                State::NamePart(purpose)
            }
            State::Table if top && is("sequence") => {
                // Old versions wrote a sequence as the table that it is inside.
                self.table.into_iter().for_each(|table| tables.make_other(table, "sequence"));
                State::Other
            }
            State::Insert if is("into") => State::Name(Purpose::Insert),
            State::Insert if ["ignore", "delayed", "low_priority", "high_priority"].into_iter().any(is) => {
                State::Insert
            }
            State::InsertColumns if top && is("values") => State::Values,
            State::Insert | State::InsertColumns | State::Values if top => return Err(other_insert()),
            State::Start => State::Other,
            state => state,
        };
        Ok(())
    }

    fn quoted(&mut self, text: &Capped) -> Result<(), Error> {
        if let State::Name(purpose) = self.state {
            self.part(text)?;
            self.state = State::NamePart(purpose);
            return Ok(());
        }
        self.other()
    }

    /// Anything that means nothing by itself.
    fn other(&mut self) -> Result<(), Error> {
        self.state = match self.state {
            State::Insert | State::InsertColumns | State::Values if self.depth == 0 => {
                return Err(other_insert());
            }
            State::Start | State::Name(_) => State::Other,
            state => state,
        };
        Ok(())
    }

    fn dot(&mut self) {
        if let State::NamePart(purpose) = self.state {
            self.state = State::Name(purpose);
        }
    }

    fn open(&mut self) -> Result<Step, Error> {
        self.depth = self.depth.saturating_add(1);
        match (self.state, self.table) {
            (State::Values, Some(table)) if self.depth == 1 => {
                self.rows += 1;
                Ok(if self.rows == 1 { Step::FirstRow(table) } else { Step::More })
            }
            (State::Insert | State::Name(Purpose::Insert), _) => Err(other_insert()),
            (State::Name(_), _) => {
                self.state = State::Other;
                Ok(Step::More)
            }
            _ => Ok(Step::More),
        }
    }

    fn end(&mut self) -> Result<Ended, Error> {
        let Self { state, depth, table, rows, used, .. } = std::mem::take(self);
        match (state, table) {
            (State::Values, Some(table)) if rows > 0 && depth == 0 => Ok(Ended::Insert(table, rows)),
            (
                State::Insert
                | State::InsertColumns
                | State::Values
                | State::Name(Purpose::Insert)
                | State::NamePart(Purpose::Insert),
                _,
            ) => Err(other_insert()),
            _ => Ok(used.map_or(Ended::Other, Ended::Use)),
        }
    }

    fn part(&mut self, text: &Capped) -> Result<(), Error> {
        /// Database and table.
        const PARTS: usize = 2;
        if self.name.len() >= PARTS {
            return Err(long_name(text));
        }
        self.name.push(text.to_name()?);
        Ok(())
    }

    fn end_name(
        &mut self,
        purpose: Purpose,
        database: Option<&str>,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        if purpose == Purpose::Use {
            self.used = self.name.pop();
            self.state = State::Other;
            return Ok(());
        }
        let parts = std::mem::take(&mut self.name);
        let database = database.filter(|_| parts.len() == 1);
        let name = qualified_name(database.into_iter().chain(parts.iter().map(String::as_str)));
        let table = tables.id(name)?;
        self.state = match purpose {
            Purpose::Table => State::Table,
            Purpose::Insert => State::InsertColumns,
            Purpose::View | Purpose::Use => {
                tables.make_other(table, "view");
                State::Other
            }
        };
        self.table = Some(table);
        Ok(())
    }
}

/// Whether a word of `CREATE` says that it is about neither table nor view.
fn ends_create(text: &Capped) -> bool {
    #[rustfmt::skip]
    const KINDS: [&str; 19] = [
        "trigger", "function", "procedure", "event", "package", "database", "schema", "sequence", "index",
        "user", "role", "server", "tablespace", "logfile", "temporary", "library", "masking", "resource",
        "spatial",
    ];
    KINDS.into_iter().any(|kind| text.is(kind))
}

fn other_insert() -> Error {
    corrupt("the dump holds an INSERT statement that mysqldump does not write")
}
