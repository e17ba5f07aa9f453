//! [`Table`] and [`Value`]: what stands in a file, read key by key.
//!
//! No value is ever part of a problem, so that a secret in a wrong place is not repeated.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    document::Document,
    place::{Place, below},
};
use crate::{Error, ErrorKind, Result, restore::near};

/// A table, whose keys are taken out one after the other; what is left in the end is unknown.
pub(super) struct Table<'a, 'd> {
    document: &'a Document<'d>,
    place: Place,
    /// By name, with the place of the key in bytes.
    entries: BTreeMap<String, (usize, Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
}

/// A value.
pub(super) struct Value<'a, 'd> {
    pub(super) document: &'a Document<'d>,
    pub(super) place: Place,
    pub(super) raw: Spanned<DeValue<'d>>,
}

impl<'a, 'd> Table<'a, 'd> {
    pub(super) fn new(document: &'a Document<'d>, place: Place, table: DeTable<'d>) -> Self {
        let entries = table.into_iter().map(|(name, value)| {
            let at = name.span().start;
            (name.into_inner().into_owned(), (at, value))
        });
        Self { document, place, entries: entries.collect(), known: Vec::new() }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Takes the value of a key out.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value<'a, 'd>> {
        self.known.push(name);
        let (_, value) = self.entries.remove(name)?;
        Some(Value::new(self.document, below(&self.place.key, name), value))
    }

    /// As [`take`](Self::take), of a key that must be there.
    pub(super) fn required(&mut self, name: &'static str, allowed: &str) -> Option<Value<'a, 'd>> {
        let value = self.take(name);
        if value.is_none() {
            let place = Place { key: below(&self.place.key, name), ..self.place.clone() };
            self.document.add(place, ErrorKind::InvalidInput, "a key is missing", allowed);
        }
        value
    }

    /// The values under keys that the user chose.
    pub(super) fn named(&mut self) -> Vec<(String, Value<'a, 'd>)> {
        let entries = std::mem::take(&mut self.entries).into_iter();
        entries
            .map(|(name, (_, value))| {
                let value = Value::new(self.document, below(&self.place.key, &name), value);
                (name, value)
            })
            .collect()
    }

    /// Notes what is wrong with the table as a whole.
    pub(super) fn problem(&self, kind: ErrorKind, message: &str, allowed: &str) {
        self.document.add(self.place.clone(), kind, message, allowed);
    }

    /// Notes each key that nobody took.
    pub(super) fn finish(self) {
        for (name, (at, _)) in &self.entries {
            let place = self.document.place(below(&self.place.key, name), *at);
            let (message, allowed) = unknown(name, &self.known);
            self.document.add(place, ErrorKind::InvalidInput, &message, &allowed);
        }
    }
}

/// What is said of a key that is not known.
pub(super) fn unknown(name: &str, known: &[&str]) -> (String, String) {
    let all = format!("known here: {}", known.join(", "));
    // A unit is what is forgotten most: `warning_age` for `warning_age_minutes`.
    let start = known.iter().find(|key| name.len() > 2 && key.starts_with(name)).copied();
    let allowed = match near(name, known.iter().copied()).first().copied().or(start) {
        Some(nearest) => format!("did you mean {nearest}? {all}"),
        None => all,
    };
    ("there is no such key".to_owned(), allowed)
}

impl<'a, 'd> Value<'a, 'd> {
    fn new(document: &'a Document<'d>, key: String, value: Spanned<DeValue<'d>>) -> Self {
        Self { document, place: document.place(key, value.span().start), raw: value }
    }

    /// Notes a problem with it, and is nothing.
    pub(super) fn refuse<T>(&self, kind: ErrorKind, message: &str, allowed: &str) -> Option<T> {
        self.document.add(self.place.clone(), kind, message, allowed);
        None
    }

    fn wrong<T>(&self, expected: &str) -> Option<T> {
        let found = match self.raw.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or a time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let message = format!("{expected} is expected, not {found}");
        self.refuse(ErrorKind::InvalidInput, &message, &format!("write {expected}"))
    }

    /// Text that is not empty.
    pub(super) fn text(self) -> Option<String> {
        match self.raw.get_ref().as_str() {
            None => self.wrong("text in quotes"),
            Some("") => {
                self.refuse(ErrorKind::InvalidInput, "the text is empty", "leave the key out, or write text")
            }
            Some(text) => Some(text.to_owned()),
        }
    }

    /// A path that means the same wherever the process was started.
    pub(super) fn path(self) -> Option<PathBuf> {
        let (document, place) = (self.document, self.place.clone());
        let path = PathBuf::from(self.text()?);
        if path.is_absolute() {
            return Some(path);
        }
        document.add(
            place,
            ErrorKind::InvalidInput,
            "the path depends on where the process is started",
            "write an absolute path",
        );
        None
    }

    /// What its text means to `parse`, whose message and suggestion are told, but not the context.
    pub(super) fn parsed<T>(self, parse: impl FnOnce(&str) -> Result<T>) -> Option<T> {
        let (document, place) = (self.document, self.place.clone());
        let parsed = parse(&self.text()?);
        parsed.map_err(|err| document.add_error(place, &err)).ok()
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        self.parsed(|text| {
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
            found.ok_or_else(|| {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Error::new(ErrorKind::InvalidInput, "not one of the words that may stand here")
                    .with_suggestion(format!("choose one of {}", words.join(", ")))
            })
        })
    }

    /// A whole number from `least` to what `T` holds.
    pub(super) fn number<T: TryFrom<i64>>(self, allowed: &str) -> Option<T> {
        let number = match self.raw.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => return self.wrong("a whole number"),
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        number.or_else(|| self.refuse(ErrorKind::InvalidInput, "the number is out of range", allowed))
    }

    /// A number, with or without a fraction.
    pub(super) fn float(self) -> Option<f64> {
        let text = match self.raw.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return self.wrong("a number"),
        };
        let number = f64::from_str(text).ok().filter(|number| number.is_finite());
        number.or_else(|| self.refuse(ErrorKind::InvalidInput, "not a finite number", "write a number"))
    }

    pub(super) fn boolean(self) -> Option<bool> {
        self.raw.get_ref().as_bool().or_else(|| self.wrong("true or false"))
    }

    pub(super) fn table(self) -> Option<Table<'a, 'd>> {
        if !self.raw.get_ref().is_table() {
            return self.wrong("a table");
        }
        match self.raw.into_inner() {
            DeValue::Table(table) => Some(Table::new(self.document, self.place, table)),
            _ => None,
        }
    }

    /// Its elements.
    pub(super) fn array(self) -> Option<Vec<Self>> {
        if !self.raw.get_ref().is_array() {
            return self.wrong("an array");
        }
        let DeValue::Array(array) = self.raw.into_inner() else { return None };
        let elements = array.into_iter().enumerate();
        let key = &self.place.key;
        Some(
            elements
                .map(|(index, value)| Value::new(self.document, format!("{key}[{index}]"), value))
                .collect(),
        )
    }

    /// An array of text.
    pub(super) fn texts(self) -> Option<Vec<String>> {
        let elements = self.array()?;
        let count = elements.len();
        let texts: Vec<String> = elements.into_iter().filter_map(Value::text).collect();
        (texts.len() == count).then_some(texts)
    }
}

impl Document<'_> {
    /// Notes what an error says, but for its context.
    pub(super) fn add_error(&self, place: Place, err: &Error) {
        self.add(place, err.kind(), err.message(), &err.suggestions().join("; "));
    }
}
