use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Job;
use crate::{BackupRef, Error, Schedule};

/// How many runs of a job are kept.
pub const RUNS_KEPT: usize = 32;

/// How a job stands.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct JobStatus {
    /// Its name.
    pub job: String,
    /// The environment of its backups.
    pub environment: String,
    /// When it runs.
    pub schedule: Schedule,
    /// Since when it runs, UTC; `None` while it does not.
    pub running_since: Option<DateTime<Utc>>,
    /// When the dump of its newest good backup was started, UTC, whoever made it; `None` until the catalog was read, and where
    /// there is none.
    pub last_success: Option<DateTime<Utc>>,
    /// When its last failed run ended, UTC, since the scheduler was started.
    pub last_failure: Option<DateTime<Utc>>,
    /// How many runs have failed since the last good one.
    pub failures_in_a_row: u32,
    /// When it runs next, UTC, as far as that is known: by its schedule, or sooner after a failure.
    pub next_run: Option<DateTime<Utc>>,
    /// Its last runs, the newest last, [`RUNS_KEPT`] at most.
    pub runs: VecDeque<Run>,
}

/// One run of a job.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// The job's name.
    pub job: String,
    /// The occurrence that it was for, UTC.
    pub scheduled_for: DateTime<Utc>,
    /// How many occurrences before that had passed without a good backup, at most [`MAX_MISSED`](crate::schedule::MAX_MISSED).
    pub missed: u32,
    /// When it started, UTC.
    pub started: DateTime<Utc>,
    /// When it ended, UTC.
    pub ended: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
    /// What the backup warned of: that retention was refused or did not end, for instance.
    pub warnings: Vec<String>,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// The backup is made, and verified as deep as the job asks.
    Made {
        /// The backup.
        backup: BackupRef,
    },
    /// The backup is made, but its verification failed, or could not be carried out.
    Unproven {
        /// The backup.
        backup: BackupRef,
        /// Why.
        #[serde(serialize_with = "in_words")]
        error: Arc<Error>,
    },
    /// No backup is made.
    Failed {
        /// Why.
        #[serde(serialize_with = "in_words")]
        error: Arc<Error>,
    },
    /// It did not end before the scheduler did.
    Cancelled,
}

impl Outcome {
    /// Why the run failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&Arc<Error>> {
        match self {
            Self::Unproven { error, .. } | Self::Failed { error } => Some(error),
            Self::Made { .. } | Self::Cancelled => None,
        }
    }

    /// The backup that was made, if one was.
    #[must_use]
    pub fn backup(&self) -> Option<&BackupRef> {
        match self {
            Self::Made { backup } | Self::Unproven { backup, .. } => Some(backup),
            Self::Failed { .. } | Self::Cancelled => None,
        }
    }
}

impl JobStatus {
    pub(super) fn new(job: &Job) -> Self {
        Self {
            job: job.name.clone(),
            environment: job.pipeline.environment().to_owned(),
            schedule: job.schedule.clone(),
            running_since: None,
            last_success: None,
            last_failure: None,
            failures_in_a_row: 0,
            next_run: None,
            runs: VecDeque::new(),
        }
    }

    pub(super) fn keep(&mut self, run: Run) {
        if self.runs.len() == RUNS_KEPT {
            self.runs.pop_front();
        }
        self.runs.push_back(run);
    }
}

fn in_words<S: Serializer>(error: &Arc<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
