use std::{error::Error as StdError, fmt};

use serde::{Deserialize, Serialize};

use crate::{BackupRef, Error, Retryable, retention::DeleteReason, store::SweepReport};

/// What a prune did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// The backups that are gone, the oldest first.
    pub deleted: Vec<Pruned>,
    /// How many stored bytes they had.
    pub freed_bytes: u64,
    /// The backups that the plan named, and that stay for what was found just before.
    pub spared: Vec<Spared>,
    /// The backups that could not be deleted; why is in the warnings.
    pub failed: Vec<BackupRef>,
    /// How many were not tried any more.
    pub left: u64,
    /// What was removed of backups whose deletion was cut off once their manifests were gone.
    pub remains: SweepReport,
    /// What needs a look.
    pub warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A backup that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// Its full name.
    pub backup: BackupRef,
    /// How many stored bytes it had.
    pub bytes: u64,
    /// Why it went.
    pub reason: DeleteReason,
}

/// A backup that was to go, and stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Spared {
    /// Its full name.
    pub backup: BackupRef,
    /// Why it stays.
    pub reason: SpareReason,
}

/// Why a prune passes over a backup of its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SpareReason {
    /// Somebody else deleted it meanwhile.
    Gone,
    /// Another backup has its name now.
    Another,
    /// It was held meanwhile.
    Held,
    /// The store keeps it locked, for longer than its manifest says; the warnings say until when.
    Locked,
    /// The backup for whose sake it was to go is no longer there, or no longer proven as deep.
    NoSuccessor,
}

/// What a prune had done when it failed: the source of its error.
#[derive(Debug)]
pub struct PruneInterrupted {
    report: PruneReport,
    cause: Error,
}

impl PruneInterrupted {
    /// The report that an error of [`Pipeline::prune`](crate::Pipeline::prune) holds; `None` where nothing was begun.
    #[must_use]
    pub fn report(err: &Error) -> Option<&PruneReport> {
        err.source()?.downcast_ref::<Self>().map(|interrupted| &interrupted.report)
    }

    pub(super) fn error(report: PruneReport, cause: Error) -> Error {
        let retryable = if cause.is_retryable() { Retryable::Yes } else { Retryable::No };
        let err = Error::new(cause.kind(), "not all that retention deletes could be deleted")
            .with_context("deleted", report.deleted.len())
            .with_context("failed", report.failed.len())
            .with_context("left", report.left)
            .with_context("first", &cause)
            .with_retryable(retryable)
            .with_suggestion("plan and prune again: what was begun is completed");
        let err = cause.suggestions().into_iter().fold(err, Error::with_suggestion);
        err.with_source(Self { report, cause })
    }
}

impl fmt::Display for PruneInterrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} backups were deleted before", self.report.deleted.len())
    }
}

impl StdError for PruneInterrupted {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}
