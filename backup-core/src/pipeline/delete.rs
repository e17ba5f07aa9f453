use super::{
    Pipeline,
    claim::{self, ClaimState},
    lease::check,
};
use crate::{
    Annotation, BackupRef, Entry, Error, ErrorKind, Event, Lease, Note, Operation, PutMode, Result,
    manifest::Layout, store::SweepReport,
};

/// Whether an operation that changes or deletes something was confirmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confirmation {
    /// It was not: nothing is changed.
    #[default]
    Missing,
    /// It was.
    Confirmed,
}

impl Confirmation {
    /// Fails with [`NotConfirmed`](ErrorKind::NotConfirmed) unless confirmed.
    pub(super) fn check(self, message: &str, suggestion: &str) -> Result<()> {
        match self {
            Self::Confirmed => Ok(()),
            Self::Missing => {
                Err(Error::new(ErrorKind::NotConfirmed, format!("{message}, and was not confirmed"))
                    .with_suggestion(suggestion))
            }
        }
    }
}

impl Pipeline {
    /// Deletes a backup: mark, manifest, artifact, in an order in which a rerun or a sweep completes what was
    /// cut off.
    ///
    /// It takes no [lease](crate::Lease): it deletes what it was told and can be repeated, also beside a prune. From a
    /// store that is full it deletes without a mark; cut off there, it leaves an artifact that
    /// [`orphans`](Self::orphans) names and no sweep removes.
    ///
    /// # Errors
    ///
    /// [`NotConfirmed`](ErrorKind::NotConfirmed); [`PermissionDenied`](ErrorKind::PermissionDenied) for a
    /// backup that is held, or that its store keeps [locked](Self::with_object_lock).
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have deleted a part; call again, or let a sweep complete it.
    #[tracing::instrument(skip_all, fields(%backup))]
    pub async fn delete(&self, backup: &BackupRef, confirmation: Confirmation) -> Result<()> {
        self.emit(&Event::Started { operation: Operation::Delete, backup });
        let result = self.within("delete", self.run_delete(backup, confirmation)).await;
        self.ended(Operation::Delete, Some(backup), result)
    }

    async fn run_delete(&self, backup: &BackupRef, confirmation: Confirmation) -> Result<()> {
        // A hold may be in a store that the catalog would do without.
        self.reach_all(backup).await?;
        let entry = self.entry(backup).await?;
        if entry.is_held() {
            return Err(Error::new(ErrorKind::PermissionDenied, "the backup is held and cannot be deleted")
                .with_context("backup", backup)
                .with_suggestion("release it first"));
        }
        self.check_unlocked(&entry.manifest).await?;
        confirmation
            .check("the backup would be deleted", "make sure that it is the right one, then confirm")?;
        self.remove(Operation::Delete, &entry, "deleted on request", &mut Vec::new(), None).await
    }

    /// Removes a backup: mark, manifest, artifact, and what else bears its name.
    pub(super) async fn remove(
        &self,
        operation: Operation,
        entry: &Entry,
        reason: &str,
        warnings: &mut Vec<String>,
        lease: Option<&Lease>,
    ) -> Result<()> {
        check(lease).await?;
        let manifest = &entry.manifest;
        let backup = &manifest.backup_ref();
        let now = self.clock.now();
        // The claim leads a sweep to what is left if we are cut off once the manifest is gone.
        let marked = async {
            self.put_claim(backup, now, ClaimState::Deleting, PutMode::Overwrite).await?;
            if !entry.is_being_deleted() {
                let note = Note::Pruning { reason: reason.to_owned() };
                self.catalog.annotate(backup, &Annotation::new(now, note)).await?;
            }
            Ok::<_, Error>(())
        };
        let is_full = match marked.await {
            Ok(()) => false,
            // Nothing would ever make room, were it not deleted without a mark.
            Err(err) if err.kind() == ErrorKind::StorageFull => true,
            Err(err) => return Err(err),
        };
        check(lease).await?;
        self.catalog.remove(backup).await?;
        if is_full
            && let Err(err) = self.put_claim(backup, now, ClaimState::Deleting, PutMode::Overwrite).await
        {
            tracing::warn!(%backup, "no room for the mark of a deletion, even without its manifest: {err}");
        }
        for mirror in &self.mirrors {
            if let Err(err) = mirror.remove(backup).await {
                self.warn(operation, warnings, format!("a mirror of the catalog kept the backup: {err}"));
            }
        }
        let artifacts = std::iter::once(&manifest.artifact.key)
            .chain(manifest.companions.values().map(|companion| &companion.artifact.key));
        for key in artifacts {
            self.delete_object(key, lease).await?;
        }
        // Such as notes that were added meanwhile.
        self.remove_remains(backup, lease).await?;
        self.emit(&Event::Deleted { operation, backup, bytes: manifest.stored_bytes() });
        Ok(())
    }

    /// Fails unless every store that can hold something of the backup can be listed.
    pub(super) async fn reach_all(&self, backup: &BackupRef) -> Result<()> {
        claim::objects_of(&*self.store, backup).await.map(drop)
    }

    /// Removes what is left in the store of a backup without manifest, its claim last.
    pub(super) async fn remove_remains(
        &self,
        backup: &BackupRef,
        lease: Option<&Lease>,
    ) -> Result<SweepReport> {
        let claim = Layout::of(backup).claim()?;
        let mut removed = SweepReport::default();
        for object in claim::objects_of(&*self.store, backup).await? {
            if object.key != claim {
                self.delete_object(&object.key, lease).await?;
                removed.removed += 1;
                removed.freed_bytes += object.size;
            }
        }
        self.delete_object(&claim, lease).await?;
        Ok(removed)
    }
}
