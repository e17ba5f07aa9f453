//! [`Object`]: which object a statement makes, and which table's definition it is part of.
//!
//! Follows the words of the statements themselves, so that comments may be left out of a dump. What `pg_dump --clean`
//! writes to drop objects is passed over, and so are owners and privileges.

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
    /// The first of two words that say what is made.
    prefix: Option<Prefix>,
    /// `OR REPLACE` was read.
    replaces: bool,
    /// A table that the statement makes.
    makes: Option<&'static str>,
    /// The parts of the name of the table that it belongs to.
    name: Vec<String>,
    /// The depth outside of the parentheses behind `ANY` or `ALL`.
    any: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// Nothing more to learn.
    Passed,
    Create,
    Type,
    Rule,
    Alter,
    /// The word is the last one before the table's name.
    Before(&'static str),
    /// The next token is a part of the table's name.
    Name(Role),
    /// A dot and another part, or the end of the name.
    NamePart(Role),
    AlterTable,
    AlterColumn,
    AlterColumnName,
    AlterColumnTo,
    Enable,
    EnableTrigger,
    Add,
    AddName,
    AddKind,
    /// All further tokens belong to the definition.
    Rest,
}

/// Why a table is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The statement is about something that belongs to it.
    Owner,
    /// `ALTER TABLE`.
    Altered,
    /// The name goes on with that of a column.
    OwnerByColumn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Access,
    Event,
    Foreign,
    Materialized,
    Operator,
    Text,
    User,
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

    /// The statement of no interest ended.
    pub(super) fn restart(&mut self) {
        self.state = State::Start;
    }

    /// Reads a token of the statement, but its end.
    pub(super) fn token(&mut self, token: Token, lexer: &mut Lexer, tables: &mut Tables) {
        if let State::NamePart(role) = self.state
            && token != Token::Symbol(b'.')
        {
            self.state = if role == Role::Altered { State::AlterTable } else { State::Rest };
        }
        match token {
            Token::Word => self.state = self.word(lexer.text(), tables),
            Token::Quoted => self.state = self.quoted(lexer.text(), tables),
            Token::Symbol(byte) => self.state = self.symbol(byte, tables),
            Token::Literal => {}
            Token::Comment | Token::Command => return,
        }
        match self.state {
            State::Passed => lexer.literals = Literals::Pass,
            State::Create | State::Alter if lexer.literals != Literals::Digest => {
                lexer.literals = Literals::Digest;
                lexer.fingerprint.clear();
            }
            _ => {}
        }
        self.add(token, lexer);
    }

    /// The statement ended; `table` is the one that it makes, if it makes one, `schema` where names without schema are.
    pub(super) fn end(
        &mut self,
        lexer: &Lexer,
        table: Option<TableId>,
        schema: Option<&str>,
        tables: &mut Tables,
    ) {
        let Self { state, makes, mut name, .. } = std::mem::take(self);
        if matches!(state, State::Start | State::Passed) {
            return;
        }
        if let (Some(kind), Some(table)) = (makes, table) {
            tables.make(table, kind);
            tables.define(table, lexer.fingerprint.digest());
            return;
        }
        if state == State::NamePart(Role::OwnerByColumn) {
            name.pop();
        }
        let schema = schema.filter(|_| name.len() == 1);
        let name = qualified_name(schema.into_iter().chain(name.iter().map(String::as_str)));
        // A view, or a table that another dump holds: it is counted, but nobody's.
        if let Some(table) = tables.known(&name) {
            tables.define(table, lexer.fingerprint.digest());
        }
    }

    fn word(&mut self, text: &Capped, tables: &mut Tables) -> State {
        let is = |word| text.is(word);
        let top = self.depth == 0;
        match self.state {
            State::Start if is("create") => State::Create,
            State::Start if is("alter") => State::Alter,
            State::Create => self.create(text, tables),
            State::Rule => rule(tables),
            State::Alter if is("table") => State::Name(Role::Altered),
            State::Alter if is("foreign") => State::Alter,
            State::Alter if is("sequence") => State::Before("owned"),
            State::Before("owned") if is("owned") => State::Before("by"),
            State::Before("by") if is("by") => State::Name(Role::OwnerByColumn),
            State::Before(word) if top && is(word) => State::Name(Role::Owner),
            State::Name(_) if self.name.is_empty() && is("only") => self.state,
            State::Name(Role::Altered) if self.name.is_empty() && (is("if") || is("exists")) => self.state,
            State::Name(role) => self.part(role, text, &|part| part.to_ascii_lowercase()),
            State::AlterTable if is("add") => State::Add,
            State::AlterTable if is("alter") => State::AlterColumn,
            State::AlterTable if is("enable") || is("disable") => State::Enable,
            // What `--clean` writes, and who owns it.
            State::AlterTable | State::AlterColumnTo if is("drop") => State::Passed,
            State::AlterTable if is("owner") => State::Passed,
            State::AlterColumn if is("column") => State::AlterColumnName,
            State::AlterColumnName => State::AlterColumnTo,
            State::Enable if is("trigger") => State::EnableTrigger,
            // Around data, with `--disable-triggers`.
            State::EnableTrigger if is("all") => State::Passed,
            State::Add if is("constraint") => State::AddName,
            State::AddName => State::AddKind,
            State::AddKind => {
                tables.count(if is("foreign") { "foreign-key" } else { "constraint" });
                State::Rest
            }
            State::Rest if self.makes.is_some() && self.depth == 1 && is("check") => {
                tables.count("constraint");
                State::Rest
            }
            State::Start | State::Passed | State::Alter => State::Passed,
            state @ (State::Type | State::Before(_)) => state,
            _ => State::Rest,
        }
    }

    /// Reads a word that says what is made.
    fn create(&mut self, text: &Capped, tables: &mut Tables) -> State {
        /// What the definition of a table needs, with the word before the table's name.
        const PARTS: [(&str, &str); 4] =
            [("index", "on"), ("trigger", "on"), ("policy", "on"), ("statistics", "from")];
        #[rustfmt::skip]
        const OTHERS: [&str; 17] = [
            "aggregate", "cast", "collation", "conversion", "domain", "extension", "function", "language",
            "procedure", "publication", "schema", "sequence", "server", "subscription", "transform", "view",
            "operator",
        ];
        let is = |word: &str| text.is(word);
        let (makes, counts) = match self.prefix {
            None if is("table") => (Some("table"), None),
            Some(Prefix::Foreign) if is("table") => (Some("foreign-table"), None),
            Some(Prefix::Foreign) => (None, Some("foreign-data-wrapper")),
            Some(Prefix::Materialized) => (None, Some("materialized-view")),
            Some(Prefix::Event) => (None, Some("event-trigger")),
            Some(Prefix::Access) => (None, Some("access-method")),
            Some(Prefix::User) if is("mapping") => (None, Some("user-mapping")),
            Some(Prefix::Operator) if is("class") => (None, Some("operator-class")),
            Some(Prefix::Operator) if is("family") => (None, Some("operator-family")),
            Some(Prefix::Operator) => (None, Some("operator")),
            Some(Prefix::Text) if is("search") => return State::Create,
            Some(Prefix::Text) if is("configuration") => (None, Some("text-search-configuration")),
            Some(Prefix::Text) if is("dictionary") => (None, Some("text-search-dictionary")),
            Some(Prefix::Text) if is("parser") => (None, Some("text-search-parser")),
            Some(Prefix::Text) if is("template") => (None, Some("text-search-template")),
            Some(Prefix::User | Prefix::Text) => (None, None),
            None if is("type") => return State::Type,
            None if is("rule") => return State::Rule,
            None => {
                if let Some((kind, before)) = PARTS.into_iter().find(|(kind, _)| is(kind)) {
                    tables.count(kind);
                    return State::Before(before);
                }
                self.prefix = prefix(text);
                self.replaces |= is("replace");
                if self.prefix.is_some() || is_modifier(text) {
                    return State::Create;
                }
                // `pg_dump` replaces views only where it made them before without their meaning.
                let is_again = self.replaces && is("view");
                (None, OTHERS.into_iter().find(|kind| is(kind) && !is_again))
            }
        };
        self.makes = makes;
        if makes.is_some() {
            return State::Rest;
        }
        if let Some(kind) = counts {
            tables.count(kind);
        }
        State::Passed
    }

    fn quoted(&mut self, text: &Capped, tables: &mut Tables) -> State {
        match self.state {
            // Old versions wrote a view that depends on itself as a table that a rule turns into a view.
            State::Rule if text.is("_RETURN") => State::Passed,
            State::Rule => rule(tables),
            State::Name(role) => self.part(role, text, &std::convert::identity),
            State::AddName => State::AddKind,
            State::AlterColumnName => State::AlterColumnTo,
            State::Start => State::Passed,
            state @ (State::Passed | State::Create | State::Type | State::Before(_)) => state,
            _ => State::Rest,
        }
    }

    fn symbol(&mut self, byte: u8, tables: &mut Tables) -> State {
        match byte {
            b'(' => self.depth = self.depth.saturating_add(1),
            b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match (self.state, byte) {
            (State::NamePart(role), b'.') => State::Name(role),
            (State::Create, _) if self.prefix == Some(Prefix::Operator) => {
                tables.count("operator");
                State::Passed
            }
            // One without is only announced.
            (State::Type, b'(') => {
                tables.count("type");
                State::Passed
            }
            (State::Create, b'(') | (State::Start, _) => State::Passed,
            (state, _) => state,
        }
    }

    fn part(&mut self, role: Role, text: &Capped, fold: &dyn Fn(String) -> String) -> State {
        /// Database, schema, table and column.
        const PARTS: usize = 4;
        match text.to_name() {
            Ok(part) if self.name.len() < PARTS => {
                self.name.push(fold(part));
                State::NamePart(role)
            }
            // No table that is known has such a name.
            _ => State::Rest,
        }
    }

    /// Adds a token to the fingerprint.
    ///
    /// The server shows a list such as `x = ANY ((ARRAY['a'::character varying])::text[])`, which is what becomes of
    /// `x IN ('a')`, with its casts in other places once it was restored, so those do not count.
    fn add(&mut self, token: Token, lexer: &mut Lexer) {
        if lexer.literals != Literals::Digest {
            return;
        }
        if let Some(outside) = self.any {
            let is_noise = match token {
                Token::Symbol(byte) => matches!(byte, b'(' | b')' | b'[' | b']' | b':'),
                Token::Word => ["text", "character", "varying"].into_iter().any(|word| lexer.text().is(word)),
                _ => false,
            };
            if self.depth <= outside {
                self.any = None;
            }
            if is_noise {
                return;
            }
        } else if token == Token::Word && ["any", "all"].into_iter().any(|word| lexer.text().is(word)) {
            self.any = Some(self.depth);
        }
        lexer.add_token(token);
    }
}

fn rule(tables: &mut Tables) -> State {
    tables.count("rule");
    State::Before("to")
}

fn prefix(text: &Capped) -> Option<Prefix> {
    const PREFIXES: [(&str, Prefix); 7] = [
        ("access", Prefix::Access),
        ("event", Prefix::Event),
        ("foreign", Prefix::Foreign),
        ("materialized", Prefix::Materialized),
        ("operator", Prefix::Operator),
        ("text", Prefix::Text),
        ("user", Prefix::User),
    ];
    PREFIXES.into_iter().find(|(word, _)| text.is(word)).map(|(_, prefix)| prefix)
}

/// Whether a word stands between `CREATE` and what is made.
fn is_modifier(text: &Capped) -> bool {
    #[rustfmt::skip]
    const MODIFIERS: [&str; 12] = [
        "or", "replace", "unlogged", "temporary", "temp", "global", "local", "unique", "recursive", "trusted",
        "procedural", "default",
    ];
    MODIFIERS.into_iter().any(|word| text.is(word)) || text.is("constraint")
}

#[cfg(test)]
mod tests;
