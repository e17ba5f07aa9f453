//! The messages of the client programs, folded into kinds.

use backup_core::{BoxError, Error, ErrorKind};

mod classify;

pub(crate) use classify::{SERVER_FULL, classify};

/// A task of ours that panicked or was cancelled at shutdown.
pub(crate) fn panicked(err: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unexpected, "a background task did not end").with_source(BoxError::from(err))
}
