use serde::{Deserialize, Serialize};

use super::super::Confirmation;
use crate::{OnExisting, Selection};

/// How to restore a backup: by default nothing is changed that exists.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// What of the backup is restored.
    pub selection: Selection,
    /// What may happen to a target that is not empty.
    pub on_existing: OnExisting,
    /// Whether a target that is replaced is backed up first.
    pub safety_backup: SafetyBackup,
    /// Whether the target may be the very database that the backup came from.
    pub source_as_target: SourceAsTarget,
    /// Whether something may be changed at all.
    pub confirmation: Confirmation,
}

/// Whether a target that is replaced is backed up first, into the pipeline's store, as `pre-rollback`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SafetyBackup {
    /// It is; without it nothing is replaced.
    #[default]
    Take,
    /// It is not: what the target holds will be gone.
    Skip,
}

/// Whether the target may be the very database that the backup came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceAsTarget {
    /// It may not: a restore over production is never an accident.
    #[default]
    Refuse,
    /// It may.
    Allow,
}

impl RestoreRequest {
    /// A restore into an empty or a new database, not confirmed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores these tables alone, named as the backup's inventory names them: into a new database, or beside what
    /// the target holds. What they need comes along; see [`RestorePlan::selected`](super::RestorePlan::selected).
    #[must_use]
    pub fn tables(mut self, tables: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.selection = Selection::Tables(tables.into_iter().map(Into::into).collect());
        self
    }

    /// Restores what defines everything, and no rows.
    #[must_use]
    pub fn definitions_only(mut self) -> Self {
        self.selection = Selection::Definitions;
        self
    }

    /// Replaces what the target holds; of chosen tables those that it has, and nothing else.
    #[must_use]
    pub fn replacing(mut self) -> Self {
        self.on_existing = OnExisting::Replace;
        self
    }

    /// Restores over the very database that the backup came from.
    #[must_use]
    pub fn over_its_source(mut self) -> Self {
        self.source_as_target = SourceAsTarget::Allow;
        self
    }

    /// Takes no backup of the target before it is replaced.
    #[must_use]
    pub fn without_safety_backup(mut self) -> Self {
        self.safety_backup = SafetyBackup::Skip;
        self
    }

    /// Confirms that the target may be changed.
    #[must_use]
    pub fn confirmed(mut self) -> Self {
        self.confirmation = Confirmation::Confirmed;
        self
    }
}
