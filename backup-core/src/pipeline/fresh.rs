//! [`Pipeline::ensure_fresh`]: a backup that is new enough, made only where there is none.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{BackupReport, BackupRequest, Listing, Pipeline};
#[cfg(feature = "schedule")]
use crate::Clock;
use crate::{BackupRef, Entry, Filter, Operation, Result};

/// A backup that is new enough.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "freshness", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FreshnessReport {
    /// It was there.
    Fresh {
        /// The newest good backup.
        backup: BackupRef,
        /// When its dump was started, UTC.
        created_at: DateTime<Utc>,
    },
    /// There was none, and it was made.
    Made(Box<BackupReport>),
}

impl FreshnessReport {
    /// The backup.
    #[must_use]
    pub fn backup(&self) -> &BackupRef {
        match self {
            Self::Fresh { backup, .. } => backup,
            Self::Made(report) => &report.backup,
        }
    }
}

impl Pipeline {
    /// Makes a backup unless there is a good one whose dump was started within the last `max_age`.
    ///
    /// Good is one of this environment and database, of any kind, that no check found failed and nobody deletes. One that is
    /// dated after now is not known to be fresh.
    ///
    /// # Errors
    ///
    /// As [`backup`](Self::backup), and where the backups cannot be listed.
    ///
    /// # Cancel safety
    ///
    /// As [`backup`](Self::backup).
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example() -> backup_core::Result<()> {
    /// use std::time::Duration;
    ///
    /// use backup_core::{
    ///     MemoryStore, Pipeline, pipeline::{BackupRequest, FreshnessReport}, testkit::fake::FakeDumper,
    /// };
    ///
    /// let pipeline = Pipeline::new(FakeDumper::new("all the rows"), MemoryStore::new());
    /// let hour = Duration::from_secs(3600);
    /// let first = pipeline.ensure_fresh(hour, BackupRequest::new()).await?;
    /// assert!(matches!(first, FreshnessReport::Made(_)));
    /// let second = pipeline.ensure_fresh(hour, BackupRequest::new()).await?;
    /// assert!(matches!(second, FreshnessReport::Fresh { .. }));
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
    /// ```
    pub async fn ensure_fresh(&self, max_age: Duration, request: BackupRequest) -> Result<FreshnessReport> {
        let age = TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX);
        let since = self.clock.now().checked_sub_signed(age).unwrap_or(DateTime::<Utc>::MIN_UTC);
        self.ensure_since(since, request).await
    }

    /// Makes a backup unless a good one was made today, in a time zone: what the first session of a day calls.
    ///
    /// # Errors
    ///
    /// As [`ensure_fresh`](Self::ensure_fresh).
    ///
    /// # Cancel safety
    ///
    /// As [`backup`](Self::backup).
    #[cfg(feature = "schedule")]
    pub async fn ensure_today(&self, zone: chrono_tz::Tz, request: BackupRequest) -> Result<FreshnessReport> {
        let midnight = crate::Schedule::each_day(zone).last_until(self.clock.now());
        self.ensure_since(midnight.unwrap_or(DateTime::<Utc>::MIN_UTC), request).await
    }

    async fn ensure_since(&self, since: DateTime<Utc>, request: BackupRequest) -> Result<FreshnessReport> {
        let newest = async {
            let series = self.series(&self.database().await?).await?;
            let now = self.clock.now();
            let newest = newest_good(&series.entries, now).filter(|entry| entry.manifest.created_at >= since);
            Ok(newest.map(|entry| (entry.manifest.backup_ref(), entry.manifest.created_at)))
        };
        match newest.await {
            Ok(Some((backup, created_at))) => Ok(FreshnessReport::Fresh { backup, created_at }),
            Ok(None) => Ok(FreshnessReport::Made(Box::new(self.backup(request).await?))),
            Err(err) => self.ended(Operation::Backup, None, Err(err)),
        }
    }

    /// Where the pipeline takes the time from.
    #[cfg(feature = "schedule")]
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The environment of new backups.
    #[cfg(feature = "schedule")]
    pub(crate) fn environment(&self) -> &str {
        &self.environment
    }

    /// Whether it can make backups.
    #[cfg(feature = "schedule")]
    pub(crate) fn has_database(&self) -> Result<()> {
        self.own_dumper().map(drop)
    }

    /// The name of the database, as a probe finds it.
    pub(crate) async fn database(&self) -> Result<String> {
        let dumper = self.own_dumper()?;
        Ok(self.within("probe", dumper.probe()).await?.database)
    }

    /// The backups of a database in the pipeline's environment, the newest first.
    pub(crate) async fn series(&self, database: &str) -> Result<Listing> {
        let filter = Filter::all().with_environment(&self.environment).with_database(database);
        self.within("list", self.list(&filter)).await
    }
}

/// The newest good backup that is not dated after now, of entries with the newest first.
pub(crate) fn newest_good<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    now: DateTime<Utc>,
) -> Option<&'a Entry> {
    entries.into_iter().find(|entry| entry.is_good() && entry.manifest.created_at <= now)
}
