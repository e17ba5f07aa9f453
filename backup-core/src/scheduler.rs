//! [`Scheduler`]: makes backups when they are due, for services that run all the time.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{Error, ErrorKind, Key, Notifier, Pipeline, Result};

mod alarm;
mod attempt;
mod job;
mod status;
mod worker;

pub use job::{Backoff, Job};
pub use status::{JobStatus, Outcome, RUNS_KEPT, Run};
use worker::Worker;

/// How many jobs run at the same time, unless said.
const AT_ONCE: usize = 2;

/// Runs jobs when they are due, on tasks of its own, until it is shut down or dropped.
///
/// # Contract
///
/// - What is due is asked of the [schedule](crate::Schedule) and the catalog, also at the start: one run makes up for all that
///   were missed while nothing ran, and a backup that another process made is not made again. Where a series has no good backup
///   at all, the first is made at once.
/// - A job never overlaps with itself, and no more jobs run at once than [allowed](SchedulerOptions::with_at_once).
/// - A failed run is tried again after a [pause](Backoff) that grows with each failure, if its
///   [error](Error::is_retryable) says that this can help; else at the next occurrence. What ends a run early, also a panic,
///   ends no job.
/// - The [notifier](Notifier) is told of the first failure ([`Firing`](crate::AlertState::Firing)), of the third in a row
///   ([`Escalated`](crate::AlertState::Escalated)), and of the success after that
///   ([`Resolved`](crate::AlertState::Resolved)), under the key `<environment>/<job>/backup`. What it does not take is logged, and told
///   again at the next run. How many failed in a row is not known any more after a restart.
/// - The time is that of the pipeline's [clock](crate::Clock), looked at once a minute at least: a clock that is set, or a
///   host that was suspended, is noticed within that.
///
/// # Examples
///
/// ```
/// # async fn example() -> backup_core::Result<()> {
/// use std::time::Duration;
///
/// use backup_core::{
///     MemoryStore, Pipeline, Scheduler, scheduler::{Job, SchedulerOptions}, testkit::fake::FakeDumper,
/// };
///
/// let pipeline = Pipeline::new(FakeDumper::new("all the rows"), MemoryStore::new()).with_environment("production");
/// let nightly = Job::new("shop", pipeline, "daily at 02:00 in Europe/Berlin".parse()?);
/// let scheduler = Scheduler::start([nightly], &SchedulerOptions::new())?;
/// // Until the service ends.
/// let jobs = scheduler.shutdown(Duration::from_secs(30)).await;
/// assert_eq!(jobs[0].failures_in_a_row, 0);
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug)]
pub struct Scheduler {
    workers: JoinSet<()>,
    status: watch::Sender<Vec<JobStatus>>,
    pipelines: Vec<Pipeline>,
    stop: CancellationToken,
    cut: CancellationToken,
}

/// How a [`Scheduler`] runs its jobs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SchedulerOptions {
    /// Who is told of failures.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// How many jobs run at the same time.
    pub at_once: usize,
    /// The pauses after failures.
    pub backoff: Backoff,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self { notifier: None, at_once: AT_ONCE, backoff: Backoff::default() }
    }
}

impl SchedulerOptions {
    /// Two jobs at the same time, and nobody who is told.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells `notifier` of failures, and of their end.
    #[must_use]
    pub fn with_notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifier = Some(Arc::new(notifier));
        self
    }

    /// Runs so many jobs at the same time, one at least.
    #[must_use]
    pub fn with_at_once(mut self, jobs: usize) -> Self {
        self.at_once = jobs.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets the pauses after failures.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }
}

impl Scheduler {
    /// Starts the jobs.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where there is no job, a job has no name or that of another one of its
    /// environment, or its pipeline has no database.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(jobs: impl IntoIterator<Item = Job>, options: &SchedulerOptions) -> Result<Self> {
        let jobs: Vec<Job> = jobs.into_iter().collect();
        check(&jobs)?;
        let (status, _) = watch::channel(jobs.iter().map(JobStatus::new).collect());
        let slots = Arc::new(Semaphore::new(options.at_once.clamp(1, Semaphore::MAX_PERMITS)));
        let pipelines = jobs.iter().map(|job| job.pipeline.clone()).collect();
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let mut workers = JoinSet::new();
        for (index, job) in jobs.into_iter().enumerate() {
            let worker = Worker::new(job, index, options, status.clone(), &stop, &cut);
            workers.spawn(worker.run(Arc::clone(&slots)));
        }
        Ok(Self { workers, status, pipelines, stop, cut })
    }

    /// How each job stands, in the order in which they were given.
    #[must_use]
    pub fn status(&self) -> Vec<JobStatus> {
        self.status.borrow().clone()
    }

    /// Shows how each job stands whenever that changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Vec<JobStatus>> {
        self.status.subscribe()
    }

    /// Starts no run any more, lets those under way end within `limit`, then cancels them and removes what they stored.
    ///
    /// A run that is cancelled while its backup is being committed may still make it. Returns how each job stands then.
    ///
    /// # Cancel safety
    ///
    /// A dropped call cancels the runs at once, as dropping the scheduler does; what they stored is removed on tasks of their
    /// own.
    pub async fn shutdown(mut self, limit: Duration) -> Vec<JobStatus> {
        self.stop.cancel();
        if tokio::time::timeout(limit, ended(&mut self.workers)).await.is_err() {
            tracing::warn!(limit_seconds = limit.as_secs(), "runs that did not end in time are cancelled");
            self.cut.cancel();
            ended(&mut self.workers).await;
            for pipeline in &self.pipelines {
                pipeline.settle().await;
            }
        }
        self.status()
    }
}

async fn ended(workers: &mut JoinSet<()>) {
    while let Some(result) = workers.join_next().await {
        if let Err(err) = result {
            tracing::error!(%err, "the task of a job was cut off");
        }
    }
}

fn check(jobs: &[Job]) -> Result<()> {
    let refuse = |message: &str, name: &str| {
        Error::new(ErrorKind::InvalidInput, message).with_context("job", name.escape_debug())
    };
    if jobs.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "there is no job to run"));
    }
    let mut names = std::collections::BTreeSet::new();
    for job in jobs {
        if job.name.is_empty() {
            return Err(refuse("a job has no name", &job.name));
        }
        if !names.insert(job.series()) {
            return Err(refuse("two jobs of an environment have the same name", &job.name)
                .with_suggestion("name each after its database and schedule: shop, shop-weekly"));
        }
        job.pipeline.has_database().map_err(|err| err.with_context("job", job.name.escape_debug()))?;
    }
    Ok(())
}

impl Job {
    /// What its jitter and its alerts are named after: `production/shop`.
    fn series(&self) -> String {
        format!("{}/{}", Key::escape(self.pipeline.environment()), Key::escape(&self.name))
    }
}
