//! [`Assignments`]: reads `SET` and `CHANGE MASTER`, as statements and in comments.

use super::{
    super::{Error, capped::Capped},
    lexer::{Lexer, Literals, Runs, Token},
    session::{Run, Session, Target, Value},
};

/// The longest value that is kept.
pub(super) const LONGEST: usize = 64 * 1024;

/// Every version that reads such dumps at all runs the code of these comments.
const OLDEST: u32 = 50_503;

/// The assignments of one statement, read token by token.
#[derive(Debug)]
pub(super) struct Assignments {
    kind: Kind,
    /// Signs before the last name: `@` or `@@`.
    signs: u8,
    /// The last name, in lower case.
    name: Option<String>,
    /// It is about the server, not the session.
    is_global: bool,
    run: Run,
    target: Option<Target>,
    value: Reading,
    text: Capped,
    depth: u32,
    file: Option<String>,
    position: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Set,
    Change,
}

/// What was read of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Nothing,
    Literal,
    Word,
    User,
    System,
    Other,
}

impl Assignments {
    /// Those of a statement that begins with `SET`.
    pub(super) fn set() -> Self {
        Self::new(Kind::Set)
    }

    /// Those of a statement that begins with `CHANGE`.
    pub(super) fn change() -> Self {
        Self::new(Kind::Change)
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            signs: 0,
            name: None,
            is_global: false,
            run: Run::Always,
            target: None,
            value: Reading::Nothing,
            text: Capped::with_limit(LONGEST),
            depth: 0,
            file: None,
            position: None,
        }
    }

    /// Reads a token behind the first one.
    pub(super) fn token(&mut self, token: Token, lexer: &Lexer, session: &mut Session) -> Result<(), Error> {
        match lexer.code() {
            None => {}
            Some((Runs::Any, version)) if version <= OLDEST => {}
            Some(_) => self.run = Run::Perhaps,
        }
        match token {
            Token::End => return self.finish(session),
            Token::Symbol(b',') if self.depth == 0 => return self.finish(session),
            _ if self.target.is_some() => self.in_value(token, lexer),
            Token::Word | Token::Quoted => self.in_target(lexer.text()),
            Token::Literal if self.is_charset() => self.in_target(lexer.kept()),
            Token::Symbol(b'@') => self.signs = self.signs.saturating_add(1),
            Token::Symbol(b'=') => {
                let name = self.name.take().unwrap_or_default();
                self.target = Some(match self.signs {
                    1 => Target::User(name),
                    _ if self.is_global => Target::Server(name),
                    _ => Target::Session(name),
                });
                self.signs = 0;
            }
            _ => {}
        }
        Ok(())
    }

    fn in_target(&mut self, text: &Capped) {
        // `SET NAMES x` and `SET CHARACTER SET x` have no sign of equality.
        if self.is_charset() {
            self.target = self.name.take().map(Target::Session);
            self.value = Reading::Word;
            self.text.append(text);
            return;
        }
        let name = String::from_utf8_lossy(text.start()).to_ascii_lowercase();
        self.is_global |= matches!(name.as_str(), "global" | "persist" | "persist_only");
        let is_character_set = name == "set" && self.name.as_deref() == Some("character");
        self.name = Some(if is_character_set { "charset".to_owned() } else { name });
    }

    fn is_charset(&self) -> bool {
        self.kind == Kind::Set && matches!(self.name.as_deref(), Some("names" | "charset"))
    }

    fn in_value(&mut self, token: Token, lexer: &Lexer) {
        self.value = match (self.value, token) {
            (Reading::Nothing | Reading::Literal, Token::Literal) => {
                self.text.append(lexer.kept());
                Reading::Literal
            }
            // With ANSI quotes, it is as good as a literal.
            (Reading::Nothing, Token::Word | Token::Quoted) if self.signs == 0 => {
                self.text.append(lexer.text());
                Reading::Word
            }
            // The collation behind a character set.
            (Reading::Word, Token::Word | Token::Quoted | Token::Literal) => Reading::Word,
            (Reading::Nothing, Token::Symbol(b'@')) => {
                self.signs = self.signs.saturating_add(1);
                Reading::Nothing
            }
            (Reading::Nothing, Token::Word | Token::Quoted) => {
                self.text.append(lexer.text());
                if self.signs == 1 { Reading::User } else { Reading::System }
            }
            // `@@session.sql_mode`; that of the server is another one.
            (Reading::System, Token::Symbol(b'.')) if self.is_session() => {
                self.text.clear();
                Reading::Nothing
            }
            (_, token) => {
                match token {
                    Token::Symbol(b'(') => self.depth = self.depth.saturating_add(1),
                    Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                Reading::Other
            }
        };
    }

    fn is_session(&self) -> bool {
        self.text.is("session") || self.text.is("local")
    }

    fn finish(&mut self, session: &mut Session) -> Result<(), Error> {
        let text = self.text.whole().map(<[u8]>::to_vec);
        let name = |text: &[u8]| String::from_utf8_lossy(text).to_ascii_lowercase();
        let value = match (self.value, text) {
            (Reading::Literal | Reading::Word, Some(text)) => Value::Text(text),
            (Reading::Literal, None) => Value::TooLong,
            (Reading::User, Some(text)) => Value::User(name(&text)),
            (Reading::System, Some(text)) => Value::System(name(&text)),
            _ => Value::Other,
        };
        self.text.clear();
        (self.value, self.signs, self.name, self.is_global) = (Reading::Nothing, 0, None, false);
        match (self.kind, self.target.take()) {
            (Kind::Set, Some(target)) => session.assign(target, value, self.run)?,
            (Kind::Change, Some(Target::Session(target))) => self.change_to(&target, value),
            _ => {}
        }
        if self.kind == Kind::Change {
            session.set_binlog(self.file.clone(), self.position);
        }
        Ok(())
    }

    fn change_to(&mut self, target: &str, value: Value) {
        let Value::Text(text) = value else { return };
        let Ok(text) = String::from_utf8(text) else { return };
        match target {
            "master_log_file" | "source_log_file" => self.file = Some(text),
            "master_log_pos" | "source_log_pos" => self.position = text.parse().ok(),
            _ => {}
        }
    }
}

/// Reads a position that a tool wrote as a comment; anything else in a comment means nothing.
pub(super) fn read_comment(comment: &Capped, session: &mut Session) {
    let mut rest = comment.start().trim_ascii();
    let starts =
        |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let is_set = starts("SET @@GLOBAL.GTID_PURGED") || starts("SET GLOBAL gtid_slave_pos");
    let mut assignments = match () {
        () if is_set => Assignments::set(),
        () if starts("CHANGE MASTER ") || starts("CHANGE REPLICATION ") => Assignments::change(),
        () => return,
    };
    let (mut lexer, mut stated) = (Lexer::new(), Session::default());
    lexer.literals = Literals::Keep;
    while let Ok(Some(token)) = lexer.next(&mut rest) {
        if assignments.token(token, &lexer, &mut stated).is_err() {
            return;
        }
    }
    if is_set && comment.whole().is_none() {
        stated.set_gtid(Value::TooLong);
    }
    session.agree(stated);
}
