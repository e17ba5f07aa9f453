//! [`SourcePosition`]: where in the server's log of changes a dump stands.

use serde::{Deserialize, Serialize};

/// The place in the source's log of changes from which a replay goes on where the dump ends.
///
/// It is what the dump itself states, so that it belongs to its rows: `mysqldump --source-data` and
/// `mariadb-dump --master-data` write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourcePosition {
    /// The name of the server's binary log: `binlog.000003`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog_file: Option<String>,
    /// The offset in that log, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog_position: Option<u64>,
    /// The set of transactions that the dump holds, as the server writes it, on one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<String>,
    /// PostgreSQL's log sequence number: `0/16B3748`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_lsn: Option<String>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl SourcePosition {
    /// A place in a binary log.
    pub fn binlog(file: impl Into<String>, position: u64) -> Self {
        Self { binlog_file: Some(file.into()), binlog_position: Some(position), ..Self::default() }
    }

    /// Adds the set of transactions that the dump holds.
    #[must_use]
    pub fn with_gtid(mut self, gtid: impl Into<String>) -> Self {
        self.gtid = Some(gtid.into());
        self
    }
}
