//! [`Catalog`]: which backups exist, and what is known of them since.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    manifest::{BackupRef, Kind, Manifest},
    verify::Evidence,
};

/// Knows the backups.
///
/// # Contract
///
/// Executed by the [conformance kit](crate::testkit::catalog).
///
/// - Append-only: `insert` of a backup that is there is [`AlreadyExists`](crate::ErrorKind::AlreadyExists) and
///   changes nothing; exactly one of racing inserts wins.
/// - `annotate` adds a record and never changes one; annotating a backup that is not there is
///   [`NotFound`](crate::ErrorKind::NotFound). Concurrent annotations are all kept.
/// - `remove` forgets a backup with its annotations; removing what is not there succeeds.
/// - `list` yields every backup that the filter selects, in no particular order; where one entry is damaged
///   it yields an error for it and goes on with the others, so that one bad entry hides no good one.
/// - Fields and annotations that this version does not know survive.
#[cfg_attr(feature = "testkit", mockall::automock)]
#[async_trait]
pub trait Catalog: Send + Sync + Debug + 'static {
    /// Adds a backup: it exists from here on.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have inserted, never half; `get` tells.
    async fn insert(&self, manifest: &Manifest) -> Result<()>;

    /// Looks a backup up.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn get(&self, backup: &BackupRef) -> Result<Entry>;

    /// Adds a record to a backup.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have added the record, never half.
    async fn annotate(&self, backup: &BackupRef, annotation: &Annotation) -> Result<()>;

    /// Forgets a backup.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have removed; call again.
    async fn remove(&self, backup: &BackupRef) -> Result<()>;

    /// Lists backups.
    fn list(&self, filter: &Filter) -> BoxStream<'static, Result<Entry>>;
}

/// A backup with what became known of it since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The backup.
    pub manifest: Manifest,
    /// What was recorded since, oldest first.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
}

impl Entry {
    /// A backup with its records, which are sorted by time.
    #[must_use]
    pub fn new(manifest: Manifest, mut annotations: Vec<Annotation>) -> Self {
        annotations.sort_by_key(|annotation| annotation.at);
        Self { manifest, annotations }
    }

    /// The newest evidence of the deepest level that passed after the last failure.
    #[must_use]
    pub fn proven(&self) -> Option<&Evidence> {
        let evidence = self.annotations.iter().filter_map(|annotation| match &annotation.note {
            Note::Verified(evidence) => Some(evidence),
            _ => None,
        });
        let mut best: Option<&Evidence> = None;
        for found in evidence {
            if !found.passed() {
                best = None;
            } else if best.is_none_or(|best| found.level >= best.level) {
                best = Some(found);
            }
        }
        best
    }

    /// Whether it must not be deleted: held, and not released since.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.annotations
            .iter()
            .rev()
            .find_map(|annotation| match annotation.note {
                Note::Held { .. } => Some(true),
                Note::Released { .. } => Some(false),
                _ => None,
            })
            .unwrap_or(false)
    }
}

/// A record on a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Annotation {
    /// When it was recorded, UTC.
    pub at: DateTime<Utc>,
    /// What was recorded.
    #[serde(flatten)]
    pub note: Note,
}

impl Annotation {
    /// Records `note` at a time.
    #[must_use]
    pub fn new(at: DateTime<Utc>, note: Note) -> Self {
        Self { at: chrono::SubsecRound::trunc_subsecs(at, 3), note }
    }
}

/// What is recorded on a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// It was verified, with this result.
    Verified(Evidence),
    /// It must not be deleted.
    Held {
        /// Why.
        reason: String,
    },
    /// It may be deleted again.
    Released {
        /// Why.
        reason: String,
    },
    /// It is being deleted; whatever is left of it is to be deleted too.
    Pruning {
        /// Why.
        reason: String,
    },
    /// Something that a later version records.
    #[serde(untagged)]
    Other(serde_json::Map<String, serde_json::Value>),
}

/// Which backups to list; what is `None` selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Those of this environment.
    pub environment: Option<String>,
    /// Those of this database.
    pub database: Option<String>,
    /// Those of this kind.
    pub kind: Option<Kind>,
}

impl Filter {
    /// Selects every backup.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Selects those of an environment.
    #[must_use]
    pub fn with_environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// Selects those of a database.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }

    /// Selects those of a kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Whether the filter selects this backup.
    #[must_use]
    pub fn selects(&self, manifest: &Manifest) -> bool {
        self.environment.as_ref().is_none_or(|environment| *environment == manifest.environment)
            && self.database.as_ref().is_none_or(|database| *database == manifest.database)
            && self.kind.is_none_or(|kind| kind == manifest.kind)
    }
}
