//! [`Manifest`]: everything known of a backup, as JSON beside its artifact; its presence *is* the backup.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::{Digest, Error, ErrorKind, Key, Prefix, Result, SourceInfo, inventory::Inventory};

mod id;
pub use id::{BackupId, BackupRef};

/// The version of the manifest's format that this code writes; it reads this and earlier ones.
pub const SCHEMA_VERSION: u32 = 1;

/// The largest manifest that is read, in bytes: some 300,000 tables.
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
    /// The tables with their rows, where the format shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// Further objects that belong to the backup, by name: `globals`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub companions: BTreeMap<String, CompanionObject>,
    /// What the tool or the pipeline warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When retention may forget it, whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
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

/// Why a backup was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

/// How a backup was encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Encryption {
    /// The scheme: `age`.
    pub scheme: String,
    /// Who can open it; never a secret.
    pub recipients: Vec<String>,
}

impl Encryption {
    /// Names the scheme and who can open it.
    pub fn new(scheme: impl Into<String>, recipients: Vec<String>) -> Self {
        Self { scheme: scheme.into(), recipients }
    }
}

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Artifact {
    /// The object's key.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
}

impl Artifact {
    /// Describes a stored object.
    #[must_use]
    pub fn new(key: Key, size: u64, digest: Digest) -> Self {
        Self { key, size, digest }
    }
}

/// A dump before compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plain {
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes, BLAKE3 or SHA-256.
    pub digest: Digest,
}

impl Plain {
    /// Describes a dump.
    #[must_use]
    pub fn new(size: u64, digest: Digest) -> Self {
        Self { size, digest }
    }
}

/// A second object of a backup, compressed and encrypted like the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompanionObject {
    /// The stored object.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// What it is before compression.
    pub plain: Plain,
}

impl CompanionObject {
    /// Describes a companion.
    #[must_use]
    pub fn new(artifact: Artifact, plain: Plain) -> Self {
        Self { artifact, plain }
    }
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
            companions: BTreeMap::new(),
            warnings: Vec::new(),
            expires_at: None,
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
        let Version { schema_version } = serde_json::from_slice(json).map_err(corrupt)?;
        if schema_version > SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the manifest was written by a newer version of this library",
            )
            .with_context("schema_version", schema_version)
            .with_suggestion("update the library"));
        }
        serde_json::from_slice(json).map_err(corrupt)
    }
}

/// Where the objects of a backup are: `<environment>/<database>/<id>…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    folder: String,
    id: BackupId,
}

impl Layout {
    /// The ending of manifests' keys.
    pub const MANIFEST: &str = ".manifest.json";
    /// The ending of the claim that marks a backup under way.
    pub const CLAIM: &str = ".claim.json";
    /// The ending of the folder of annotations.
    pub const NOTES: &str = ".notes";

    /// The layout of one backup.
    #[must_use]
    pub fn of(backup: &BackupRef) -> Self {
        Self {
            folder: format!("{}/{}", Key::escape(&backup.environment), Key::escape(&backup.database)),
            id: backup.id.clone(),
        }
    }

    /// The folder of all backups of an environment and database, or of all databases of an environment.
    pub fn folder(environment: &str, database: Option<&str>) -> Result<Prefix> {
        match database {
            Some(database) => {
                Prefix::parse(format!("{}/{}", Key::escape(environment), Key::escape(database)))
            }
            None => Prefix::parse(Key::escape(environment)),
        }
    }

    /// The key of the artifact with these extensions: `sql`, `zst`.
    pub fn artifact(&self, extensions: &[&str]) -> Result<Key> {
        let mut key = format!("{}/{}", self.folder, self.id);
        for extension in extensions.iter().filter(|extension| !extension.is_empty()) {
            key.push('.');
            key.push_str(extension);
        }
        Key::parse(key)
    }

    /// The key of the manifest.
    pub fn manifest(&self) -> Result<Key> {
        Key::parse(format!("{}/{}{}", self.folder, self.id, Self::MANIFEST))
    }

    /// The key of the claim that marks a backup under way.
    pub fn claim(&self) -> Result<Key> {
        Key::parse(format!("{}/{}{}", self.folder, self.id, Self::CLAIM))
    }

    /// The prefix of the annotations.
    pub fn notes(&self) -> Result<Prefix> {
        Prefix::parse(format!("{}/{}{}", self.folder, self.id, Self::NOTES))
    }
}

#[cfg(test)]
mod tests;
