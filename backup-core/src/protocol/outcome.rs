use serde::{Deserialize, Serialize};

use crate::health::HealthReport;

mod listed;
mod made;
mod pruned;
mod restored;

pub use listed::{BackupList, BackupSummary};
pub use made::{Created, Deleted, Retained, Verified};
pub use pruned::{PlannedDeletion, PrunePlanned, Pruned, SparedBackup};
pub use restored::{RestorePlanned, Restored};

/// What came of an operation; `type` says which of these it is.
///
/// Backups are named in full, `production/shop/backup-20261120-020000`, as requests take them; sizes are bytes, times
/// are UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// A backup exists.
    Created(Created),
    /// Backups that there are.
    BackupList(BackupList),
    /// A backup was checked.
    Verified(Verified),
    /// What a restore would do.
    RestorePlanned(RestorePlanned),
    /// A backup was restored.
    Restored(Restored),
    /// A backup is gone.
    Deleted(Deleted),
    /// What a prune would delete.
    PrunePlanned(PrunePlanned),
    /// What was deleted.
    Pruned(Pruned),
    /// How the backups are.
    Health(HealthReport),
}

macro_rules! into_outcome {
    ($($variant:ident($type:ty)),*) => {
        $(impl From<$type> for Outcome {
            fn from(result: $type) -> Self {
                Self::$variant(result)
            }
        })*
    };
}
into_outcome!(
    Created(Created),
    BackupList(BackupList),
    Verified(Verified),
    RestorePlanned(RestorePlanned),
    Restored(Restored),
    Deleted(Deleted),
    PrunePlanned(PrunePlanned),
    Pruned(Pruned),
    Health(HealthReport)
);
