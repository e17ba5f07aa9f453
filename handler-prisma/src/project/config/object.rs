//! The object that a config file exports.

use super::script::Token::{self, Symbol, Text, Word};
use crate::schema::Value;

/// How deep objects are read that are in one another.
const DEPTH: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Object(Vec<(String, Expression)>),
    Value(Value),
}

/// The key under which an object's `...spread` stands: no name of a property.
const SPREAD: &str = "...";

impl Expression {
    /// What a key is set to; of a key that is set twice, the last.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(super) fn spreads(&self) -> bool {
        self.get(SPREAD).is_some()
    }

    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.get(key).map(|found| match found {
            Self::Value(value) => value.clone(),
            Self::Object(_) => Value::Computed,
        })
    }

    /// Like [`value`](Self::value); where the key is not written out, it may be in what cannot be read.
    pub(super) fn value_or_computed(&self, key: &str) -> Option<Value> {
        match self {
            Self::Value(_) => Some(Value::Computed),
            Self::Object(_) => self.value(key).or_else(|| self.spreads().then_some(Value::Computed)),
        }
    }
}

/// The object behind `export default`, `module.exports =` or in the call of `defineConfig`.
pub(super) fn exported(tokens: &[Token]) -> Option<Expression> {
    let word = |at: usize, text: &str| matches!(tokens.get(at), Some(Word(word)) if word == text);
    let mut candidates = (0..tokens.len()).filter_map(|at| {
        let begins = if word(at, "defineConfig") {
            at + 1
        } else if (word(at, "export") && word(at + 1, "default"))
            || (word(at, "exports") && tokens.get(at + 1) == Some(&Symbol('=')))
        {
            at + 2
        } else {
            return None;
        };
        // `defineConfig<Type>(…)` is not looked into; `default defineConfig(…)` is found by its own word.
        let begins = if tokens.get(begins) == Some(&Symbol('(')) { begins + 1 } else { begins };
        match expression(tokens.get(begins..).unwrap_or_default(), 0).0 {
            object @ Expression::Object(_) => Some(object),
            Expression::Value(_) => None,
        }
    });
    candidates.next()
}

/// Reads an expression, and says how many tokens it took, up to a `,` or what closes the list around it.
pub(super) fn expression(tokens: &[Token], depth: usize) -> (Expression, usize) {
    let length = extent(tokens);
    let own = tokens.get(..length).unwrap_or_default();
    if own.first() == Some(&Symbol('{')) && depth < DEPTH {
        let (object, taken) = object(own.get(1..).unwrap_or_default(), depth + 1);
        // `{ … } satisfies Config` and `{ … } as const` change nothing of it.
        let rest = own.get(taken + 1..).unwrap_or_default();
        if rest.is_empty() || is_type(rest) {
            return (object, length);
        }
    }
    (Expression::Value(value(own)), length)
}

/// How many tokens there are before the next `,` `;` or closing bracket that is not the expression's own.
fn extent(tokens: &[Token]) -> usize {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Symbol('(' | '[' | '{') => open += 1,
            Symbol(')' | ']' | '}' | ',' | ';') if open == 0 => return at,
            Symbol(')' | ']' | '}') => open -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The fields up to the closing brace, and how many tokens they took with it.
fn object(tokens: &[Token], depth: usize) -> (Expression, usize) {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = tokens.get(at..).unwrap_or_default();
        let (name, skip) = match rest {
            [] => break,
            [Symbol('}'), ..] => {
                at += 1;
                break;
            }
            [Word(key) | Text(key), Symbol(':'), ..] => (key.clone(), 2),
            [Symbol('['), Text(key), Symbol(']'), Symbol(':'), ..] => (key.clone(), 4),
            [Symbol('.'), Symbol('.'), Symbol('.'), ..] => (SPREAD.to_owned(), 3),
            [Word(key), Symbol(',' | '}'), ..] => {
                // The shorthand for a variable of that name.
                fields.push((key.clone(), Expression::Value(Value::Computed)));
                at += 1;
                at += usize::from(tokens.get(at) == Some(&Symbol(',')));
                continue;
            }
            // A method: it computes something under its name. Its body ends with its brace, and has no comma.
            [Word(modifier), Word(key), Symbol('('), ..] if modifier == "async" || modifier == "get" => {
                fields.push((key.clone(), Expression::Value(Value::Computed)));
                at += 2 + method(rest.get(2..).unwrap_or_default());
                continue;
            }
            [Word(key), Symbol('('), ..] => {
                fields.push((key.clone(), Expression::Value(Value::Computed)));
                at += 1 + method(rest.get(1..).unwrap_or_default());
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let (value, length) = expression(rest.get(skip..).unwrap_or_default(), depth);
        fields.push((name, value));
        at += skip + length;
        at += usize::from(tokens.get(at) == Some(&Symbol(',')));
    }
    (Expression::Object(fields), at)
}

/// How many tokens the parameters and the body of a method are.
fn method(tokens: &[Token]) -> usize {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Symbol('(' | '[' | '{') => open += 1,
            Symbol(closing @ (')' | ']' | '}')) => {
                open = open.saturating_sub(1);
                if open == 0 && *closing == '}' {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// What a text, or an environment variable by any of its names, is.
fn value(tokens: &[Token]) -> Value {
    let Some((value, rest)) = atom(tokens) else { return Value::Computed };
    // `x!` is `x` of another type.
    let rest = rest.strip_prefix(&[Symbol('!')]).unwrap_or(rest);
    match (value, rest) {
        (value, rest) if rest.is_empty() || is_type(rest) => value,
        (
            Value::Env(name),
            [Symbol('?'), Symbol('?'), Text(text)] | [Symbol('|'), Symbol('|'), Text(text)],
        ) => Value::EnvOr(name, text.clone()),
        _ => Value::Computed,
    }
}

/// Whether these tokens say a type, and nothing of the value.
fn is_type(tokens: &[Token]) -> bool {
    matches!(tokens, [Word(word), ..] if word == "as" || word == "satisfies")
}

fn atom(tokens: &[Token]) -> Option<(Value, &[Token])> {
    match tokens {
        [Text(text), rest @ ..] => Some((Value::Literal(text.clone()), rest)),
        [Word(env), Symbol('('), Text(name), Symbol(')'), rest @ ..] if env == "env" => {
            Some((Value::Env(name.clone()), rest))
        }
        // `env<Types>("NAME")`.
        [Word(env), Symbol('<'), Word(_), Symbol('>'), Symbol('('), Text(name), Symbol(')'), rest @ ..]
            if env == "env" =>
        {
            Some((Value::Env(name.clone()), rest))
        }
        [Word(process), Symbol('.'), Word(env), Symbol('.'), Word(name), rest @ ..]
        | [Word(process), Symbol('.'), Word(env), Symbol('['), Text(name), Symbol(']'), rest @ ..]
            if process == "process" && env == "env" =>
        {
            Some((Value::Env(name.clone()), rest))
        }
        [Word(path), Symbol('.'), Word(join), Symbol('('), rest @ ..]
            if path == "path" && (join == "join" || join == "resolve") =>
        {
            joined(rest)
        }
        [Word(join), Symbol('('), rest @ ..] if join == "join" || join == "resolve" => joined(rest),
        _ => None,
    }
}

/// `path.join("prisma", "schema.prisma")`, also with the config file's own folder first.
fn joined(mut tokens: &[Token]) -> Option<(Value, &[Token])> {
    if let [Word(dirname), Symbol(','), rest @ ..] = tokens
        && dirname == "__dirname"
    {
        tokens = rest;
    }
    if let [Word(import), Symbol('.'), Word(meta), Symbol('.'), Word(dirname), Symbol(','), rest @ ..] =
        tokens
        && (import.as_str(), meta.as_str(), dirname.as_str()) == ("import", "meta", "dirname")
    {
        tokens = rest;
    }
    let mut parts = Vec::new();
    loop {
        match tokens {
            [Text(part), Symbol(','), rest @ ..] => {
                parts.push(part.as_str());
                tokens = rest;
            }
            [Text(part), Symbol(')'), rest @ ..] => {
                parts.push(part.as_str());
                return Some((Value::Literal(parts.join("/")), rest));
            }
            [Symbol(')'), rest @ ..] if !parts.is_empty() => {
                return Some((Value::Literal(parts.join("/")), rest));
            }
            _ => return None,
        }
    }
}
