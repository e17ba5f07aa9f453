//! [`JsonCatalog`]: all backups in one JSON file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    StreamExt, TryFutureExt, TryStreamExt,
    stream::{self, BoxStream},
};
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use self::document::Document;
use super::{Annotation, Catalog, Entry, Filter, encode};
use crate::{BackupRef, Error, ErrorKind, Manifest, Result, manifest::Layout, store::StoredCopy};

mod document;
mod file;
#[cfg(feature = "testkit")]
pub(crate) mod fuzz;

/// How long a change waits for another one, unless told otherwise.
const LOCK_WAIT: Duration = Duration::from_secs(30);
/// How many entries are read at once while listing.
const BATCH: usize = 256;

/// Keeps all entries in one file, `backups.json` by custom.
///
/// The file is `{"schema_version":1,"backups":[…]}` with an [`Entry`] per line. Every change replaces it in one
/// step, under a lock (`backups.json.lock`, which stays behind on purpose), so that readers need none and
/// see the file before or after a change. Entries that are not changed are written back to the byte, whatever
/// a later version put into them. A file that cannot be read is never overwritten.
///
/// Each change writes the whole file: for some ten thousand backups, or for a copy that is handed on. Where it
/// can be lost, keep a [`StoreCatalog`](super::StoreCatalog) and make the file from that with
/// [`rebuild`](Self::rebuild).
///
/// # Examples
///
/// ```
/// # use backup_core::{Catalog, Filter, catalog::JsonCatalog};
/// # use futures::TryStreamExt;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let dir = tempfile::tempdir()?;
/// let catalog = JsonCatalog::open(dir.path().join("backups.json")).await?;
/// let entries: Vec<_> = catalog.list(&Filter::all()).try_collect().await?;
/// assert!(entries.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct JsonCatalog {
    path: Arc<Path>,
    /// Lines up the changes of this process, so that they do not poll for the lock against each other.
    queue: Arc<Mutex<()>>,
    lock_wait: Duration,
}

impl JsonCatalog {
    /// Opens the catalog at `path`; a file that is missing is an empty catalog.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where the directory is missing, [`Corrupt`](ErrorKind::Corrupt) for a file
    /// that is no catalog, [`Unsupported`](ErrorKind::Unsupported) for one of a newer version.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let path = blocking(move || {
            let path = file::resolve(&path)?;
            // Now rather than after the first dump of an hour.
            Document::read(&path)?;
            Ok(path)
        })
        .await?;
        Ok(Self { path: path.into(), queue: Arc::default(), lock_wait: LOCK_WAIT })
    }

    /// Makes the catalog at `path`, where no file is, out of all entries of another one.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) where there is a file; any error of the other catalog's list.
    /// Nothing is written then.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have made the file, never half.
    pub async fn rebuild(path: impl Into<PathBuf>, from: &(impl Catalog + ?Sized)) -> Result<Self> {
        let path = path.into();
        let path = blocking(move || file::resolve(&path)).await?;
        let catalog = Self { path: path.into(), queue: Arc::default(), lock_wait: LOCK_WAIT };
        let entries: Vec<Entry> = from.list(&Filter::all()).try_collect().await?;
        let path = Arc::clone(&catalog.path);
        catalog
            .locked(move || {
                if file::exists(&path)? {
                    return Err(Error::new(ErrorKind::AlreadyExists, "there is a file already")
                        .with_context("path", path.display())
                        .with_suggestion("move the file away, then rebuild"));
                }
                let mut document = Document::default();
                for entry in &entries {
                    encode(&entry.manifest)?;
                    document.push(entry)?;
                }
                document.sort();
                document.write(&path)
            })
            .await?;
        Ok(catalog)
    }

    /// Says how long a change waits for those of other processes; 30 seconds unless it is said.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `act` on a blocking thread while no other change is under way, in this process or another.
    async fn locked<T: Send + 'static>(&self, act: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let acquire = async {
            let turn = Arc::clone(&self.queue).lock_owned().await;
            let path = Arc::clone(&self.path);
            let lock = blocking(move || file::open_lock(&path)).await?;
            while !file::try_lock(&lock, &self.path)? {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, Error>((turn, lock))
        };
        let guards = tokio::time::timeout(self.lock_wait, acquire).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, "another process is changing the catalog")
                .with_context("path", self.path.display())
                .with_context("waited_ms", self.lock_wait.as_millis())
                .with_suggestion("look for a process that holds the file of that name with .lock, and end it")
        })??;
        blocking(move || {
            let result = act();
            // Held to here, also when the caller stopped waiting.
            drop(guards);
            result
        })
        .await
    }

    /// Reads the file, changes what was read, and replaces the file where `change` says that there is a reason.
    async fn change(
        &self,
        change: impl FnOnce(&mut Document) -> Result<Changed> + Send + 'static,
    ) -> Result<()> {
        let path = Arc::clone(&self.path);
        self.locked(move || {
            let mut document = Document::read(&path)?;
            match change(&mut document)? {
                Changed::Yes => document.write(&path),
                Changed::No => Ok(()),
            }
        })
        .await
    }
}

/// Whether there is something to write.
enum Changed {
    Yes,
    No,
}

#[async_trait]
impl Catalog for JsonCatalog {
    async fn insert(&self, manifest: &Manifest) -> Result<Vec<StoredCopy>> {
        encode(manifest)?;
        let entry = Entry::new(manifest.clone(), Vec::new());
        self.change(move |document| {
            let backup = entry.manifest.backup_ref();
            if document.position(&backup).is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, "the backup exists already")
                    .with_context("backup", backup));
            }
            document.push(&entry)?;
            Ok(Changed::Yes)
        })
        .await?;
        Ok(Vec::new())
    }

    async fn get(&self, backup: &BackupRef) -> Result<Entry> {
        let (path, backup) = (Arc::clone(&self.path), backup.clone());
        blocking(move || Document::read(&path)?.entry(&backup)).await
    }

    async fn annotate(&self, backup: &BackupRef, annotation: &Annotation) -> Result<()> {
        let json = annotation.to_json()?;
        let backup = backup.clone();
        self.change(move |document| document.annotate(&backup, json).map(|()| Changed::Yes)).await
    }

    async fn remove(&self, backup: &BackupRef) -> Result<()> {
        let backup = backup.clone();
        self.change(move |document| Ok(if document.remove(&backup) { Changed::Yes } else { Changed::No }))
            .await
    }

    fn list(&self, filter: &Filter) -> BoxStream<'static, Result<Entry>> {
        let (path, filter) = (Arc::clone(&self.path), filter.clone());
        let read = async move {
            if let Some(environment) = &filter.environment {
                Layout::folder(environment, filter.database.as_deref())?;
            }
            let document = blocking(move || Document::read(&path)).await?;
            Ok::<_, Error>(
                stream::try_unfold(document.into_entries(), move |mut rest: Vec<Box<RawValue>>| {
                    let filter = filter.clone();
                    // Reading thousands of manifests takes a while: not on the runtime's threads.
                    blocking(move || {
                        if rest.is_empty() {
                            return Ok(None);
                        }
                        let batch = rest.split_off(rest.len().saturating_sub(BATCH));
                        let entries: Vec<_> = batch
                            .iter()
                            .map(|raw| document::read_entry(raw))
                            .filter(|entry| {
                                entry.as_ref().map_or(true, |entry| filter.selects(&entry.manifest))
                            })
                            .collect();
                        Ok(Some((stream::iter(entries), rest)))
                    })
                })
                .try_flatten(),
            )
        };
        read.try_flatten_stream().boxed()
    }
}

/// Runs blocking work beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|err| {
        Error::new(ErrorKind::Unexpected, "a task of the catalog was stopped").with_source(err)
    })?
}

#[cfg(test)]
mod tests;
