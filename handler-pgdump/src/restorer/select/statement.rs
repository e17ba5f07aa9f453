//! [`read`]: what a statement of `pg_dump`'s is about.

use super::{
    tokens::{Token, quote, tokens},
    words::{Name, Words, arguments, names, shown},
};

/// What a statement is about.
#[derive(Debug)]
pub(super) enum Statement {
    /// The session: passes always.
    Setting,
    /// The rows of a table follow, or are in it.
    Rows(Name),
    /// Where a sequence stands.
    Position(Part),
    /// Large objects, statistics, rows of materialized views: what is neither a definition nor a table's.
    Data,
    /// An object, or a part of one.
    Part(Part),
    /// What belongs to the database as a whole.
    Other,
}

/// The kind of an object; its word is part of what the user reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Table,
    View,
    Sequence,
    Index,
    Type,
    Function,
    /// Operators and their classes and families, collations, conversions, text search.
    Helper,
    Constraint,
    ForeignKey,
    Trigger,
    Rule,
    Policy,
    Statistics,
    /// A partition in its table.
    Partition,
    /// An index in that of the partitioned table.
    IndexPartition,
    /// A sequence that goes with its table.
    Owned,
    Cast,
    Schema,
    Extension,
    Language,
    Server,
    Wrapper,
    /// Only changed by a statement, not made.
    Unknown,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Sequence => "sequence",
            Self::Index => "index",
            Self::Type => "type",
            Self::Function => "function",
            Self::Helper | Self::Unknown => "object",
            Self::Constraint | Self::ForeignKey => "constraint",
            Self::Trigger => "trigger",
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::Statistics => "statistics",
            Self::Partition | Self::IndexPartition => "partition",
            Self::Owned => "owner",
            Self::Cast => "cast",
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Language => "language",
            Self::Server => "server",
            Self::Wrapper => "wrapper",
        }
    }

    /// Whether a schema holds it, so that every statement about it names it by that, whatever it calls its kind.
    pub(super) fn in_schema(self) -> bool {
        matches!(
            self,
            Self::Table
                | Self::View
                | Self::Sequence
                | Self::Index
                | Self::Type
                | Self::Function
                | Self::Helper
                | Self::Statistics
                | Self::Unknown
        )
    }
}

/// An object, or a part of one.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// The same for every statement about the object.
    pub(super) key: String,
    pub(super) schema: Option<String>,
    /// The table, or other object, without which it is nothing.
    pub(super) of: Option<Name>,
    /// The other table of a foreign key, a partition or an owned sequence.
    pub(super) to: Option<Name>,
    /// What the statement makes besides: the sequence of an identity column, the index of a constraint.
    pub(super) also: Option<(Kind, Name)>,
    /// What it names.
    pub(super) names: Vec<Name>,
    /// Objects without a schema that it names, by their keys.
    pub(super) globals: Vec<String>,
    /// The words in the body of a function.
    pub(super) body: Vec<String>,
}

impl Part {
    fn new(kind: Kind, key: String) -> Self {
        Self {
            kind,
            key,
            schema: None,
            of: None,
            to: None,
            also: None,
            names: Vec::new(),
            globals: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn in_schema(kind: Kind, name: &Name) -> Self {
        Self { schema: Some(name.0.clone()), ..Self::new(kind, shown(name)) }
    }

    fn global(kind: Kind, name: &str) -> Self {
        Self::new(kind, global_key(kind, name))
    }

    /// What has its name from the table that it belongs to.
    fn on(kind: Kind, name: &str, of: Name) -> Self {
        let key = format!("{} {} ON {}", kind.word(), quote(name), shown(&of));
        Self { of: Some(of), ..Self::new(kind, key) }
    }

    fn to(mut self, to: Name) -> Self {
        self.to = Some(to);
        self
    }
}

/// The key of an object that no schema holds.
pub(super) fn global_key(kind: Kind, name: &str) -> String {
    format!("{} {}", kind.word(), quote(name))
}

/// Reads a statement.
pub(super) fn read(statement: &str) -> Statement {
    let tokens = tokens(statement);
    let mut words = Words::new(&tokens);
    let part = if words.eat("create") {
        create(&mut words)
    } else if words.eat("alter") {
        alter(&mut words)
    } else if words.eat("comment on") {
        subject(&mut words)
    } else if words.eat("security label") {
        if words.seek("on") { subject(&mut words) } else { None }
    } else if words.eat("grant") || words.eat("revoke") {
        if words.seek("on") { granted(&mut words) } else { None }
    } else {
        return other(&mut words);
    };
    let Some(mut part) = part else {
        return if Words::new(&tokens).seek("large object") { Statement::Data } else { Statement::Other };
    };
    part.names.extend(names(&tokens));
    part.globals.extend(globals(&tokens));
    if part.kind == Kind::Function && tokens.first().is_some_and(|token| token.is_word("create")) {
        part.body = body_words(&tokens);
    }
    Statement::Part(part)
}

fn other(words: &mut Words<'_>) -> Statement {
    if words.eat("set") || words.eat("reset") {
        return Statement::Setting;
    }
    if words.eat("copy") || words.eat("insert into") {
        return words.qualified().map_or(Statement::Other, Statement::Rows);
    }
    if words.eat("begin") || words.eat("commit") || words.eat("refresh") {
        return Statement::Data;
    }
    if !words.eat("select") {
        return Statement::Other;
    }
    match words.qualified().as_ref().map(|(_, name)| name.as_str()) {
        Some("set_config") => Statement::Setting,
        Some("setval") => {
            let sequence = words.group().and_then(|inner| match inner {
                [Token::Text(text), ..] => Words::new(&tokens(text)).qualified(),
                _ => None,
            });
            sequence
                .map_or(Statement::Other, |name| Statement::Position(Part::in_schema(Kind::Sequence, &name)))
        }
        _ => Statement::Data,
    }
}

fn create(words: &mut Words<'_>) -> Option<Part> {
    words.eat_any(&[
        "or replace",
        "unlogged",
        "unique",
        "materialized",
        "recursive",
        "trusted",
        "procedural",
    ]);
    if words.eat("foreign data wrapper") {
        return Some(Part::global(Kind::Wrapper, words.name()?));
    }
    words.eat_any(&["foreign", "constraint", "default"]);
    if words.eat("index") {
        words.eat_any(&["concurrently", "if not exists"]);
        let name = words.name()?;
        words.eat("on");
        words.eat("only");
        let of = words.qualified()?;
        let index = Part::in_schema(Kind::Index, &(of.0.clone(), name.to_owned()));
        return Some(Part { of: Some(of), ..index });
    }
    if words.eat("trigger") {
        let name = words.name()?;
        return if words.seek("on") { Some(Part::on(Kind::Trigger, name, words.qualified()?)) } else { None };
    }
    if words.eat("rule") {
        let name = words.name()?;
        return if words.seek("to") { Some(Part::on(Kind::Rule, name, words.qualified()?)) } else { None };
    }
    if words.eat("policy") {
        let name = words.name()?;
        return if words.eat("on") { Some(Part::on(Kind::Policy, name, words.qualified()?)) } else { None };
    }
    if words.eat("statistics") {
        let statistics = Part::in_schema(Kind::Statistics, &words.qualified()?);
        return if words.seek("from") {
            Some(Part { of: Some(words.qualified()?), ..statistics })
        } else {
            None
        };
    }
    subject(words)
}

/// The object that a statement is about, from the word for its kind on.
fn subject(words: &mut Words<'_>) -> Option<Part> {
    const RELATIONS: &[(&str, Kind)] = &[
        ("foreign table", Kind::Table),
        ("table", Kind::Table),
        ("materialized view", Kind::View),
        ("view", Kind::View),
        ("sequence", Kind::Sequence),
        ("index", Kind::Index),
        ("type", Kind::Type),
        ("domain", Kind::Type),
        ("statistics", Kind::Statistics),
        ("collation", Kind::Helper),
        ("conversion", Kind::Helper),
        ("text search configuration", Kind::Helper),
        ("text search dictionary", Kind::Helper),
        ("text search parser", Kind::Helper),
        ("text search template", Kind::Helper),
        ("operator class", Kind::Helper),
        ("operator family", Kind::Helper),
        ("column", Kind::Unknown),
    ];
    const GLOBALS: &[(&str, Kind)] = &[
        ("schema", Kind::Schema),
        ("extension", Kind::Extension),
        ("procedural language", Kind::Language),
        ("language", Kind::Language),
        ("foreign data wrapper", Kind::Wrapper),
        ("foreign server", Kind::Server),
        ("server", Kind::Server),
    ];
    for (word, kind) in GLOBALS {
        if words.eat(word) {
            words.eat("if not exists");
            return Some(Part::global(*kind, words.name()?));
        }
    }
    for (word, kind) in RELATIONS {
        if words.eat(word) {
            words.eat_any(&["if not exists", "if exists", "only"]);
            return Some(Part::in_schema(*kind, &words.qualified()?));
        }
    }
    if ["function", "procedure", "aggregate", "routine"].iter().any(|word| words.eat(word)) {
        let name = words.qualified()?;
        let key = format!("{}({})", shown(&name), arguments(words.group().unwrap_or_default()));
        return Some(Part { schema: Some(name.0), ..Part::new(Kind::Function, key) });
    }
    if words.eat("operator") {
        return Some(Part::in_schema(Kind::Helper, &words.operator()?));
    }
    if words.eat("cast") {
        return Some(Part::new(Kind::Cast, format!("cast {}", arguments(words.group()?))));
    }
    for (word, kind) in [
        ("constraint", Kind::Constraint),
        ("trigger", Kind::Trigger),
        ("rule", Kind::Rule),
        ("policy", Kind::Policy),
    ] {
        if words.eat(word) {
            let name = words.name()?;
            words.eat("on");
            if words.eat("domain") {
                return Some(Part::in_schema(Kind::Type, &words.qualified()?));
            }
            return Some(Part::on(kind, name, words.qualified()?));
        }
    }
    None
}

/// The object of a `GRANT`, where a table needs no word.
fn granted(words: &mut Words<'_>) -> Option<Part> {
    let mut table = *words;
    match table.qualified() {
        Some(name) => Some(Part::in_schema(Kind::Unknown, &name)),
        None => subject(words),
    }
}

fn alter(words: &mut Words<'_>) -> Option<Part> {
    let mut part = subject(words)?;
    match part.kind {
        Kind::Table => alter_table(part, words),
        Kind::Index if words.eat("attach partition") => {
            let child = words.qualified()?;
            let key = format!("partition {} OF {}", shown(&child), part.key);
            let parent = Words::new(&tokens(&part.key)).qualified()?;
            Some(Part { of: Some(child), ..Part::new(Kind::IndexPartition, key) }.to(parent))
        }
        Kind::Sequence if words.eat("owned by") => {
            let sequence = Words::new(&tokens(&part.key)).qualified()?;
            let key = format!("owner OF {}", part.key);
            Some(Part { of: Some(sequence), ..Part::new(Kind::Owned, key) }.to(words.qualified()?))
        }
        _ => {
            // What is altered may be made by another kind of statement: a view is altered as a table.
            if part.kind.in_schema() && part.kind != Kind::Function {
                part.kind = Kind::Unknown;
            }
            Some(part)
        }
    }
}

fn alter_table(mut table: Part, words: &mut Words<'_>) -> Option<Part> {
    let name = Words::new(&tokens(&table.key)).qualified()?;
    table.kind = Kind::Unknown;
    if words.eat("add constraint") {
        let constraint = words.name()?;
        if words.eat("foreign key") {
            let foreign = Part::on(Kind::ForeignKey, constraint, name);
            return if words.seek("references") { Some(foreign.to(words.qualified()?)) } else { None };
        }
        let index = words.eat("primary key") || words.eat("unique") || words.eat("exclude");
        let also = index.then(|| (Kind::Index, (name.0.clone(), constraint.to_owned())));
        return Some(Part { also, ..Part::on(Kind::Constraint, constraint, name) });
    }
    if words.eat("attach partition") {
        let child = words.qualified()?;
        let key = format!("partition {} OF {}", shown(&child), table.key);
        return Some(Part { of: Some(child), ..Part::new(Kind::Partition, key) }.to(name));
    }
    let mut switch = *words;
    if switch.eat("enable") || switch.eat("disable") {
        switch.eat_any(&["always", "replica"]);
        for (word, kind) in [("trigger", Kind::Trigger), ("rule", Kind::Rule)] {
            if switch.eat(word) {
                return Some(Part::on(kind, switch.name()?, name));
            }
        }
    }
    if words.eat("alter column") {
        let mut identity = *words;
        if identity.seek("as identity") {
            let mut inner = Words::new(identity.group().unwrap_or_default());
            if inner.seek("sequence name") {
                table.also = inner.qualified().map(|sequence| (Kind::Sequence, sequence));
            }
        }
    }
    Some(table)
}

/// Servers, wrappers and languages that a statement names.
fn globals(tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = Words::new(tokens);
    while !words.rest().is_empty() {
        for (word, kind) in
            [("foreign data wrapper", Kind::Wrapper), ("server", Kind::Server), ("language", Kind::Language)]
        {
            if words.eat(word) {
                found.extend(words.name().map(|name| global_key(kind, name)));
            }
        }
        words = Words::new(words.rest().get(1..).unwrap_or_default());
    }
    found
}

/// The words in the texts of a function: what it may call when it runs.
fn body_words(outer: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    for token in outer {
        let Token::Text(text) = token else { continue };
        let inner = tokens(text);
        found.extend(inner.iter().filter_map(Token::name).map(str::to_owned));
        for token in &inner {
            if let Token::Text(text) = token {
                found.extend(tokens(text).iter().filter_map(Token::name).map(str::to_owned));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
