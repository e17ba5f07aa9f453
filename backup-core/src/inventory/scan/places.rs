//! [`Places`]: where in a dump the rows of tables stand, told while they pass.

use std::sync::{Arc, Mutex, PoisonError};

/// Where the rows of tables begin and end; clones share it.
///
/// What is told of a chunk lies in that chunk or behind it, or at most [`BEHIND`] bytes before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Option<Vec<RowEdge>>>>);

/// How far before the current chunk rows may have ended: their end mark is known by its line feed.
pub(crate) const BEHIND: usize = "\\.\r".len();

/// Where rows begin or end, in bytes from the start of the plain dump.
///
/// A dump without the bytes between is a valid one, in which the table has no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowEdge {
    pub(crate) at: u64,
    pub(crate) kind: EdgeKind,
}

/// Which edge of rows it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EdgeKind {
    Begin,
    /// With the table; without one where more than its rows stand between.
    End(Option<String>),
}

impl Places {
    /// Somebody wants to know: what is told is kept from now on.
    pub(crate) fn watch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// Takes what was told since.
    pub(crate) fn take(&self) -> Vec<RowEdge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn begin(&self, at: u64) {
        self.push(at, || EdgeKind::Begin);
    }

    pub(super) fn end(&self, at: u64, table: impl FnOnce() -> Option<String>) {
        self.push(at, || EdgeKind::End(table()));
    }

    fn push(&self, at: u64, kind: impl FnOnce() -> EdgeKind) {
        if let Some(edges) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            edges.push(RowEdge { at, kind: kind() });
        }
    }
}
