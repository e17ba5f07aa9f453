//! [`Migrations`]: which migrations the schema of a dumped database had come to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The migrations of a database, as its own table of them says when a dump starts.
///
/// A restore brings that table back with everything else: whatever was applied after the dump is to be applied again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Migrations {
    /// The tool that applies them: `prisma`, `sqlx`, `refinery`, …
    pub tool: String,
    /// Its version, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// How many are applied.
    pub applied: u64,
    /// The name of the one that was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The rows of the table, in the order in which they were started.
    pub list: Vec<Migration>,
    /// Those that the project has and the database has not, in the order in which they are applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// A row of the table of migrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Migration {
    /// Its name.
    pub name: String,
    /// The digest of its script as the tool recorded it, in the tool's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// What became of it.
    pub state: MigrationState,
    /// When it was started, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was finished, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// What became of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MigrationState {
    /// It was applied.
    Applied,
    /// It has failed, was cut off, or is running.
    Failed,
    /// It was taken back.
    RolledBack,
}

impl Migrations {
    /// The rows of a tool's table.
    pub fn new(tool: impl Into<String>, list: Vec<Migration>) -> Self {
        let applied = || list.iter().filter(|row| row.state == MigrationState::Applied);
        Self {
            tool: tool.into(),
            applied: applied().count() as u64,
            last: applied().next_back().map(|row| row.name.clone()),
            list,
            ..Self::default()
        }
    }
}

impl Migration {
    /// A row; the other fields are filled by assignment.
    pub fn new(name: impl Into<String>, state: MigrationState) -> Self {
        Self {
            name: name.into(),
            checksum: None,
            state,
            started_at: None,
            finished_at: None,
            extra: serde_json::Map::new(),
        }
    }
}
