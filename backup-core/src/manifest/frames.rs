//! [`FrameIndex`]: where in an artifact the parts of a dump are, so that some of it can be read alone.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Where the frames of an artifact begin, and where in the dump the rows of tables stand.
///
/// Each frame decompresses alone. A dump without the rows between [`start`](RowData::start) and [`end`](RowData::end)
/// of a table is a valid one, in which the table is empty: so who wants other tables need not read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FrameIndex {
    /// The frames, from the start of the artifact on.
    pub frames: Vec<Frame>,
    /// The rows, as they follow each other in the dump; short ones are not listed.
    pub rows: Vec<RowData>,
    /// The digest of all other plain bytes, which every reading of a part reads.
    pub rest: Digest,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// The start of a frame of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Frame {
    /// In bytes of the plain dump.
    pub plain: u64,
    /// In bytes of the artifact, or where that is encrypted, of what is encrypted in it.
    pub stored: u64,
}

/// The place of the rows of a table in the plain dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowData {
    /// The table, named as in the inventory; none where these bytes cannot be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Their first byte.
    pub start: u64,
    /// The byte behind the last one.
    pub end: u64,
}

impl FrameIndex {
    /// An index of these frames and rows.
    #[must_use]
    pub fn new(frames: Vec<Frame>, rows: Vec<RowData>, rest: Digest) -> Self {
        Self { frames, rows, rest, extra: serde_json::Map::new() }
    }
}

impl Frame {
    /// A frame that begins there.
    #[must_use]
    pub fn new(plain: u64, stored: u64) -> Self {
        Self { plain, stored }
    }
}

impl RowData {
    /// The rows of a table from `start` to `end`.
    #[must_use]
    pub fn new(table: Option<String>, start: u64, end: u64) -> Self {
        Self { table, start, end }
    }
}
