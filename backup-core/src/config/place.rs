//! [`Place`]: where something stands in a configuration file.

use std::{fmt, sync::Arc};

use crate::{Error, ErrorKind};

/// The operation that errors of a configuration name.
pub(super) const OPERATION: &str = "configuration";

/// Where something stands in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file's name, as it was given.
    pub file: Arc<str>,
    /// The whole key: `environments.production.retention.keep_daily`.
    pub key: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
}

impl Place {
    /// Adds file, key, line and column to an error that does not say them.
    #[must_use]
    pub fn locate(&self, err: Error) -> Error {
        let err = err.with_operation(OPERATION);
        if err.context().any(|(name, _)| name == "column") {
            return err;
        }
        err.with_context("file", &self.file)
            .with_context("key", &self.key)
            .with_context("line", self.line)
            .with_context("column", self.column)
    }

    /// An error that names this place; `allowed` says what could stand here instead.
    pub(super) fn refuse(&self, kind: ErrorKind, message: &str, allowed: &str) -> Error {
        self.locate(Error::new(kind, message).with_operation(OPERATION)).with_suggestion(allowed)
    }
}

/// As in `line 9, column 3, environments.production.source.url`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, ", {}", self.key)?;
        }
        Ok(())
    }
}

/// A key below another one, written so that it can be found in the file.
///
/// What looks like no name is not shown: it may be a secret in a wrong place.
pub(super) fn below(parent: &str, name: &str) -> String {
    /// The longest name that is shown, in characters.
    const LONGEST: usize = 60;
    let bare = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    let shown = if name.chars().count() > LONGEST || name.contains([':', '@', '=']) {
        "(not shown)".to_owned()
    } else if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if parent.is_empty() { shown } else { format!("{parent}.{shown}") }
}
