//! Reads the Prisma schema language as far as it says where the database is.

use backup_core::{Error, ErrorKind, Result};

mod token;

pub(crate) use token::string;
pub use token::{Token, Tokens};

/// The one `datasource` block of a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datasource {
    /// The block's name.
    pub name: String,
    /// `provider`.
    pub provider: Option<Value>,
    /// `url`.
    pub url: Option<Value>,
    /// `directUrl`.
    pub direct_url: Option<Value>,
    /// `schemas`.
    pub schemas: Vec<String>,
}

/// What a key of a block is set to.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A text as it stands.
    Literal(String),
    /// The environment variable of this name.
    Env(String),
    /// The environment variable of this name, and this text where it is not set.
    EnvOr(String, String),
    /// Something that only running the program could tell.
    Computed,
}

/// A literal may be a URL with a password: it is never shown.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal(***)"),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
            Self::EnvOr(name, _) => f.debug_tuple("EnvOr").field(name).finish_non_exhaustive(),
            Self::Computed => f.write_str("Computed"),
        }
    }
}

/// Finds the datasource blocks in the text of a schema file.
///
/// Never fails: what is no block is passed over, as the text may be a part of a schema in several files, or be written
/// for a later version. Comments, strings over several lines and the content of other blocks hide nothing.
#[must_use]
pub fn datasources(text: &str) -> Vec<Datasource> {
    let mut found = Vec::new();
    let mut tokens = Tokens::of(text).peekable();
    let mut depth = 0_usize;
    let mut before: [Option<String>; 2] = [None, None];
    while let Some(token) = tokens.next() {
        match token {
            Token::Symbol('{') => {
                let [keyword, name] = std::mem::take(&mut before);
                match (keyword.as_deref(), name) {
                    (Some("datasource"), Some(name)) if depth == 0 => found.push(block(name, &mut tokens)),
                    _ => depth += 1,
                }
            }
            Token::Symbol('}') => depth = depth.saturating_sub(1),
            Token::Word(word) => before = [before[1].take(), Some(word.to_owned())],
            _ => before = [None, None],
        }
    }
    found
}

/// Reads a block up to its closing brace.
fn block<'a>(name: String, tokens: &mut std::iter::Peekable<impl Iterator<Item = Token<'a>>>) -> Datasource {
    let mut block = Datasource { name, ..Datasource::default() };
    let mut key = None;
    while let Some(token) = tokens.next() {
        match token {
            Token::Symbol('}') => break,
            Token::Symbol('=') => match key.take() {
                Some("schemas") => block.schemas = list(tokens),
                Some("provider") => block.provider = Some(value(tokens)),
                Some("url") => block.url = Some(value(tokens)),
                Some("directUrl") => block.direct_url = Some(value(tokens)),
                _ => {}
            },
            Token::Word(word) => key = Some(word),
            _ => key = None,
        }
    }
    block
}

fn value<'a>(tokens: &mut std::iter::Peekable<impl Iterator<Item = Token<'a>>>) -> Value {
    match tokens.peek() {
        Some(Token::Text(text)) => {
            let text = Value::Literal(text.clone());
            tokens.next();
            text
        }
        Some(Token::Word("env")) => {
            tokens.next();
            match (tokens.next_if_eq(&Token::Symbol('(')), tokens.peek()) {
                (Some(_), Some(Token::Text(name))) => {
                    let name = Value::Env(name.clone());
                    tokens.next();
                    name
                }
                _ => Value::Computed,
            }
        }
        _ => Value::Computed,
    }
}

fn list<'a>(tokens: &mut std::iter::Peekable<impl Iterator<Item = Token<'a>>>) -> Vec<String> {
    let mut texts = Vec::new();
    if tokens.next_if_eq(&Token::Symbol('[')).is_none() {
        return texts;
    }
    while let Some(token) = tokens.next_if(|token| !matches!(token, Token::Symbol(']' | '}'))) {
        if let Token::Text(text) = token {
            texts.push(text);
        }
    }
    texts
}

/// The one datasource of a schema in several files, with the index of the file that it is in.
///
/// # Errors
///
/// [`InvalidInput`](ErrorKind::InvalidInput) unless there is exactly one.
pub fn only_datasource<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<(usize, Datasource)> {
    let all = files.into_iter().enumerate();
    let mut found = all.flat_map(|(at, text)| datasources(text).into_iter().map(move |block| (at, block)));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Error::new(ErrorKind::InvalidInput, "the Prisma schema has no datasource block")
            .with_suggestion("name the schema file or folder that has it")),
        (Some((_, one)), Some((_, other))) => {
            Err(Error::new(ErrorKind::InvalidInput, "the Prisma schema has several datasource blocks")
                .with_context("datasources", format!("{}, {}", one.name, other.name))
                .with_suggestion("Prisma takes one; name the schema file that has the right one"))
        }
    }
}

#[cfg(test)]
mod tests;
