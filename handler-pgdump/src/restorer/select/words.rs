//! [`Words`]: reads the tokens of a statement one after another.

use super::tokens::{Token, quote};

/// A name with its schema.
pub(super) type Name = (String, String);

/// What is left of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a>(&'a [Token]);

impl<'a> Words<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self(tokens)
    }

    pub(super) fn rest(&self) -> &'a [Token] {
        self.0
    }

    fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    /// Whether these words come next; they are taken then.
    pub(super) fn eat(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let found = words.split(' ').zip(self.0.iter().map(Some).chain(std::iter::repeat(None)));
        let all = found.into_iter().all(|(word, token)| token.is_some_and(|token| token.is_word(word)));
        if all {
            self.skip(count);
        }
        all
    }

    /// Takes all of these words that come next.
    pub(super) fn eat_any(&mut self, words: &[&str]) {
        while words.iter().any(|word| self.eat(word)) {}
    }

    pub(super) fn mark(&mut self, mark: char) -> bool {
        let found = self.0.first() == Some(&Token::Mark(mark));
        if found {
            self.skip(1);
        }
        found
    }

    /// Takes a name.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let name = self.0.first()?.name()?;
        self.skip(1);
        Some(name)
    }

    /// Takes a name with its schema.
    pub(super) fn qualified(&mut self) -> Option<Name> {
        let [schema, Token::Mark('.'), name, ..] = self.0 else { return None };
        let found = (schema.name()?.to_owned(), name.name()?.to_owned());
        self.skip(3);
        Some(found)
    }

    /// Takes an operator with its schema.
    pub(super) fn operator(&mut self) -> Option<Name> {
        let [schema, Token::Mark('.'), rest @ ..] = self.0 else { return None };
        let sign = sign(rest);
        if sign.is_empty() {
            return None;
        }
        let found = (schema.name()?.to_owned(), sign.clone());
        self.skip(2 + sign.chars().count());
        Some(found)
    }

    /// Takes what stands in parentheses, if they come next.
    pub(super) fn group(&mut self) -> Option<&'a [Token]> {
        if self.0.first() != Some(&Token::Mark('(')) {
            return None;
        }
        let mut depth = 0_u32;
        for (at, token) in self.0.iter().enumerate() {
            match token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inner = self.0.get(1..at);
                self.skip(at + 1);
                return inner;
            }
        }
        None
    }

    /// Goes on behind the first of these words that stands in no parentheses; false where there is none.
    pub(super) fn seek(&mut self, words: &str) -> bool {
        loop {
            if self.eat(words) {
                return true;
            }
            if self.0.is_empty() {
                return false;
            }
            if self.group().is_none() {
                self.skip(1);
            }
        }
    }
}

/// The sign of an operator that comes first.
fn sign(tokens: &[Token]) -> String {
    let is_sign = |mark: &char| "+-*/<>=~!@#%^&|`?".contains(*mark);
    tokens
        .iter()
        .map_while(|token| match token {
            Token::Mark(mark) if is_sign(mark) => Some(*mark),
            _ => None,
        })
        .collect()
}

/// All names with a schema, outside of texts, and those in texts that stand for an object (`'public.s'::regclass`).
pub(super) fn names(tokens: &[Token]) -> Vec<Name> {
    let mut found = Vec::new();
    let mut words = Words::new(tokens);
    while let Some(first) = words.0.first() {
        if let Some(name) = words.qualified().or_else(|| words.operator()) {
            found.push(name);
            // The name of a column.
            while words.mark('.') {
                words.skip(1);
            }
            continue;
        }
        words.skip(1);
        let mut cast = words;
        if let (Token::Text(text), true, true) = (first, cast.mark(':'), cast.mark(':'))
            && cast.name().is_some_and(|kind| kind.starts_with("reg"))
        {
            found.extend(Words::new(&super::tokens::tokens(text)).qualified());
        }
    }
    found
}

/// A name with its schema as a statement writes it.
pub(super) fn shown((schema, name): &Name) -> String {
    if name.starts_with(|ch: char| "+-*/<>=~!@#%^&|`?".contains(ch)) {
        return format!("{}.{name}", quote(schema));
    }
    format!("{}.{}", quote(schema), quote(name))
}

/// The arguments of a function without their defaults, so that each way to write them is the same.
pub(super) fn arguments(tokens: &[Token]) -> String {
    let mut words = Vec::new();
    let (mut depth, mut skipping) = (0_u32, false);
    for token in tokens {
        match token {
            Token::Mark('(' | '[') => depth += 1,
            Token::Mark(')' | ']') => depth = depth.saturating_sub(1),
            Token::Mark(',') if depth == 0 => skipping = false,
            Token::Mark('=') if depth == 0 => skipping = true,
            _ if depth == 0 && token.is_word("default") => skipping = true,
            _ => {}
        }
        if !skipping {
            words.push(match token {
                Token::Word(name) | Token::Quoted(name) => quote(name),
                Token::Text(text) => format!("'{text}'"),
                Token::Mark(mark) => mark.to_string(),
            });
        }
    }
    words.join(" ")
}
