//! Objects that a store keeps against everybody, for a time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Key};

/// Until when nobody may delete or replace an object, as the store itself enforces it (S3 Object Lock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ObjectLock {
    /// Against whom.
    pub mode: LockMode,
    /// Until when, UTC.
    pub until: DateTime<Utc>,
}

impl ObjectLock {
    /// Keeps an object until then.
    #[must_use]
    pub fn new(mode: LockMode, until: DateTime<Utc>) -> Self {
        Self { mode, until }
    }

    /// Whether it is not over yet.
    #[must_use]
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.until > now
    }

    /// The error for an attempt to delete or replace the object before its time.
    #[must_use]
    pub fn refusal(&self, key: &Key) -> Error {
        Error::new(ErrorKind::PermissionDenied, "the object is locked by its store")
            .with_context("key", key)
            .with_context("locked_until", self.until.to_rfc3339())
            .with_suggestion("wait until the lock ends; retention deletes the backup then")
    }

    /// The error of a store that cannot keep such a promise.
    #[must_use]
    pub fn unsupported(location: &str) -> Error {
        Error::new(ErrorKind::Unsupported, "this store cannot lock objects")
            .with_context("store", location)
            .with_suggestion(
                "use a bucket with Object Lock, opened by `S3Options::with_object_lock`, or ask for no lock",
            )
    }
}

/// Against whom a locked object is kept; the words of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LockMode {
    /// Against everybody but those with the right to bypass it, which this library never does.
    Governance,
    /// Against everybody, the owner of the account too; nobody can shorten it.
    Compliance,
}
