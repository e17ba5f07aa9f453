//! Results and errors for people and for programs, and the exit codes.

use std::{error::Error as _, io::Write, process::ExitCode};

use backup_core::Error;
use serde::Serialize;
use serde_json::{Value, json};

/// Done.
pub const DONE: u8 = 0;
/// Done, but something needs a look.
pub const WARNINGS: u8 = 1;
/// Failed.
pub const FAILED: u8 = 2;
/// Refused: nothing was done.
pub const REFUSED: u8 = 3;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text for people.
    Text,
    /// One JSON document on standard output.
    Json,
}

impl Style {
    /// Writes a result.
    pub fn result(self, operation: &str, environment: Option<&str>, message: &str, result: &impl Serialize) {
        match self {
            Self::Text => print(message),
            Self::Json => {
                let result = serde_json::to_value(result).unwrap_or(Value::Null);
                print_json(&json!({
                    "status": "success", "operation": operation, "environment": environment,
                    "result": result, "message": message,
                }));
            }
        }
    }

    /// Writes an error, and gives the exit code that belongs to it.
    #[must_use]
    pub fn error(self, operation: &str, err: &Error) -> ExitCode {
        ExitCode::from(self.refusals(operation, std::slice::from_ref(err)))
    }

    /// Writes every error that stands in the way, the first of which decides, and gives its exit code.
    #[must_use]
    pub fn refusals(self, operation: &str, errors: &[Error]) -> u8 {
        match self {
            Self::Text => errors.iter().for_each(print_error),
            Self::Json => print_json(&document(operation, errors)),
        }
        match errors.first() {
            Some(err) if err.kind().is_refusal() => REFUSED,
            _ => FAILED,
        }
    }
}

/// Errors as one JSON document: the first in full, and all that stand in the way where there are more.
fn document(operation: &str, errors: &[Error]) -> Value {
    let Some(err) = errors.first() else { return Value::Null };
    let blockers: Vec<Value> = errors
        .iter()
        .map(|err| json!({ "error": err.to_string(), "code": err.code(), "suggestions": err.suggestions() }))
        .collect();
    let mut document = json!({
        "status": "error", "operation": operation, "error": err.to_string(), "code": err.code(),
        "retry_recommended": err.is_retryable(), "recovery": { "suggestions": err.suggestions() },
    });
    if let (Some(fields), true) = (document.as_object_mut(), blockers.len() > 1) {
        fields.insert("blockers".to_owned(), blockers.into());
    }
    document
}

fn print_error(err: &Error) {
    let mut lines = vec![format!("error: {err}")];
    let mut source = err.source();
    while let Some(cause) = source {
        lines.push(format!("  caused by: {cause}"));
        source = cause.source();
    }
    lines.extend(err.suggestions().into_iter().map(|suggestion| format!("  try: {suggestion}")));
    let _closed = writeln!(std::io::stderr(), "{}", lines.join("\n"));
}

fn print_json(document: &Value) {
    print(&format!("{document:#}"));
}

/// Writes a line to standard output; a reader that went away is no failure of the operation.
pub fn print(text: &str) {
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// `3 tables`, `1 table`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
