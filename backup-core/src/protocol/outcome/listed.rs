use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::Problem;
use crate::{Entry, Inventory, Kind, catalog::Standing, pipeline::Listing};

/// The newest backups of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BackupList {
    /// The newest first.
    pub backups: Vec<BackupSummary>,
    /// How many there are, with those beyond the limit.
    pub total: u64,
    /// What is wrong with entries that cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Problem>,
}

/// What one line says of a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BackupSummary {
    /// Its full name.
    pub backup: String,
    /// The database's name.
    pub database: String,
    /// `postgresql`, `mysql`, `mariadb`, `sqlite`.
    pub engine: String,
    /// Why it was made.
    pub kind: Kind,
    /// A word that is part of the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A sentence by whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Free key-value pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// When its dump was started.
    pub created_at: DateTime<Utc>,
    /// When retention may forget it, whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
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
    /// What all checks of it say together: `unproven`, `failed` or `proven`.
    pub standing: String,
    /// How deep the check went that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// When it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<DateTime<Utc>>,
    /// Whether it must not be deleted.
    pub held: bool,
    /// Until when its store lets nobody delete it, or let.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<DateTime<Utc>>,
}

impl BackupList {
    pub(in crate::protocol) fn new(listing: &Listing, limit: usize) -> Self {
        Self {
            backups: listing.entries.iter().take(limit).map(BackupSummary::from).collect(),
            total: listing.entries.len() as u64,
            damaged: listing.damaged.iter().chain(&listing.unreachable).map(Problem::from).collect(),
        }
    }
}

impl From<&Entry> for BackupSummary {
    fn from(entry: &Entry) -> Self {
        let manifest = &entry.manifest;
        let (standing, level) = match entry.standing() {
            Standing::Unproven => ("unproven", None),
            Standing::Failed { level } => ("failed", Some(level.to_owned())),
            Standing::Proven { level } => ("proven", Some(level.name().to_owned())),
        };
        Self {
            backup: manifest.backup_ref().to_string(),
            database: manifest.database.clone(),
            engine: manifest.engine.clone(),
            kind: manifest.kind,
            label: manifest.label.clone(),
            reason: manifest.reason.clone(),
            tags: manifest.tags.clone(),
            created_at: manifest.created_at,
            expires_at: manifest.expires_at,
            stored_bytes: manifest.stored_bytes(),
            plain_bytes: manifest.plain.size,
            tables: manifest.inventory.as_ref().map(|inventory| inventory.tables.len() as u64),
            rows: manifest.inventory.as_ref().map(Inventory::rows),
            standing: standing.to_owned(),
            level,
            proven_at: entry.proven().map(|evidence| evidence.at),
            held: entry.is_held(),
            locked_until: manifest.lock.map(|lock| lock.until),
        }
    }
}
