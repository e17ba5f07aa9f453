use serde::{Deserialize, Serialize};

use super::super::Problem;
use crate::{
    Selected, TargetInfo,
    pipeline::{RestorePlan, RestoreReport, RowComparison},
};

/// What a restore would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RestorePlanned {
    /// The backup's full name.
    pub backup: String,
    /// What it would be restored into.
    pub target: TargetInfo,
    /// How many stored bytes would be read.
    pub stored_bytes: u64,
    /// How many plain bytes would be fed to the tool, at most.
    pub plain_bytes: u64,
    /// How many tables would be restored, where the format shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<u64>,
    /// How many rows would be restored, where the format shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What comes along with chosen tables, and what is left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<Selected>,
    /// How long it is expected to take, in milliseconds, by the last rehearsal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_duration_ms: Option<u64>,
    /// Whether the target would be backed up first.
    pub safety_backup: bool,
    /// Everything that would stop it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Problem>,
}

impl From<&RestorePlan> for RestorePlanned {
    fn from(plan: &RestorePlan) -> Self {
        Self {
            backup: plan.backup.to_string(),
            target: plan.target.clone(),
            stored_bytes: plan.stored_bytes,
            plain_bytes: plan.plain_bytes,
            tables: plan.tables,
            rows: plan.rows,
            selected: plan.selected.clone(),
            expected_duration_ms: plan.expected_duration_ms,
            safety_backup: plan.safety_backup,
            blockers: plan.blockers.iter().map(Problem::from).collect(),
        }
    }
}

/// A restore that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Restored {
    /// The backup's full name.
    pub backup: String,
    /// What it was restored into, as it was before.
    pub target: TargetInfo,
    /// The full name of the backup of what the target held before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_backup: Option<String>,
    /// How many tables the target got.
    pub tables: u64,
    /// How many rows they got.
    pub rows: u64,
    /// Whether these rows were compared with those of the backup.
    pub rows_compared: RowComparison,
    /// What the selection left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl From<&RestoreReport> for Restored {
    fn from(report: &RestoreReport) -> Self {
        Self {
            backup: report.backup.to_string(),
            target: report.target.clone(),
            safety_backup: report.safety_backup.as_ref().map(ToString::to_string),
            tables: report.tables,
            rows: report.rows,
            rows_compared: report.rows_compared,
            notes: report.notes.clone(),
            duration_ms: report.duration_ms,
        }
    }
}
