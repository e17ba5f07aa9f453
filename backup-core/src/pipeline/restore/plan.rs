//! What a restore would do, and everything that is known to stop it.

use serde::Serialize;

use super::{RestoreRequest, SafetyBackup, SourceAsTarget};
use crate::{
    BackupRef, Entry, Error, ErrorKind, Inventory, Level, Manifest, OnExisting, Restorer, Result, Selected,
    Selection, TargetInfo,
    catalog::Standing,
    digest::ByteCount,
    pipeline::{Pipeline, SpaceCheck},
    restore::unknown_table,
    verify::stored::{self, RowsOf},
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
    /// How many plain bytes would be fed to the tool, at most.
    pub plain_bytes: u64,
    /// How many tables would be restored, where the backup's format shows them.
    pub tables: Option<u64>,
    /// How many rows would be restored, where the backup's format shows them.
    pub rows: Option<u64>,
    /// What the selection means: what comes along with chosen tables, and what is left behind; `None` where all is
    /// restored, or where that could not be found out ([`blockers`](Self::blockers) say why).
    pub selected: Option<Selected>,
    /// How long it is expected to take, in milliseconds: as long as the last rehearsal of this backup, or that part of
    /// it which the selection is; `None` without a rehearsal.
    pub expected_duration_ms: Option<u64>,
    /// Whether the target would be backed up first.
    pub safety_backup: bool,
    /// Everything that would stop it; empty when it can go on.
    #[serde(skip)]
    pub blockers: Vec<Error>,
}

impl Pipeline {
    pub(super) async fn plan(
        &self,
        entry: &Entry,
        locked: Option<Error>,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
    ) -> Result<RestorePlan> {
        let manifest = &entry.manifest;
        let target = self.within("probe", restorer.probe()).await?;
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
        let present = stored::check_present(&*self.store, &manifest.artifact);
        blockers.extend(self.within("artifact", present).await.err());
        blockers.extend(failed_check(entry));
        if blockers.is_empty() {
            blockers.extend(locked);
        }
        if blockers.is_empty() {
            // Before the target is backed up, and replaced by what nobody here can open.
            blockers.extend(self.check_key(manifest, &ByteCount::default()).await.err());
        }
        let mut selected = None;
        if request.selection != Selection::All && blockers.is_empty() {
            match self.within("select", self.select(manifest, restorer, request)).await {
                Ok(found) => selected = Some(found),
                Err(err) if stops(&err) => blockers.push(err),
                Err(err) => return Err(err),
            }
        }
        let occupied = occupied(&target, request, selected.as_ref());
        let safety_backup = !occupied.is_empty()
            && request.on_existing == OnExisting::Replace
            && request.safety_backup == SafetyBackup::Take;
        blockers.extend(blockers_at(&target, manifest, request, &occupied));
        if let Some(selected) = selected.as_ref().filter(|selected| !selected.obstacles.is_empty()) {
            blockers.push(in_the_way(&target, selected));
        }
        if safety_backup && blockers.is_empty() {
            blockers.extend(self.check_safety_backup(restorer).await.err());
        }
        let part = super::expected(manifest, &request.selection, selected.as_ref());
        let plain_bytes = plain_bytes(manifest, part.as_ref());
        Ok(RestorePlan {
            backup: manifest.backup_ref(),
            stored_bytes: manifest.artifact.size,
            plain_bytes,
            tables: part.as_ref().map(|inventory| inventory.tables.len() as u64),
            rows: part.as_ref().map(Inventory::rows),
            expected_duration_ms: entry
                .rehearsed()
                .map(|(_, rehearsed)| share(rehearsed.restore_ms, plain_bytes, manifest.plain.size)),
            selected,
            safety_backup,
            target,
            blockers,
        })
    }

    /// Says what the selection means, from what the backup defines.
    async fn select(
        &self,
        manifest: &Manifest,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
    ) -> Result<Selected> {
        if let (Selection::Tables(tables), Some(inventory)) = (&request.selection, &manifest.inventory)
            && let Some(missing) = tables.iter().find(|table| inventory.table(table).is_none())
        {
            return Err(unknown_table(missing, inventory.tables.iter().map(|table| table.name.as_str())));
        }
        let codec = self.codec(manifest)?;
        let (read, decoded) = (ByteCount::default(), ByteCount::default());
        let body = stored::open_part(&self.store, manifest, &codec, &RowsOf::Nothing, read, decoded).await?;
        restorer.select(body, &super::options(manifest, request)).await
    }

    /// Fails where the backup of the target is known to fail.
    async fn check_safety_backup(&self, restorer: &dyn Restorer) -> Result<()> {
        let check = async {
            self.check_level()?;
            let source = self.within("probe", restorer.target_dumper()?.probe()).await?;
            self.check_space(&source, SpaceCheck::Refuse, &mut Vec::new()).await
        };
        check.await.map(drop).map_err(super::no_safety_backup)
    }
}

/// A check of the stored bytes that failed and stands: the restore would find the same.
fn failed_check(entry: &Entry) -> Option<Error> {
    let Standing::Failed { level } = entry.standing() else { return None };
    // A failed rehearsal says nothing of the bytes: who restores all the same may want what there is.
    level.parse::<Level>().ok().filter(|level| !level.is_rehearsed())?;
    let err = Error::new(ErrorKind::Corrupt, "the last check of the backup failed")
        .with_context("backup", entry.manifest.backup_ref())
        .with_context("level", level)
        .with_suggestion("restore another backup; where this one was repaired, verify it again first");
    Some(err)
}

/// Whether the restore can be planned without, and not be done.
fn stops(err: &Error) -> bool {
    matches!(
        err.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::Corrupt | ErrorKind::Incomplete
    )
}

/// How many bytes of the dump are definitions, or rows of the tables in `part`.
fn plain_bytes(manifest: &Manifest, part: Option<&Inventory>) -> u64 {
    let bytes = |inventory: &Inventory| inventory.tables.iter().map(|table| table.bytes).sum::<u64>();
    match (&manifest.inventory, part) {
        (Some(all), Some(part)) => manifest
            .plain
            .size
            .saturating_sub(bytes(all))
            .saturating_add(bytes(part))
            .min(manifest.plain.size),
        _ => manifest.plain.size,
    }
}

/// `part` of `all`, of a duration.
fn share(milliseconds: u64, part: u64, all: u64) -> u64 {
    let share = u128::from(milliseconds) * u128::from(part) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// What would be replaced, in the words of a refusal: nothing where the target has nothing that the restore could
/// collide with.
fn occupied(
    target: &TargetInfo,
    request: &RestoreRequest,
    selected: Option<&Selected>,
) -> Vec<(&'static str, String)> {
    match (&request.selection, selected) {
        (Selection::Tables(_), Some(selected)) if selected.existing.is_empty() => Vec::new(),
        (Selection::Tables(_), Some(selected)) => vec![("chosen_tables", selected.existing.join(", "))],
        // What the target has of them is not known; what was not found out stands among the blockers.
        (Selection::Tables(_), None) => Vec::new(),
        _ if target.is_empty() => Vec::new(),
        _ => vec![
            ("tables", target.tables.to_string()),
            ("objects", target.objects.max(target.tables).to_string()),
        ],
    }
}

/// What of the target would be lost with the tables that are replaced.
fn in_the_way(target: &TargetInfo, selected: &Selected) -> Error {
    Error::new(ErrorKind::TargetNotEmpty, "the target holds what would be lost with the chosen tables")
        .with_context("target", &target.database)
        .with_context("obstacles", selected.obstacles.join(", "))
        .with_suggestion("drop these first and make them again afterwards, or restore into another database")
}

/// What the target itself says against the restore.
fn blockers_at(
    target: &TargetInfo,
    manifest: &Manifest,
    request: &RestoreRequest,
    occupied: &[(&'static str, String)],
) -> Vec<Error> {
    let mut blockers = Vec::new();
    let replaces = !occupied.is_empty() && request.on_existing == OnExisting::Replace;
    if !occupied.is_empty() && !replaces {
        let message = match request.selection {
            Selection::Tables(_) => "the target has some of the chosen tables; nothing was changed",
            _ => "the target is not empty; nothing was changed",
        };
        let err = Error::new(ErrorKind::TargetNotEmpty, message).with_context("target", &target.database);
        blockers.push(occupied.iter().fold(err, |err, (key, value)| err.with_context(key, value)));
    }
    let is_source =
        target.database == manifest.source.database && target.location == manifest.source.location;
    if is_source && !target.is_empty() && request.source_as_target == SourceAsTarget::Refuse {
        blockers.push(
            Error::new(ErrorKind::InvalidInput, "the target is the very database that the backup came from")
                .with_context("target", &target.database)
                .with_suggestion(
                    "restore into another database, or say that the source itself is to be replaced",
                ),
        );
    }
    // Chosen tables are replaced where they are.
    let makes = !target.exists || (replaces && !matches!(request.selection, Selection::Tables(_)));
    if makes && target.may_create == Some(false) {
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
