//! [`Level`] and [`Evidence`]: how deep a backup was checked, and what that found.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

mod rehearsal;
pub(crate) mod stored;

pub use rehearsal::{Assertion, Rehearsal, Rehearsed};

/// How deep a verification goes; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Level {
    /// The stored object exists and has the recorded size.
    Present,
    /// The stored bytes have the recorded SHA-256.
    Digest,
    /// They decrypt and decompress to the recorded plain digest, and so far as the
    /// [format shows them](crate::inventory::Inspector::for_format) the dump's end mark and rows agree: both of a plain
    /// SQL dump, neither of PostgreSQL's custom archive.
    Decoded,
    /// They were restored into a throw-away database without an error, which then held the objects of each kind and the
    /// rows that the dump holds; the user's [assertions](Assertion) hold.
    Restored,
    /// The restored tables also have the checksums that their rows had in the dump, and their definitions.
    Equal,
}

impl Level {
    /// All levels that can be asked for, the cheapest first.
    pub const ALL: [Self; 5] = [Self::Present, Self::Digest, Self::Decoded, Self::Restored, Self::Equal];

    /// Whether the backup is restored for it, into a throw-away database.
    #[must_use]
    pub fn is_rehearsed(self) -> bool {
        self >= Self::Restored
    }

    /// The level as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Digest => "digest",
            Self::Decoded => "decoded",
            Self::Restored => "restored",
            Self::Equal => "equal",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "no such level of verification")
                .with_context("level", text.escape_debug())
                .with_context("levels", Self::ALL.map(Self::name).join(", "))
                .with_suggestion(format!("choose one of {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// What a verification found; stored beside the manifest, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// How deep it went.
    pub level: Level,
    /// Whether everything was as recorded.
    pub result: Verdict,
    /// When it started, UTC.
    // In JSON it stands beside the time of the record, which is `at`.
    #[serde(rename = "started_at")]
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many stored bytes were read.
    pub bytes_read: u64,
    /// What was not as recorded, one sentence each.
    #[serde(default)]
    pub findings: Vec<String>,
    /// What came of the rehearsal, at the levels that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Box<Rehearsed>>,
    /// The version of this library.
    pub library_version: String,
}

impl Evidence {
    /// Whether everything was as recorded.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.result == Verdict::Passed
    }
}

/// The result of a verification that could be carried out; one that could not is an error, and no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// Everything was as recorded.
    Passed,
    /// Something was not.
    Failed,
}
