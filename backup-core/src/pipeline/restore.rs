use std::{future::ready, pin::pin};

use futures::future::{Either, select};
use serde::{Deserialize, Serialize};

use super::{
    BackupRequest, Confirmation, Pipeline,
    keys::sealed_for,
    meter::Meter,
    verify::{DIFFERENCES, listed},
};
use crate::{
    BackupRef, Error, ErrorKind, Event, Inventory, Kind, Level, Manifest, OnExisting, Operation,
    RestoreOptions, RestoreOutcome, Restorer, Result, Selected, Selection, TargetInfo,
    inventory::Inspector,
    verify::stored::{self, RowsOf},
};

mod plan;
mod request;

pub use plan::RestorePlan;
pub use request::{RestoreRequest, SafetyBackup, SourceAsTarget};

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
    /// Whether these rows were compared with those of the backup.
    pub rows_compared: RowComparison,
    /// What the selection left behind: see [`Selected::notes`](crate::Selected::notes).
    pub notes: Vec<String>,
    /// What earlier restores [left behind](TargetInfo::left_behind), and what the tool warned of.
    pub warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Whether restored rows were compared with those that the backup recorded; rows that differ are an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RowComparison {
    /// Every table got as many rows as the backup recorded.
    Equal,
    /// The backup recorded none to compare with, because its format does not show them.
    NotRecorded,
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
        let planned = async {
            let mut entry = self.entry(backup).await?;
            let locked = self.unseal(&mut entry.manifest).await.err();
            self.plan(&entry, locked, restorer, request).await
        };
        planned.await.map_err(|err| err.with_operation(Operation::Restore.name()))
    }

    /// Restores a backup.
    ///
    /// The stored bytes are checked against their digest before the first one is handed to the tool, decoded
    /// bytes while they are; the restored rows are compared with those that the backup recorded, where its format
    /// shows them ([`RestoreReport::rows_compared`]). Of chosen tables out of a backup with an index of frames, only the
    /// part is read, and checked while it is: nothing of it stays unless its end was reached and is good.
    ///
    /// # Errors
    ///
    /// [`NotConfirmed`](ErrorKind::NotConfirmed) and the [blockers](RestorePlan::blockers) of the plan before
    /// anything is changed; [`Corrupt`](ErrorKind::Corrupt) where the backup is damaged, or the restored rows are not
    /// its rows. One that comes after the safety backup names it, in its context `safety_backup`.
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
        let mut entry = self.entry(backup).await?;
        let locked = self.unseal(&mut entry.manifest).await.err();
        let manifest = &entry.manifest;
        // Neither changes anything, and one waits for the store, the other for the target.
        let check = pin!(self.check_before(manifest, &request));
        let plan = pin!(self.plan(&entry, locked, restorer, &request));
        let (plan, check) = match select(plan, check).await {
            Either::Left((plan, check)) => (plan, Either::Left(check)),
            Either::Right((checked, plan)) => (plan.await, Either::Right(ready(checked))),
        };
        let mut plan = plan?;
        let mut warnings = Vec::new();
        for note in plan.target.left_behind_notes() {
            self.warn(Operation::Restore, &mut warnings, note);
        }
        if !plan.blockers.is_empty() {
            return Err(plan.blockers.swap_remove(0));
        }
        request
            .confirmation
            .check("the restore changes its target", "look at the plan (the dry run), then confirm")?;
        check.await?;
        let safety_backup =
            if plan.safety_backup { Some(self.back_up_target(backup, restorer).await?) } else { None };

        let restored = self.restore_and_compare(manifest, restorer, &request, &plan).await;
        let restored = restored.map_err(|err| sealed_for(err, manifest));
        let (outcome, rows_compared) = restored.map_err(|err| match &safety_backup {
            Some(safety) => with_way_back(err, safety),
            None => err,
        })?;
        for warning in outcome.warnings {
            self.warn(Operation::Restore, &mut warnings, warning);
        }
        Ok(RestoreReport {
            backup: backup.clone(),
            target: plan.target,
            safety_backup,
            tables: outcome.inventory.tables.len() as u64,
            rows: outcome.inventory.rows(),
            rows_compared,
            notes: plan.selected.map(|selected| selected.notes).unwrap_or_default(),
            warnings,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Checks the stored bytes, before anything is changed, and before a tool sees a byte that nobody wrote.
    ///
    /// A part that an index leads to is checked as far as it defines something when it is planned, and its rows are before
    /// the end of the stream, without which nothing of it stays: the whole is not read for it.
    async fn check_before(&self, manifest: &Manifest, request: &RestoreRequest) -> Result<()> {
        if request.confirmation != Confirmation::Confirmed {
            // It is going to be refused.
            return Ok(());
        }
        let in_part =
            request.selection != Selection::All && stored::parts(manifest, &self.codec(manifest)?).is_some();
        let level = if in_part { Level::Present } else { Level::Digest };
        let digest = self.examine(Operation::Restore, manifest, level).await?;
        if digest.passed() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Corrupt, "the backup is damaged; nothing was restored")
            .with_context("findings", digest.findings.join("\n")))
    }

    /// Backs the target up before it is replaced.
    async fn back_up_target(&self, backup: &BackupRef, restorer: &dyn Restorer) -> Result<BackupRef> {
        let dumper = restorer.target_dumper()?;
        let request = BackupRequest::new()
            .with_kind(Kind::PreRollback)
            .with_reason(format!("what the target held before {backup} was restored into it"));
        let mut pipeline = self.clone();
        pipeline.environment.clone_from(&backup.environment);
        // It could delete the very backup that is about to be restored.
        pipeline.retention = None;
        let report = pipeline.backup_from(&dumper, request).await.map_err(no_safety_backup)?;
        Ok(report.backup)
    }

    async fn restore_and_compare(
        &self,
        manifest: &Manifest,
        restorer: &dyn Restorer,
        request: &RestoreRequest,
        plan: &RestorePlan,
    ) -> Result<(RestoreOutcome, RowComparison)> {
        let meter = Meter { estimate: Some(plan.plain_bytes), ..Meter::default() };
        let mut options = options(manifest, request);
        options.selected.clone_from(&plan.selected);
        // What was empty when it was looked at has no safety backup: whatever came since must not be replaced.
        let found = match (&request.selection, &plan.selected) {
            (Selection::Tables(_), Some(selected)) => !selected.existing.is_empty(),
            _ => !plan.target.is_empty(),
        };
        options.on_existing = if found { request.on_existing } else { OnExisting::Refuse };
        let feeding = self.feed(manifest, restorer, options, &meter);
        let outcome = self.watch(Operation::Restore, &manifest.backup_ref(), &meter, feeding).await?;
        let expected = expected(manifest, &request.selection, plan.selected.as_ref());
        let Some(expected) = expected else { return Ok((outcome, RowComparison::NotRecorded)) };
        compare(&expected, &outcome.inventory, &plan.target)?;
        Ok((outcome, RowComparison::Equal))
    }

    async fn feed(
        &self,
        manifest: &Manifest,
        restorer: &dyn Restorer,
        options: RestoreOptions,
        meter: &Meter,
    ) -> Result<RestoreOutcome> {
        let codec = self.codec(manifest)?;
        let (read, decoded) = (meter.stored.clone(), meter.plain.clone());
        let rows = match (&options.selection, &options.selected) {
            (Selection::Definitions, _) => Some(RowsOf::Nothing),
            (Selection::Tables(_), Some(selected)) => Some(RowsOf::Tables(&selected.tables)),
            _ => None,
        };
        let body = if let Some(rows) = rows {
            stored::open_part(&self.store, manifest, &codec, &rows, read, decoded).await?
        } else {
            let inspector = Inspector::for_format(&manifest.engine, &manifest.format);
            let (artifact, plain) = (&manifest.artifact, &manifest.plain);
            stored::open_plain(&*self.store, artifact, plain, &codec, inspector, read, decoded).await?.0
        };
        restorer.restore(body, options).await
    }
}

/// How the request's part of a backup is restored.
fn options(manifest: &Manifest, request: &RestoreRequest) -> RestoreOptions {
    let mut options = RestoreOptions::new(manifest.format.clone())
        .with_on_existing(request.on_existing)
        .with_selection(request.selection.clone());
    options.source_version = Some(manifest.source.server_version.clone());
    options.source_encoding.clone_from(&manifest.source.encoding);
    options
}

/// The tables that are to be restored, with as many rows as they are to get.
fn expected(manifest: &Manifest, selection: &Selection, selected: Option<&Selected>) -> Option<Inventory> {
    let tables = &manifest.inventory.as_ref()?.tables;
    Some(Inventory::new(match selection {
        Selection::All => tables.clone(),
        Selection::Tables(named) => {
            let named = selected.map_or(named, |selected| &selected.tables);
            tables.iter().filter(|table| named.contains(&table.name)).cloned().collect()
        }
        Selection::Definitions => {
            tables.iter().map(|table| crate::TableInventory::new(&table.name, 0, 0)).collect()
        }
    }))
}

/// What is said where the target cannot be backed up before it is replaced.
fn no_safety_backup(err: Error) -> Error {
    err.with_suggestion(
        "the target was not changed: its safety backup failed; mend that, or refuse it by word",
    )
}

/// Names the backup of what the target held before.
fn with_way_back(err: Error, safety: &BackupRef) -> Error {
    err.with_context("safety_backup", safety).with_suggestion(format!(
        "look at the target first; where it has changed, restore {safety} over it to get back what it held"
    ))
}

/// Fails unless every table got the rows that the backup recorded.
fn compare(expected: &Inventory, restored: &Inventory, target: &TargetInfo) -> Result<()> {
    let differences = expected.differences(restored);
    if differences.is_empty() {
        return Ok(());
    }
    let err = Error::new(
        ErrorKind::Corrupt,
        "the target was restored, but its rows are not those of the backup",
    )
    .with_context("target", &target.database)
    .with_context("location", &target.location)
    .with_context(DIFFERENCES, listed(&differences))
    .with_suggestion(
        "do not use the target; look for triggers or rules that change rows, or restore another backup",
    );
    Err(if target.is_empty() {
        err.with_suggestion(format!(
            "{} is left as it was restored, for you to look at; drop it afterwards",
            target.database
        ))
    } else {
        err
    })
}
