use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    Kind,
    pipeline::{PruneReport, SpareReason},
    retention::{Decision, Plan},
};

/// How many backups a plan names; the others are only counted.
const NAMED: usize = 1000;

/// What a prune would delete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PrunePlanned {
    /// Names the plan: sent back as `plan`, it lets a prune delete just this.
    pub plan: String,
    /// How many backups would go.
    pub deletions: u64,
    /// How many would stay.
    pub kept: u64,
    /// The size in the store of those that would go.
    pub freed_bytes: u64,
    /// Those that would go, up to a thousand of them.
    pub backups: Vec<PlannedDeletion>,
}

/// A backup that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlannedDeletion {
    /// Its full name.
    pub backup: String,
    /// When its dump was started.
    pub created_at: DateTime<Utc>,
    /// Why it was made.
    pub kind: Kind,
    /// Its size in the store.
    pub bytes: u64,
    /// Why it would go.
    pub reason: String,
}

impl From<&Plan> for PrunePlanned {
    fn from(plan: &Plan) -> Self {
        // The fingerprint is of the catalog: by another policy or at another time the same catalog has another plan.
        let mut hasher = Xxh3::new();
        hasher.update(plan.fingerprint.as_bytes());
        let mut backups = Vec::new();
        let mut deletions = 0;
        for planned in plan.deletions() {
            let backup = planned.backup.to_string();
            hasher.update(backup.as_bytes());
            hasher.update(b"\n");
            deletions += 1;
            if let (true, Decision::Delete { reason, .. }) = (backups.len() < NAMED, &planned.decision) {
                backups.push(PlannedDeletion {
                    backup,
                    created_at: planned.created_at,
                    kind: planned.kind,
                    bytes: planned.bytes,
                    reason: reason.to_string(),
                });
            }
        }
        Self {
            plan: format!("xxh3:{:032x}", hasher.digest128()),
            deletions,
            kept: plan.kept().count() as u64,
            freed_bytes: plan.freed_bytes(),
            backups,
        }
    }
}

/// What a prune did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Pruned {
    /// The full names of the backups that are gone, the oldest first.
    pub deleted: Vec<String>,
    /// Their size in the store.
    pub freed_bytes: u64,
    /// Those that were to go and stay, for what was found just before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spared: Vec<SparedBackup>,
    /// Those that could not be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// How many were not tried any more.
    pub left: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A backup that was to go, and stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SparedBackup {
    /// Its full name.
    pub backup: String,
    /// Why it stays.
    pub reason: SpareReason,
}

impl From<&PruneReport> for Pruned {
    fn from(report: &PruneReport) -> Self {
        let spared = report
            .spared
            .iter()
            .map(|spared| SparedBackup { backup: spared.backup.to_string(), reason: spared.reason });
        Self {
            deleted: report.deleted.iter().map(|one| one.backup.to_string()).collect(),
            freed_bytes: report.freed_bytes,
            spared: spared.collect(),
            failed: report.failed.iter().map(ToString::to_string).collect(),
            left: report.left,
            duration_ms: report.duration_ms,
        }
    }
}
