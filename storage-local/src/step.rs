//! The steps of a put, so that a test can kill the process between any two of them.

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    FolderMade,
    TempCreated,
    Locked,
    ChunkWritten,
    FileSynced,
    Published,
    FolderSynced,
    WaySynced,
}

/// Does nothing outside the tests of this crate.
#[cfg(not(test))]
pub(crate) fn reached(_: Step) {}

#[cfg(test)]
pub(crate) use crate::store::tests::reached;
