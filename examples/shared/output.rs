//! Results and errors for people and for programs, and the exit codes.

use std::{
    error::Error as _,
    io::{self, Write},
    process::ExitCode,
};

use backup_core::{Error, ErrorKind, Result};
use clap::error::ErrorKind as UsageError;
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

/// What the library advises in its own words, and what that is on this command line.
const FLAGS: &[(&str, &str)] = &[
    ("ask for the target to be replaced", "replace it with --replace"),
    ("say that the source itself is to be replaced", "say --over-source (with --replace)"),
    ("look at the plan (the dry run), then confirm", "look at --dry-run, then pass --confirm"),
    ("then confirm", "then pass --confirm"),
    ("or refuse it by word", "or do without it by --no-safety-backup"),
    (
        "let the check only warn where the estimate is too high",
        "pass --ignore-space where the estimate is too high",
    ),
];

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text for people.
    Text,
    /// One JSON document on standard output.
    Json,
}

impl Style {
    /// Writes a result, and gives `code` back.
    ///
    /// # Errors
    ///
    /// Where standard output does not take it; a reader that went away is no failure.
    pub fn result(
        self,
        code: u8,
        operation: &str,
        environment: Option<&str>,
        message: &str,
        result: &impl Serialize,
    ) -> Result<u8> {
        let text = match self {
            Self::Text => message.to_owned(),
            Self::Json => {
                let result = serde_json::to_value(result).unwrap_or(Value::Null);
                let status = if code == DONE { "success" } else { "warning" };
                let document = json!({
                    "status": status, "operation": operation, "environment": environment,
                    "result": result, "message": message,
                });
                format!("{document:#}")
            }
        };
        write(&text).map(|()| code).map_err(unwritten)
    }

    /// Writes an error, and gives the exit code that belongs to it.
    #[must_use]
    pub fn error(self, operation: &str, err: &Error) -> ExitCode {
        ExitCode::from(self.refusals(operation, std::slice::from_ref(err)))
    }

    /// Writes every error that stands in the way, the first of which decides, and gives its exit code.
    #[must_use]
    pub fn refusals(self, operation: &str, errors: &[Error]) -> u8 {
        let told = self == Self::Json && write(&format!("{:#}", document(operation, errors))).is_ok();
        if !told {
            errors.iter().for_each(print_error);
        }
        match errors.first() {
            Some(err) if err.kind().is_refusal() => REFUSED,
            _ => FAILED,
        }
    }

    /// Writes what is wrong with a command line, or the help that it asks for.
    #[must_use]
    pub fn usage(usage: &clap::Error) -> ExitCode {
        if matches!(usage.kind(), UsageError::DisplayHelp | UsageError::DisplayVersion) {
            return ExitCode::from(if usage.print().is_ok() { DONE } else { FAILED });
        }
        let json = std::env::args().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
        if json {
            let text = usage.to_string();
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let err = Error::new(ErrorKind::InvalidInput, message).with_suggestion("run it with --help");
            return Self::Json.error("usage", &err);
        }
        let _closed = usage.print();
        ExitCode::from(REFUSED)
    }
}

/// Lets the library's own log speak on standard error, where `RUST_LOG` asks for it.
pub fn log() {
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .init();
    }
}

/// Says on standard error that something was done and its result could not be written; the exit code is that of
/// a warning.
#[must_use]
pub fn done_all_the_same(written: Result<u8>, done: &str) -> u8 {
    written.unwrap_or_else(|err| {
        print_error(&err.with_suggestion(format!("do not repeat it: {done}")));
        WARNINGS
    })
}

/// An error for programs, without its place in a document.
#[must_use]
pub fn described(err: &Error) -> Value {
    let key = err.context().find(|(name, _)| *name == "key").map(|(_, key)| key);
    json!({ "key": key, "code": err.code(), "message": err.to_string(), "suggestions": advice(err) })
}

/// Errors as one JSON document: the first in full, and all that stand in the way where there are more.
fn document(operation: &str, errors: &[Error]) -> Value {
    let Some(err) = errors.first() else { return Value::Null };
    let blockers: Vec<Value> = errors.iter().map(described).collect();
    let mut document = json!({
        "status": "error", "operation": operation, "error": err.to_string(), "code": err.code(),
        "retry_recommended": err.is_retryable(), "recovery": { "suggestions": advice(err) },
    });
    if let (Some(fields), true) = (document.as_object_mut(), blockers.len() > 1) {
        fields.insert("blockers".to_owned(), blockers.into());
    }
    document
}

/// What to do next, in the words of this command line.
fn advice(err: &Error) -> Vec<String> {
    let in_flags = |text: &str| {
        let flag = FLAGS.iter().find(|(words, _)| text.contains(words));
        flag.map_or_else(|| text.to_owned(), |(words, flag)| text.replace(words, flag))
    };
    err.suggestions().into_iter().map(in_flags).collect()
}

fn print_error(err: &Error) {
    let mut headline = String::from("error: ");
    if !err.operation().is_empty() {
        headline.push_str(&format!("{}: ", err.operation()));
    }
    headline.push_str(err.message());
    let mut lines = Vec::new();
    for (key, value) in err.context() {
        if value.trim().contains('\n') {
            lines.extend(value.trim().lines().map(|line| format!("  {key}: {}", line.trim())));
        } else {
            headline.push_str(&format!(", {key}: {}", value.trim()));
        }
    }
    lines.insert(0, headline);
    let mut source = err.source();
    while let Some(cause) = source {
        if adds_something(&lines, cause) {
            lines.push(format!("  caused by: {cause}"));
        }
        source = cause.source();
    }
    lines.extend(advice(err).into_iter().map(|advice| format!("  try: {advice}")));
    let _closed = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// Whether a cause says what is not on the lines above it.
fn adds_something(lines: &[String], cause: &(dyn std::error::Error + 'static)) -> bool {
    let known = |text: &str| lines.iter().any(|line| line.contains(text));
    match cause.downcast_ref::<Error>() {
        Some(err) => !err.context().all(|(_, value)| value.lines().all(|line| known(line.trim()))),
        None => !known(&cause.to_string()),
    }
}

/// Writes a line to standard output.
///
/// # Errors
///
/// Where standard output does not take it; a reader that went away is no failure.
pub fn print(text: &str) -> Result<()> {
    write(text).map_err(unwritten)
}

fn unwritten(err: io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, "the result could not be written to standard output")
        .with_context("reason", err)
        .with_suggestion("look at where standard output goes")
}

/// A reader that went away has read what it wanted.
fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(err),
        _ => Ok(()),
    }
}

/// How long ago something was, in the largest unit that fits.
#[must_use]
pub fn ago(age: chrono::TimeDelta) -> String {
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (days, ..) if days >= 2 => format!("{days} days ago"),
        (_, hours, _) if hours >= 2 => format!("{hours} hours ago"),
        (.., minutes) if minutes >= 2 => format!("{minutes} minutes ago"),
        _ => "just now".to_owned(),
    }
}

/// `3 tables`, `1 table`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Rows of text as a table with aligned columns; the last column is not padded.
#[must_use]
pub fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
