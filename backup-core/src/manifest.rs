//! [`Manifest`]: everything known of a backup, as JSON beside its artifact; its presence *is* the backup.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, ObjectLock, Result, SourceInfo, inventory::Inventory};

mod copies;
mod frames;
mod id;
mod kind;
mod layout;
mod migrations;
mod object;
mod position;
mod sealed;
mod template;
pub use copies::CopyRecord;
pub use frames::{Frame, FrameIndex, RowData};
pub use id::{BackupId, BackupRef};
pub use kind::Kind;
pub use layout::Layout;
pub use migrations::{Migration, MigrationState, Migrations};
pub use object::{Artifact, CompanionObject, Encryption, Plain};
pub use position::SourcePosition;
pub use template::IdTemplate;
pub(crate) use template::Named;

/// The version of the manifest's format that this code writes; it reads this and earlier ones.
pub const SCHEMA_VERSION: u32 = 1;

/// The largest manifest that is read, in bytes: some 300,000 tables, of an encrypted backup 100,000.
pub const MAX_MANIFEST_BYTES: usize = 64 * 1024 * 1024;

/// A backup.
///
/// Fields that this version does not know are kept and written back. The format is frozen by golden files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of the format: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The backup's name within its environment and database.
    pub id: BackupId,
    /// The series that retention works on: `production`, `staging`, …
    pub environment: String,
    /// The database's name.
    pub database: String,
    /// `postgresql`, `mysql`, `mariadb`, `sqlite`.
    pub engine: String,
    /// Why it was made, as far as retention treats it differently.
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
    /// When the dump was started, UTC.
    pub created_at: DateTime<Utc>,
    /// When everything was stored and read back, UTC.
    pub finished_at: DateTime<Utc>,
    /// Where it came from, with the versions of tool and server.
    pub source: SourceInfo,
    /// `plain`, `custom`, `directory` (as a tar archive), `database`.
    pub format: String,
    /// How the dump was compressed: `zstd`, `gzip`, `none`.
    pub compression: String,
    /// How the compressed bytes were encrypted, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The stored object.
    pub artifact: Artifact,
    /// The dump before compression.
    pub plain: Plain,
    /// The tables with their rows, where the format shows them; of an encrypted backup without checksums and definitions,
    /// which its [sealed part](Encryption::sealed) holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// Where in the artifact the parts of the dump are, where some of it can be read alone; of an encrypted backup
    /// in its [sealed part](Encryption::sealed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<FrameIndex>,
    /// Where in the source's log of changes the dump stands, if it says so; `source_position` in the JSON.
    #[serde(default, rename = "source_position", skip_serializing_if = "Option::is_none")]
    pub position: Option<SourcePosition>,
    /// The migrations that its schema had come to, where the dumper knows of any; `schema_migrations` in the JSON.
    #[serde(default, rename = "schema_migrations", skip_serializing_if = "Option::is_none")]
    pub migrations: Option<Migrations>,
    /// Further objects that belong to the backup, by name: `globals`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub companions: BTreeMap<String, CompanionObject>,
    /// What became of each copy, where it went into several stores at once; `stored_in` in the JSON.
    #[serde(default, rename = "stored_in", skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyRecord>,
    /// What the tool or the pipeline warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When retention may forget it, whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when the store lets nobody delete artifact, companions and manifest, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<ObjectLock>,
    /// The host that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The commit of the application, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The version of this library.
    pub library_version: String,
    /// Fields that a later version added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Manifest {
    /// A manifest with the fields that every backup has; the others are filled by assignment.
    #[must_use]
    pub fn new(
        backup: BackupRef,
        created_at: DateTime<Utc>,
        source: SourceInfo,
        artifact: Artifact,
        plain: Plain,
    ) -> Self {
        // Whole milliseconds: what is written reads back equal.
        let created_at = created_at.trunc_subsecs(3);
        Self {
            schema_version: SCHEMA_VERSION,
            id: backup.id,
            environment: backup.environment,
            database: backup.database,
            engine: String::new(),
            kind: Kind::default(),
            label: None,
            reason: None,
            tags: BTreeMap::new(),
            created_at,
            finished_at: created_at,
            source,
            format: String::new(),
            compression: "none".to_owned(),
            encryption: None,
            artifact,
            plain,
            inventory: None,
            frames: None,
            position: None,
            migrations: None,
            companions: BTreeMap::new(),
            copies: Vec::new(),
            warnings: Vec::new(),
            expires_at: None,
            lock: None,
            host: None,
            git_commit: None,
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
            extra: serde_json::Map::new(),
        }
    }

    /// The backup's full name.
    #[must_use]
    pub fn backup_ref(&self) -> BackupRef {
        BackupRef::new(self.environment.clone(), self.database.clone(), self.id.clone())
    }

    /// The artifact and those of the companions.
    pub(crate) fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        std::iter::once(&self.artifact).chain(self.companions.values().map(|companion| &companion.artifact))
    }

    /// The bytes of artifact and companions in the store.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let companions = self.companions.values().map(|companion| companion.artifact.size);
        companions.fold(self.artifact.size, u64::saturating_add)
    }

    /// Makes sure that artifact and companions lie where [`Layout`] puts those of this backup: a manifest must
    /// never lead to another backup's objects.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) with the key that lies elsewhere, or for an environment or
    /// database whose name is empty or too long for a key.
    pub fn check_layout(&self) -> Result<()> {
        let layout = Layout::of(&self.backup_ref());
        layout.manifest()?;
        let companions = self.companions.values().map(|companion| &companion.artifact.key);
        match std::iter::once(&self.artifact.key).chain(companions).find(|key| !layout.holds(key)) {
            None => Ok(()),
            Some(key) => {
                Err(Error::new(ErrorKind::InvalidInput, "an artifact lies elsewhere than its manifest")
                    .with_context("backup", self.backup_ref())
                    .with_context("artifact", key)
                    .with_suggestion("take the key from `Layout::artifact`"))
            }
        }
    }

    /// The manifest as indented JSON with a line break at its end.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|err| Error::new(ErrorKind::Unexpected, "cannot write the manifest").with_source(err))?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for a version of the format that is newer than this code,
    /// [`Corrupt`](ErrorKind::Corrupt) for anything else that is no manifest.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let corrupt = |err: serde_json::Error| {
            Error::new(ErrorKind::Corrupt, "the manifest is damaged").with_source(err)
        };
        // Else what lies in fields that are not known here could be anything.
        let json = std::str::from_utf8(json).map_err(|err| {
            Error::new(ErrorKind::Corrupt, "the manifest is damaged: it is no text").with_source(err)
        })?;
        let Version { schema_version } = serde_json::from_str(json).map_err(corrupt)?;
        if schema_version == 0 {
            return Err(Error::new(ErrorKind::Corrupt, "the manifest is damaged")
                .with_context("schema_version", schema_version));
        }
        if schema_version > SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the manifest was written by a newer version of this library",
            )
            .with_context("schema_version", schema_version)
            .with_suggestion("update the library"));
        }
        serde_json::from_str(json).map_err(corrupt)
    }
}

#[cfg(test)]
mod tests;
