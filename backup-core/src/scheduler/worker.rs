//! The task of one job: wait, attempt, tell.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Job, JobStatus, Outcome, Run, SchedulerOptions,
    alarm::Alarm,
    attempt::{Attempt, Attempted, Dated},
    job::Backoff,
};
use crate::{
    BackupRef, Error, ErrorKind, Result,
    schedule::{Due, Jitter},
};

/// How long it waits at most without a look at the clock, which may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

pub(super) struct Worker {
    job: Job,
    /// Its place among the jobs.
    index: usize,
    series: String,
    jitter: Jitter,
    backoff: Backoff,
    alarm: Alarm,
    status: watch::Sender<Vec<JobStatus>>,
    /// No further run.
    stop: CancellationToken,
    /// No run at all.
    cut: CancellationToken,
    database: Option<String>,
    /// When the last run was started, or the backup that made it unnecessary; `None` until the catalog was read.
    last_run: Option<DateTime<Utc>>,
    /// Backups that a wrong clock dated.
    ahead: BTreeSet<BackupRef>,
    failures: u32,
    retry: Option<Retry>,
}

struct Retry {
    at: Instant,
    /// When that is by the clock, as long as nobody sets it.
    expected: DateTime<Utc>,
    /// A backup that only lacks its verification.
    unproven: Option<Dated>,
}

impl Worker {
    pub(super) fn new(
        job: Job,
        index: usize,
        options: &SchedulerOptions,
        status: watch::Sender<Vec<JobStatus>>,
        stop: &CancellationToken,
        cut: &CancellationToken,
    ) -> Self {
        let series = job.series();
        Self {
            index,
            jitter: Jitter::of(&series, job.jitter),
            backoff: options.backoff,
            alarm: Alarm::new(options.notifier.clone(), &series, &job.name),
            series,
            status,
            stop: stop.clone(),
            cut: cut.clone(),
            database: None,
            last_run: None,
            ahead: BTreeSet::new(),
            failures: 0,
            retry: None,
            job,
        }
    }

    pub(super) async fn run(mut self, slots: Arc<Semaphore>) {
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        while stop.run_until_cancelled(self.until_due()).await.is_some() {
            let Some(Ok(slot)) = stop.run_until_cancelled(slots.acquire()).await else { break };
            let outcome = self.attempt().await;
            drop(slot);
            cut.run_until_cancelled(self.tell_people(outcome)).await;
        }
    }

    /// Waits until it is due, or to be tried again.
    async fn until_due(&mut self) {
        while let Some(pause) = self.pause() {
            tokio::time::sleep(pause.min(LOOK_AGAIN)).await;
        }
    }

    /// How long nothing is to be done; `None` where something is.
    fn pause(&mut self) -> Option<Duration> {
        let now = self.now();
        let Due::NotBefore(next) = self.job.schedule.due(self.last_run, &self.jitter, now) else {
            // A new occurrence is for a new backup.
            self.retry = None;
            return None;
        };
        let mut pause = (next - now).to_std().unwrap_or(Duration::ZERO);
        let mut next_run = next;
        if let Some(retry) = &self.retry {
            pause = pause.min(retry.at.saturating_duration_since(Instant::now()));
            next_run = next_run.min(retry.expected);
        }
        self.tell(|status| status.next_run.replace(next_run) != Some(next_run));
        (!pause.is_zero()).then_some(pause)
    }

    /// Makes one attempt, and keeps what came of it; `None` where nothing was to be done.
    async fn attempt(&mut self) -> Option<Outcome> {
        let started = self.now();
        self.tell(|status| {
            (status.running_since, status.next_run) = (Some(started), None);
            true
        });
        let attempt = Attempt {
            job: self.job.clone(),
            jitter: self.jitter,
            database: self.database.clone(),
            ahead: self.ahead.clone(),
            unproven: self.retry.take().and_then(|retry| retry.unproven),
        };
        let (attempted, result) = self.until_cut(attempt).await;
        let outcome = match (&attempted.backup, result) {
            (_, None) => Some(Outcome::Cancelled),
            (None, Some(Ok(()))) => None,
            (Some((backup, _)), Some(Ok(()))) => Some(Outcome::Made { backup: backup.clone() }),
            (None, Some(Err(err))) => Some(Outcome::Failed { error: Arc::new(err) }),
            (Some((backup, _)), Some(Err(err))) => {
                Some(Outcome::Unproven { backup: backup.clone(), error: Arc::new(err) })
            }
        };
        self.keep(started, attempted, outcome.as_ref());
        outcome
    }

    /// Runs an attempt on a task of its own, so that its panic is an error, until it ends or all runs are cut.
    async fn until_cut(&self, attempt: Attempt) -> (Attempted, Option<Result<()>>) {
        let mut work = AbortOnDropHandle::new(tokio::spawn(attempt.run()));
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = self.cut.cancelled() => {
                work.abort();
                // Only what is gone has begun to remove what it stored.
                work.await
            }
        };
        match ended {
            Ok((attempted, result)) => (attempted, Some(result)),
            Err(err) if err.is_cancelled() => (Attempted::default(), None),
            Err(err) => {
                let err = Error::new(ErrorKind::Unexpected, "the run of a job panicked").with_source(err);
                (Attempted::default(), Some(Err(err)))
            }
        }
    }

    fn keep(&mut self, started: DateTime<Utc>, attempted: Attempted, outcome: Option<&Outcome>) {
        let ended = self.now();
        self.database = attempted.database.or(self.database.take());
        self.ahead = attempted.ahead.unwrap_or(std::mem::take(&mut self.ahead));
        // One that only verified is as old as its backup: an occurrence may have come while it waited.
        let dumped = attempted.backup.as_ref().map(|(_, at)| *at).filter(|at| *at < started);
        self.last_run = if outcome.is_none() { attempted.newest } else { dumped }.or(Some(started));
        let error = outcome.and_then(Outcome::error);
        let made = attempted.backup.as_ref().filter(|_| error.is_none()).map(|(_, at)| *at);
        let last_success = made.or(attempted.newest);
        let cancelled = matches!(outcome, Some(Outcome::Cancelled));
        if let Some(error) = error {
            self.failures = self.failures.saturating_add(1);
            tracing::warn!(job = %self.job.name, failures = self.failures, code = error.code(), "a run failed: {error}");
            if error.is_retryable() {
                self.retry = self.retry_after(ended, attempted.backup);
            }
        } else if !cancelled {
            self.failures = 0;
        }
        let run = outcome.map(|outcome| {
            let (scheduled_for, missed) = attempted.due.unwrap_or_else(|| (self.occurrence(started), 0));
            Run {
                job: self.job.name.clone(),
                scheduled_for,
                missed,
                started,
                ended,
                outcome: outcome.clone(),
                warnings: attempted.warnings,
            }
        });
        let failures = self.failures;
        self.tell(|status| {
            status.running_since = None;
            status.failures_in_a_row = failures;
            status.last_success = last_success.or(status.last_success);
            status.last_failure = error.map(|_| ended).or(status.last_failure);
            if let Some(run) = run {
                status.keep(run);
            }
            true
        });
    }

    /// The next try; `None` where the pause is beyond all clocks.
    fn retry_after(&self, ended: DateTime<Utc>, unproven: Option<Dated>) -> Option<Retry> {
        let pause = self.backoff.pause(&self.series, self.failures);
        let expected = ended.checked_add_signed(TimeDelta::from_std(pause).ok()?)?;
        Some(Retry { at: Instant::now().checked_add(pause)?, expected, unproven })
    }

    /// The occurrence that a run is for, where the catalog could not be asked.
    fn occurrence(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        match self.job.schedule.due([], &self.jitter, at) {
            Due::Now { scheduled_for, .. } => scheduled_for,
            Due::NotBefore(next) => next,
        }
    }

    /// A run that was cut is nobody's trouble.
    async fn tell_people(&mut self, outcome: Option<Outcome>) {
        let now = self.now();
        match outcome {
            Some(Outcome::Cancelled) => {}
            Some(Outcome::Unproven { error, .. } | Outcome::Failed { error }) => {
                self.alarm.failed(self.failures, &error, now).await;
            }
            Some(Outcome::Made { .. }) | None => self.alarm.recovered(now).await,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.job.pipeline.clock().now()
    }

    /// Changes the status, and wakes those who watch it where `change` says that it did.
    fn tell(&self, change: impl FnOnce(&mut JobStatus) -> bool) {
        self.status.send_if_modified(|jobs| jobs.get_mut(self.index).is_some_and(change));
    }
}
