//! What a restore would do, and everything that is known to stop it.

use serde::Serialize;

use super::{RestoreRequest, SafetyBackup, SourceAsTarget};
use crate::{
    BackupRef, Error, ErrorKind, Manifest, OnExisting, Restorer, Result, TargetInfo,
    pipeline::{Pipeline, SpaceCheck},
    verify::stored,
};

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

impl Pipeline {
    pub(super) async fn plan(
        &self,
        manifest: &Manifest,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
    ) -> Result<RestorePlan> {
        let target = restorer.probe().await?;
        let safety_backup = !target.is_empty()
            && request.on_existing == OnExisting::Replace
            && request.safety_backup == SafetyBackup::Take;
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
        blockers.extend(self.codec(manifest).err());
        blockers.extend(stored::check_present(&*self.store, &manifest.artifact).await.err());
        blockers.extend(blockers_at(&target, manifest, request));
        if safety_backup && blockers.is_empty() {
            blockers.extend(self.check_safety_backup(restorer).await.err());
        }
        Ok(RestorePlan {
            backup: manifest.backup_ref(),
            stored_bytes: manifest.artifact.size,
            plain_bytes: manifest.plain.size,
            tables: manifest.inventory.as_ref().map(|inventory| inventory.tables.len() as u64),
            rows: manifest.inventory.as_ref().map(crate::Inventory::rows),
            safety_backup,
            target,
            blockers,
        })
    }

    /// Fails where the backup of the target is known to fail.
    async fn check_safety_backup(&self, restorer: &dyn Restorer) -> Result<()> {
        let check = async {
            let source = self.within("probe", restorer.target_dumper()?.probe()).await?;
            self.check_space(&source, SpaceCheck::Refuse, &mut Vec::new()).await
        };
        check.await.map(drop).map_err(super::no_safety_backup)
    }
}

/// What the target itself says against the restore.
fn blockers_at(target: &TargetInfo, manifest: &Manifest, request: &RestoreRequest) -> Vec<Error> {
    let mut blockers = Vec::new();
    let occupied = !target.is_empty();
    let replaces = occupied && request.on_existing == OnExisting::Replace;
    if occupied && !replaces {
        blockers.push(
            Error::new(ErrorKind::TargetNotEmpty, "the target is not empty; nothing was changed")
                .with_context("target", &target.database)
                .with_context("tables", target.tables)
                .with_context("objects", target.objects.max(target.tables)),
        );
    }
    let is_source =
        target.database == manifest.source.database && target.location == manifest.source.location;
    if is_source && occupied && request.source_as_target == SourceAsTarget::Refuse {
        blockers.push(
            Error::new(ErrorKind::InvalidInput, "the target is the very database that the backup came from")
                .with_context("target", &target.database)
                .with_suggestion(
                    "restore into another database, or say that the source itself is to be replaced",
                ),
        );
    }
    if (!target.exists || replaces) && target.may_create == Some(false) {
        blockers.push(
            Error::new(ErrorKind::PermissionDenied, "the user may not make the target's database")
                .with_context("target", &target.database)
                .with_context("location", &target.location)
                .with_suggestion(if replaces {
                    "let the user own the database and give it CREATEDB, or restore into an empty database"
                } else {
                    "give the user CREATEDB, or create the database empty and restore into it"
                }),
        );
    }
    blockers
}
