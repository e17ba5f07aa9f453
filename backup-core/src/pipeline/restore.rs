use serde::Serialize;

use super::{BackupRequest, Confirmation, Pipeline, meter::Meter};
use crate::{
    BackupRef, Error, ErrorKind, Event, Kind, Level, Manifest, OnExisting, Operation, RestoreOptions,
    Restorer, Result, TargetInfo, inventory::Inspector, verify::stored,
};

/// The most tables whose rows are named in an error.
const NAMED_DIFFERENCES: usize = 20;

/// How to restore a backup: by default nothing is changed that exists.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// What may happen to a target that is not empty.
    pub on_existing: OnExisting,
    /// Whether a target that is replaced is backed up first.
    pub safety_backup: SafetyBackup,
    /// Whether the target may be the very database that the backup came from.
    pub source_as_target: SourceAsTarget,
    /// Whether something may be changed at all.
    pub confirmation: Confirmation,
}

/// Whether a target that is replaced is backed up first, into the pipeline's store, as `pre-rollback`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SafetyBackup {
    /// It is; without it nothing is replaced.
    #[default]
    Take,
    /// It is not: what the target holds will be gone.
    Skip,
}

/// Whether the target may be the very database that the backup came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceAsTarget {
    /// It may not: a restore over production is never an accident.
    #[default]
    Refuse,
    /// It may.
    Allow,
}

impl RestoreRequest {
    /// A restore into an empty or a new database, not confirmed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces what the target holds.
    #[must_use]
    pub fn replacing(mut self) -> Self {
        self.on_existing = OnExisting::Replace;
        self
    }

    /// Restores over the very database that the backup came from.
    #[must_use]
    pub fn over_its_source(mut self) -> Self {
        self.source_as_target = SourceAsTarget::Allow;
        self
    }

    /// Takes no backup of the target before it is replaced.
    #[must_use]
    pub fn without_safety_backup(mut self) -> Self {
        self.safety_backup = SafetyBackup::Skip;
        self
    }

    /// Confirms that the target may be changed.
    #[must_use]
    pub fn confirmed(mut self) -> Self {
        self.confirmation = Confirmation::Confirmed;
        self
    }
}

/// What a restore would do.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The backup.
    pub backup: BackupRef,
    /// What it would be restored into.
    pub target: TargetInfo,
    /// How many stored bytes would be read.
    pub stored_bytes: u64,
    /// How many plain bytes would be fed to the tool.
    pub plain_bytes: u64,
    /// How many tables the backup holds, where its format shows them.
    pub tables: Option<u64>,
    /// How many rows the backup holds, where its format shows them.
    pub rows: Option<u64>,
    /// Whether the target would be backed up first.
    pub safety_backup: bool,
    /// Everything that would stop it; empty when it can go on.
    #[serde(skip)]
    pub blockers: Vec<Error>,
}

/// A restore that was done.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The backup.
    pub backup: BackupRef,
    /// What it was restored into, as it was before.
    pub target: TargetInfo,
    /// The backup of what the target held before.
    pub safety_backup: Option<BackupRef>,
    /// How many tables the target got.
    pub tables: u64,
    /// How many rows they got.
    pub rows: u64,
    /// What the tool warned of.
    pub warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Pipeline {
    /// Says what a restore would do, and everything that would stop it, changing nothing: the dry run.
    ///
    /// # Errors
    ///
    /// Where backup or target cannot be looked at.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn plan_restore(
        &self,
        backup: &BackupRef,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
    ) -> Result<RestorePlan> {
        let manifest = self.entry(backup).await?.manifest;
        self.plan(&manifest, restorer, request).await.map_err(|err| err.with_operation("restore"))
    }

    /// Restores a backup.
    ///
    /// The stored bytes are checked against their digest before the first one is handed to the tool, decoded
    /// bytes while they are; the restored rows are compared with those that the backup recorded.
    ///
    /// # Errors
    ///
    /// [`NotConfirmed`](ErrorKind::NotConfirmed) and the [blockers](RestorePlan::blockers) of the plan before
    /// anything is changed; [`Corrupt`](ErrorKind::Corrupt) where the backup is damaged, or the restored rows are not its rows.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: see [`Restorer::restore`].
    #[tracing::instrument(skip_all, fields(%backup))]
    pub async fn restore(
        &self,
        backup: &BackupRef,
        restorer: &dyn Restorer,
        request: RestoreRequest,
    ) -> Result<RestoreReport> {
        self.emit(&Event::Started { operation: Operation::Restore, backup });
        let result = Box::pin(self.run_restore(backup, restorer, request)).await;
        self.ended(Operation::Restore, Some(backup), result)
    }

    async fn run_restore(
        &self,
        backup: &BackupRef,
        restorer: &dyn Restorer,
        request: RestoreRequest,
    ) -> Result<RestoreReport> {
        let started = tokio::time::Instant::now();
        let manifest = self.entry(backup).await?.manifest;
        let mut plan = self.plan(&manifest, restorer, &request).await?;
        if !plan.blockers.is_empty() {
            return Err(plan.blockers.swap_remove(0));
        }
        request.confirmation.check("the restore changes its target", backup)?;

        // Before anything is changed, and before a tool sees a byte that nobody wrote.
        let digest = self.examine(Operation::Restore, &manifest, Level::Digest).await?;
        if !digest.passed() {
            return Err(Error::new(ErrorKind::Corrupt, "the backup is damaged; nothing was restored")
                .with_context("findings", digest.findings.join("; ")));
        }
        let safety_backup =
            if plan.safety_backup { Some(self.back_up_target(backup, restorer).await?) } else { None };

        let meter = Meter { estimate: Some(manifest.plain.size), ..Meter::default() };
        let feeding = self.feed(&manifest, restorer, &request, &meter);
        let outcome = self.watch(Operation::Restore, backup, &meter, feeding).await?;
        if let Some(expected) = &manifest.inventory {
            let mut differences = expected.differences(&outcome.inventory);
            if !differences.is_empty() {
                differences.truncate(NAMED_DIFFERENCES);
                return Err(Error::new(ErrorKind::Corrupt, "the target was restored, but its rows are not those of the backup")
                    .with_context("differences", differences.join("; "))
                    .with_suggestion("do not use the target; look for triggers or rules that change rows, or restore another backup"));
            }
        }
        Ok(RestoreReport {
            backup: backup.clone(),
            target: plan.target,
            safety_backup,
            tables: outcome.inventory.tables.len() as u64,
            rows: outcome.inventory.rows(),
            warnings: outcome.warnings,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn plan(
        &self,
        manifest: &Manifest,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
    ) -> Result<RestorePlan> {
        let target = restorer.probe().await?;
        let mut blockers = Vec::new();
        if !restorer.supports(&manifest.engine, &manifest.format) {
            blockers.push(
                Error::new(
                    ErrorKind::Unsupported,
                    "the target does not take backups of this engine and format",
                )
                .with_context("engine", &manifest.engine)
                .with_context("format", &manifest.format)
                .with_suggestion("restore into a database of the same engine"),
            );
        }
        if let Err(err) = self.codec(manifest) {
            blockers.push(err);
        }
        if let Err(err) = stored::check_present(&*self.store, &manifest.artifact).await {
            blockers.push(err);
        }
        let occupied = target.exists && target.tables > 0;
        if occupied && request.on_existing == OnExisting::Refuse {
            blockers.push(
                Error::new(ErrorKind::TargetNotEmpty, "the target holds tables already; nothing was changed")
                    .with_context("target", &target.database)
                    .with_context("tables", target.tables),
            );
        }
        let is_source =
            target.database == manifest.source.database && target.location == manifest.source.location;
        if is_source && occupied && request.source_as_target == SourceAsTarget::Refuse {
            blockers.push(
                Error::new(
                    ErrorKind::InvalidInput,
                    "the target is the very database that the backup came from",
                )
                .with_context("target", &target.database)
                .with_suggestion(
                    "restore into another database, or say that the source itself is to be replaced",
                ),
            );
        }
        Ok(RestorePlan {
            backup: manifest.backup_ref(),
            stored_bytes: manifest.artifact.size,
            plain_bytes: manifest.plain.size,
            tables: manifest.inventory.as_ref().map(|inventory| inventory.tables.len() as u64),
            rows: manifest.inventory.as_ref().map(crate::Inventory::rows),
            safety_backup: occupied
                && request.on_existing == OnExisting::Replace
                && request.safety_backup == SafetyBackup::Take,
            target,
            blockers,
        })
    }

    /// Backs the target up before it is replaced.
    async fn back_up_target(&self, backup: &BackupRef, restorer: &dyn Restorer) -> Result<BackupRef> {
        let dumper = restorer.target_dumper()?;
        let request = BackupRequest::new()
            .with_kind(Kind::PreRollback)
            .with_reason(format!("what the target held before {backup} was restored into it"));
        let mut pipeline = self.clone();
        pipeline.environment.clone_from(&backup.environment);
        let report = pipeline.backup_from(&dumper, request).await.map_err(|err| {
            err.with_suggestion(
                "the target was not changed: its safety backup failed; mend that, or refuse it by word",
            )
        })?;
        Ok(report.backup)
    }

    async fn feed(
        &self,
        manifest: &Manifest,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
        meter: &Meter,
    ) -> Result<crate::RestoreOutcome> {
        let codec = self.codec(manifest)?;
        let inspector = Inspector::for_format(&manifest.engine, &manifest.format);
        let (body, _) = stored::open_plain(
            &*self.store,
            &manifest.artifact,
            &manifest.plain,
            &codec,
            inspector,
            meter.stored.clone(),
            meter.plain.clone(),
        )
        .await?;
        let mut options = RestoreOptions::new(manifest.format.clone()).with_on_existing(request.on_existing);
        options.source_version = Some(manifest.source.server_version.clone());
        options.source_encoding.clone_from(&manifest.source.encoding);
        restorer.restore(body, options).await
    }
}
