use std::sync::Arc;

use chrono::SubsecRound;
use serde::Serialize;

use self::commit::Committed;
use super::{Pipeline, PruneReport, claim::host_name, meter::Meter};
use crate::{
    BackupRef, Dumper, Error, ErrorKind, Event, Evidence, Manifest, Operation, PutOptions, Result,
    manifest::{CopyRecord, Named},
};

mod beside;
mod commit;
mod request;
mod transfer;

pub use request::{BackupRequest, SpaceCheck};

/// A backup that exists.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// Its full name.
    pub backup: BackupRef,
    /// Everything known of it.
    pub manifest: Manifest,
    /// What the read-back found.
    pub evidence: Evidence,
    /// What became of each copy, its manifest included, where the store is one of several; else none.
    pub copies: Vec<CopyRecord>,
    /// What needs a look; also in the manifest as far as it was known by then.
    pub warnings: Vec<String>,
    /// What retention deleted after it, where the pipeline has a policy; as far as it came, where it failed.
    pub retention: Option<PruneReport>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Pipeline {
    /// Makes a backup: probe, dump, compress, store, read back, commit; then retention, where there is a policy.
    ///
    /// # Errors
    ///
    /// Any failure leaves no backup; what was stored by then is removed.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the tool, leaves no backup, and removes what was stored, on a task of
    /// its own. Once the manifest is being written, the commit goes on by itself.
    pub async fn backup(&self, request: BackupRequest) -> Result<BackupReport> {
        match self.own_dumper() {
            Ok(dumper) => self.backup_from(dumper, request).await,
            Err(err) => self.ended(Operation::Backup, None, Err(err)),
        }
    }

    /// [`backup`](Self::backup) of another database than the pipeline's own.
    ///
    /// # Errors
    ///
    /// As [`backup`](Self::backup).
    ///
    /// # Cancel safety
    ///
    /// As [`backup`](Self::backup).
    #[tracing::instrument(skip_all, fields(environment = %self.environment, kind = %request.kind))]
    pub async fn backup_from(
        &self,
        dumper: &Arc<dyn Dumper>,
        request: BackupRequest,
    ) -> Result<BackupReport> {
        let mut backup = None;
        // Boxed, so that the futures of callers stay small.
        let result = Box::pin(self.run_backup(dumper, request, &mut backup)).await;
        self.ended(Operation::Backup, backup.as_ref(), result)
    }

    async fn run_backup(
        &self,
        dumper: &Arc<dyn Dumper>,
        request: BackupRequest,
        name: &mut Option<BackupRef>,
    ) -> Result<BackupReport> {
        let started = tokio::time::Instant::now();
        request.validate(&self.environment)?;
        self.check_level()?;
        let mut warnings = Vec::new();
        let source = self.within("probe", dumper.probe()).await?;
        let estimate = self.check_space(&source, request.space_check, &mut warnings).await?;

        let info = dumper.info();
        let created_at = self.clock.now().trunc_subsecs(3);
        let lock = self.lock.map(|lock| lock.counted_from(created_at)).transpose()?;
        let extensions = self.extensions(&info.extension);
        let named = Named {
            environment: &self.environment,
            database: &source.database,
            kind: request.kind,
            label: request.label.as_deref(),
            at: created_at,
        };
        let mut claim = self.claim(&named, &extensions).await?;
        let backup = claim.backup().clone();
        *name = Some(backup.clone());
        tracing::info!(%backup, "started");
        self.emit(&Event::Started { operation: Operation::Backup, backup: &backup });

        let meter = Meter { estimate: source.size_bytes, ..Meter::default() };
        let options = PutOptions { size_hint: estimate, lock, ..PutOptions::default() };
        let stored = self.store_dump(dumper, &info, &mut claim, &meter, options);
        let (mut manifest, mut warned) = match self.watch(Operation::Backup, &backup, &meter, stored).await {
            Ok(stored) => stored,
            Err(err) => return Err(self.abort(claim, err).await),
        };
        warnings.append(&mut warned);
        manifest.created_at = created_at;
        manifest.kind = request.kind;
        manifest.label = request.label;
        manifest.reason = request.reason;
        manifest.tags = request.tags;
        manifest.expires_at = request.expires_at;
        manifest.lock = lock;
        manifest.git_commit = request.git_commit;
        manifest.host = host_name();
        manifest.warnings.clone_from(&warnings);

        let evidence = match self.read_back(&mut manifest).await {
            Ok(evidence) => evidence,
            Err(err) => return Err(self.abort(claim, err).await),
        };
        // On a task of its own: a caller that goes away now must not leave us between "is" and "is not".
        let pipeline = self.clone();
        let committed = manifest.clone();
        let commit = tokio::spawn(async move { pipeline.commit(claim, &committed).await });
        let commit = commit.await.map_err(|err| {
            Error::new(
                ErrorKind::Unexpected,
                "the commit was cut off; list the backups to see whether it took",
            )
            .with_source(err)
        })?;
        let Committed { manifest_copies, warning } = commit?;
        let mut copies = manifest.copies.clone();
        let failed = CopyRecord::add(&mut copies, "manifest", &manifest_copies);
        for warning in failed.into_iter().chain(warning) {
            self.warn(Operation::Backup, &mut warnings, warning);
        }
        self.emit(&Event::Committed { backup: &backup });
        self.mirror(&manifest, &mut warnings).await;
        self.record(Operation::Backup, &backup, &evidence, &mut warnings).await;
        let retention = self.retain(&backup, &mut warnings).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(BackupReport { backup, manifest, evidence, copies, warnings, retention, duration_ms })
    }
}
