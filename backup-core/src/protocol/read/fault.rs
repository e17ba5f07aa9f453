use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::field::shown;
use crate::{Error, ErrorKind};

/// What is wrong with a field. It tells what was expected and never what was found, which may be a secret that somebody
/// put into the wrong place.
#[derive(Debug)]
pub(super) struct Fault {
    /// The field, outermost name first.
    path: Vec<String>,
    message: String,
    suggestion: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into(), suggestion: None }
    }

    pub(super) fn with_suggestion(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The same, seen from the object that has the field.
    pub(super) fn within(mut self, name: &str) -> Self {
        self.path.insert(0, shown(name));
        self
    }

    pub(super) fn into_error(self) -> Error {
        let mut err = Error::new(ErrorKind::InvalidInput, self.message);
        if !self.path.is_empty() {
            err = err.with_context("field", self.path.join("."));
        }
        match self.suggestion {
            Some(suggestion) => err.with_suggestion(suggestion),
            None => err,
        }
    }
}

fn one_of(names: &[&str]) -> String {
    format!("choose one of {}", names.join(", "))
}

impl de::Error for Fault {
    /// Types that check their text themselves end here; whether their words show it is not known.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new("the text is not of the form that the field takes")
            .with_suggestion("times look like 2026-11-20T02:00:00Z")
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Str(_) => "a text",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "an object",
            _ => "something else",
        };
        Self::new(format!("{found} where the field takes {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("not within what the field takes: {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new("no such choice").with_suggestion(one_of(expected))
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new("no such field").with_suggestion(one_of(expected)).within(name)
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new("a field is missing").within(name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
