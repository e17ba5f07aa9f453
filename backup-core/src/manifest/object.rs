use serde::{Deserialize, Serialize};

use crate::{Digest, Key};

/// How a backup was encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Encryption {
    /// The scheme: `age`.
    pub scheme: String,
    /// Who can open it; never a secret.
    pub recipients: Vec<String>,
    /// What the manifest tells of the plain bytes, as JSON that was encrypted like the artifact, in Base64: their digests, the
    /// checksums and definitions of tables, the index of frames.
    ///
    /// `None` of backups that tell it in clear, as those that were made before there was this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Encryption {
    /// Names the scheme and who can open it.
    pub fn new(scheme: impl Into<String>, recipients: Vec<String>) -> Self {
        Self { scheme: scheme.into(), recipients, sealed: None, extra: serde_json::Map::new() }
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
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Artifact {
    /// Describes a stored object.
    #[must_use]
    pub fn new(key: Key, size: u64, digest: Digest) -> Self {
        Self { key, size, digest, extra: serde_json::Map::new() }
    }
}

/// A dump before compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plain {
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes, BLAKE3 or SHA-256; `None` where only the [sealed part](Encryption::sealed) of the manifest
    /// tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Plain {
    /// Describes a dump.
    #[must_use]
    pub fn new(size: u64, digest: Digest) -> Self {
        Self { size, digest: Some(digest), extra: serde_json::Map::new() }
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
