//! [`Lexer`]: cuts dump text into tokens as the clients `mysql` and `mariadb` do, over chunks that end anywhere.

use memchr::{memchr, memchr2};

use super::{
    super::{
        Error,
        capped::Capped,
        corrupt,
        fingerprint::{Fingerprint, Part},
        is_space, rows, take,
    },
    client::Delimiter,
    session::SqlMode,
};

/// How many bytes of a comment or of a literal are kept where somebody looks at it.
pub(super) const KEPT: usize = 65 * 1024;

/// The line with which MariaDB's tools make old clients refuse a dump, and new ones forbid commands.
const SANDBOX: (&[u8], &[u8]) = (b"999999", b" enable the sandbox mode ");

/// What [`Lexer::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, an unquoted identifier or a number, in [`Lexer::text`].
    Word,
    /// A quoted identifier, in [`Lexer::text`].
    Quoted,
    /// A string, in [`Lexer::kept`] where literals are kept.
    Literal,
    /// Any other byte.
    Symbol(u8),
    /// The delimiter of statements.
    End,
    /// A comment behind two dashes, in [`Lexer::kept`].
    Comment,
    /// A comment between marks, in [`Lexer::kept`].
    BlockComment,
    /// The line that begins the sandbox.
    Sandbox,
    /// The rest of the line behind a word, in [`Lexer::text`].
    Line,
}

/// Where in the text the last chunk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Between,
    Word,
    Quoted {
        quote: u8,
    },
    /// After the quote that ends an identifier, unless another one follows.
    QuotedEnd {
        quote: u8,
    },
    Literal {
        quote: u8,
    },
    /// After a backslash in a literal.
    LiteralEscape {
        quote: u8,
    },
    Dash,
    TwoDashes,
    Comment(Comment),
    Slash,
    /// After the mark that begins a block comment.
    BlockStart,
    /// After such a mark and an `M`.
    BlockStartM,
    /// In the version that says who runs the comment.
    Version(Runs),
    /// After the backslash of the sandbox line.
    SandboxEscape,
    Star,
    Block {
        kind: Block,
        star: bool,
    },
    /// After the first of two bytes of the delimiter.
    Delimiter,
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comment {
    Dashes,
    Hash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Plain,
    /// For the optimizer; some clients read it as code.
    Hint,
    Sandbox,
}

/// Who runs the code in a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// A server of that version or a later one.
    Any,
    /// The same of MariaDB; to MySQL it is a comment.
    MariaDb,
}

/// What becomes of the text of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literals {
    Pass,
    Keep,
    /// It goes into [`Lexer::fingerprint`].
    Digest,
}

/// A lexer with the rules of the client, which decides where statements end when a dump is restored.
#[derive(Debug)]
pub(super) struct Lexer {
    mode: Mode,
    text: Capped,
    kept: Capped,
    /// The comment whose content is code, if any, with its version.
    code: Option<(Runs, u32)>,
    /// Only a line feed was read since the start of the line.
    line_start: bool,
    /// The current token begins its line.
    began_line: bool,
    pub(super) delimiter: Delimiter,
    pub(super) sql_mode: SqlMode,
    pub(super) literals: Literals,
    pub(super) fingerprint: Fingerprint,
}

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Between,
            text: Capped::default(),
            kept: Capped::with_limit(KEPT),
            code: None,
            line_start: true,
            began_line: false,
            delimiter: Delimiter::default(),
            sql_mode: SqlMode::default(),
            literals: Literals::Pass,
            fingerprint: Fingerprint::default(),
        }
    }

    pub(super) fn text(&self) -> &Capped {
        &self.text
    }

    /// Adds the last token to the fingerprint; the text of a literal is there already.
    pub(super) fn add_token(&mut self, token: Token) {
        match token {
            Token::Word => self.fingerprint.add(Part::Word, self.text.start()),
            Token::Quoted => self.fingerprint.add(Part::Quoted, self.text.start()),
            Token::Literal => self.fingerprint.add(Part::Literal, &[]),
            Token::Symbol(byte) => self.fingerprint.add(Part::Symbol, &[byte]),
            Token::End | Token::Comment | Token::BlockComment | Token::Sandbox | Token::Line => {}
        }
    }

    pub(super) fn kept(&self) -> &Capped {
        &self.kept
    }

    /// Whether the last token began its line.
    pub(super) fn began_line(&self) -> bool {
        self.began_line
    }

    /// Whether the text so far ends between tokens, or in a comment to the end of its line.
    pub(super) fn ends_well(&self) -> bool {
        matches!(self.mode, Mode::Between | Mode::Comment(_)) && self.code.is_none()
    }

    pub(super) fn is_between(&self) -> bool {
        self.mode == Mode::Between
    }

    /// The comment whose content is being read as code, with its version.
    pub(super) fn code(&self) -> Option<(Runs, u32)> {
        self.code
    }

    /// The next token is the rest of the line.
    pub(super) fn read_line(&mut self) {
        self.text.clear();
        self.mode = Mode::Line;
    }

    /// Where in the rows of an `INSERT` the text stands, unless it needs a closer look.
    pub(super) fn place(&self, otherwise: rows::Place) -> Option<rows::Place> {
        match self.mode {
            _ if self.code.is_some() => None,
            Mode::Between => Some(otherwise),
            // A literal between rows is none of theirs, wherever a chunk ends in it.
            _ if otherwise == rows::Place::Gap => None,
            Mode::Literal { quote: b'\'' } => Some(rows::Place::Literal),
            Mode::LiteralEscape { quote: b'\'' } => Some(rows::Place::Escape),
            _ => None,
        }
    }

    /// Goes on from where the rows were read to.
    pub(super) fn go_on(&mut self, place: rows::Place) {
        self.line_start = false;
        self.mode = match place {
            rows::Place::Gap | rows::Place::Row => Mode::Between,
            rows::Place::Literal => Mode::Literal { quote: b'\'' },
            rows::Place::Escape => Mode::LiteralEscape { quote: b'\'' },
        };
    }

    /// Takes the next token off `rest`; `None` when more bytes are needed.
    pub(super) fn next(&mut self, rest: &mut &[u8]) -> Result<Option<Token>, Error> {
        while let Some((&byte, tail)) = rest.split_first() {
            let token = match self.mode {
                Mode::Between => {
                    *rest = tail;
                    self.between(byte)?
                }
                Mode::Word => {
                    let end = rest.iter().position(|byte| !self.is_word(*byte));
                    self.text.push(take(rest, end));
                    end.map(|_| self.found(Token::Word))
                }
                Mode::Quoted { quote } => self.in_quoted(rest, quote)?,
                Mode::QuotedEnd { quote } if byte == quote => {
                    *rest = tail;
                    self.text.push(&[quote]);
                    self.mode = Mode::Quoted { quote };
                    None
                }
                Mode::QuotedEnd { .. } => Some(self.found(Token::Quoted)),
                Mode::Literal { quote } => self.in_literal(rest, quote)?,
                Mode::LiteralEscape { quote } => {
                    *rest = tail;
                    self.keep(&[b'\\', byte])?;
                    self.mode = Mode::Literal { quote };
                    None
                }
                Mode::Dash if byte == b'-' => {
                    *rest = tail;
                    self.mode = Mode::TwoDashes;
                    None
                }
                Mode::TwoDashes if is_space(byte) => self.comment(Comment::Dashes)?,
                // The client reads on, the server passes over the line.
                Mode::TwoDashes if byte.is_ascii_control() => return Err(ambiguous()),
                Mode::Dash | Mode::TwoDashes => Some(self.found(Token::Symbol(b'-'))),
                Mode::Comment(comment) => {
                    let end = memchr(b'\n', rest);
                    self.kept.push(take(rest, end));
                    end.and_then(|_| self.end_comment(comment))
                }
                Mode::Slash if byte == b'*' => {
                    *rest = tail;
                    self.begin_block()?
                }
                Mode::Slash => Some(self.found(Token::Symbol(b'/'))),
                Mode::BlockStart | Mode::BlockStartM | Mode::Version(_) | Mode::SandboxEscape => {
                    self.in_block_start(rest, byte)?
                }
                Mode::Star if byte == b'/' => {
                    *rest = tail;
                    self.code = None;
                    self.mode = Mode::Between;
                    None
                }
                Mode::Star => Some(self.found(Token::Symbol(b'*'))),
                Mode::Block { kind, star } => self.in_block(rest, kind, star)?,
                Mode::Delimiter if self.delimiter.second() == Some(byte) => {
                    *rest = tail;
                    Some(self.end())
                }
                Mode::Delimiter if self.delimiter.first() == b'/' => {
                    self.mode = Mode::Slash;
                    None
                }
                Mode::Delimiter => Some(self.found(Token::Symbol(self.delimiter.first()))),
                Mode::Line => {
                    let end = memchr(b'\n', rest);
                    self.text.push(take(rest, end));
                    end.map(|_| self.found(Token::Line))
                }
            };
            if token.is_some() {
                return Ok(token);
            }
        }
        Ok(None)
    }

    fn between(&mut self, byte: u8) -> Result<Option<Token>, Error> {
        if is_space(byte) {
            self.line_start = byte == b'\n';
            return Ok(None);
        }
        self.began_line = self.line_start;
        self.line_start = false;
        self.text.clear();
        match byte {
            _ if byte == self.delimiter.first() => {
                if self.delimiter.second().is_none() {
                    return Ok(Some(self.end()));
                }
                self.mode = Mode::Delimiter;
            }
            b'"' if self.sql_mode.ansi_quotes => self.mode = Mode::Quoted { quote: b'"' },
            b'\'' | b'"' => {
                self.kept.clear();
                self.mode = Mode::Literal { quote: byte };
            }
            b'`' => self.mode = Mode::Quoted { quote: b'`' },
            b'-' => self.mode = Mode::Dash,
            b'#' => return self.comment(Comment::Hash),
            b'/' => self.mode = Mode::Slash,
            b'*' if self.code.is_some() => self.mode = Mode::Star,
            b'\\' => {
                return Err(corrupt(
                    "the dump holds a command to the client, which mysqldump does not write",
                ));
            }
            _ if self.is_word(byte) => {
                self.text.push(&[byte]);
                self.mode = Mode::Word;
            }
            _ => return Ok(Some(self.found(Token::Symbol(byte)))),
        }
        Ok(None)
    }

    fn found(&mut self, token: Token) -> Token {
        self.mode = Mode::Between;
        token
    }

    fn end(&mut self) -> Token {
        self.code = None;
        self.found(Token::End)
    }

    fn is_word(&self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | 0x80..)
            || byte == b'$' && self.delimiter.first() != b'$'
    }

    fn in_quoted(&mut self, rest: &mut &[u8], quote: u8) -> Result<Option<Token>, Error> {
        let end = memchr(quote, rest);
        let part = take(rest, end);
        self.check_conditional(part)?;
        self.text.push(part);
        if end.is_some() {
            // To the client it is a string, in which a backslash escapes the quote.
            let ends_twice = self.text.whole().is_none_or(|text| text.ends_with(b"\\"));
            if quote == b'"' && ends_twice && !self.sql_mode.no_backslash_escapes {
                return Err(ambiguous());
            }
            take(rest, Some(1));
            self.mode = Mode::QuotedEnd { quote };
        }
        Ok(None)
    }

    /// A doubled quote ends one literal and begins the next, which is the same to everybody here.
    fn in_literal(&mut self, rest: &mut &[u8], quote: u8) -> Result<Option<Token>, Error> {
        let end = if self.sql_mode.no_backslash_escapes {
            memchr(quote, rest)
        } else {
            memchr2(quote, b'\\', rest)
        };
        let part = take(rest, end);
        self.keep(part)?;
        if end.is_none() {
            return Ok(None);
        }
        if take(rest, Some(1)) == b"\\" {
            self.mode = Mode::LiteralEscape { quote };
            return Ok(None);
        }
        Ok(Some(self.found(Token::Literal)))
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Error> {
        self.check_conditional(part)?;
        match self.literals {
            Literals::Pass => {}
            Literals::Keep => self.kept.push(part),
            Literals::Digest => self.fingerprint.add_part(part),
        }
        Ok(())
    }

    /// Where the one client reads a comment and the other one code, both must see the same end of it.
    fn check_conditional(&self, part: &[u8]) -> Result<(), Error> {
        match self.code {
            Some((Runs::MariaDb, _)) if part.contains(&b'*') => Err(ambiguous()),
            _ => Ok(()),
        }
    }

    fn comment(&mut self, comment: Comment) -> Result<Option<Token>, Error> {
        if matches!(self.code, Some((Runs::MariaDb, _))) {
            return Err(ambiguous());
        }
        self.kept.clear();
        self.mode = Mode::Comment(comment);
        Ok(None)
    }

    fn end_comment(&mut self, comment: Comment) -> Option<Token> {
        self.mode = Mode::Between;
        (comment == Comment::Dashes).then_some(Token::Comment)
    }

    fn begin_block(&mut self) -> Result<Option<Token>, Error> {
        if matches!(self.code, Some((Runs::MariaDb, _))) {
            return Err(ambiguous());
        }
        self.kept.clear();
        self.mode = Mode::BlockStart;
        Ok(None)
    }

    /// Finds out what a block comment is; one that is none of the others begins with `byte` already.
    fn in_block_start(&mut self, rest: &mut &[u8], byte: u8) -> Result<Option<Token>, Error> {
        let plain = Mode::Block { kind: Block::Plain, star: false };
        let (mode, is_taken) = match (self.mode, byte) {
            (Mode::BlockStart, b'!') => (Mode::Version(Runs::Any), true),
            (Mode::BlockStart, b'M') => (Mode::BlockStartM, true),
            (Mode::BlockStart, b'+') => (Mode::Block { kind: Block::Hint, star: false }, true),
            (Mode::BlockStartM, b'!') => (Mode::Version(Runs::MariaDb), true),
            (Mode::Version(runs), b'0'..=b'9') => {
                self.text.push(&[byte]);
                (Mode::Version(runs), true)
            }
            (Mode::Version(_), b'\\') if self.text.whole() == Some(SANDBOX.0) => (Mode::SandboxEscape, true),
            (Mode::Version(runs), _) => {
                let version = std::str::from_utf8(self.text.start()).unwrap_or_default();
                self.code = Some((runs, version.parse().unwrap_or(u32::MAX)));
                (Mode::Between, false)
            }
            (Mode::SandboxEscape, b'-') => (Mode::Block { kind: Block::Sandbox, star: false }, true),
            (Mode::SandboxEscape, _) => return Err(ambiguous()),
            _ => (plain, false),
        };
        self.mode = mode;
        take(rest, Some(usize::from(is_taken)));
        Ok(None)
    }

    fn in_block(&mut self, rest: &mut &[u8], kind: Block, star: bool) -> Result<Option<Token>, Error> {
        if star && rest.first() == Some(&b'/') {
            take(rest, Some(1));
            self.mode = Mode::Between;
            return match kind {
                Block::Plain => Ok(Some(Token::BlockComment)),
                Block::Hint => Ok(None),
                Block::Sandbox if self.kept.whole() == Some(SANDBOX.1) => Ok(Some(Token::Sandbox)),
                Block::Sandbox => Err(ambiguous()),
            };
        }
        if star {
            self.kept.push(b"*");
        }
        let end = memchr(b'*', rest);
        let part = take(rest, end);
        if kind == Block::Hint && part.iter().any(|byte| *byte == b'\\' || *byte == self.delimiter.first()) {
            return Err(ambiguous());
        }
        self.kept.push(part);
        take(rest, Some(usize::from(end.is_some())));
        self.mode = Mode::Block { kind, star: end.is_some() };
        Ok(None)
    }

    /// Passes over white space between tokens.
    pub(super) fn skip_space(&mut self, rest: &mut &[u8]) {
        let end = rest.iter().position(|byte| !is_space(*byte));
        if let Some(last) = take(rest, end).last() {
            self.line_start = *last == b'\n';
        }
    }
}

/// The error for text that a hostile hand would write, so that only one of two readers sees a command in it.
fn ambiguous() -> Error {
    corrupt("the dump holds text that client and server read differently, which mysqldump does not write")
}
