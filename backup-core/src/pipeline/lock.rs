//! Backups that the store itself keeps.

use chrono::{DateTime, TimeDelta, Utc};

use super::Pipeline;
use crate::{Error, ErrorKind, Key, LockMode, Manifest, ObjectLock, Result, Store, manifest::Artifact};

/// How long new backups are locked.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockFor {
    mode: LockMode,
    days: u32,
}

impl LockFor {
    pub(super) fn new(store: &dyn Store, mode: LockMode, days: u32, now: DateTime<Utc>) -> Result<Self> {
        if !store.capabilities().object_lock {
            return Err(ObjectLock::unsupported(&store.location()));
        }
        let lock = Self { mode, days };
        lock.counted_from(now)?;
        Ok(lock)
    }

    /// The lock of a backup that was started then.
    pub(super) fn counted_from(self, created_at: DateTime<Utc>) -> Result<ObjectLock> {
        let days = TimeDelta::try_days(i64::from(self.days)).filter(|days| !days.is_zero());
        let until = days.and_then(|days| created_at.checked_add_signed(days));
        let until = until.ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "a lock lasts for no such number of days")
                .with_context("days", self.days)
                .with_suggestion("choose at least one day, and no more than the backup is of use")
        })?;
        Ok(ObjectLock::new(self.mode, until))
    }
}

impl Pipeline {
    /// The lock that keeps a backup now, the longest of what was recorded and of what the store says of its objects.
    pub(super) async fn active_lock(&self, manifest: &Manifest) -> Result<Option<ObjectLock>> {
        let now = self.clock.now();
        let mut longest = manifest.lock;
        for Artifact { key, .. } in manifest.artifacts() {
            let found = self.stored_lock(key).await?;
            longest = longest.into_iter().chain(found).max_by_key(|lock| lock.until);
        }
        Ok(longest.filter(|lock| lock.is_active(now)))
    }

    /// The lock of an object, where it is there and the store has locks.
    pub(super) async fn stored_lock(&self, key: &Key) -> Result<Option<ObjectLock>> {
        if !self.store.capabilities().object_lock {
            return Ok(None);
        }
        match self.store.head(key).await {
            Ok(object) => Ok(object.lock),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Refuses to delete what the store would not delete.
    pub(super) async fn check_unlocked(&self, manifest: &Manifest) -> Result<()> {
        self.active_lock(manifest).await?.map_or(Ok(()), |lock| Err(locked(manifest, lock)))
    }
}

/// What is said of a backup that its store would not delete.
pub(super) fn locked(manifest: &Manifest, lock: ObjectLock) -> Error {
    Error::new(ErrorKind::PermissionDenied, "the backup is locked by its store and cannot be deleted")
        .with_context("backup", manifest.backup_ref())
        .with_context("locked_until", lock.until.to_rfc3339())
        .with_suggestion("wait until the lock ends; retention deletes the backup then")
}
