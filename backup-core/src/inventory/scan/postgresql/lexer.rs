//! [`Lexer`]: cuts plain dump text into tokens as `psql` does, over chunks that end anywhere.

use memchr::{memchr, memchr2};

use super::super::{
    Error,
    capped::Capped,
    corrupt,
    fingerprint::{Fingerprint, Part},
    is_space,
    rows::{self, Backslash, Edges, Passed, Place},
    take,
};

/// What [`Lexer::next`] found; its text is in [`Lexer::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, an unquoted identifier or a number.
    Word,
    /// An identifier in double quotes, unescaped.
    Quoted,
    /// A string, in single quotes or between dollar quotes.
    Literal,
    /// Any other byte.
    Symbol(u8),
    /// A comment to the end of its line, without its dashes.
    Comment,
    /// A line from a backslash on: a command to `psql`.
    Command,
}

/// Where in the text the last chunk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Between,
    Word,
    Quoted,
    /// After a double quote that ends an identifier, unless another one follows.
    QuotedEnd,
    Literal {
        backslash: Backslash,
    },
    /// After a backslash in a literal.
    LiteralEscape,
    Dash,
    Comment,
    Slash,
    /// `previous` is the byte before, or 0 where it cannot be half of a mark.
    BlockComment {
        depth: u64,
        previous: u8,
    },
    DollarTag,
    DollarBody {
        matched: usize,
    },
    Command,
}

/// What becomes of the text of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literals {
    Pass,
    Keep,
    /// It goes into [`Lexer::fingerprint`].
    Digest,
}

/// A lexer with the rules of `psql`, which decides where statements and data begin when a dump is restored.
#[derive(Debug)]
pub(super) struct Lexer {
    mode: Mode,
    text: Capped,
    /// The dollar quote that ends the current literal.
    tag: Vec<u8>,
    /// What a backslash means in a literal without prefix (`standard_conforming_strings`).
    backslash: Backslash,
    /// The last token was a literal with escapes; one that follows directly continues it.
    escape_continues: bool,
    /// Only a line feed was read since the start of the line.
    line_start: bool,
    /// The current comment or command begins its line.
    began_line: bool,
    pub(super) literals: Literals,
    pub(super) fingerprint: Fingerprint,
}

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Between,
            text: Capped::default(),
            tag: Vec::new(),
            backslash: Backslash::Plain,
            escape_continues: false,
            line_start: true,
            began_line: false,
            literals: Literals::Pass,
            fingerprint: Fingerprint::default(),
        }
    }

    /// The text of the last token.
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
            Token::Comment | Token::Command => {}
        }
    }

    fn keep(&mut self, text: &[u8]) {
        match self.literals {
            Literals::Pass => {}
            Literals::Keep => self.text.push(text),
            Literals::Digest => self.fingerprint.add_part(text),
        }
    }

    /// Whether the last comment or command began its line.
    pub(super) fn began_line(&self) -> bool {
        self.began_line
    }

    /// Whether the text so far ends between tokens, or in a line comment.
    pub(super) fn ends_well(&self) -> bool {
        matches!(self.mode, Mode::Between | Mode::Comment)
    }

    pub(super) fn is_between(&self) -> bool {
        self.mode == Mode::Between
    }

    /// Whether a backslash in a literal that comes now means nothing.
    pub(super) fn is_plain(&self) -> bool {
        self.backslash == Backslash::Plain && !self.escape_continues
    }

    pub(super) fn begin_line(&mut self) {
        self.line_start = true;
    }

    /// Follows the server's setting of that name.
    pub(super) fn set_standard_conforming_strings(&mut self, value: &[u8]) {
        let off = [b"off".as_slice(), b"false", b"no", b"0"].iter().any(|no| value.eq_ignore_ascii_case(no));
        self.backslash = if off { Backslash::Escape } else { Backslash::Plain };
    }

    /// Takes the next token off `rest`; `None` when more bytes are needed.
    pub(super) fn next(&mut self, rest: &mut &[u8]) -> Result<Option<Token>, Error> {
        while let Some((&byte, tail)) = rest.split_first() {
            let token = match self.mode {
                Mode::Between => {
                    *rest = tail;
                    self.between(byte)
                }
                Mode::Word => {
                    let end = rest.iter().position(|byte| !is_word(*byte));
                    self.text.push(take(rest, end));
                    match (end, rest.split_first()) {
                        (None, _) => None,
                        (_, Some((b'\'', tail))) if self.text.is("e") => {
                            *rest = tail;
                            self.literal(Backslash::Escape);
                            None
                        }
                        _ => Some(self.found(Token::Word)),
                    }
                }
                Mode::Quoted => {
                    let end = memchr(b'"', rest);
                    self.text.push(take(rest, end));
                    if end.is_some() {
                        take(rest, Some(1));
                        self.mode = Mode::QuotedEnd;
                    }
                    None
                }
                Mode::QuotedEnd if byte == b'"' => {
                    *rest = tail;
                    self.text.push(b"\"");
                    self.mode = Mode::Quoted;
                    None
                }
                Mode::QuotedEnd => Some(self.found(Token::Quoted)),
                Mode::Literal { backslash } => self.in_literal(rest, backslash),
                Mode::LiteralEscape => {
                    *rest = tail;
                    if self.literals == Literals::Digest {
                        self.keep(&[b'\\', byte]);
                    }
                    self.mode = Mode::Literal { backslash: Backslash::Escape };
                    None
                }
                Mode::Dash if byte == b'-' => {
                    *rest = tail;
                    self.mode = Mode::Comment;
                    self.text.clear();
                    None
                }
                Mode::Dash => Some(self.symbol(b'-')),
                Mode::Comment => {
                    let end = memchr2(b'\n', b'\r', rest);
                    self.text.push(take(rest, end));
                    end.map(|_| self.found(Token::Comment))
                }
                Mode::Slash if byte == b'*' => {
                    *rest = tail;
                    self.escape_continues = false;
                    self.mode = Mode::BlockComment { depth: 1, previous: 0 };
                    None
                }
                Mode::Slash => Some(self.symbol(b'/')),
                Mode::BlockComment { depth, previous } => {
                    *rest = tail;
                    self.mode = block_comment(depth, previous, byte);
                    None
                }
                Mode::DollarTag => self.dollar_tag(rest, byte)?,
                Mode::DollarBody { matched } => self.in_dollar_body(rest, matched),
                Mode::Command => {
                    let end = memchr(b'\n', rest);
                    self.text.push(take(rest, end));
                    if end.is_some() {
                        take(rest, Some(1));
                        self.line_start = true;
                    }
                    end.map(|_| self.found(Token::Command))
                }
            };
            if token.is_some() {
                return Ok(token);
            }
        }
        Ok(None)
    }

    fn between(&mut self, byte: u8) -> Option<Token> {
        if is_space(byte) {
            self.line_start = byte == b'\n';
            return None;
        }
        self.began_line = self.line_start;
        self.line_start = false;
        let continues = self.escape_continues;
        // A line comment may stand between the parts of a literal; any other token ends it.
        self.escape_continues = continues && byte == b'-';
        self.text.clear();
        match byte {
            b'\'' => {
                let backslash = if continues { Backslash::Escape } else { self.backslash };
                self.literal(backslash);
            }
            b'"' => self.mode = Mode::Quoted,
            b'-' => self.mode = Mode::Dash,
            b'/' => self.mode = Mode::Slash,
            b'$' => self.mode = Mode::DollarTag,
            b'\\' => self.mode = Mode::Command,
            _ if is_word(byte) => {
                self.text.push(&[byte]);
                self.mode = Mode::Word;
            }
            _ => return Some(self.symbol(byte)),
        }
        None
    }

    fn found(&mut self, token: Token) -> Token {
        self.mode = Mode::Between;
        token
    }

    fn symbol(&mut self, byte: u8) -> Token {
        self.escape_continues = false;
        self.found(Token::Symbol(byte))
    }

    fn literal(&mut self, backslash: Backslash) {
        self.text.clear();
        self.mode = Mode::Literal { backslash };
    }

    /// A doubled quote ends one literal and begins the next, which is the same to everybody here.
    fn in_literal(&mut self, rest: &mut &[u8], backslash: Backslash) -> Option<Token> {
        let end = match backslash {
            Backslash::Plain => memchr(b'\'', rest),
            Backslash::Escape => memchr2(b'\'', b'\\', rest),
        };
        let text = take(rest, end);
        self.keep(text);
        end?;
        if take(rest, Some(1)) == b"\\" {
            self.mode = Mode::LiteralEscape;
            return None;
        }
        self.escape_continues = backslash == Backslash::Escape;
        Some(self.found(Token::Literal))
    }

    fn dollar_tag(&mut self, rest: &mut &[u8], byte: u8) -> Result<Option<Token>, Error> {
        if byte == b'$' {
            take(rest, Some(1));
            let tag = self.text.whole().ok_or_else(|| corrupt("the tag of a dollar quote is too long"))?;
            self.tag = [b"$", tag, b"$"].concat();
            self.mode = Mode::DollarBody { matched: 0 };
            return Ok(None);
        }
        let digit_first = self.text.is_empty() && byte.is_ascii_digit();
        if is_word(byte) && !digit_first {
            take(rest, Some(1));
            self.text.push(&[byte]);
            return Ok(None);
        }
        if self.text.is_empty() {
            return Ok(Some(self.symbol(b'$')));
        }
        // A dollar alone, then a word that ends here.
        self.mode = Mode::Word;
        Ok(None)
    }

    fn in_dollar_body(&mut self, rest: &mut &[u8], mut matched: usize) -> Option<Token> {
        while !rest.is_empty() {
            if matched == 0 {
                let dollar = memchr(b'$', rest);
                let text = take(rest, dollar);
                if self.literals == Literals::Digest {
                    self.keep(text);
                }
                if dollar.is_none() {
                    break;
                }
            }
            // The tag itself holds no dollar, so a mismatch can only restart at its first byte.
            let byte = take(rest, Some(1)).first();
            if self.literals == Literals::Digest {
                self.keep(byte.map(std::slice::from_ref).unwrap_or_default());
            }
            if byte == self.tag.get(matched) {
                matched += 1;
            } else {
                matched = usize::from(byte == Some(&b'$'));
            }
            if matched == self.tag.len() {
                self.text.clear();
                return Some(self.found(Token::Literal));
            }
        }
        self.mode = Mode::DollarBody { matched };
        None
    }

    /// Passes over rows of an `INSERT`, up to what needs a closer look; `otherwise` is where the text stands
    /// unless it stands in a literal.
    pub(super) fn pass_rows(
        &mut self,
        rest: &mut &[u8],
        otherwise: Place,
        edges: &mut impl Edges,
    ) -> Option<Passed> {
        let place = match self.mode {
            Mode::Between if self.is_plain() => otherwise,
            // A literal between rows is none of theirs, wherever a chunk ends in it.
            Mode::Literal { backslash: Backslash::Plain } if otherwise == Place::Row => Place::Literal,
            _ => return None,
        };
        let mut passed = rows::pass(rest, place, Backslash::Plain, edges);
        if passed.place == Place::Literal {
            self.mode = Mode::Literal { backslash: Backslash::Plain };
        } else {
            // The word may go on, and decides what a quote means.
            passed.taken -= trailing_word(rest, passed.taken);
            self.mode = Mode::Between;
        }
        let taken = take(rest, Some(passed.taken));
        self.line_start &= taken.is_empty();
        (!taken.is_empty()).then_some(passed)
    }

    /// Passes over white space between tokens.
    pub(super) fn skip_space(&mut self, rest: &mut &[u8]) {
        let end = rest.iter().position(|byte| !is_space(*byte));
        if let Some(last) = take(rest, end).last() {
            self.line_start = *last == b'\n';
        }
    }

    /// Passes over words and plain literals between tokens, up to anything that matters to the depth or
    /// needs a closer look. The same as [`next`](Self::next) until then, but faster: rows of `INSERT`.
    pub(super) fn skip(&mut self, rest: &mut &[u8]) {
        if !self.is_plain() {
            return;
        }
        let whole = *rest;
        let mut tail = whole;
        loop {
            let Some(at) = tail.iter().position(|byte| is_special(*byte)) else {
                // The last word may go on in the next chunk.
                let words = whole.len() - trailing_word(whole, whole.len());
                *rest = whole.get(words..).unwrap_or_default();
                break;
            };
            let offset = whole.len() - tail.len() + at;
            let special = tail.get(at..).unwrap_or_default();
            tail = match special {
                [b'\'', after @ ..] if !follows_prefix(whole, offset) => {
                    let Some(end) = literal_end(after) else {
                        self.literal(Backslash::Plain);
                        *rest = &[];
                        break;
                    };
                    end
                }
                [b'-', next, ..] if *next != b'-' => special.get(1..).unwrap_or_default(),
                [b'/', next, ..] if *next != b'*' => special.get(1..).unwrap_or_default(),
                _ => {
                    // A word before it decides what a quote or a dollar means.
                    let words = offset - trailing_word(whole, offset);
                    *rest = whole.get(words..).unwrap_or_default();
                    break;
                }
            };
        }
        if rest.len() < whole.len() {
            self.line_start = false;
        }
    }
}

fn block_comment(depth: u64, previous: u8, byte: u8) -> Mode {
    match (previous, byte) {
        (b'/', b'*') => Mode::BlockComment { depth: depth.saturating_add(1), previous: 0 },
        (b'*', b'/') if depth <= 1 => Mode::Between,
        (b'*', b'/') => Mode::BlockComment { depth: depth - 1, previous: 0 },
        _ => Mode::BlockComment { depth, previous: byte },
    }
}

/// What follows the closing quote of a plain literal.
fn literal_end(text: &[u8]) -> Option<&[u8]> {
    /// Most literals of a row are shorter than what a vector search pays for.
    const SHORT: usize = 16;
    let (short, long) = text.split_at_checked(SHORT).unwrap_or((text, &[]));
    let end = match short.iter().position(|byte| *byte == b'\'') {
        Some(at) => at,
        None => short.len() + memchr(b'\'', long)?,
    };
    text.get(end + 1..)
}

/// How many bytes before `end` belong to one word.
fn trailing_word(text: &[u8], end: usize) -> usize {
    let text = text.get(..end).unwrap_or_default();
    text.iter().rev().position(|byte| !is_word(*byte)).unwrap_or(text.len())
}

/// Whether a quote at `at` may follow the prefix of a literal with escapes.
fn follows_prefix(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|byte| matches!(byte, b'E' | b'e'))
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"' | b'(' | b')' | b';' | b'$' | b'-' | b'/' | b'\\')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}
