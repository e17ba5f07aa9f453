use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// Why a backup was made.
///
/// A new kind needs a new [`SCHEMA_VERSION`](super::SCHEMA_VERSION): retention cannot treat one that it does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// By the daily schedule.
    Daily,
    /// By the weekly schedule.
    Weekly,
    /// By the monthly schedule.
    Monthly,
    /// By hand.
    #[default]
    Manual,
    /// Before a migration.
    PreMigration,
    /// Of a restore's target, before it was replaced.
    PreRollback,
    /// Before another risky operation.
    PreOperation,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Manual,
        Self::PreMigration,
        Self::PreRollback,
        Self::PreOperation,
    ];

    /// The kind as it is written: `pre-migration`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Manual => "manual",
            Self::PreMigration => "pre-migration",
            Self::PreRollback => "pre-rollback",
            Self::PreOperation => "pre-operation",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "no such kind of backup")
                .with_context("kind", text.escape_debug())
                .with_suggestion(format!("choose one of {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}
