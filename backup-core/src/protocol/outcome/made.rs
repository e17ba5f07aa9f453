use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Inventory, Kind, Level, Verdict,
    pipeline::{BackupReport, VerifyReport},
};

/// A backup that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Created {
    /// Its full name.
    pub backup: String,
    /// Why it was made.
    pub kind: Kind,
    /// When its dump was started.
    pub created_at: DateTime<Utc>,
    /// Its size in the store.
    pub stored_bytes: u64,
    /// The size of the dump.
    pub plain_bytes: u64,
    /// How many tables it holds, where the format shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<u64>,
    /// How many rows it holds, where the format shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How deep it was checked before it counted.
    pub proven: Level,
    /// What retention deleted after it, where that is a part of backups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retained>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What retention deleted after a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Retained {
    /// The backups that are gone.
    pub deleted: Vec<String>,
    /// Their size in the store.
    pub freed_bytes: u64,
}

impl From<&BackupReport> for Created {
    fn from(report: &BackupReport) -> Self {
        let manifest = &report.manifest;
        Self {
            backup: report.backup.to_string(),
            kind: manifest.kind,
            created_at: manifest.created_at,
            stored_bytes: manifest.stored_bytes(),
            plain_bytes: manifest.plain.size,
            tables: manifest.inventory.as_ref().map(|inventory| inventory.tables.len() as u64),
            rows: manifest.inventory.as_ref().map(Inventory::rows),
            proven: report.evidence.level,
            retention: report.retention.as_ref().map(|pruned| Retained {
                deleted: pruned.deleted.iter().map(|one| one.backup.to_string()).collect(),
                freed_bytes: pruned.freed_bytes,
            }),
            duration_ms: report.duration_ms,
        }
    }
}

/// A backup that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verified {
    /// Its full name.
    pub backup: String,
    /// How deep.
    pub level: Level,
    /// Whether everything was as recorded.
    pub verdict: Verdict,
    /// What was not, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// How many stored bytes were read.
    pub bytes_read: u64,
    /// How long a restore took, in milliseconds, at the levels that do one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_ms: Option<u64>,
    /// How many rows it restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_rows: Option<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl From<&VerifyReport> for Verified {
    fn from(report: &VerifyReport) -> Self {
        let evidence = &report.evidence;
        Self {
            backup: report.backup.to_string(),
            level: evidence.level,
            verdict: evidence.result,
            findings: evidence.findings.clone(),
            bytes_read: evidence.bytes_read,
            restore_ms: evidence.rehearsed.as_ref().map(|rehearsed| rehearsed.restore_ms),
            restored_rows: evidence.rehearsed.as_ref().map(|rehearsed| rehearsed.rows),
            duration_ms: evidence.duration_ms,
        }
    }
}

/// A backup that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Deleted {
    /// Its full name.
    pub backup: String,
    /// Its size in the store.
    pub freed_bytes: u64,
}

impl Deleted {
    pub(in crate::protocol) fn new(backup: String, freed_bytes: u64) -> Self {
        Self { backup, freed_bytes }
    }
}
