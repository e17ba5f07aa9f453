use std::{error::Error as StdError, fmt, sync::Arc};

use futures::StreamExt;
use serde::Serialize;

use super::{Copied, CopyOptions, Stores, copy};
use crate::{BackupRef, Catalog, Error, ErrorKind, Filter, Result, Retryable, Store, StoreCatalog};

/// How many backups may fail before the others are left alone too.
const MAX_FAILURES: usize = 20;

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// The backups that were copied, or completed.
    pub copied: Vec<BackupRef>,
    /// How many lacked nothing.
    pub equal: u64,
    /// Those of which the other store holds something different, which was left.
    pub different: Vec<SyncFailure>,
    /// Those that are being deleted, and were not copied.
    pub being_deleted: Vec<BackupRef>,
    /// Those that could not be copied.
    pub failed: Vec<SyncFailure>,
    /// One line for each backup whose manifest cannot be read where it was to come from.
    pub damaged: Vec<String>,
    /// How many were not tried any more.
    pub left: u64,
    /// How many bytes were stored.
    pub bytes: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A backup that could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SyncFailure {
    /// The backup.
    pub backup: BackupRef,
    /// The [code](ErrorKind::code) of the error.
    pub code: String,
    /// The error in one line.
    pub error: String,
}

/// Copies every backup that the filter selects and the other store lacks, the newest first.
///
/// # Errors
///
/// Those of a listing of the first store that did not come to its end, before anything is copied. Else the first failure
/// of a backup, after which the others were still tried, unless a store seems to be away;
/// [`SyncInterrupted::report`] tells what was done.
///
/// # Cancel safety
///
/// Cancel-safe: a dropped call leaves no backup that is not whole; the next one goes on where this one was.
pub async fn sync(
    from: &Arc<dyn Store>,
    to: &Arc<dyn Store>,
    filter: &Filter,
    options: &CopyOptions,
) -> Result<SyncReport> {
    let started = tokio::time::Instant::now();
    let mut report = SyncReport::default();
    let mut failures = Vec::new();
    let listed = listed(&Stores { from, to, options }, filter, &mut report, &mut failures).await;
    let backups = listed.map_err(|err| err.with_operation("sync"))?;
    report.left = backups.len() as u64;
    for backup in backups {
        if failures.len() >= MAX_FAILURES || failures.last().is_some_and(Error::is_retryable) {
            break;
        }
        report.left -= 1;
        match copy(&backup, from, to, options).await {
            Ok(copied) => {
                report.bytes += copied.bytes;
                match copied.outcome {
                    Copied::Copied => report.copied.push(backup),
                    Copied::Equal => report.equal += 1,
                    Copied::BeingDeleted => report.being_deleted.push(backup),
                }
            }
            // Deleted since it was listed.
            Err(err) if err.kind() == ErrorKind::NotFound => report.being_deleted.push(backup),
            Err(err) => {
                let failure = SyncFailure { backup, code: err.code().to_owned(), error: err.to_string() };
                let is_difference = err.kind() == ErrorKind::AlreadyExists;
                if is_difference { &mut report.different } else { &mut report.failed }.push(failure);
                failures.push(err);
            }
        }
    }
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        copied = report.copied.len(),
        equal = report.equal,
        different = report.different.len(),
        failed = report.failed.len(),
        bytes = report.bytes,
        "synced"
    );
    match failures.into_iter().next() {
        None => Ok(report),
        Some(err) => Err(SyncInterrupted::error(report, err)),
    }
}

/// The backups to copy; those that are damaged are told and do not stand in the way of the others.
async fn listed(
    stores: &Stores<'_>,
    filter: &Filter,
    report: &mut SyncReport,
    failures: &mut Vec<Error>,
) -> Result<Vec<BackupRef>> {
    let mut backups = Vec::new();
    let mut entries = StoreCatalog::new(Arc::clone(stores.from)).list(filter);
    while let Some(entry) = stores.within(async { Ok(entries.next().await) }).await? {
        match entry {
            Ok(entry) => backups.push((entry.manifest.created_at, entry.manifest.backup_ref())),
            Err(err) if matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
                report.damaged.push(err.to_string());
                failures.push(err);
            }
            Err(err) => return Err(err),
        }
    }
    backups.sort_unstable_by(|a, b| b.cmp(a));
    Ok(backups.into_iter().map(|(_, backup)| backup).collect())
}

/// What a sync had done when it failed: the source of its error.
#[derive(Debug)]
pub struct SyncInterrupted {
    report: SyncReport,
    cause: Error,
}

impl SyncInterrupted {
    /// The report that an error of [`sync`] holds; `None` where nothing was begun.
    #[must_use]
    pub fn report(err: &Error) -> Option<&SyncReport> {
        err.source()?.downcast_ref::<Self>().map(|interrupted| &interrupted.report)
    }

    fn error(report: SyncReport, cause: Error) -> Error {
        let retryable = if cause.is_retryable() { Retryable::Yes } else { Retryable::No };
        let err = Error::new(cause.kind(), "not every backup could be copied")
            .with_operation("sync")
            .with_context("copied", report.copied.len())
            .with_context("different", report.different.len())
            .with_context("failed", report.failed.len())
            .with_context("damaged", report.damaged.len())
            .with_context("left", report.left)
            .with_context("first", &cause)
            .with_retryable(retryable);
        let err = cause.suggestions().into_iter().fold(err, Error::with_suggestion);
        err.with_source(Self { report, cause })
    }
}

impl fmt::Display for SyncInterrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} backups were copied before", self.report.copied.len())
    }
}

impl StdError for SyncInterrupted {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}
