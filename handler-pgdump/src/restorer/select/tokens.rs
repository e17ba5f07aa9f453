//! The words of one statement.

/// A word, name, text or mark of a statement; comments and blanks are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, or a name without quotes: in lower case, as the server folds it.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// What stands in single or dollar quotes.
    Text(String),
    /// Any other character.
    Mark(char),
}

impl Token {
    /// The name that it is, or may be.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Text(_) | Self::Mark(_) => None,
        }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found == word)
    }
}

/// Cuts a statement into its tokens.
pub(super) fn tokens(statement: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first);
        // `E'…'` is one text.
        if let (Some(Token::Text(_)), Some(Token::Word(word))) = (&token, found.last())
            && matches!(word.as_str(), "e" | "b" | "x" | "n")
            && rest.starts_with('\'')
            && touches(statement, rest)
        {
            found.pop();
        }
        found.extend(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

/// Whether a letter stands right before `rest`.
fn touches(statement: &str, rest: &str) -> bool {
    statement.strip_suffix(rest).is_some_and(|before| before.ends_with(|ch: char| ch.is_ascii_alphabetic()))
}

fn next(rest: &str, first: char) -> (Option<Token>, usize) {
    match first {
        _ if first.is_whitespace() => (None, first.len_utf8()),
        '-' if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (None, comment(rest)),
        '"' => {
            let (text, length) = quoted(rest, '"', Escapes::No);
            (Some(Token::Quoted(text)), length)
        }
        '\'' => {
            let (text, length) = quoted(rest, '\'', Escapes::No);
            (Some(Token::Text(text)), length)
        }
        'e' | 'E' if rest.get(1..2) == Some("'") => {
            let (text, length) = quoted(rest.get(1..).unwrap_or_default(), '\'', Escapes::Backslash);
            (Some(Token::Text(text)), length + 1)
        }
        '$' => match dollar(rest) {
            Some((text, length)) => (Some(Token::Text(text)), length),
            None => (Some(Token::Mark('$')), 1),
        },
        _ if is_word(first) => {
            let length = rest.find(|ch: char| !is_word(ch) && ch != '$').unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default();
            (Some(Token::Word(word.to_ascii_lowercase())), length)
        }
        _ => (Some(Token::Mark(first)), first.len_utf8()),
    }
}

fn is_word(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || ch == '_' || !ch.is_ascii()
}

#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    No,
    Backslash,
}

/// What stands in quotes, and how long it is with them.
fn quoted(rest: &str, quote: char, escapes: Escapes) -> (String, usize) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, ch)) = chars.next() {
        if ch == quote {
            if chars.next_if(|(_, next)| *next == quote).is_none() {
                return (text, at + 1);
            }
        } else if ch == '\\' && escapes == Escapes::Backslash {
            text.extend(chars.next().map(|(_, escaped)| escaped));
            continue;
        }
        text.push(ch);
    }
    (text, rest.len())
}

/// What stands in dollar quotes, and how long it is with them.
fn dollar(rest: &str) -> Option<(String, usize)> {
    let tag_end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..tag_end)?;
    let inner = tag.trim_matches('$');
    if inner.starts_with(|ch: char| ch.is_ascii_digit()) || !inner.chars().all(is_word) {
        return None;
    }
    let body = rest.get(tag_end..)?;
    let length = body.find(tag)?;
    Some((body.get(..length)?.to_owned(), tag_end + length + tag.len()))
}

/// How long a comment is; comments nest.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        if left.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if left.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += left.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A name as a statement writes it: in quotes unless it needs none.
pub(super) fn quote(name: &str) -> String {
    let plain = |ch: char| ch.is_ascii_lowercase() || ch == '_';
    if name.starts_with(plain) && name.chars().all(|ch| plain(ch) || ch.is_ascii_digit() || ch == '$') {
        return name.to_owned();
    }
    crate::server::quote_identifier(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(statement: &str) -> Vec<String> {
        tokens(statement)
            .into_iter()
            .map(|token| match token {
                Token::Word(word) => word,
                Token::Quoted(name) => quote(&name),
                Token::Text(text) => format!("<{text}>"),
                Token::Mark(mark) => mark.to_string(),
            })
            .collect()
    }

    #[test]
    fn names_texts_and_marks_are_told_apart() {
        assert_eq!(
            shown("CREATE Table \"A\"\"b\".\"t\" (a text DEFAULT E'x\\'y''z' /* a /* b */ c */, $1); -- x\n"),
            [
                "create",
                "table",
                "\"A\"\"b\"",
                ".",
                "t",
                "(",
                "a",
                "text",
                "default",
                "<x'y'z>",
                ",",
                "$",
                "1",
                ")",
                ";"
            ]
        );
        assert_eq!(shown("AS $_$ a.b $$ $_$ x'f0' e$1"), ["as", "< a.b $$ >", "<f0>", "e$1"]);
        assert_eq!(shown("$a$ open"), ["$", "a$", "open"]);
        assert_eq!(shown("'open ü"), ["<open ü>"]);
        assert_eq!(shown("note 'e'"), ["note", "<e>"]);
    }
}
