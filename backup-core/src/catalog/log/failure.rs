use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{BackupLog, LogDatabase};
use crate::{BackupRef, Clock, Error, Event, Kind, Observer, Operation, SystemClock, event::Running};

/// How many failures are on their way into the log at once.
const MAX_PENDING: usize = 64;

/// A backup that was tried and does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Its full name, where it had one by then.
    pub backup: Option<BackupRef>,
    /// The environment.
    pub environment: String,
    /// The database's name.
    pub database: String,
    /// The kind, where it is known.
    pub kind: Option<Kind>,
    /// When it was begun, UTC.
    pub started: DateTime<Utc>,
    /// When it failed, UTC.
    pub ended: DateTime<Utc>,
    /// The code of the error, and the error in one line.
    pub error: String,
}

impl FailedAttempt {
    /// An attempt that failed with `error`.
    pub fn new(
        environment: impl Into<String>,
        database: impl Into<String>,
        started: DateTime<Utc>,
        ended: DateTime<Utc>,
        error: &Error,
    ) -> Self {
        Self {
            backup: None,
            environment: environment.into(),
            database: database.into(),
            kind: None,
            started,
            ended,
            error: format!("{}: {error}", error.code()),
        }
    }

    /// Names the backup that it would have been.
    #[must_use]
    pub fn with_backup(mut self, backup: BackupRef) -> Self {
        self.backup = Some(backup);
        self
    }

    /// Says of which kind it would have been.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }
}

/// An [`Observer`] that records the failed backups of a pipeline in a [`BackupLog`].
///
/// What it has to write is written by tasks of its own, 64 at most at once; one more, and one that the database does
/// not take, is [counted](Self::lost) and a warning in the log of the application.
///
/// # Examples
///
/// ```
/// # use backup_core::{Pipeline, catalog::log::{BackupLog, LogDatabase}};
/// # fn example<D: LogDatabase>(pipeline: Pipeline, log: BackupLog<D>) -> Pipeline {
/// let failures = log.failures("production", "shop");
/// pipeline.with_mirror(log).with_observer(failures)
/// # }
/// ```
#[derive(Debug)]
pub struct FailureRecorder<D> {
    log: BackupLog<D>,
    environment: String,
    database: String,
    clock: Arc<dyn Clock>,
    running: Arc<Running>,
    pending: Arc<Semaphore>,
    tasks: TaskTracker,
    lost: Arc<AtomicU64>,
}

impl<D> Clone for FailureRecorder<D> {
    fn clone(&self) -> Self {
        Self {
            log: self.log.clone(),
            environment: self.environment.clone(),
            database: self.database.clone(),
            clock: Arc::clone(&self.clock),
            running: Arc::clone(&self.running),
            pending: Arc::clone(&self.pending),
            tasks: self.tasks.clone(),
            lost: Arc::clone(&self.lost),
        }
    }
}

impl<D: LogDatabase> BackupLog<D> {
    /// Records the failures of a pipeline; the names are for those that failed before the backup had one, a server
    /// that is down for instance. Clones are the same recorder.
    pub fn failures(
        &self,
        environment: impl Into<String>,
        database: impl Into<String>,
    ) -> FailureRecorder<D> {
        FailureRecorder {
            log: self.clone(),
            environment: environment.into(),
            database: database.into(),
            clock: Arc::new(SystemClock),
            running: Arc::default(),
            pending: Arc::new(Semaphore::new(MAX_PENDING)),
            tasks: TaskTracker::new(),
            lost: Arc::default(),
        }
    }
}

impl<D: LogDatabase> FailureRecorder<D> {
    /// Takes the time from elsewhere than the operating system.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many failures are not in the log, since the recorder was made.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until the failures seen so far are written or given up; for a graceful shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    fn record(&self, backup: Option<&BackupRef>, error: &Error) {
        let ended = self.clock.now();
        let took =
            backup.and_then(|backup| self.running.end(Operation::Backup, backup)).map(|run| run.elapsed());
        let took = took.and_then(|took| TimeDelta::from_std(took).ok()).unwrap_or_default();
        let (environment, database) = match backup {
            Some(backup) => (&backup.environment, &backup.database),
            None => (&self.environment, &self.database),
        };
        let mut attempt = FailedAttempt::new(environment, database, ended - took, ended, error);
        attempt.backup = backup.cloned();
        let (Ok(permit), Ok(runtime)) =
            (Arc::clone(&self.pending).try_acquire_owned(), tokio::runtime::Handle::try_current())
        else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                "a failed backup is not recorded in the log: too many are under way, or no runtime is"
            );
            return;
        };
        let (log, lost) = (self.log.clone(), Arc::clone(&self.lost));
        let write = async move {
            if let Err(err) = log.record_failure(&attempt).await {
                lost.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("a failed backup is not recorded in the log: {err}");
            }
            drop(permit);
        };
        self.tasks.spawn_on(write, &runtime);
    }
}

impl<D: LogDatabase> Observer for FailureRecorder<D> {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Started { operation: Operation::Backup, backup } => {
                self.running.begin(Operation::Backup, backup);
            }
            Event::Finished { operation: Operation::Backup, backup } => {
                self.running.end(Operation::Backup, backup);
            }
            Event::Failed { operation: Operation::Backup, backup, error } => self.record(*backup, error),
            _ => {}
        }
    }
}
