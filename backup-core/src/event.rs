//! [`Event`] and [`Observer`]: what an operation tells while it runs.

use std::fmt::Debug;

use crate::{Error, manifest::BackupRef};

mod running;
pub(crate) use running::Running;

/// Sees what operations do.
///
/// Called on the task of the operation: it must not block, and must not panic. A panic does not harm a
/// backup that was committed, but ends the operation.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A backup is made.
    Backup,
    /// A backup is verified.
    Verify,
    /// A backup is restored.
    Restore,
    /// A backup is deleted.
    Delete,
    /// A plan of retention is carried out.
    Prune,
}

impl Operation {
    /// The operation as a word of logs and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verify",
            Self::Restore => "restore",
            Self::Delete => "delete",
            Self::Prune => "prune",
        }
    }
}

/// Bytes that passed each stage so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Plain bytes: out of the dump tool, or into the restoring one.
    pub plain_bytes: u64,
    /// Stored bytes: into the store, or out of it.
    pub stored_bytes: u64,
    /// About how many plain bytes there will be, where that is known: a database's size on disk is only near
    /// to the size of its dump.
    pub estimated_plain_bytes: Option<u64>,
}

/// What happens in an operation; sent to the [`Observer`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An operation starts on a backup.
    Started {
        /// What is done.
        operation: Operation,
        /// On which backup.
        backup: &'a BackupRef,
    },
    /// Bytes pass; at most a few times a second, and once at the end.
    Progress {
        /// What is done.
        operation: Operation,
        /// On which backup.
        backup: &'a BackupRef,
        /// How far it got.
        progress: Progress,
    },
    /// The backup exists from here on.
    Committed {
        /// Which backup.
        backup: &'a BackupRef,
    },
    /// The backup is gone, with all of its objects.
    Deleted {
        /// What was done: [`Operation::Delete`] or [`Operation::Prune`].
        operation: Operation,
        /// Which backup.
        backup: &'a BackupRef,
        /// How many stored bytes its artifact and companions had.
        bytes: u64,
    },
    /// Something needs a look, but stops nothing.
    Warning {
        /// What is done.
        operation: Operation,
        /// What to look at.
        message: &'a str,
    },
    /// An operation ended well.
    Finished {
        /// What was done.
        operation: Operation,
        /// On which backup.
        backup: &'a BackupRef,
    },
    /// An operation failed; the error is returned too.
    Failed {
        /// What was done.
        operation: Operation,
        /// On which backup, where it was known by then.
        backup: Option<&'a BackupRef>,
        /// Why it failed.
        error: &'a Error,
    },
}
