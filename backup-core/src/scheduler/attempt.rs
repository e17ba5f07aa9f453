//! One attempt to bring a job up to date: look, back up, verify.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Job;
use crate::{
    BackupRef, Entry, Kind, Result,
    pipeline::newest_good,
    schedule::{Due, Jitter, kind_at},
};

/// What is done; owns all it needs, to run on a task of its own.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) job: Job,
    pub(super) jitter: Jitter,
    /// The database's name, once a probe has told.
    pub(super) database: Option<String>,
    /// Backups that were dated after the time at which they were seen.
    pub(super) ahead: BTreeSet<BackupRef>,
    /// A backup that was made and only lacks its verification.
    pub(super) unproven: Option<Dated>,
}

/// What an attempt found and did, as far as it came.
#[derive(Debug, Default)]
pub(super) struct Attempted {
    pub(super) database: Option<String>,
    /// When the newest good backup of before was started, once the catalog was read.
    pub(super) newest: Option<DateTime<Utc>>,
    /// What is to be known as [`Attempt::ahead`] from now on, once the catalog was read.
    pub(super) ahead: Option<BTreeSet<BackupRef>>,
    /// The occurrence that it was for, and how many were missed before, once the catalog was read.
    pub(super) due: Option<(DateTime<Utc>, u32)>,
    pub(super) backup: Option<Dated>,
    /// What the backup warned of.
    pub(super) warnings: Vec<String>,
}

/// A backup, and when its dump was started.
pub(super) type Dated = (BackupRef, DateTime<Utc>);

impl Attempt {
    pub(super) async fn run(self) -> (Attempted, Result<()>) {
        let mut attempted = Attempted::default();
        let result = self.bring_up_to_date(&mut attempted).await;
        (attempted, result)
    }

    async fn bring_up_to_date(self, attempted: &mut Attempted) -> Result<()> {
        let Self { job, jitter, database, ahead, unproven } = self;
        let pipeline = &job.pipeline;
        if let Some(backup) = unproven {
            attempted.backup = Some(backup);
            return verify(&job, attempted).await;
        }
        let database = match database {
            Some(database) => database,
            None => pipeline.database().await?,
        };
        let series = pipeline.series(&database).await;
        attempted.database = Some(database);
        let series = series?;
        for damaged in &series.damaged {
            tracing::warn!(job = %job.name, "passing over a damaged entry of the catalog: {damaged}");
        }
        let now = pipeline.clock().now();
        // One that a wrong clock dated is no fresher when its date comes.
        let is_ahead =
            |entry: &&Entry| entry.manifest.created_at > now || ahead.contains(&entry.manifest.backup_ref());
        let counts = |entry: &&Entry| job.kinds().contains(&entry.manifest.kind) && !is_ahead(entry);
        let newest = newest_good(series.entries.iter().filter(counts), now);
        attempted.newest = newest.map(|entry| entry.manifest.created_at);
        let ahead = series.entries.iter().filter(is_ahead).map(|entry| entry.manifest.backup_ref());
        attempted.ahead = Some(ahead.collect());
        let Due::Now { scheduled_for, missed } = job.schedule.due(attempted.newest, &jitter, now) else {
            return Ok(());
        };
        attempted.due = Some((scheduled_for, missed));
        tracing::info!(job = %job.name, %scheduled_for, missed, "due");
        let kind = match job.request.kind {
            Kind::Manual => kind_at(&series.entries, job.schedule.zone(), now),
            kind => kind,
        };
        let report = pipeline.backup(job.request.clone().with_kind(kind)).await?;
        attempted.backup = Some((report.backup, report.manifest.created_at));
        attempted.warnings = report.warnings;
        verify(&job, attempted).await
    }
}

async fn verify(job: &Job, attempted: &mut Attempted) -> Result<()> {
    if let (Some(level), Some((backup, _))) = (job.verify, &attempted.backup) {
        job.pipeline.verify(backup, level).await?.ensure_passed()?;
    }
    Ok(())
}
