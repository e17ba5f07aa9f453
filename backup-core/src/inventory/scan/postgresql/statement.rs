//! [`Statement`]: what a statement of a plain dump says about tables.

use super::{
    super::{
        Error,
        capped::{Capped, long_name},
        corrupt,
        rows::{Passed, Place},
        tables::{TableId, Tables},
    },
    lexer::Token,
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
    /// The last token opened a row.
    row_start: bool,
    /// `BEGIN ATOMIC` and `CASE` that wait for their `END`.
    blocks: u32,
    setting: Option<(Setting, Vec<u8>)>,
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
    /// `IF NOT` was read.
    IfNot(Purpose),
    Copy,
    CopyFrom,
    CopyStdin,
    Insert,
    InsertColumns,
    InsertDefault,
    Values,
    InsertRest,
    Rule,
    RuleOnView,
    Routine,
    RoutineBegin,
    Set,
    SetTo(Setting),
    SetValue(Setting),
    /// Nothing more to learn.
    Other,
}

impl State {
    /// The state after a token that is of no interest.
    fn passed(self) -> Self {
        match self {
            Self::Copy
            | Self::CopyStdin
            | Self::InsertColumns
            | Self::Values
            | Self::InsertRest
            | Self::RuleOnView
            | Self::Routine => self,
            Self::CopyFrom => Self::Copy,
            Self::RoutineBegin => Self::Routine,
            _ => Self::Other,
        }
    }
}

/// Why a table is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Create,
    Copy,
    Insert,
    View,
}

/// A setting of the session that changes how the dump reads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    SearchPath,
    StandardConformingStrings,
    ClientEncoding,
}

/// What follows a row of an `INSERT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextRow {
    Opened,
    Unknown,
}

/// What a token meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    /// The first row of an `INSERT` begins.
    FirstRow(TableId),
    /// A setting follows whose value may be a literal.
    Setting,
    End(Ended),
}

/// What a statement was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Other,
    /// Data follows.
    Copy(TableId),
    Insert(TableId, u64),
    Set(Setting, Vec<u8>),
}

impl Statement {
    /// Whether no token of the statement was read yet.
    pub(super) fn is_start(&self) -> bool {
        self.state == State::Start
    }

    /// Whether only parentheses and the end of the statement matter.
    pub(super) fn is_skippable(&self) -> bool {
        match self.state {
            State::Other => true,
            State::Values => self.depth > 0,
            _ => false,
        }
    }

    /// The table that an open `INSERT` is about.
    pub(super) fn table(&self) -> Option<TableId> {
        self.table
    }

    /// A statement of which everything up to the first row of an `INSERT` was read already.
    pub(super) fn resume_insert(&mut self, table: TableId) {
        *self = Self {
            state: State::Values,
            depth: 1,
            rows: 1,
            row_start: true,
            table: Some(table),
            ..Self::default()
        };
    }

    /// Whether a row has just been opened.
    pub(super) fn is_row_start(&self) -> bool {
        self.row_start
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
        self.row_start = false;
    }

    /// A row was read up to its end, and the next one opened or not.
    pub(super) fn pass_row(&mut self, next: NextRow) {
        match next {
            NextRow::Opened => self.rows += 1,
            NextRow::Unknown => {
                self.depth = 0;
                self.row_start = false;
            }
        }
    }

    /// Ends an `INSERT` behind a row; its rows.
    pub(super) fn end_insert(&mut self) -> u64 {
        std::mem::take(self).rows
    }

    /// Reads a token that is neither comment nor command. `schema` is where names without schema are.
    pub(super) fn token(
        &mut self,
        token: Token,
        text: &Capped,
        schema: Option<&str>,
        tables: &mut Tables,
    ) -> Result<Step, Error> {
        if let State::NamePart(purpose) = self.state
            && token != Token::Symbol(b'.')
        {
            if purpose != Purpose::View && self.is_if_not(token, text) {
                self.name.clear();
                self.state = State::IfNot(purpose);
                return Ok(Step::More);
            }
            self.end_name(purpose, schema, tables)?;
        }
        self.row_start = false;
        match token {
            Token::Word => self.word(text)?,
            Token::Quoted => self.quoted(text)?,
            Token::Literal => self.literal(text),
            Token::Symbol(b'(') => return Ok(self.open()),
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            Token::Symbol(b';') if self.depth == 0 && self.blocks == 0 => return self.end().map(Step::End),
            Token::Symbol(byte) => self.symbol(byte),
            Token::Comment | Token::Command => {}
        }
        Ok(if matches!(self.state, State::SetTo(_)) { Step::Setting } else { Step::More })
    }

    fn word(&mut self, text: &Capped) -> Result<(), Error> {
        let is = |word| text.is(word);
        let top = self.depth == 0;
        self.state = match self.state {
            State::Start if is("create") => State::Create,
            State::Start if is("copy") => State::Name(Purpose::Copy),
            State::Start if is("insert") => State::Insert,
            State::Start if is("set") => State::Set,
            State::Create if is("table") => State::Name(Purpose::Create),
            State::Create if is("rule") => State::Rule,
            State::Create if is("function") || is("procedure") => State::Routine,
            State::Create if ["or", "replace", "unlogged", "foreign"].into_iter().any(is) => State::Create,
            State::Name(purpose) => {
                self.part(text, &|part| part.to_ascii_lowercase())?;
                State::NamePart(purpose)
            }
            State::IfNot(purpose) => State::Name(purpose),
            State::Copy if top && is("from") => State::CopyFrom,
            State::CopyFrom if is("stdin") => State::CopyStdin,
            State::Insert if is("into") => State::Name(Purpose::Insert),
            State::InsertColumns if top && is("values") => State::Values,
            State::InsertColumns if top && is("default") => State::InsertDefault,
            State::InsertDefault if is("values") => {
                self.rows = 1;
                State::InsertRest
            }
            State::Values if top => State::InsertRest,
            State::RuleOnView if top && is("to") => State::Name(Purpose::View),
            State::Routine | State::RoutineBegin => self.routine(text),
            State::Set if is("search_path") => State::SetTo(Setting::SearchPath),
            State::Set if is("standard_conforming_strings") => {
                State::SetTo(Setting::StandardConformingStrings)
            }
            State::Set if is("client_encoding") => State::SetTo(Setting::ClientEncoding),
            State::SetTo(setting) if is("to") => State::SetValue(setting),
            State::SetValue(setting) => self.value(setting, text, &<[u8]>::to_ascii_lowercase),
            state => state.passed(),
        };
        Ok(())
    }

    /// Follows `psql` in finding the end of a function whose body is written without quotes.
    fn routine(&mut self, text: &Capped) -> State {
        if self.depth > 0 {
            return State::Routine;
        }
        if self.blocks > 0 {
            if text.is("case") {
                self.blocks += 1;
            } else if text.is("end") {
                self.blocks -= 1;
            }
        } else if text.is("begin") {
            return State::RoutineBegin;
        } else if text.is("atomic") && self.state == State::RoutineBegin {
            self.blocks = 1;
        }
        State::Routine
    }

    fn quoted(&mut self, text: &Capped) -> Result<(), Error> {
        self.state = match self.state {
            State::Name(purpose) => {
                self.part(text, &std::convert::identity)?;
                State::NamePart(purpose)
            }
            // Old versions wrote a view that depends on itself as a table that a rule turns into a view.
            State::Rule if text.is("_RETURN") => State::RuleOnView,
            State::SetValue(setting) => self.value(setting, text, &<[u8]>::to_vec),
            state => state.passed(),
        };
        Ok(())
    }

    fn literal(&mut self, text: &Capped) {
        self.state = match self.state {
            State::SetValue(setting) => self.value(setting, text, &<[u8]>::to_vec),
            state => state.passed(),
        };
    }

    fn open(&mut self) -> Step {
        self.depth = self.depth.saturating_add(1);
        match (self.state, self.table) {
            (State::Values, Some(table)) if self.depth == 1 => {
                self.rows += 1;
                self.row_start = true;
                if self.rows == 1 { Step::FirstRow(table) } else { Step::More }
            }
            (state, _) => {
                self.state = state.passed();
                Step::More
            }
        }
    }

    fn symbol(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::NamePart(purpose), b'.') => State::Name(purpose),
            (State::SetTo(setting), b'=') => State::SetValue(setting),
            (state, _) => state.passed(),
        };
    }

    fn end(&mut self) -> Result<Ended, Error> {
        let Self { state, table, rows, setting, .. } = std::mem::take(self);
        match (state, table) {
            (State::CopyStdin, Some(table)) => Ok(Ended::Copy(table)),
            (State::Copy | State::CopyFrom | State::CopyStdin | State::Name(Purpose::Copy), _) => {
                Err(corrupt("the dump holds a COPY statement that pg_dump does not write"))
            }
            (State::Values | State::InsertRest, Some(table)) if rows > 0 => Ok(Ended::Insert(table, rows)),
            (
                State::Insert
                | State::InsertColumns
                | State::InsertDefault
                | State::Values
                | State::InsertRest
                | State::Name(Purpose::Insert),
                _,
            ) => Err(corrupt("the dump holds an INSERT statement that pg_dump does not write")),
            _ => Ok(setting.map_or(Ended::Other, |(setting, value)| Ended::Set(setting, value))),
        }
    }

    fn part(&mut self, text: &Capped, fold: &dyn Fn(String) -> String) -> Result<(), Error> {
        /// Database, schema and table.
        const PARTS: usize = 3;
        if self.name.len() >= PARTS {
            return Err(long_name(text));
        }
        self.name.push(fold(text.to_name()?));
        Ok(())
    }

    fn is_if_not(&self, token: Token, text: &Capped) -> bool {
        token == Token::Word && text.is("not") && self.name == ["if"]
    }

    fn end_name(&mut self, purpose: Purpose, schema: Option<&str>, tables: &mut Tables) -> Result<(), Error> {
        let parts = std::mem::take(&mut self.name);
        let schema = schema.filter(|_| parts.len() == 1);
        let name = qualified_name(schema.into_iter().chain(parts.iter().map(String::as_str)));
        let table = tables.id(name)?;
        self.state = match purpose {
            Purpose::Create => State::Other,
            Purpose::Copy => State::Copy,
            Purpose::Insert => State::InsertColumns,
            Purpose::View => {
                tables.make_other(table, "view");
                State::Other
            }
        };
        self.table = Some(table);
        Ok(())
    }

    /// Keeps the first value; a search path is looked up from there.
    fn value(&mut self, setting: Setting, text: &Capped, fold: &dyn Fn(&[u8]) -> Vec<u8>) -> State {
        self.setting = text.whole().map(|value| (setting, fold(value)));
        State::Other
    }
}
