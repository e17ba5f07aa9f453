//! The words of JavaScript and TypeScript, as far as a config file needs them.

use crate::schema::string;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a keyword or a number.
    Word(String),
    /// A string, or a template that holds nothing computed.
    Text(String),
    /// A template that holds something computed.
    Template,
    /// Any other letter.
    Symbol(char),
}

/// Takes any text, and never panics: what is not closed goes on to the end.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return tokens };
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else if matches!(first, '"' | '\'' | '`') {
            let inner = rest.get(1..).unwrap_or_default();
            let (text, length) = string(inner, first);
            let written = inner.get(..length).unwrap_or_default();
            let is_computed = first == '`' && written.contains("${");
            tokens.push(if is_computed { Token::Template } else { Token::Text(text) });
            rest = inner.get(length..).unwrap_or_default();
        } else if is_word(first) {
            let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else if first == '/' && begins_pattern(tokens.last()) {
            rest = after_pattern(rest);
            tokens.push(Token::Template);
        } else {
            tokens.push(Token::Symbol(first));
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$')
}

/// Whether a slash after this begins a regular expression, and is no division.
fn begins_pattern(before: Option<&Token>) -> bool {
    match before {
        None => true,
        Some(Token::Symbol(symbol)) => !matches!(symbol, ')' | ']' | '}'),
        Some(Token::Word(word)) => matches!(word.as_str(), "return" | "typeof" | "case"),
        Some(_) => false,
    }
}

/// What follows a regular expression; it ends with its line at the latest.
fn after_pattern(text: &str) -> &str {
    let mut escaped = false;
    let mut in_class = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\n' => return text.get(at..).unwrap_or_default(),
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}
