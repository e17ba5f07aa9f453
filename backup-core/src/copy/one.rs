use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;

use super::{Copied, CopyOptions, CopyReport, Stores};
use crate::{
    BackupRef, Catalog, Clock, Entry, Error, ErrorKind, Key, Manifest, Result, Store, StoreCatalog, StoreExt,
    SystemClock,
    catalog::MAX_NOTE_BYTES,
    manifest::{Layout, MAX_MANIFEST_BYTES},
    pipeline::{ClaimRecord, ClaimState, MAX_CLAIM_BYTES},
};

/// Copies a backup from one store into another: artifact and companions, then the manifest, then the notes.
///
/// # Errors
///
/// [`NotFound`](ErrorKind::NotFound) where the backup is not in the first store, [`Corrupt`](ErrorKind::Corrupt) where its
/// bytes there are not as recorded, [`AlreadyExists`](ErrorKind::AlreadyExists) for an object that is there and different.
/// What was copied by then stays, for the next call.
///
/// # Cancel safety
///
/// Cancel-safe: a dropped call leaves no backup that is not whole. Call again, or sweep the store.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use backup_core::{
///     Level, MemoryStore, Pipeline, Store, copy::{self, Copied, CopyOptions}, pipeline::BackupRequest,
///     testkit::fake::FakeDumper,
/// };
///
/// let here = MemoryStore::new();
/// let there: Arc<dyn Store> = Arc::new(MemoryStore::new());
/// let made = Pipeline::new(FakeDumper::new("rows"), here.clone()).backup(BackupRequest::new()).await?;
///
/// let here: Arc<dyn Store> = Arc::new(here);
/// let report = copy::copy(&made.backup, &here, &there, &CopyOptions::default()).await?;
/// assert_eq!(report.outcome, Copied::Copied);
/// Pipeline::for_store(there).verify(&made.backup, Level::Decoded).await?.ensure_passed()?;
/// # Ok::<(), backup_core::Error>(())
/// # }).unwrap();
/// ```
pub async fn copy(
    backup: &BackupRef,
    from: &Arc<dyn Store>,
    to: &Arc<dyn Store>,
    options: &CopyOptions,
) -> Result<CopyReport> {
    let stores = Stores { from, to, options };
    // Boxed, so that the futures of callers stay small.
    let copied = Box::pin(stores.copy(backup)).await;
    copied.map_err(|err| err.with_operation("copy").with_context("backup", backup))
}

impl Stores<'_> {
    async fn copy(&self, backup: &BackupRef) -> Result<CopyReport> {
        let mut report = CopyReport { backup: backup.clone(), outcome: Copied::Equal, objects: 0, bytes: 0 };
        let layout = Layout::of(backup);
        let entry = self.within(StoreCatalog::new(Arc::clone(self.from)).get(backup)).await?;
        if entry.is_being_deleted() || self.deletion(backup).await? {
            report.outcome = Copied::BeingDeleted;
            return Ok(report);
        }
        let json = self.within(self.from.get_bytes(&layout.manifest()?, MAX_MANIFEST_BYTES)).await?;
        if self.is_whole(&entry, &json).await? {
            self.notes(&layout, &mut report).await?;
        } else {
            self.claim(&layout).await?;
            match self.bring(&entry.manifest, &json, &mut report).await {
                Ok(None) => self.notes(&layout, &mut report).await?,
                Ok(Some(put)) => return self.take_back(&entry.manifest, report, put).await,
                Err(err) => {
                    // Beside a manifest the mark leads to nothing.
                    let is_there = self.within(self.to.exists(&layout.manifest()?)).await;
                    if matches!(is_there, Ok(true))
                        && let Err(left) = self.release(&layout).await
                    {
                        tracing::warn!(%backup, "the claim of a copy that failed stays for the sweep: {left}");
                    }
                    return Err(err);
                }
            }
        }
        // Also that of a copy which was cut off once the manifest was there.
        self.release(&layout).await?;
        if report.objects > 0 {
            report.outcome = Copied::Copied;
        }
        Ok(report)
    }

    /// Brings artifact, companions and manifest; how far it came where the backup went meanwhile.
    async fn bring(
        &self,
        manifest: &Manifest,
        json: &Bytes,
        report: &mut CopyReport,
    ) -> Result<Option<ManifestPut>> {
        let backup = manifest.backup_ref();
        for artifact in manifest.artifacts() {
            let brought = self.artifact(artifact, report).await;
            brought.map_err(|err| err.with_context("object", &artifact.key))?;
        }
        // A deletion may have begun meanwhile, and must not meet a manifest whose artifact it deleted.
        if self.is_gone(&backup, json).await? {
            return Ok(Some(ManifestPut::Not));
        }
        let key = Layout::of(&backup).manifest()?;
        self.small(&key, json.clone(), report).await?;
        // In this order: see `Pipeline::is_claimed`.
        let mut is_swept = self.within(self.to.exists(&Layout::of(&backup).swept()?)).await?;
        for artifact in manifest.artifacts() {
            is_swept = is_swept || !self.is_there(artifact).await?;
        }
        if is_swept {
            self.within(self.to.delete(&key)).await?;
            return Err(Error::new(
                ErrorKind::Unavailable,
                "a sweep took the copy for the remains of another while it was made",
            )
            .with_suggestion("copy again; sweep with a grace longer than the longest copy"));
        }
        Ok(self.is_gone(&backup, json).await?.then_some(ManifestPut::ByUs))
    }

    /// Whether the other store lacks nothing but notes, so that it need not be claimed; what is different is told later.
    async fn is_whole(&self, entry: &Entry, json: &Bytes) -> Result<bool> {
        let key = Layout::of(&entry.manifest.backup_ref()).manifest()?;
        match self.within(self.to.get_bytes(&key, json.len())).await {
            Ok(found) if found == *json => {}
            Ok(_) => return Ok(false),
            Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => return Ok(false),
            Err(err) => return Err(err),
        }
        for artifact in entry.manifest.artifacts() {
            match self.is_equal(artifact).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(err) if err.kind() == ErrorKind::Corrupt => return Ok(false),
                Err(err) => return Err(err),
            }
        }
        Ok(true)
    }

    /// Whether a deletion was begun in either store.
    async fn deletion(&self, backup: &BackupRef) -> Result<bool> {
        let claim = Layout::of(backup).claim()?;
        for store in [self.from, self.to] {
            match self.within(store.get_bytes(&claim, MAX_CLAIM_BYTES)).await {
                Ok(json) if ClaimRecord::state_of(&json) == ClaimState::Deleting => return Ok(true),
                Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(false)
    }

    /// Whether the backup is no longer there as it was, or being deleted.
    async fn is_gone(&self, backup: &BackupRef, json: &Bytes) -> Result<bool> {
        if self.deletion(backup).await? {
            return Ok(true);
        }
        match self.within(self.from.get_bytes(&Layout::of(backup).manifest()?, MAX_MANIFEST_BYTES)).await {
            Ok(found) => Ok(found != *json),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(true),
            Err(err) => Err(err),
        }
    }

    /// Marks what is being copied as ours, so that a sweep removes it where we are cut off.
    async fn claim(&self, layout: &Layout) -> Result<()> {
        let json = ClaimRecord::new(ClaimState::Creating, SystemClock.now()).to_json()?;
        match self.within(self.to.put_bytes(&layout.claim()?, json)).await {
            Ok(_) => Ok(()),
            // Of a copy that was cut off, or that is under way beside us: both end in the same objects.
            Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(err) => Err(err),
        }
    }

    /// Removes the mark, unless a deletion took its place.
    async fn release(&self, layout: &Layout) -> Result<()> {
        let claim = layout.claim()?;
        match self.within(self.to.get_bytes(&claim, MAX_CLAIM_BYTES)).await {
            Ok(json) if ClaimRecord::state_of(&json) == ClaimState::Deleting => Ok(()),
            Ok(_) => self.within(self.to.delete(&claim)).await,
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
            Err(err) => Err(err),
        }
    }

    /// Deletes what was copied of a backup that went meanwhile; its manifest first.
    async fn take_back(
        &self,
        manifest: &Manifest,
        report: CopyReport,
        put: ManifestPut,
    ) -> Result<CopyReport> {
        let layout = Layout::of(&manifest.backup_ref());
        let key = layout.manifest()?;
        // A backup that was whole before stays: who deletes it there will do so.
        if put == ManifestPut::ByUs || !self.within(self.to.exists(&key)).await? {
            self.within(self.to.delete(&key)).await?;
            for artifact in manifest.artifacts() {
                self.within(self.to.delete(&artifact.key)).await?;
            }
            self.release(&layout).await?;
        }
        Ok(CopyReport { outcome: Copied::BeingDeleted, objects: 0, bytes: 0, ..report })
    }

    /// Adds the notes that the other store lacks.
    async fn notes(&self, layout: &Layout, report: &mut CopyReport) -> Result<()> {
        let prefix = layout.notes()?;
        let theirs = self.within(Self::keys(&**self.to, &prefix)).await?;
        let theirs: HashSet<Key> = theirs.into_iter().collect();
        for key in self.within(Self::keys(&**self.from, &prefix)).await? {
            if theirs.contains(&key) {
                continue;
            }
            match self.within(self.from.get_bytes(&key, MAX_NOTE_BYTES)).await {
                Ok(note) => self.small(&key, note, report).await?,
                // Notes go with their backup; a deletion that came between completes there too.
                Err(err) if err.kind() == ErrorKind::NotFound => {}
                Err(err) => return Err(err.with_context("key", &key)),
            }
        }
        Ok(())
    }
}

/// Whether the manifest was put by this copy.
#[derive(PartialEq, Eq)]
enum ManifestPut {
    Not,
    ByUs,
}
