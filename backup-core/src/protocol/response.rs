use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::{Error, Result};

/// What the library advises in its own words, and what to send for it.
const FIELDS: &[(&str, &str)] = &[
    ("ask for the target to be replaced", "send \"on_existing\": \"replace\""),
    ("say that the source itself is to be replaced", "send \"source_as_target\": \"allow\""),
    ("or refuse it by word", "or send \"safety_backup\": \"skip\""),
    ("let the check only warn where the estimate is too high", "send \"space_check\": \"warn\""),
    (
        "plan once with a higher max_deleted_percent",
        "let the policy of the service allow it once, by a higher max_deleted_percent",
    ),
    ("then confirm", "then send \"confirm\": true"),
];

/// The answer to a request.
///
/// With the status `ok` or `warning` it has a `result`, otherwise an `error`; a `result` beside an `error` says how far
/// it came, or what stands in the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Response {
    /// How it went.
    pub status: Status,
    /// The id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The operation; none where the request named none that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The environment; none where the request named none that the service knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// What needs a look, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What went wrong.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// How a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// It is done.
    Ok,
    /// It is done, and something needs a look.
    Warning,
    /// Nothing was done, and the request has to be changed.
    Refused,
    /// It failed.
    Error,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Failure {
    /// One line.
    pub error: String,
    /// The stable [code](crate::ErrorKind::code) of its kind: `backup_corrupted`.
    pub code: String,
    /// Whether the same request may succeed later without any change.
    pub retry_recommended: bool,
    /// How to go on.
    pub recovery: Recovery,
    /// On what it failed: `field`, `backup`, `target`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

/// How to go on after a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Recovery {
    /// What to do next, one sentence each, the best first.
    pub suggestions: Vec<String>,
}

/// One of several things that are wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Problem {
    /// One line.
    pub error: String,
    /// The stable [code](crate::ErrorKind::code) of its kind.
    pub code: String,
    /// What to do about it, one sentence each.
    pub suggestions: Vec<String>,
}

/// What the handler of an operation gives back; it becomes a [`Response`] once it is known whose answer it is.
#[derive(Debug)]
pub(super) struct Answer {
    message: Option<String>,
    outcome: Option<Outcome>,
    warnings: Vec<String>,
    error: Option<Error>,
}

impl Answer {
    pub(super) fn done(message: impl Into<String>, outcome: impl Into<Outcome>) -> Self {
        Self {
            message: Some(message.into()),
            outcome: Some(outcome.into()),
            warnings: Vec::new(),
            error: None,
        }
    }

    pub(super) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// A failure that leaves something to tell.
    pub(super) fn failed(error: Error, outcome: impl Into<Outcome>) -> Self {
        Self { message: None, outcome: Some(outcome.into()), warnings: Vec::new(), error: Some(error) }
    }
}

impl Response {
    pub(super) fn new(
        id: Option<String>,
        operation: Option<&'static str>,
        environment: Option<String>,
        answer: Result<Answer>,
    ) -> Self {
        let answer = answer.unwrap_or_else(|err| Answer {
            message: None,
            outcome: None,
            warnings: Vec::new(),
            error: Some(err),
        });
        let Answer { message, outcome, warnings, error } = answer;
        let error = match operation {
            Some(operation) => error.map(|err| err.with_operation(operation)),
            None => error,
        };
        let status = match &error {
            Some(err) if err.kind().is_refusal() => Status::Refused,
            Some(_) => Status::Error,
            None if warnings.is_empty() => Status::Ok,
            None => Status::Warning,
        };
        let failure = error.as_ref().map(Failure::of);
        let operation = operation.map(str::to_owned);
        Self { status, id, operation, environment, message, result: outcome, warnings, failure }
    }

    /// The answer as one line of JSON, without the line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| {
            // Every type in it is one that JSON has; still, silence would be the worst answer.
            r#"{"status":"error","error":"the answer could not be written","code":"unexpected","retry_recommended":false,"recovery":{"suggestions":[]}}"#.to_owned()
        })
    }
}

impl Failure {
    fn of(err: &Error) -> Self {
        let mut context: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in err.context() {
            let known = context.entry(key.to_owned()).or_default();
            if !known.is_empty() {
                known.push('\n');
            }
            known.push_str(value);
        }
        Self {
            error: err.to_string(),
            code: err.code().to_owned(),
            retry_recommended: err.is_retryable(),
            recovery: Recovery { suggestions: advice(err) },
            context,
        }
    }
}

impl From<&Error> for Problem {
    fn from(err: &Error) -> Self {
        Self { error: err.to_string(), code: err.code().to_owned(), suggestions: advice(err) }
    }
}

/// What to do next, in the words of the protocol.
fn advice(err: &Error) -> Vec<String> {
    let in_fields = |text: &str| {
        let field = FIELDS.iter().find(|(words, _)| text.contains(words));
        field.map_or_else(|| text.to_owned(), |(words, field)| text.replace(words, field))
    };
    err.suggestions().into_iter().map(in_fields).collect()
}
