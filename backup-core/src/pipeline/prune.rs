//! [`Pipeline::prune`]: carries a plan of retention out.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::{Confirmation, Listing, Pipeline, claim::ClaimState, lock::locked};
use crate::{
    BackupId, BackupRef, Entry, Error, ErrorKind, Filter, Lease, Operation, Result, Retention,
    manifest::Layout,
    retention::{Decision, DeleteReason, Plan, Planned},
    store::SweepReport,
};

mod report;
pub use report::{PruneInterrupted, PruneReport, Pruned, SpareReason, Spared};

/// How many backups may refuse to be deleted before the others are left alone too.
const MAX_FAILURES: usize = 20;

impl Pipeline {
    /// Says what a policy would delete now, and why; changes nothing.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](ErrorKind::InvalidInput) as [`Retention::check`], and for a filter by kind: kinds of one series
    ///   depend on each other.
    /// - Where the catalog cannot be listed to its end, or an entry is damaged, of which nobody knows what it is:
    ///   nothing is planned on what may be half of the truth. Plan series by series where one of many is damaged.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn plan_prune(&self, policy: &Retention, filter: &Filter) -> Result<Plan> {
        let plan = self.plan_now(policy, filter).await;
        plan.map_err(|err| err.with_operation(Operation::Prune.name()))
    }

    /// Carries a plan out: the oldest first, each backup as [`delete`](Self::delete) does, after a look whether it is
    /// [still to go](SpareReason).
    ///
    /// Deletions of these series that were cut off are completed too. One that fails does not keep others from being
    /// deleted, unless the store seems to be away.
    ///
    /// # Errors
    ///
    /// - [`NotConfirmed`](ErrorKind::NotConfirmed), also for a plan that deletes
    ///   [too large a share](Plan::check_share); [`InvalidInput`](ErrorKind::InvalidInput) where the catalog is no longer
    ///   as it was when the plan was made. Nothing is deleted then.
    /// - [`Unavailable`](ErrorKind::Unavailable) where another prune or sweep is at work in the store, of which
    ///   [`LeaseHeld`](crate::LeaseHeld) tells: nothing is deleted then. Where another took over because this one stood still for
    ///   too long, [`LeaseLost`](crate::LeaseLost) says so: nothing more is deleted.
    /// - The first failure of a deletion; [`PruneInterrupted::report`] tells what was done.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has deleted a part of the plan; plan and prune again, which completes what was begun.
    #[tracing::instrument(skip_all)]
    pub async fn prune(&self, plan: &Plan, confirmation: Confirmation) -> Result<PruneReport> {
        let result = Box::pin(self.run_prune(plan, confirmation)).await;
        self.ended(Operation::Prune, None, result)
    }

    /// Applies the pipeline's own policy to the series of a new backup.
    pub(super) async fn retain(&self, backup: &BackupRef, warnings: &mut Vec<String>) -> Option<PruneReport> {
        let policy = self.retention.as_deref()?;
        let filter = series_of(backup);
        let pruned = async {
            let lease = self.lease_in_turn(self.lease_ttl).await?;
            let pruned = lease.during(async {
                let plan = self.plan_now(policy, &filter).await?;
                plan.check_share()?;
                self.carry_out(&plan, &lease).await
            });
            let pruned = Box::pin(pruned).await;
            self.give_back(lease).await;
            pruned
        };
        match self.ended(Operation::Prune, None, Box::pin(pruned).await) {
            Ok(report) => Some(report),
            Err(err) => {
                self.warn(Operation::Backup, warnings, format!("retention did not run to its end: {err}"));
                PruneInterrupted::report(&err).cloned()
            }
        }
    }

    async fn plan_now(&self, policy: &Retention, filter: &Filter) -> Result<Plan> {
        if filter.kind.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "retention cannot plan a single kind of backups",
            )
            .with_suggestion("filter by environment and database alone"));
        }
        policy.check()?;
        let entries = self.whole(filter).await?;
        policy.plan(&entries, self.clock.now())
    }

    /// All that a filter selects, or an error.
    async fn whole(&self, filter: &Filter) -> Result<Vec<Entry>> {
        let Listing { entries, mut damaged, unreachable } = self.within("list", self.list(filter)).await?;
        if let Some(err) = unreachable.into_iter().next() {
            return Err(
                err.with_suggestion("nothing is deleted by a part of the listing; wait for the store")
            );
        }
        let number = damaged.len();
        let Some(first) = damaged.drain(..).next() else { return Ok(entries) };
        let err =
            Error::new(first.kind(), "an entry of the catalog is damaged, so that nothing may be deleted")
                .with_context("damaged", number)
                .with_context("first", &first);
        let err = first.suggestions().into_iter().fold(err, Error::with_suggestion);
        Err(err.with_source(first))
    }

    async fn run_prune(&self, plan: &Plan, confirmation: Confirmation) -> Result<PruneReport> {
        confirmation.check("the backups of the plan would be deleted", "look at the plan, then confirm")?;
        plan.check_share()?;
        let lease = self.lease().await?;
        let pruned = Box::pin(lease.during(self.carry_out_unchanged(plan, &lease))).await;
        self.give_back(lease).await;
        pruned
    }

    /// Carries a plan out where the catalog is still as it was when the plan was made.
    async fn carry_out_unchanged(&self, plan: &Plan, lease: &Lease) -> Result<PruneReport> {
        let mut entries = Vec::with_capacity(plan.entries.len());
        for filter in series_in(plan) {
            entries.append(&mut self.whole(&filter).await?);
        }
        // Made anew, so that neither a change of the catalog nor one of the plan deletes what nobody agreed to.
        if plan.policy.plan(&entries, plan.made_at)? != *plan {
            return Err(Error::new(ErrorKind::InvalidInput, "the catalog changed since the plan was made")
                .with_context("made_at", plan.made_at.format("%Y-%m-%dT%H:%M:%SZ"))
                .with_suggestion("plan again, and look at the new plan"));
        }
        self.carry_out(plan, lease).await
    }

    async fn carry_out(&self, plan: &Plan, lease: &Lease) -> Result<PruneReport> {
        let started = tokio::time::Instant::now();
        let mut report = PruneReport::default();
        let mut failures = Vec::new();
        for filter in series_in(plan) {
            let completed = self.complete_deletions(&filter, &mut report.remains, lease);
            let completed = self.within("complete", completed);
            if let Err(err) = completed.await {
                let message = format!("what an earlier deletion left could not be removed: {err}");
                self.warn(Operation::Prune, &mut report.warnings, message);
                failures.push(err);
            }
        }
        let mut deletions: Vec<&Planned> = plan.deletions().collect();
        deletions.sort_by_key(|planned| planned.created_at);
        report.left = deletions.len() as u64;
        for planned in deletions {
            // A store that is away would be asked once for each of thousands.
            if failures.len() >= MAX_FAILURES || failures.last().is_some_and(Error::is_retryable) {
                break;
            }
            let pruned =
                self.within("delete", self.prune_one(planned, plan.made_at, &mut report, lease)).await;
            report.left -= 1;
            if let Err(err) = pruned {
                let message = format!("the backup {} was not deleted: {err}", planned.backup);
                self.warn(Operation::Prune, &mut report.warnings, message);
                report.failed.push(planned.backup.clone());
                failures.push(err);
            }
        }
        report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            deleted = report.deleted.len(),
            freed_bytes = report.freed_bytes,
            spared = report.spared.len(),
            failed = report.failed.len(),
            "pruned"
        );
        match failures.into_iter().next() {
            None => Ok(report),
            Some(err) => Err(PruneInterrupted::error(report, err)),
        }
    }

    async fn prune_one(
        &self,
        planned: &Planned,
        made_at: DateTime<Utc>,
        report: &mut PruneReport,
        lease: &Lease,
    ) -> Result<()> {
        let Decision::Delete { reason, successor } = &planned.decision else { return Ok(()) };
        // A hold may be in a store that the catalog would do without.
        self.reach_all(&planned.backup).await?;
        let entry = match self.still_to_go(planned, successor, made_at, &mut report.warnings).await? {
            Ok(entry) => entry,
            Err(reason) => {
                report.spared.push(Spared { backup: planned.backup.clone(), reason });
                return Ok(());
            }
        };
        let why = match reason {
            DeleteReason::BeingDeleted => "a deletion that was cut off".to_owned(),
            reason => format!("retention: {reason}"),
        };
        match self.remove(Operation::Prune, &entry, &why, &mut report.warnings, Some(lease)).await {
            Ok(()) => {}
            // Another deletion was quicker by a moment; what we wrote since has to go too.
            Err(err) if err.kind() == ErrorKind::NotFound => {
                self.remove_remains(&planned.backup, Some(lease)).await?;
                report.spared.push(Spared { backup: planned.backup.clone(), reason: SpareReason::Gone });
                return Ok(());
            }
            Err(err) => return Err(err),
        }
        report.freed_bytes = report.freed_bytes.saturating_add(planned.bytes);
        report.deleted.push(Pruned {
            backup: planned.backup.clone(),
            bytes: planned.bytes,
            reason: reason.clone(),
        });
        Ok(())
    }

    /// Looks once more, just before a deletion, whether what allowed it still holds.
    async fn still_to_go(
        &self,
        planned: &Planned,
        successor: &BackupId,
        made_at: DateTime<Utc>,
        warnings: &mut Vec<String>,
    ) -> Result<Result<Entry, SpareReason>> {
        let entry = match self.catalog.get(&planned.backup).await {
            Ok(entry) => entry,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Err(SpareReason::Gone)),
            Err(err) => return Err(err),
        };
        let manifest = &entry.manifest;
        if manifest.created_at != planned.created_at || manifest.stored_bytes() != planned.bytes {
            return Ok(Err(SpareReason::Another));
        }
        if entry.is_held() {
            return Ok(Err(SpareReason::Held));
        }
        if let Some(lock) = self.active_lock(manifest).await? {
            self.warn(Operation::Prune, warnings, locked(manifest, lock).to_string());
            return Ok(Err(SpareReason::Locked));
        }
        let replaces = |other: &Entry| {
            let deep = entry.proven().map(|evidence| evidence.level);
            other.manifest.created_at >= manifest.created_at
                && other.manifest.created_at <= made_at
                && !other.is_being_deleted()
                && other.proven().is_some_and(|evidence| deep.is_none_or(|deep| evidence.level >= deep))
        };
        let successor = BackupRef { id: successor.clone(), ..planned.backup.clone() };
        match self.catalog.get(&successor).await {
            // What the catalog says of it is worth nothing where its bytes are gone.
            Ok(other) if replaces(&other) && self.is_whole(&other.manifest).await? => Ok(Ok(entry)),
            Ok(_) => Ok(Err(SpareReason::NoSuccessor)),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(Err(SpareReason::NoSuccessor)),
            Err(err) => Err(err),
        }
    }

    /// Removes what is left of backups of a series whose deletion was cut off after their manifests.
    async fn complete_deletions(
        &self,
        filter: &Filter,
        removed: &mut SweepReport,
        lease: &Lease,
    ) -> Result<()> {
        let (Some(environment), Some(database)) = (&filter.environment, &filter.database) else {
            return Ok(());
        };
        let mut objects = self.store.list(&Layout::folder(environment, Some(database))?);
        while let Some(object) = objects.try_next().await? {
            let Some(stem) = object.key.as_str().strip_suffix(Layout::CLAIM) else { continue };
            if self.claim_state(&object.key).await == Some(ClaimState::Deleting)
                && !self.is_catalogued(stem).await?
            {
                let remains = self.remove_remains(&stem.parse()?, Some(lease)).await?;
                removed.removed += remains.removed;
                removed.freed_bytes += remains.freed_bytes;
            }
        }
        Ok(())
    }
}

fn series_of(backup: &BackupRef) -> Filter {
    Filter::all().with_environment(&backup.environment).with_database(&backup.database)
}

fn series_in(plan: &Plan) -> impl Iterator<Item = Filter> {
    let series: BTreeSet<_> =
        plan.entries.iter().map(|planned| (&planned.backup.environment, &planned.backup.database)).collect();
    series
        .into_iter()
        .map(|(environment, database)| Filter::all().with_environment(environment).with_database(database))
}
