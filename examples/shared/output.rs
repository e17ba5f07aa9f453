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
        match self {
            Self::Text => {
                let mut lines = vec![format!("error: {err}")];
                let mut source = err.source();
                while let Some(cause) = source {
                    lines.push(format!("  caused by: {cause}"));
                    source = cause.source();
                }
                lines.extend(err.suggestions().into_iter().map(|suggestion| format!("  try: {suggestion}")));
                let _closed = writeln!(std::io::stderr(), "{}", lines.join("\n"));
            }
            Self::Json => print_json(&json!({
                "status": "error", "operation": operation, "error": err.to_string(), "code": err.code(),
                "retry_recommended": err.is_retryable(), "recovery": { "suggestions": err.suggestions() },
            })),
        }
        ExitCode::from(if err.kind().is_refusal() { REFUSED } else { FAILED })
    }
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
