//! Where in a dump a byte stands: just enough of PostgreSQL's lexical rules to know the top level.

/// Where the next byte stands, as far as the filter asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between statements.
    Start,
    /// Among the rows of a `COPY … FROM stdin`.
    Rows,
    /// Elsewhere.
    Inside,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Top,
    Dash,
    LineComment,
    Slash,
    Comment {
        depth: u32,
        last: u8,
    },
    Quote {
        escapes: bool,
    },
    /// After a backslash in an escape string.
    QuoteEscape,
    /// After a quote that may be doubled.
    QuoteEnd {
        escapes: bool,
    },
    Identifier,
    DollarTag,
    Dollar {
        matched: usize,
    },
    /// After the `;` of a `COPY … FROM stdin`, before its line break.
    RowsNext,
    Rows,
}

/// Follows a dump byte by byte.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    state: State,
    started: bool,
    command: bool,
    ended: bool,
    last: [u8; 2],
    /// The first bytes of the statement.
    head: Vec<u8>,
    /// Its last bytes.
    tail: Vec<u8>,
    /// Of a dollar quote, with both dollar signs.
    tag: Vec<u8>,
    /// The first bytes of a line of rows.
    row: Vec<u8>,
    body: Body,
}

/// Whether a statement ends at a semicolon: not in parentheses, as the commands of a rule are, and not in the body of a
/// function in SQL (`BEGIN ATOMIC … END`). The rules are those of `psql`.
#[derive(Debug, Default)]
struct Body {
    parentheses: u32,
    begins: u32,
    /// The first words of the statement.
    first: Vec<Vec<u8>>,
    word: Vec<u8>,
}

/// The words that tell that a statement makes a function.
const FIRST_WORDS: usize = 4;

/// No longer word counts.
const WORD_BYTES: usize = 16;

impl Body {
    fn byte(&mut self, byte: u8) {
        if is_word(byte) {
            if self.word.len() < WORD_BYTES {
                self.word.push(byte.to_ascii_lowercase());
            }
            return;
        }
        self.end_word();
        match byte {
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        if self.parentheses == 0 && self.makes_function() {
            match word.as_slice() {
                b"begin" => self.begins += 1,
                b"case" if self.begins > 0 => self.begins += 1,
                b"end" => self.begins = self.begins.saturating_sub(1),
                _ => {}
            }
        }
        if self.first.len() < FIRST_WORDS {
            self.first.push(word);
        }
    }

    fn makes_function(&self) -> bool {
        let mut words = self.first.iter().map(Vec::as_slice);
        let mut next = words.next() == Some(b"create");
        let mut kind = words.next();
        if kind == Some(b"or") {
            next = next && words.next() == Some(b"replace");
            kind = words.next();
        }
        next && matches!(kind, Some(b"function" | b"procedure"))
    }

    fn is_open(&self) -> bool {
        self.parentheses > 0 || self.begins > 0
    }
}

impl Lexer {
    pub(super) fn place(&self) -> Place {
        match self.state {
            State::Rows => Place::Rows,
            State::Top | State::Dash | State::LineComment | State::Slash if !self.started => Place::Start,
            _ => Place::Inside,
        }
    }

    /// Whether a backslash stood outside of strings and rows.
    pub(super) fn saw_command(&self) -> bool {
        self.command
    }

    /// Whether the byte before was the end of a statement.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether rows follow the line.
    pub(super) fn rows_follow(&self) -> bool {
        self.state == State::RowsNext
    }

    /// Forgets the line that was left out.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Takes bytes of rows up to their end, and returns how many.
    pub(super) fn rows(&mut self, bytes: &[u8], lines: &mut u64) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            let room = 4_usize.saturating_sub(self.row.len());
            self.row.extend(line.iter().take(room));
            taken += line.len();
            if end.is_some() {
                taken += 1;
                *lines += 1;
                let last = matches!(self.row.as_slice(), b"\\." | b"\\.\r");
                self.row.clear();
                if last {
                    self.restart();
                    break;
                }
            }
        }
        taken
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.ended = false;
        self.state = match std::mem::take(&mut self.state) {
            State::Top => self.top(byte),
            State::Dash if byte == b'-' => State::LineComment,
            State::Dash | State::Slash if byte != b'*' || self.state_was_dash() => {
                self.started = true;
                self.top(byte)
            }
            State::Dash | State::Slash => State::Comment { depth: 1, last: 0 },
            State::LineComment if byte == b'\n' => State::Top,
            State::LineComment => State::LineComment,
            State::Comment { depth, last } => match (last, byte) {
                (b'*', b'/') if depth == 1 => State::Top,
                (b'*', b'/') => State::Comment { depth: depth - 1, last: 0 },
                (b'/', b'*') => State::Comment { depth: depth + 1, last: 0 },
                _ => State::Comment { depth, last: byte },
            },
            State::Quote { escapes: true } if byte == b'\\' => State::QuoteEscape,
            State::Quote { escapes } if byte == b'\'' => State::QuoteEnd { escapes },
            state @ State::Quote { .. } => state,
            State::QuoteEscape => State::Quote { escapes: true },
            State::QuoteEnd { escapes } if byte == b'\'' => State::Quote { escapes },
            State::QuoteEnd { .. } => {
                self.last = [0; 2];
                self.top(byte)
            }
            // A doubled quote closes and opens it again.
            State::Identifier if byte == b'"' => State::Top,
            State::Identifier => State::Identifier,
            State::DollarTag => self.dollar_tag(byte),
            State::Dollar { matched } => self.dollar(matched, byte),
            State::RowsNext if byte == b'\n' => State::Rows,
            State::RowsNext => State::RowsNext,
            State::Rows => State::Rows,
        };
        self.last = [self.last[1], byte];
    }

    fn state_was_dash(&self) -> bool {
        self.last[1] == b'-'
    }

    fn top(&mut self, byte: u8) -> State {
        self.body.byte(byte);
        match byte {
            b'-' => return State::Dash,
            b'/' => return State::Slash,
            b';' if !self.body.is_open() => {
                self.body = Body::default();
                let rows = self.head == b"COPY " && self.tail.ends_with(b"FROM stdin");
                self.started = false;
                self.ended = true;
                self.head.clear();
                self.tail.clear();
                return if rows { State::RowsNext } else { State::Top };
            }
            _ if byte.is_ascii_whitespace() && !self.started => return State::Top,
            b'\\' => self.command = true,
            _ => {}
        }
        self.started = true;
        if self.head.len() < 5 {
            self.head.push(byte);
        }
        if self.tail.len() == 16 {
            self.tail.remove(0);
        }
        self.tail.push(byte);
        match byte {
            b'\'' => {
                let escapes = matches!(self.last[1], b'e' | b'E') && !is_word(self.last[0]);
                State::Quote { escapes }
            }
            b'"' => State::Identifier,
            b'$' if !is_word(self.last[1]) => {
                self.tag.clear();
                self.tag.push(byte);
                State::DollarTag
            }
            _ => State::Top,
        }
    }

    fn dollar_tag(&mut self, byte: u8) -> State {
        if byte == b'$' {
            self.tag.push(byte);
            return State::Dollar { matched: 0 };
        }
        let first = self.tag.len() == 1;
        if is_word(byte) && !(first && byte.is_ascii_digit()) && self.tag.len() < 1024 {
            self.tag.push(byte);
            return State::DollarTag;
        }
        // A parameter such as `$1`.
        self.top(byte)
    }

    fn dollar(&self, matched: usize, byte: u8) -> State {
        let matched = match self.tag.get(matched) {
            Some(expected) if *expected == byte => matched + 1,
            // The tag holds a dollar sign at its ends only.
            _ => usize::from(byte == b'$'),
        };
        if matched == self.tag.len() { State::Top } else { State::Dollar { matched } }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}
