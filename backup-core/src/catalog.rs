//! [`Catalog`]: which backups exist, and what is known of them since.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{
    Error, ErrorKind, Result,
    manifest::{BackupRef, Kind, MAX_MANIFEST_BYTES, Manifest},
    store::StoredCopy,
};

mod annotation;
mod find;
mod json;
pub mod log;
mod recovery;
mod standing;
mod store;
pub use annotation::{Annotation, Note};
pub use find::find;
pub(crate) use find::find_selected;
pub use json::JsonCatalog;
#[cfg(feature = "testkit")]
pub(crate) use json::fuzz;
pub use log::BackupLog;
pub use recovery::Recovery;
pub use standing::Standing;
pub(crate) use store::MAX_NOTE_BYTES;
pub use store::StoreCatalog;

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
    /// Adds a backup: it exists from here on. A catalog that lies in several stores tells what became of each copy of the
    /// manifest; others tell nothing.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have inserted, never half; `get` tells.
    async fn insert(&self, manifest: &Manifest) -> Result<Vec<StoredCopy>>;

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

macro_rules! forward_catalog {
    ($pointer:ty) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<T: Catalog + ?Sized> Catalog for $pointer {
            async fn insert(&self, manifest: &Manifest) -> Result<Vec<StoredCopy>> {
                (**self).insert(manifest).await
            }
            async fn get(&self, backup: &BackupRef) -> Result<Entry> {
                (**self).get(backup).await
            }
            async fn annotate(&self, backup: &BackupRef, annotation: &Annotation) -> Result<()> {
                (**self).annotate(backup, annotation).await
            }
            async fn remove(&self, backup: &BackupRef) -> Result<()> {
                (**self).remove(backup).await
            }
            fn list(&self, filter: &Filter) -> BoxStream<'static, Result<Entry>> {
                (**self).list(filter)
            }
        }
    };
}
forward_catalog!(Arc<T>);
forward_catalog!(Box<T>);

/// A backup with what became known of it since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "UnsortedEntry")]
#[non_exhaustive]
pub struct Entry {
    /// The backup.
    pub manifest: Manifest,
    /// What was recorded since, oldest first.
    pub annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct UnsortedEntry {
    manifest: Manifest,
    #[serde(default)]
    annotations: Vec<Annotation>,
}

impl From<UnsortedEntry> for Entry {
    fn from(entry: UnsortedEntry) -> Self {
        Self::new(entry.manifest, entry.annotations)
    }
}

impl Entry {
    /// A backup with its records, which are sorted by time.
    #[must_use]
    pub fn new(manifest: Manifest, mut annotations: Vec<Annotation>) -> Self {
        // Of two records of the same millisecond the one that keeps the backup, or doubts it, counts as the later.
        annotations.sort_by_key(|annotation| (annotation.at, annotation.note.is_cautious()));
        Self { manifest, annotations }
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
                // A hold with fields of a later version is a hold.
                Note::Other(_) if annotation.note.name() == "held" => Some(true),
                _ => None,
            })
            .unwrap_or(false)
    }

    /// Whether its deletion was begun: what is left of it is to be deleted too.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        self.annotations.iter().any(|annotation| annotation.note.name() == "pruning")
    }
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

/// The manifest as JSON, checked to be one that can be read back: at the place where it belongs, of a size that
/// is read, and with every field as it is now.
fn encode(manifest: &Manifest) -> Result<Vec<u8>> {
    let refuse = |message: &str| {
        Error::new(ErrorKind::InvalidInput, message).with_context("backup", manifest.backup_ref())
    };
    manifest.check_layout()?;
    let json = manifest.to_json()?;
    if json.len() > MAX_MANIFEST_BYTES {
        return Err(refuse("the manifest is too large").with_context("limit_bytes", MAX_MANIFEST_BYTES));
    }
    match Manifest::from_json(&json) {
        Ok(read) if read == *manifest => Ok(json),
        Ok(_) => Err(refuse("the manifest would not read back as it is")),
        Err(err) => Err(refuse("the manifest would not be readable").with_source(err)),
    }
}

/// What [`Catalog::get`] and [`Catalog::annotate`] say of a backup that is not there.
fn not_found(backup: &BackupRef) -> Error {
    Error::new(ErrorKind::NotFound, "no such backup").with_context("backup", backup)
}

#[cfg(test)]
mod tests;
