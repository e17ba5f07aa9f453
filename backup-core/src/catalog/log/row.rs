use chrono::{DateTime, Utc};

use super::{FailedAttempt, answer::fits};
use crate::{Entry, Error, ErrorKind, Kind, Note, Result, catalog::Standing};

/// The most bytes of details; what is longer is cut.
const MAX_DETAILS: usize = 16 * 1024;
/// The most bytes of a backup's full name, which keys have too.
const MAX_NAME: usize = 900;

/// Where a row of the log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogStatus {
    /// The backup exists, and no check of it is recorded.
    Completed,
    /// It exists, and was proven.
    Verified,
    /// It exists, and a check has failed that nothing took back.
    Damaged,
    /// It is being deleted.
    Pruning,
    /// It was deleted.
    Deleted,
    /// The attempt failed, and left no backup.
    Failed,
}

impl LogStatus {
    /// The status as it is written: `verified`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Verified => "verified",
            Self::Damaged => "damaged",
            Self::Pruning => "pruning",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }
}

/// What a row holds.
pub(super) struct Row {
    pub(super) backup: Option<String>,
    pub(super) environment: String,
    pub(super) database: String,
    pub(super) kind: Option<Kind>,
    pub(super) path: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) started: DateTime<Utc>,
    pub(super) completed: DateTime<Utc>,
    pub(super) standing: RowStanding,
    pub(super) manifest: Option<String>,
}

/// What changes of a row when something is recorded.
pub(super) struct RowStanding {
    pub(super) status: LogStatus,
    pub(super) level: Option<String>,
    pub(super) details: String,
    pub(super) notes: usize,
}

impl Row {
    pub(super) fn of(entry: &Entry, store: Option<&str>) -> Result<Self> {
        let manifest = &entry.manifest;
        let json = serde_json::to_string(manifest)
            .map_err(|err| Error::new(ErrorKind::Unexpected, "cannot write the manifest").with_source(err))?;
        fits("the manifest", json.len())?;
        let key = &manifest.artifact.key;
        Ok(Self {
            backup: Some(manifest.backup_ref().to_string()),
            environment: manifest.environment.clone(),
            database: manifest.database.clone(),
            kind: Some(manifest.kind),
            path: Some(
                store.map_or_else(
                    || key.to_string(),
                    |store| format!("{}/{key}", store.trim_end_matches('/')),
                ),
            ),
            size: Some(manifest.artifact.size),
            started: manifest.created_at,
            completed: manifest.finished_at,
            standing: RowStanding::of(entry),
            manifest: Some(json),
        })
    }

    pub(super) fn of_failure(attempt: &FailedAttempt) -> Self {
        Self {
            backup: attempt.backup.as_ref().map(ToString::to_string),
            environment: attempt.environment.clone(),
            database: attempt.database.clone(),
            kind: attempt.kind,
            path: None,
            size: None,
            started: attempt.started,
            completed: attempt.ended,
            standing: RowStanding {
                status: LogStatus::Failed,
                level: None,
                details: printable(attempt.error.clone()),
                notes: 0,
            },
            manifest: None,
        }
    }

    /// Refuses what a database would cut or could not hold.
    pub(super) fn check(&self) -> Result<()> {
        for at in [self.started, self.completed] {
            super::check_time(at)?;
        }
        for (what, name) in [("environment", &self.environment), ("database", &self.database)] {
            if name.contains('\0') {
                return Err(Error::new(ErrorKind::InvalidInput, "a log cannot hold a name with a zero byte")
                    .with_context("field", what)
                    .with_context("name", name.escape_debug()));
            }
        }
        if self.backup.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
            return Err(Error::new(ErrorKind::InvalidInput, "the backup's name is too long for the log")
                .with_context("limit_bytes", MAX_NAME));
        }
        Ok(())
    }
}

impl RowStanding {
    pub(super) fn of(entry: &Entry) -> Self {
        let (status, level) =
            if entry.annotations.iter().any(|annotation| annotation.note.name() == "pruning") {
                (LogStatus::Pruning, None)
            } else {
                match entry.standing() {
                    Standing::Unproven => (LogStatus::Completed, None),
                    Standing::Proven { level } => (LogStatus::Verified, Some(level.name().to_owned())),
                    Standing::Failed { level } => (LogStatus::Damaged, Some(printable(level.to_owned()))),
                }
            };
        Self { status, level, details: details(entry, status), notes: entry.annotations.len() }
    }
}

/// What a person wants to know of a backup, a line each.
fn details(entry: &Entry, status: LogStatus) -> String {
    let manifest = &entry.manifest;
    let mut lines: Vec<String> = manifest.reason.iter().cloned().collect();
    lines.extend(manifest.warnings.iter().map(|warning| format!("warning: {warning}")));
    for annotation in entry.annotations.iter().rev() {
        match &annotation.note {
            Note::Verified(evidence) if status == LogStatus::Damaged && !evidence.passed() => {
                lines.extend(evidence.findings.iter().map(|finding| format!("finding: {finding}")));
                break;
            }
            Note::Pruning { reason } => {
                lines.push(format!("pruning: {reason}"));
                break;
            }
            _ => {}
        }
    }
    printable(lines.join("\n"))
}

/// A text for people that every database takes.
pub(super) fn printable(mut text: String) -> String {
    if text.len() > MAX_DETAILS {
        let end = (0..=MAX_DETAILS).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    text.replace('\0', "\u{fffd}")
}
