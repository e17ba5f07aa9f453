//! [`Session`]: what a dump has set that changes how it reads on, and the position that it states.

use std::collections::HashMap;

use super::{
    super::{Error, ErrorKind, corrupt},
    setting::LONGEST,
};
use crate::SourcePosition;

/// More variables than a dump saves; those beyond are not followed.
const VARIABLES: usize = 64;

/// As far as the server's `sql_mode` matters to the text of a dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SqlMode {
    /// Double quotes are those of identifiers.
    pub(super) ansi_quotes: bool,
    /// A backslash in a literal means nothing.
    pub(super) no_backslash_escapes: bool,
}

impl SqlMode {
    /// Reads a list of modes.
    pub(super) fn parse(list: &[u8]) -> Self {
        /// Some modes stand for several.
        const ANSI: [&str; 7] = ["ansi_quotes", "ansi", "oracle", "mssql", "db2", "maxdb", "postgresql"];
        let mut mode = Self::default();
        for name in list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            mode.ansi_quotes |= ANSI.iter().any(|ansi| name.eq_ignore_ascii_case(ansi.as_bytes()));
            mode.no_backslash_escapes |= name.eq_ignore_ascii_case(b"no_backslash_escapes");
        }
        mode
    }
}

/// A value that is assigned.
#[derive(Debug, Default)]
pub(super) enum Value {
    /// A literal, a word or a number.
    Text(Vec<u8>),
    /// A literal that is longer than is kept.
    TooLong,
    /// `@name`, a variable of the session.
    User(String),
    /// `@@name`, a setting.
    System(String),
    /// An expression, which nobody here computes.
    #[default]
    Other,
}

/// What is assigned to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `@name`.
    User(String),
    /// A setting of the session.
    Session(String),
    /// A setting of the server.
    Server(String),
}

/// Whether every server runs a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    Always,
    /// Only some versions do.
    Perhaps,
}

/// What a dump has set so far.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) sql_mode: SqlMode,
    /// Modes that were saved, by the name of the variable.
    saved: HashMap<String, SqlMode>,
    pub(super) position: SourcePosition,
    pub(super) warnings: Vec<String>,
}

impl Session {
    /// Follows an assignment.
    pub(super) fn assign(&mut self, target: Target, value: Value, run: Run) -> Result<(), Error> {
        match target {
            Target::Session(name) => match name.as_str() {
                "sql_mode" => self.set_sql_mode(value, run),
                "names" | "charset" | "character_set_client" => check_charset(&value),
                _ => Ok(()),
            },
            Target::Server(name) => {
                if matches!(name.as_str(), "gtid_purged" | "gtid_slave_pos") {
                    self.set_gtid(value);
                }
                Ok(())
            }
            Target::User(name) => {
                match value {
                    Value::System(setting) if setting == "sql_mode" => self.save(name, self.sql_mode),
                    Value::Text(text) => self.save(name, SqlMode::parse(&text)),
                    _ => {
                        self.saved.remove(&name);
                    }
                }
                Ok(())
            }
        }
    }

    fn save(&mut self, name: String, mode: SqlMode) {
        if self.saved.len() < VARIABLES || self.saved.contains_key(&name) {
            self.saved.insert(name, mode);
        }
    }

    fn set_sql_mode(&mut self, value: Value, run: Run) -> Result<(), Error> {
        let mode = match value {
            Value::Text(text) if text.first().is_some_and(u8::is_ascii_digit) && text != b"0" => None,
            Value::Text(text) => Some(SqlMode::parse(&text)),
            // Whoever did not save it gets what the session began with.
            Value::User(name) => Some(self.saved.get(&name).copied().unwrap_or_default()),
            Value::System(name) if name == "sql_mode" => Some(self.sql_mode),
            _ => None,
        };
        let mode = mode.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the dump sets a sql_mode that cannot be followed")
                .with_operation("inspect")
                .with_suggestion("set it to a list of modes, or dump again without the statement")
        })?;
        if run == Run::Perhaps && mode != self.sql_mode {
            return Err(corrupt("the dump changes how it is to be read, but only for some servers"));
        }
        self.sql_mode = mode;
        Ok(())
    }

    /// Keeps the set of transactions; a statement of another one does not count.
    pub(super) fn set_gtid(&mut self, value: Value) {
        match value {
            Value::Text(mut text) => {
                text.retain(|byte| !byte.is_ascii_whitespace());
                let text = String::from_utf8(text).ok();
                let gtid = text.map(|text| text.trim_start_matches('+').to_owned());
                self.position.gtid =
                    self.position.gtid.take().or_else(|| gtid.filter(|gtid| !gtid.is_empty()));
            }
            Value::TooLong => self.warnings.push(format!(
                "the dump's set of transactions (GTID) is longer than {} KiB, and is not in the manifest",
                LONGEST / 1024
            )),
            _ => {}
        }
    }

    /// Takes over the position that a comment states.
    pub(super) fn agree(&mut self, stated: Self) {
        let SourcePosition { binlog_file, binlog_position, gtid, .. } = stated.position;
        self.set_binlog(binlog_file, binlog_position);
        self.position.gtid = self.position.gtid.take().or(gtid);
        self.warnings.extend(stated.warnings);
    }

    /// Keeps the place in the binary log; a second one does not count.
    pub(super) fn set_binlog(&mut self, file: Option<String>, position: Option<u64>) {
        if let (None, Some(file), Some(position)) = (&self.position.binlog_file, file, position) {
            self.position.binlog_file = Some(file);
            self.position.binlog_position = Some(position);
        }
    }
}

/// Refuses the encodings in which a quote or backslash can be half of a letter.
fn check_charset(value: &Value) -> Result<(), Error> {
    const UNSAFE: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];
    let Value::Text(name) = value else { return Ok(()) };
    match UNSAFE.into_iter().find(|charset| name.eq_ignore_ascii_case(charset.as_bytes())) {
        None => Ok(()),
        Some(charset) => Err(Error::new(ErrorKind::Unsupported, "the dump's encoding cannot be scanned")
            .with_operation("inspect")
            .with_context("encoding", charset)
            .with_suggestion("let the tool write utf8mb4: --default-character-set=utf8mb4")),
    }
}
