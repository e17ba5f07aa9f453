//! What the objects shall be like.

use std::fmt;

use backup_core::Secret;
use serde::{Deserialize, Serialize};

/// How dear the bytes are to keep and how quick to get; the words of S3 are in [`as_str`](Self::as_str).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
#[non_exhaustive]
pub enum StorageClass {
    /// At once, the dearest.
    Standard,
    /// At once; paid per read, for 30 days at least.
    StandardIa,
    /// The same, in one data centre alone.
    OneZoneIa,
    /// Moved by the service itself.
    IntelligentTiering,
    /// At once; paid dearly per read, for 90 days at least.
    GlacierInstantRetrieval,
    /// After hours, and only when it was asked for before.
    Glacier,
    /// After half a day, and only when it was asked for before.
    DeepArchive,
    /// Another one, by its name.
    Other(String),
}

impl StorageClass {
    /// The name that S3 gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Standard => "STANDARD",
            Self::StandardIa => "STANDARD_IA",
            Self::OneZoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierInstantRetrieval => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::Other(name) => name,
        }
    }

    /// Whether an object has to be restored, for hours, before it can be read.
    #[must_use]
    pub fn is_archive(&self) -> bool {
        matches!(self, Self::Glacier | Self::DeepArchive)
    }
}

impl From<String> for StorageClass {
    fn from(name: String) -> Self {
        let known = [
            Self::Standard,
            Self::StandardIa,
            Self::OneZoneIa,
            Self::IntelligentTiering,
            Self::GlacierInstantRetrieval,
            Self::Glacier,
            Self::DeepArchive,
        ];
        known.into_iter().find(|class| class.as_str() == name).unwrap_or(Self::Other(name))
    }
}

impl From<StorageClass> for String {
    fn from(class: StorageClass) -> Self {
        class.as_str().to_owned()
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// With which key the service encrypts what it keeps.
///
/// It protects against a stolen disk, not against who may read the bucket: encrypt the backups themselves for that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encryption {
    /// One that S3 manages (SSE-S3).
    ServiceKey,
    /// One of KMS, by its id or ARN (SSE-KMS); the account's own for S3 where `None`.
    Kms(Option<String>),
    /// One that each request brings along and the service forgets (SSE-C): 32 bytes in base64.
    ///
    /// Without it no object can be read, nor its head asked for. AWS takes it over HTTPS alone.
    CustomerKey(Secret),
}

/// Whether an object is kept, without a date, until somebody lifts the hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LegalHold {
    /// It is kept.
    On,
    /// It is not.
    #[default]
    Off,
}

/// What a delete removes in a bucket with versions; without them both are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deletes {
    /// The name alone: the bytes stay as an old version, to be undeleted, and to be paid until a rule of the bucket's
    /// lifecycle removes them. Needs `s3:DeleteObject`.
    #[default]
    Name,
    /// The object with all its versions, for ever: pruning frees bytes. Needs `s3:ListBucketVersions` and
    /// `s3:DeleteObjectVersion`.
    EveryVersion,
}
