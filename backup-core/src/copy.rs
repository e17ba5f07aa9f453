//! [`copy`] and [`sync`]: bring backups from one store into another, checked byte by byte.
//!
//! For a copy that failed while its backup was made, for one that was lost since, and for a store that is filled by
//! nothing else. What a store holds beside the other one is never touched: a backup that was deleted in one store alone
//! comes back by a sync from the other, so prune over a [`FanOut`](crate::store::FanOut) of both.
//!
//! # What holds whatever happens
//!
//! - Every object is created only once all its bytes have the digest that the manifest records; the manifest is put
//!   after all others, byte for byte as it is in the other store. So a copy exists wholly or not at all, and one that was
//!   cut off is completed by the next call, or removed by a [sweep](crate::Pipeline::sweep) of that store.
//! - What is there and equal is left. What is there and different is an error, unless [`Difference::Replace`] says that
//!   it shall be replaced.
//! - A backup whose deletion was begun in either store is not copied. One whose deletion begins meanwhile is taken back.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{BackupRef, Store};

mod objects;
mod one;
mod sync;

pub use one::copy;
pub use sync::{SyncFailure, SyncInterrupted, SyncReport, sync};

/// How long an object may take to be opened, asked for or listed, or not move while it is copied.
const STALL_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// What happens to an object that is there and different.
    pub difference: Difference,
    /// How an object that is there is compared with what it should be.
    pub comparison: Comparison,
    /// How long nothing may move before a copy is given up.
    pub stall_timeout: Duration,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            difference: Difference::default(),
            comparison: Comparison::default(),
            stall_timeout: STALL_TIMEOUT,
        }
    }
}

impl CopyOptions {
    /// Says what happens to an object that is there and different.
    #[must_use]
    pub fn with_difference(mut self, difference: Difference) -> Self {
        self.difference = difference;
        self
    }

    /// Says how an object that is there is compared with what it should be.
    #[must_use]
    pub fn with_comparison(mut self, comparison: Comparison) -> Self {
        self.comparison = comparison;
        self
    }

    /// Says how long nothing may move before a copy is given up; ten minutes unless said.
    #[must_use]
    pub fn with_stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = limit;
        self
    }
}

/// What happens to an object that is there and different.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It stays, and the copy fails.
    #[default]
    Refuse,
    /// It is replaced by what it should be.
    Replace,
}

/// How an artifact that is there is compared; manifests and notes are always compared byte by byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Comparison {
    /// By its size.
    #[default]
    Size,
    /// By its size and the digest of its bytes, which are read: what decayed is found too.
    Digest,
}

/// What became of a backup that was to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Copied {
    /// It is whole where it lacked something before.
    Copied,
    /// Nothing was missing.
    Equal,
    /// It is being deleted, or was meanwhile: nothing of it was copied.
    BeingDeleted,
}

/// What became of a backup that was to be copied, and how much that took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CopyReport {
    /// The backup.
    pub backup: BackupRef,
    /// What became of it.
    pub outcome: Copied,
    /// How many objects were stored, notes included.
    pub objects: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Two stores, one of which is to hold what the other does.
pub(crate) struct Stores<'a> {
    from: &'a Arc<dyn Store>,
    to: &'a Arc<dyn Store>,
    options: &'a CopyOptions,
}
