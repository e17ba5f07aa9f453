//! [`Tokens`]: the words of the Prisma schema language.

/// A piece of a schema that is neither blank nor comment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Token<'a> {
    /// A name, a keyword or a number.
    Word(&'a str),
    /// A string without its quotes, its escapes resolved.
    Text(String),
    /// Any other letter.
    Symbol(char),
}

/// The tokens of a schema, in turn.
///
/// Takes any text and never panics: a string or a comment that is not closed goes on to the end.
///
/// # Examples
///
/// ```
/// use handler_prisma::schema::{Token, Tokens};
///
/// let tokens: Vec<_> = Tokens::of("url = \"file:a\" // url = \"file:b\"").collect();
/// assert_eq!(tokens, [Token::Word("url"), Token::Symbol('='), Token::Text("file:a".to_owned())]);
/// ```
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The tokens of `text`.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text) }
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                self.rest = self.rest.find(['\n', '\r']).and_then(|end| self.rest.get(end..)).unwrap_or("");
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                return;
            }
        }
    }

    /// Splits off as many bytes, which end between two letters.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks_and_comments();
        let first = self.rest.chars().next()?;
        if first == '"' {
            self.take(1);
            let (text, length) = string(self.rest, '"');
            self.take(length);
            return Some(Token::Text(text));
        }
        if is_word(first) {
            let end = self.rest.find(|letter| !is_word(letter)).unwrap_or(self.rest.len());
            return Some(Token::Word(self.take(end)));
        }
        self.take(first.len_utf8());
        Some(Token::Symbol(first))
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

/// A string up to its closing quote, and how many bytes it took with that.
pub(crate) fn string(text: &str, quote: char) -> (String, usize) {
    let mut found = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return (found, at + quote.len_utf8()),
            '\\' => match letters.next() {
                Some((_, 'n')) => found.push('\n'),
                Some((_, 'r')) => found.push('\r'),
                Some((_, 't')) => found.push('\t'),
                Some((at, 'u')) => match text.get(at + 1..).and_then(unicode) {
                    Some((letter, length)) => {
                        found.push(letter);
                        // Hexadecimal digits and braces are one byte each.
                        letters.nth(length.saturating_sub(1));
                    }
                    None => found.push('u'),
                },
                Some((_, escaped)) => found.push(escaped),
                None => {}
            },
            _ => found.push(letter),
        }
    }
    (found, text.len())
}

/// The letter of `XXXX`, and how many bytes that took; two halves of a surrogate pair are one letter.
fn unicode(text: &str) -> Option<(char, usize)> {
    let half = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let first = half(text)?;
    if let Some(letter) = char::from_u32(first.into()) {
        return Some((letter, 4));
    }
    let second = half(text.get(4..)?.strip_prefix("\\u")?)?;
    char::decode_utf16([first, second]).next()?.ok().map(|letter| (letter, 10))
}
