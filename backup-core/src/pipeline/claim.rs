//! The claim on an id while a backup is made or deleted, and the removal of what is left of cut-off ones.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::{Pipeline, lease::check};
use crate::{
    BackupId, BackupRef, Error, ErrorKind, Key, Lease, ObjectMeta, Prefix, PutMode, PutOptions, Result,
    Store, StoreExt,
    manifest::{IdTemplate, Layout, Named},
    store::{CopiesFailed, SweepReport},
};

/// How long the removal of an aborted backup's objects may take; less where the stall timeout is less.
pub(super) const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a store may still be publishing after its put was dropped.
const SETTLING: Duration = Duration::from_millis(500);
/// The pauses between tries of a removal that may succeed later.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// The largest claim that is read, in bytes.
pub(crate) const MAX_CLAIM_BYTES: usize = 64 * 1024;
/// How many backups of one series may start at once under one name.
const ATTEMPTS: u32 = 100;

/// A small object `<id>.claim.json` that reserves an id, so that two backups of the same second do not meet
/// after both were dumped, and that tells a sweep which objects without manifest are remains of ours.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClaimRecord {
    state: ClaimState,
    at: DateTime<Utc>,
    host: Option<String>,
    pid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClaimState {
    /// A backup is being made.
    Creating,
    /// A backup is being deleted.
    Deleting,
}

impl ClaimRecord {
    /// A claim of this process.
    pub(crate) fn new(state: ClaimState, at: DateTime<Utc>) -> Self {
        Self { state, at, host: host_name(), pid: std::process::id() }
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|err| Error::new(ErrorKind::Unexpected, "cannot write the claim").with_source(err))
    }

    /// What a claim says; one that cannot be read is of a backup under way, as far as a sweep is concerned.
    pub(crate) fn state_of(json: &[u8]) -> ClaimState {
        serde_json::from_slice::<Self>(json).map_or(ClaimState::Creating, |claim| claim.state)
    }
}

/// A claimed id. Dropping it before [`disarm`](Self::disarm) removes the claim and the objects that were
/// put under it, on a task of its own and in bounded time.
#[derive(Debug)]
pub(super) struct Claim {
    store: Arc<dyn Store>,
    backup: BackupRef,
    objects: Vec<Key>,
    armed: bool,
    removals: TaskTracker,
    limit: Duration,
}

impl Pipeline {
    /// Claims the first free id of this second, or of the template's name; `extensions` are those of the artifact.
    pub(super) async fn claim(&self, named: &Named<'_>, extensions: &[&str]) -> Result<Claim> {
        let first = match &self.names {
            Some(template) => self.within("claim", self.next_attempt(template, named)).await?,
            None => 1,
        };
        for attempt in first..first.saturating_add(ATTEMPTS) {
            let id = match &self.names {
                Some(template) => template.id(named, attempt)?,
                None => BackupId::generate(named.at, named.label, attempt)?,
            };
            let backup = BackupRef::new(named.environment, named.database, id);
            let layout = Layout::of(&backup);
            let (manifest, artifact) = (layout.manifest()?, layout.artifact(extensions)?);
            let taken = async { Ok(self.is_taken(&manifest).await? || self.is_taken(&artifact).await?) };
            if self.within("claim", taken).await? {
                continue;
            }
            match self.try_claim(backup, named.at).await {
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
                claimed => return claimed,
            }
        }
        Err(Error::new(ErrorKind::RateLimited, "too many backups of one database at once under one name")
            .with_context("database", named.database))
    }

    /// Whether an object is there, as far as it can be told: one of several stores that is away keeps nobody from making
    /// backups, as the stores themselves refuse what exists.
    async fn is_taken(&self, key: &Key) -> Result<bool> {
        match self.store.exists(key).await {
            Err(err) if CopiesFailed::is_partial(&err) => Ok(false),
            exists => exists,
        }
    }

    /// The number after those of the template's name that are taken.
    ///
    /// One that became free before a later one is not taken again: whoever is about to delete its former bearer must
    /// not meet a new backup there.
    async fn next_attempt(&self, template: &IdTemplate, named: &Named<'_>) -> Result<u32> {
        let first = template.id(named, 1)?;
        let mut taken = 0;
        let mut objects = self.store.list(&Layout::folder(named.environment, Some(named.database))?);
        while let Some(object) = objects.next().await {
            let object = match object {
                Ok(object) => object,
                Err(err) if CopiesFailed::is_partial(&err) => break,
                Err(err) => return Err(err),
            };
            let name = object.key.segments().nth(2).unwrap_or_default();
            let id = name.split_once('.').map_or(name, |(id, _)| id);
            taken = taken.max(IdTemplate::attempt_of(&first, id).unwrap_or(0));
        }
        Ok(taken + 1)
    }

    /// Creates a claim on a task of its own: a caller that goes away while the store is about to publish it must
    /// not leave it there, nor remove one that turns out to be somebody else's.
    async fn try_claim(&self, backup: BackupRef, at: DateTime<Utc>) -> Result<Claim> {
        let (sender, receiver) = oneshot::channel();
        let pipeline = self.clone();
        self.removals.spawn(async move {
            let put = pipeline.put_claim(&backup, at, ClaimState::Creating, PutMode::Create).await;
            let claimed = put.map(|()| Claim {
                store: Arc::clone(&pipeline.store),
                backup,
                objects: Vec::new(),
                armed: true,
                removals: pipeline.removals.clone(),
                limit: pipeline.stall_timeout.min(CLEAN_UP_TIMEOUT),
            });
            // What nobody takes is dropped here, and removes itself.
            drop(sender.send(claimed));
        });
        receiver.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unexpected, "the task that claims an id was cut off"))
        })
    }

    /// Writes the claim of a backup, also to renew its age.
    pub(super) async fn put_claim(
        &self,
        backup: &BackupRef,
        at: DateTime<Utc>,
        state: ClaimState,
        mode: PutMode,
    ) -> Result<()> {
        let json = ClaimRecord::new(state, at).to_json()?;
        let key = Layout::of(backup).claim()?;
        let options = PutOptions::default().with_mode(mode);
        self.within("claim", self.store.put(&key, Bytes::from(json).into(), options)).await?;
        Ok(())
    }

    /// Removes what backups and deletions left behind that were cut off more than `grace` ago, by a killed
    /// process or a power cut; choose a grace longer than the longest backup, a day for example.
    ///
    /// Touches only the store's own unfinished uploads, and objects of ids that a claim of ours names and that
    /// have no manifest in the store. What the store keeps [locked](Self::with_object_lock) stays until a sweep after that.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where a prune or another sweep is at work in the store, as for
    /// [`prune`](Self::prune). The first of the store; a later call removes the rest.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a later call removes the rest.
    pub async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.sweep_alone(grace).await.map_err(|err| err.with_operation("sweep"))
    }

    async fn sweep_alone(&self, grace: Duration) -> Result<SweepReport> {
        let lease = self.lease().await?;
        let swept = lease.during(self.run_sweep(grace, &lease)).await;
        self.give_back(lease).await;
        swept
    }

    async fn run_sweep(&self, grace: Duration, lease: &Lease) -> Result<SweepReport> {
        let mut report = self.within("sweep", self.store.sweep(grace)).await?;
        let now = self.clock.now();
        let grace = chrono::Duration::from_std(grace).unwrap_or(chrono::Duration::MAX);
        let (mut claims, mut marks): (Vec<ObjectMeta>, Vec<ObjectMeta>) = (Vec::new(), Vec::new());
        let mut objects = self.store.list(&Prefix::root());
        while let Some(object) = self.within("list", objects.try_next()).await? {
            if object.key.as_str().ends_with(Layout::CLAIM) {
                claims.push(object);
            } else if object.key.as_str().ends_with(Layout::SWEPT) {
                marks.push(object);
            }
        }
        // Of a sweep that was cut off once the claim was gone; else the backup may be alive and has to see it.
        marks.retain(|mark| {
            let stem = mark.key.as_str().strip_suffix(Layout::SWEPT);
            !claims.iter().any(|claim| claim.key.as_str().strip_suffix(Layout::CLAIM) == stem)
        });
        let (old, young): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|claim| now - claim.last_modified >= grace);
        for claim in young {
            report.keep(claim.last_modified.checked_add_signed(grace));
        }
        for claim in old {
            self.within("sweep", self.sweep_claim(&claim, now, &mut report, lease)).await?;
        }
        for mark in marks {
            self.within("sweep", self.delete_object(&mark.key, Some(lease))).await?;
        }
        Ok(report)
    }

    /// Removes what an old claim leads to, unless a manifest is there, and the claim.
    async fn sweep_claim(
        &self,
        claim: &ObjectMeta,
        now: DateTime<Utc>,
        report: &mut SweepReport,
        lease: &Lease,
    ) -> Result<()> {
        let Some(stem) = claim.key.as_str().strip_suffix(Layout::CLAIM) else { return Ok(()) };
        let mut locked_until = None;
        let layout = Layout::of(&stem.parse()?);
        if !self.is_catalogued(stem).await? && self.mark(stem, &layout, now, lease).await? {
            for object in objects_with_stem(&*self.store, stem).await? {
                if object.key == claim.key || object.key == layout.swept()? {
                    continue;
                }
                if let Some(lock) = self.stored_lock(&object.key).await?.filter(|lock| lock.is_active(now)) {
                    locked_until = locked_until.max(Some(lock.until));
                    continue;
                }
                self.delete_object(&object.key, Some(lease)).await?;
                report.removed += 1;
                report.freed_bytes += object.size;
            }
        }
        if locked_until.is_some() {
            // The claim leads the next sweep there.
            report.keep(locked_until);
            return Ok(());
        }
        self.delete_object(&claim.key, Some(lease)).await?;
        // Last, so that a backup that still lives sees a mark or no claim.
        self.delete_object(&layout.swept()?, Some(lease)).await?;
        report.removed += 1;
        report.freed_bytes += claim.size;
        Ok(())
    }

    /// Says that what a claim leads to is being removed; false where it became a backup meanwhile.
    ///
    /// A live backup renews its claim, but its host may have stood still for longer than the grace. It looks for the mark
    /// once its manifest is there, and we for a manifest once the mark is: one of the two sees the other.
    async fn mark(&self, stem: &str, layout: &Layout, now: DateTime<Utc>, lease: &Lease) -> Result<bool> {
        check(Some(lease)).await?;
        let json = ClaimRecord::new(ClaimState::Deleting, now).to_json()?;
        let options = PutOptions::default().with_mode(PutMode::Overwrite);
        self.store.put(&layout.swept()?, Bytes::from(json).into(), options).await?;
        Ok(!self.is_catalogued(stem).await?)
    }

    /// Says why a backup is not there where objects of it are.
    pub(super) async fn not_found(&self, backup: &BackupRef, err: Error) -> Result<Error> {
        let leftovers = objects_of(&*self.store, backup).await?;
        let Some(object) = leftovers.first() else { return Ok(err) };
        let claim = Layout::of(backup).claim()?;
        let state = if leftovers.iter().any(|object| object.key == claim) {
            self.claim_state(&claim).await
        } else {
            None
        };
        let (message, suggestion) = match state {
            Some(ClaimState::Deleting) => (
                "there is no such backup: it is being deleted, or was deleted in part",
                "nothing more has to be done: a sweep removes what a deletion that was cut off left",
            ),
            Some(ClaimState::Creating) => (
                "there is no such backup: an object without manifest is no backup",
                "a backup is under way or was cut off; choose another, and let a sweep remove the remains",
            ),
            None => (
                "there is no such backup: an object without manifest is no backup",
                "its manifest is gone: bring that back from a copy of the store, or remove the objects by hand",
            ),
        };
        Ok(Error::new(ErrorKind::NotFound, message)
            .with_context("backup", backup)
            .with_context("object", &object.key)
            .with_suggestion(suggestion))
    }

    /// Whether a backup that is being made still has its claim, and no sweep takes it for remains.
    ///
    /// In this order: a sweep makes its mark, removes what it takes, then the claim, then the mark.
    pub(super) async fn is_claimed(&self, backup: &BackupRef) -> Result<bool> {
        let layout = Layout::of(backup);
        Ok(!self.store.exists(&layout.swept()?).await? && self.store.exists(&layout.claim()?).await?)
    }

    /// What a claim says, as far as it can be read.
    pub(super) async fn claim_state(&self, claim: &Key) -> Option<ClaimState> {
        let json = self.store.get_bytes(claim, MAX_CLAIM_BYTES).await.ok()?;
        Some(ClaimRecord::state_of(&json))
    }

    /// Whether a manifest exists for the objects `stem.…`, in the catalog or beside them.
    pub(super) async fn is_catalogued(&self, stem: &str) -> Result<bool> {
        if self.store.exists(&Key::parse(format!("{stem}{}", Layout::MANIFEST))?).await? {
            return Ok(true);
        }
        match self.catalog.get(&stem.parse()?).await {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(false),
            Err(err) => Err(err),
        }
    }
}

impl Claim {
    pub(super) fn backup(&self) -> &BackupRef {
        &self.backup
    }

    /// Says that an object is about to be put, which goes where the claim goes.
    pub(super) fn will_put(&mut self, key: Key) {
        self.objects.push(key);
    }

    /// The backup is committed, or its state is unknown: from here on nothing is removed by a drop.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    /// Removes the objects of the backup, then the claim.
    pub(super) async fn clean_up(mut self) -> Result<()> {
        self.disarm();
        let objects = std::mem::take(&mut self.objects);
        clean_up(Arc::clone(&self.store), self.backup.clone(), objects, self.limit).await
    }

    /// Removes the claim of a committed backup.
    pub(super) async fn release(mut self) -> Result<()> {
        self.disarm();
        self.store.delete(&Layout::of(&self.backup).claim()?).await
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // Without a runtime, as in its shutdown, the remains stay for the sweep.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, backup) = (Arc::clone(&self.store), self.backup.clone());
            let (objects, limit) = (std::mem::take(&mut self.objects), self.limit);
            let removal = async move {
                // A store may be publishing what it got at the very moment of the drop: once more a little later.
                let first = remove(&*store, &objects, limit).await;
                tokio::time::sleep(SETTLING).await;
                if let Err(err) = first.and(clean_up(store, backup.clone(), objects, limit).await) {
                    tracing::warn!(%backup, "the remains of a dropped backup stay for the sweep: {err}");
                }
            };
            self.removals.spawn_on(removal, &runtime);
        }
    }
}

async fn clean_up(
    store: Arc<dyn Store>,
    backup: BackupRef,
    mut objects: Vec<Key>,
    limit: Duration,
) -> Result<()> {
    // The claim goes last: as long as it is there, a sweep finds the others.
    objects.push(Layout::of(&backup).claim()?);
    remove(&*store, &objects, limit).await
}

async fn remove(store: &dyn Store, objects: &[Key], limit: Duration) -> Result<()> {
    let removal = async {
        for key in objects {
            let mut pause = FIRST_PAUSE;
            while let Err(err) = store.delete(key).await {
                if !err.is_retryable() || pause > LAST_PAUSE {
                    return Err(err);
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(())
    };
    tokio::time::timeout(limit, removal)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "the removal of the remains took too long")))
}

/// Every object of a backup in the store: artifact, companions, manifest, claim and notes.
pub(super) async fn objects_of(store: &dyn Store, backup: &BackupRef) -> Result<Vec<ObjectMeta>> {
    let manifest = Layout::of(backup).manifest()?;
    let stem = manifest.as_str().strip_suffix(Layout::MANIFEST).unwrap_or_default();
    objects_with_stem(store, stem).await
}

async fn objects_with_stem(store: &dyn Store, stem: &str) -> Result<Vec<ObjectMeta>> {
    let folder = stem.rsplit_once('/').map_or("", |(folder, _)| folder);
    // The dot keeps `…-020000` apart from `…-020000-2`.
    let stem = format!("{stem}.");
    store
        .list(&Prefix::parse(folder)?)
        .try_filter(|object| std::future::ready(object.key.as_str().starts_with(&stem)))
        .try_collect()
        .await
}

/// This machine's name, where the operating system tells it.
pub(crate) fn host_name() -> Option<String> {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(unix))]
    return std::env::var("COMPUTERNAME").ok();
}
