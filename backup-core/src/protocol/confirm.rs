use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Error, ErrorKind, Result};

/// Says that a change is meant: `true`, or the typed name of the environment that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum Confirm {
    /// `true` confirms; `false` is as good as nothing.
    Flag(bool),
    /// The name of the environment that is changed.
    Name(String),
}

/// What an operation asks for before it changes something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Needed<'a> {
    /// `true`, or the name of this environment.
    Word(&'a str),
    /// The name of this environment, and nothing less.
    Name(&'a str),
}

impl Confirm {
    /// Fails unless `given` confirms a change of an environment; `change` says which: `the backup would be deleted`.
    pub(super) fn check(given: Option<&Self>, needed: Needed<'_>, change: &str) -> Result<()> {
        let refused = |suggestion: String| {
            Err(Error::new(ErrorKind::NotConfirmed, format!("{change}, and was not confirmed"))
                .with_suggestion(suggestion))
        };
        match (given, needed) {
            (Some(Self::Name(name)), Needed::Word(environment) | Needed::Name(environment))
                if name == environment =>
            {
                Ok(())
            }
            (Some(Self::Flag(true)), Needed::Word(_)) => Ok(()),
            (_, Needed::Word(_)) => {
                refused("make sure that it is meant, then send \"confirm\": true".to_owned())
            }
            (_, Needed::Name(environment)) => refused(format!(
                "make sure that {environment} itself is meant, then send \"confirm\": {environment:?}"
            )),
        }
    }
}

impl From<bool> for Confirm {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Confirm {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl<'de> Deserialize<'de> for Confirm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Confirm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or the name of an environment")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Confirm, E> {
                Ok(Confirm::Flag(flag))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Confirm, E> {
                Ok(Confirm::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
