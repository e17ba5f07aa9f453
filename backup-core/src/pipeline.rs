//! [`Pipeline`]: backup, list, verify, restore, delete and prune, composed from the traits.

use std::{fmt, sync::Arc, time::Duration};

use futures::StreamExt;
use tokio_util::task::TaskTracker;

use crate::{
    BackupRef, Catalog, Clock, Compressor, Dumper, Encryptor, Entry, Error, ErrorKind, Event, Filter, Level,
    LockMode, Observer, Operation, Rehearsal, Result, Retention, SourceInfo, Store, SystemClock,
    catalog::StoreCatalog,
    compress::{self, Identity},
    lease::LEASE_TTL,
    manifest::IdTemplate,
    store::{CopiesFailed, CopyTo, FanOut},
};

mod backup;
mod claim;
mod delete;
mod diff;
mod drill;
mod fresh;
pub mod gate;
mod health;
mod keys;
mod lease;
mod lock;
mod meter;
mod orphans;
mod prune;
mod rehearse;
mod restore;
mod verify;

pub use backup::{BackupReport, BackupRequest, SpaceCheck};
pub use delete::Confirmation;
pub use diff::DiffSide;
pub use drill::{DrillReport, DrillRequest, Drilled};
pub use fresh::FreshnessReport;
#[cfg(feature = "schedule")]
pub(crate) use fresh::newest_good;
pub use gate::{GateReport, GateRequest};
pub use keys::{KeyTest, KeyTestResult, KeysReport};
pub use orphans::Orphans;
pub use prune::{PruneInterrupted, PruneReport, Pruned, SpareReason, Spared};
pub use restore::{RestorePlan, RestoreReport, RestoreRequest, RowComparison, SafetyBackup, SourceAsTarget};
pub use verify::VerifyReport;

pub(crate) use claim::{ClaimRecord, ClaimState, MAX_CLAIM_BYTES, host_name};

use lock::LockFor;

/// How long nothing may move in any stage before an operation is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Makes, lists, proves, restores and deletes the backups of a store.
///
/// Cheap to clone; clones share everything. All operations may run at the same time, in one process or in
/// several, also on the same store.
///
/// # Contract
///
/// - A backup exists if and only if its manifest does. It is written last, once the artifact is stored,
///   durable and read back.
/// - An operation that fails, or whose future is dropped, leaves no backup, and removes what it stored. What a
///   killed process left is invisible, and [`sweep`](Self::sweep) removes it.
///
/// # Examples
///
/// ```
/// # async fn example() -> backup_core::Result<()> {
/// use backup_core::{Level, MemoryStore, pipeline::{BackupRequest, Pipeline}, testkit::fake::FakeDumper};
///
/// let dumper = FakeDumper::new("all the rows");
/// let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_environment("production");
///
/// let report = pipeline.backup(BackupRequest::new().with_label("first")).await?;
/// let proof = pipeline.verify(&report.backup, Level::Decoded).await?;
/// assert!(proof.evidence.passed());
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct Pipeline {
    dumper: Option<Arc<dyn Dumper>>,
    store: Arc<dyn Store>,
    catalog: Arc<dyn Catalog>,
    mirrors: Vec<Arc<dyn Catalog>>,
    compressor: Arc<dyn Compressor>,
    encryptor: Option<Arc<dyn Encryptor>>,
    rehearsal: Option<Arc<Rehearsal>>,
    retention: Option<Arc<Retention>>,
    names: Option<Arc<IdTemplate>>,
    lock: Option<LockFor>,
    observers: Vec<Arc<dyn Observer>>,
    copies: Arc<[CopyTo]>,
    clock: Arc<dyn Clock>,
    environment: String,
    level: Level,
    stall_timeout: Duration,
    lease_ttl: Duration,
    removals: TaskTracker,
}

impl Pipeline {
    /// A pipeline from a database to a store: compressed by zstd, in the environment `default`, read back and
    /// compared by digest, with the manifests beside the artifacts.
    pub fn new(dumper: impl Dumper, store: impl Store) -> Self {
        Self { dumper: Some(Arc::new(dumper)), ..Self::for_store(store) }
    }

    /// A pipeline for the backups that a store holds already: everything but [`backup`](Self::backup).
    pub fn for_store(store: impl Store) -> Self {
        let store: Arc<dyn Store> = Arc::new(store);
        Self {
            dumper: None,
            catalog: Arc::new(StoreCatalog::new(Arc::clone(&store))),
            store,
            mirrors: Vec::new(),
            #[cfg(feature = "zstd")]
            compressor: Arc::new(compress::Zstd::default()),
            #[cfg(not(feature = "zstd"))]
            compressor: Arc::new(Identity),
            encryptor: None,
            rehearsal: None,
            retention: None,
            names: None,
            lock: None,
            observers: Vec::new(),
            copies: Arc::default(),
            clock: Arc::new(SystemClock),
            environment: "default".to_owned(),
            level: Level::Digest,
            stall_timeout: STALL_TIMEOUT,
            lease_ttl: LEASE_TTL,
            removals: TaskTracker::new(),
        }
    }

    /// Names the environment of new backups, the series that retention works on: `production`, `staging`, …
    #[must_use]
    pub fn with_environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = environment.into();
        self
    }

    /// Compresses new backups so; [`Identity`] leaves them as they are.
    #[must_use]
    pub fn with_compressor(mut self, compressor: impl Compressor) -> Self {
        self.compressor = Arc::new(compressor);
        self
    }

    /// Encrypts new backups and their companions, after compression, and opens those that it can.
    ///
    /// With public keys alone a pipeline can back up, list, prune, and verify to [`Level::Digest`]; a deeper
    /// [level](Self::with_level) of new backups is refused before the dump. [`test_keys`](Self::test_keys) tells whether the
    /// keys that are here open what is stored.
    ///
    /// Manifests are not encrypted: they show names and sizes of databases and tables, numbers of rows, checksums, versions and
    /// hosts, as the documentation of the format lists them, and no row. Nor does encryption say who wrote something: keep
    /// strangers from writing to the store.
    #[must_use]
    pub fn with_encryptor(mut self, encryptor: impl Encryptor) -> Self {
        self.encryptor = Some(Arc::new(encryptor));
        self
    }

    /// Keeps the manifests elsewhere than beside the artifacts.
    #[must_use]
    pub fn with_catalog(mut self, catalog: impl Catalog) -> Self {
        self.catalog = Arc::new(catalog);
        self
    }

    /// Tells a second catalog of every change too; one that fails is a warning, never a lost backup.
    #[must_use]
    pub fn with_mirror(mut self, catalog: impl Catalog) -> Self {
        self.mirrors.push(Arc::new(catalog));
        self
    }

    /// Rehearses backups so, at the levels that ask for it: [`Level::Restored`] and [`Level::Equal`].
    #[must_use]
    pub fn with_rehearsal(mut self, rehearsal: Rehearsal) -> Self {
        self.rehearsal = Some(Arc::new(rehearsal));
        self
    }

    /// Prunes the series of each new backup by this policy; what comes of it is in
    /// [`BackupReport::retention`]. Where it fails, that is a warning, and never a lost backup.
    ///
    /// # Errors
    ///
    /// As [`Retention::check`].
    pub fn with_retention(mut self, policy: Retention) -> Result<Self> {
        policy.check()?;
        self.retention = Some(Arc::new(policy));
        Ok(self)
    }

    /// Names new backups after a template, such as `{database}-{date}-{kind}`: see [`IdTemplate`].
    #[must_use]
    pub fn with_name_template(mut self, template: IdTemplate) -> Self {
        self.names = Some(Arc::new(template));
        self
    }

    /// Lets the store itself keep new backups for so many days from the start of their dumps, against whoever may write to it:
    /// artifact, companions and manifest are locked, notes and claims are not.
    ///
    /// Until then retention keeps a backup, whatever its rules say, and [`delete`](Self::delete) refuses it. What a backup that
    /// fails had stored by then cannot be removed before either: a [`sweep`](Self::sweep) does it afterwards.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for a store that cannot; [`InvalidInput`](ErrorKind::InvalidInput) for no days at
    /// all, or more than there is a date for.
    pub fn with_object_lock(mut self, mode: LockMode, days: u32) -> Result<Self> {
        self.lock = Some(LockFor::new(&*self.store, mode, days, self.clock.now())?);
        Ok(self)
    }

    /// Tells `observer` too what happens; may be called again for more, who are told in turn.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Names the single stores behind the pipeline's store, so that [`health`](Self::health) looks into each of them, and
    /// finds a copy that vanished since.
    #[must_use]
    pub fn with_copies(mut self, fan_out: &FanOut) -> Self {
        self.copies = fan_out.copies().into();
        self
    }

    /// Takes the time from elsewhere than the operating system.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Says how deep a new backup is checked before it exists; [`Level::Digest`] unless said.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Gives an operation up when no byte moved in any stage for this long; 30 minutes unless said.
    #[must_use]
    pub fn with_stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = limit;
        self
    }

    /// Says how long a prune or a sweep that was killed keeps the next one out; three minutes unless said, and the same
    /// for all that delete in one store. See [`Lease`](crate::Lease).
    #[must_use]
    pub fn with_lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = ttl;
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.catalog
    }

    /// The policy by which the series of each new backup is pruned.
    #[must_use]
    pub fn retention(&self) -> Option<&Retention> {
        self.retention.as_deref()
    }

    /// Asks the database for its name, its size and the versions of tool and server, changing nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Dumper::probe`]; [`InvalidInput`](ErrorKind::InvalidInput) for a pipeline without a database.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn probe(&self) -> Result<SourceInfo> {
        self.within("probe", self.own_dumper()?.probe()).await
    }

    fn own_dumper(&self) -> Result<&Arc<dyn Dumper>> {
        self.dumper.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "the pipeline has no database to back up")
                .with_suggestion("make it by Pipeline::new, with a dumper")
        })
    }

    /// Waits until what dropped operations stored has been removed, each within a minute; for a graceful shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn settle(&self) {
        self.removals.close();
        self.removals.wait().await;
        self.removals.reopen();
    }

    /// Lists the backups that the filter selects, the newest first.
    ///
    /// # Errors
    ///
    /// Those of the catalog. Damaged entries are no error: they are in [`Listing::damaged`], so that they hide
    /// none of the others. One of several stores that is away is none either: it is in [`Listing::unreachable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn list(&self, filter: &Filter) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut entries = self.catalog.list(filter);
        while let Some(entry) = self.within("list", async { Ok(entries.next().await) }).await? {
            match entry {
                Ok(entry) => listing.entries.push(entry),
                Err(err) if CopiesFailed::is_partial(&err) => listing.unreachable.push(err),
                Err(err) if matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
                    listing.damaged.push(err);
                }
                Err(err) => return Err(err.with_operation("list")),
            }
        }
        listing.entries.sort_by(|Entry { manifest: a, .. }, Entry { manifest: b, .. }| {
            // Those of one second, of several databases, would stand in another order each time.
            let by_name = || (&a.environment, &a.database).cmp(&(&b.environment, &b.database));
            (b.created_at, &b.id).cmp(&(a.created_at, &a.id)).then_with(by_name)
        });
        Ok(listing)
    }

    /// Looks a backup up.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound), which says so where an artifact without manifest lies in the store.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn entry(&self, backup: &BackupRef) -> Result<Entry> {
        match self.within("entry", self.catalog.get(backup)).await {
            Err(err) if err.kind() == ErrorKind::NotFound => {
                Err(self.within("entry", self.not_found(backup, err)).await?)
            }
            entry => entry,
        }
    }

    fn emit(&self, event: &Event<'_>) {
        for observer in &self.observers {
            observer.observe(event);
        }
    }

    /// Reports a warning to log and observer, and keeps it for the report.
    fn warn(&self, operation: Operation, warnings: &mut Vec<String>, message: String) {
        tracing::warn!(operation = operation.name(), "{message}");
        self.emit(&Event::Warning { operation, message: &message });
        warnings.push(message);
    }

    /// Wraps up an operation: events and log line of its end.
    fn ended<T>(&self, operation: Operation, backup: Option<&BackupRef>, result: Result<T>) -> Result<T> {
        match result {
            Ok(report) => {
                if let Some(backup) = backup {
                    tracing::info!(operation = operation.name(), %backup, "finished");
                    self.emit(&Event::Finished { operation, backup });
                }
                Ok(report)
            }
            Err(err) => {
                let mut err = err.with_operation(operation.name());
                if let Some(backup) = backup
                    && !err.context().any(|(key, _)| key == "backup")
                {
                    err = err.with_context("backup", backup);
                }
                if err.kind().is_refusal() {
                    // An answer to the caller, and nothing that needs anybody else's look.
                    tracing::info!(operation = operation.name(), code = err.code(), "refused: {err}");
                } else {
                    tracing::error!(operation = operation.name(), code = err.code(), "{err}");
                }
                self.emit(&Event::Failed { operation, backup, error: &err });
                Err(err)
            }
        }
    }

    /// What decodes the artifacts that this name stands for: the pipeline's own compressor, else a built-in one.
    fn compressor_named(&self, name: &str) -> Result<Arc<dyn Compressor>> {
        if self.compressor.name() == name {
            return Ok(Arc::clone(&self.compressor));
        }
        if name == Identity.name() {
            return Ok(Arc::new(Identity));
        }
        compress::by_name(name)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("dumper", &self.dumper)
            .field("store", &self.store.location())
            .field("compressor", &self.compressor.name())
            .field("encryptor", &self.encryptor.as_deref().map(Encryptor::name))
            .field("environment", &self.environment)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// The backups of a store.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// Those that can be read, the newest first.
    pub entries: Vec<Entry>,
    /// One error for each that cannot.
    pub damaged: Vec<Error>,
    /// Of several stores those that could not be asked: backups that they alone hold are not in the listing, nor are holds.
    pub unreachable: Vec<Error>,
}
