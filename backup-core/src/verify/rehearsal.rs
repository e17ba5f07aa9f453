//! [`Rehearsal`]: where and how backups are restored to prove them, and [`Rehearsed`], what came of it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Inventory, Restorer, Result};

/// How backups are rehearsed: restored into a throw-away database, and looked at there.
///
/// # Examples
///
/// ```no_run
/// # async fn example(restorer: impl backup_core::Restorer, store: impl backup_core::Store) -> backup_core::Result<()> {
/// use backup_core::{Assertion, Level, Pipeline, Rehearsal};
///
/// let rehearsal = Rehearsal::new(restorer)
///     .with_assertion(Assertion::holds("no order without customer",
///         "SELECT count(*) = 0 FROM orders WHERE customer_id IS NULL"))
///     .with_assertion(Assertion::between("customers", "SELECT count(*) FROM customers", 1_000.0, 1e9));
/// let pipeline = Pipeline::for_store(store).with_rehearsal(rehearsal);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Rehearsal {
    pub(crate) restorer: Arc<dyn Restorer>,
    pub(crate) assertions: Vec<Assertion>,
}

impl Rehearsal {
    /// Rehearses in the throw-away databases that this restorer makes; the database that it restores into itself is
    /// never touched.
    pub fn new(restorer: impl Restorer) -> Self {
        Self { restorer: Arc::new(restorer), assertions: Vec::new() }
    }

    /// Adds a question whose answer must be as expected for a rehearsal to pass, at both levels that rehearse.
    #[must_use]
    pub fn with_assertion(mut self, assertion: Assertion) -> Self {
        self.assertions.push(assertion);
        self
    }
}

/// A question to the restored database, in SQL, and what its one answer must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    name: String,
    pub(crate) sql: String,
    expected: Expected,
}

#[derive(Debug, Clone, PartialEq)]
enum Expected {
    True,
    Between(f64, f64),
    Text(String),
}

impl Assertion {
    /// The query must answer true, as its engine says that: `true`, `t`, or a number that is not zero.
    pub fn holds(name: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { name: name.into(), sql: sql.into(), expected: Expected::True }
    }

    /// The query must answer a number from `low` to `high`, both included.
    pub fn between(name: impl Into<String>, sql: impl Into<String>, low: f64, high: f64) -> Self {
        Self { name: name.into(), sql: sql.into(), expected: Expected::Between(low, high) }
    }

    /// The query must answer exactly this text.
    pub fn is(name: impl Into<String>, sql: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), sql: sql.into(), expected: Expected::Text(text.into()) }
    }

    /// The name, as it is in findings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fails for what no answer could meet.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = match self.expected {
            Expected::Between(low, high) => low.is_nan() || high.is_nan() || low > high,
            _ => self.sql.trim().is_empty(),
        };
        if wrong || self.name.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "an assertion that nothing can meet")
                .with_context("assertion", &self.name)
                .with_suggestion(
                    "give it a name, a query, and bounds of which the first is not the larger",
                ));
        }
        Ok(())
    }

    /// What is wrong with an answer, if anything.
    pub(crate) fn finding(&self, answer: Option<&str>) -> Option<String> {
        let met = match (&self.expected, answer) {
            (_, None) => false,
            (Expected::True, Some(answer)) => {
                let number = answer.trim().parse::<f64>();
                matches!(answer.trim(), "true" | "t" | "TRUE") || number.is_ok_and(|number| number != 0.0)
            }
            (Expected::Between(low, high), Some(answer)) => {
                answer.trim().parse::<f64>().is_ok_and(|number| *low <= number && number <= *high)
            }
            (Expected::Text(text), Some(answer)) => text == answer,
        };
        (!met).then(|| {
            let answer =
                answer.map_or_else(|| "nothing".to_owned(), |answer| format!("{:?}", shortened(answer)));
            format!("the assertion {:?} does not hold: {} expected, {answer} found", self.name, self.expected)
        })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("true"),
            Self::Between(low, high) => write!(f, "{low} to {high}"),
            Self::Text(text) => write!(f, "{:?}", shortened(text)),
        }
    }
}

/// The start of a text, for a message.
fn shortened(text: &str) -> String {
    /// What a line of a report bears, in characters.
    const LONGEST: usize = 120;
    text.chars().take(LONGEST).collect()
}

/// What came of restoring a backup into a throw-away database; a part of its [`Evidence`](crate::Evidence).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rehearsed {
    /// Whether the database had a server of its own, or was one of a server that others use too.
    pub own_server: bool,
    /// The version of the server.
    pub server_version: String,
    /// The program that restored, with its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tool_version: String,
    /// How long the restore itself took, in milliseconds; what a real one would take about, the RTO.
    pub restore_ms: u64,
    /// How many tables were restored.
    pub tables: u64,
    /// How many rows were restored.
    pub rows: u64,
    /// The names of the assertions that hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<String>,
    /// What needs a look, and is no fault of the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What the restored database holds, where the backup's own format does not show it; of an encrypted backup without
    /// checksums and definitions, for this is stored in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_what_each_engine_says() {
        let holds = Assertion::holds("a", "SELECT 1");
        for (answer, met) in [
            (Some("t"), true),
            (Some("true"), true),
            (Some("1"), true),
            (Some("0"), false),
            (Some("f"), false),
        ] {
            assert_eq!(holds.finding(answer).is_none(), met, "{answer:?}");
        }
        assert!(holds.finding(None).unwrap().contains("nothing found"));
        let bounds = Assertion::between("rows", "SELECT 1", 2.0, 3.5);
        for (answer, met) in [("2", true), ("3.5", true), ("1.99", false), ("4", false), ("many", false)] {
            assert_eq!(bounds.finding(Some(answer)).is_none(), met, "{answer}");
        }
        assert_eq!(Assertion::is("x", "SELECT 'a'", "a").finding(Some("a")), None);
        assert!(Assertion::is("x", "SELECT 'a'", "a").finding(Some("A")).is_some());
    }

    #[test]
    fn a_finding_says_what_was_expected_and_what_came() {
        let long = "long ".repeat(100);
        for (assertion, answer, found) in [
            (Assertion::holds("a", "SELECT 1"), "0", r#""a" does not hold: true expected, "0" found"#),
            (
                Assertion::between("rows", "SELECT 1", 2.0, 3.5),
                "4",
                r#""rows" does not hold: 2 to 3.5 expected, "4" found"#,
            ),
            (Assertion::is("x", "SELECT 1", "a"), "b", r#""x" does not hold: "a" expected, "b" found"#),
        ] {
            let finding = assertion.finding(Some(answer)).unwrap();
            assert_eq!(finding, format!("the assertion {found}"));
            assert!(finding.contains(&format!("{:?} does not hold", assertion.name())), "{finding}");
        }
        let shortened = Assertion::is("x", "SELECT 1", &long).finding(Some(&long.to_uppercase())).unwrap();
        assert!(shortened.contains(&long[..120]) && shortened.contains(&long.to_uppercase()[..120]));
        assert!(shortened.len() < 300, "{shortened}");
    }

    #[test]
    fn an_assertion_that_nothing_can_meet_is_refused() {
        for wrong in [
            Assertion::between("x", "SELECT 1", 3.0, 2.0),
            Assertion::between("x", "SELECT 1", f64::NAN, 2.0),
            Assertion::between("x", "SELECT 1", 2.0, f64::NAN),
            Assertion::holds("x", " "),
            Assertion::holds("", "SELECT 1"),
        ] {
            assert_eq!(wrong.check().unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong:?}");
        }
        assert!(Assertion::between("x", "SELECT 1", 2.0, 2.0).check().is_ok());
    }
}
