//! [`PrismaGuard`]: the gate before `prisma migrate deploy`.

use std::{future::Future, time::Duration};

use backup_core::{
    BackupRef, Error, ErrorKind, Pipeline, Result,
    pipeline::{
        GateReport, GateRequest,
        gate::{Decision, GuardError, MissingDatabase, Rollback, behind},
    },
};
use serde::Serialize;

use crate::{
    Finding, History, NextDeploy, Obstacle, PrismaProject,
    lock::DeployLock,
    migrations::{MigrationsFolder, Reader},
};

/// How long Prisma itself waits for its lock.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Lets `prisma migrate deploy` run only behind a verified backup.
///
/// - No migration is pending: there is nothing to do, and nothing is backed up.
/// - The database does not exist: there is nothing to back up, and a deploy may make it, unless that was
///   [refused](Self::with_missing_database).
/// - Something stops the deploy anyhow, such as a migration that has failed: refused, with the way out.
/// - Else: Prisma's own lock is taken where the engine has one, so that no deploy runs meanwhile; the database is backed
///   up as `pre-migration` and verified as deep as the pipeline demands; the migrations are still those that were read;
///   the lock was never lost. Only then it says go.
///
/// What a deploy would do is found out by its own rule, not by `prisma migrate status`.
///
/// # Examples
///
/// ```no_run
/// use backup_core::{Level, MemoryStore, Pipeline};
/// use handler_prisma::{PrismaDumper, PrismaGuard, PrismaProject};
///
/// # async fn example() -> backup_core::Result<()> {
/// let project = PrismaProject::discover("/srv/shop").await?;
/// let pipeline = Pipeline::new(PrismaDumper::new(&project)?, MemoryStore::new()).with_level(Level::Decoded);
/// let report = PrismaGuard::new(project, pipeline).check().await?;
/// if report.gate.decision.lets_through() {
///     // npx prisma migrate deploy
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PrismaGuard {
    project: PrismaProject,
    pipeline: Pipeline,
    max_age: Option<Duration>,
    lock_wait: Duration,
    missing: MissingDatabase,
}

/// What the guard found and did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PrismaReport {
    /// What it says, and the backup.
    pub gate: GateReport,
    /// The database's name.
    pub database: String,
    /// Where it is, without secrets.
    pub location: String,
    /// What a deploy would apply.
    pub pending: Vec<String>,
    /// What is applied.
    pub applied: Vec<String>,
    /// What was applied with another script than the project has now.
    pub edited: Vec<String>,
    /// What was applied and the project has not.
    pub missing_locally: Vec<String>,
    /// How the project was found.
    pub findings: Vec<Finding>,
    /// What needs a look.
    pub warnings: Vec<String>,
}

/// A deploy that ran behind the guard, or did not have to.
#[derive(Debug)]
#[non_exhaustive]
pub struct PrismaGuarded<T> {
    /// What the guard did before it.
    pub report: PrismaReport,
    /// What the deploy returned; `None` where there was nothing to do, and it was not run.
    pub value: Option<T>,
}

impl PrismaGuard {
    /// Guards the project's database by a pipeline that backs it up: one with a [`PrismaDumper`](crate::PrismaDumper).
    #[must_use]
    pub fn new(project: PrismaProject, pipeline: Pipeline) -> Self {
        Self { project, pipeline, max_age: None, lock_wait: LOCK_WAIT, missing: MissingDatabase::LetThrough }
    }

    /// Takes a backup that the guard made within this time, with the same migrations in it, instead of a new one: a job
    /// that is run again does not back up again. What was written to the database since is not in it.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Waits so long for a deploy that is running; ten seconds, as Prisma does, unless said otherwise.
    #[must_use]
    pub fn with_lock_wait(mut self, limit: Duration) -> Self {
        self.lock_wait = limit;
        self
    }

    /// Says what is to be said where the database does not exist; "go" unless said otherwise, as a deploy makes it. For a
    /// database that has been there for long a missing one means a mistaken name: [`MissingDatabase::Refuse`].
    #[must_use]
    pub fn with_missing_database(mut self, missing: MissingDatabase) -> Self {
        self.missing = missing;
        self
    }

    /// The pipeline.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &PrismaProject {
        &self.project
    }

    /// A way back to a backup that the guard made.
    #[must_use]
    pub fn rollback(&self, backup: BackupRef) -> Rollback {
        Rollback::new(&self.pipeline, backup)
    }

    /// Backs up and verifies where a migration is pending, and says whether a deploy may run.
    ///
    /// # Errors
    ///
    /// A refusal ([`is_refusal`](ErrorKind::is_refusal)) with the way out where a deploy would stop;
    /// [`Unavailable`](ErrorKind::Unavailable) where one is running, or came between; else those of
    /// [`Pipeline::gate`]. Whatever fails, no deploy must run.
    ///
    /// # Cancel safety
    ///
    /// As [`Pipeline::backup`].
    pub async fn check(&self) -> Result<PrismaReport> {
        // Boxed, so that the futures of callers stay small.
        Box::pin(self.run_check()).await.map_err(|err| err.with_operation("gate"))
    }

    async fn run_check(&self) -> Result<PrismaReport> {
        let started = tokio::time::Instant::now();
        let reader = Reader::new(&self.project)?;
        let Some(history) = History::read_by(&reader, &self.project).await? else {
            let refused = |err: Error| err.with_context("database", self.project.connection().shown());
            self.missing.check().map_err(refused)?;
            return Ok(self.report(None, GateReport::without_backup(Decision::NothingToBackUp)));
        };
        match self.next(&history)? {
            Next::Nothing => {
                let mut gate = GateReport::without_backup(Decision::NothingToDo);
                gate.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Ok(self.report(Some(&history), gate));
            }
            // One that runs at this moment looks like one that has failed: the lock tells.
            Next::Applies | Next::Unfinished(_) => {}
        }
        let mut warnings = Vec::new();
        let lock = DeployLock::take(&self.project, self.lock_wait, &mut warnings).await?;
        let checked = self.check_locked(&reader).await;
        // Also where the check failed: its own error comes first.
        let released = lock.release().await;
        let mut report = checked?;
        released?;
        report.warnings.extend(warnings);
        Ok(report)
    }

    async fn check_locked(&self, reader: &Reader) -> Result<PrismaReport> {
        let gone = || changed("the database is gone since the migrations were read");
        let history = History::read_by(reader, &self.project).await?.ok_or_else(gone)?;
        match self.next(&history)? {
            Next::Nothing => {
                return Ok(self.report(Some(&history), GateReport::without_backup(Decision::NothingToDo)));
            }
            Next::Unfinished(obstacle) => return Err(obstacle.to_error()),
            Next::Applies => {}
        }
        let pending = history.pending();
        let mut request = GateRequest::new().with_state(history.state());
        request.max_age = self.max_age;
        let request =
            request.with_reason(format!("before prisma migrate deploy applies {}", pending.join(", ")));
        let gate = self.pipeline.gate(request).await?;
        let Some(backup) = gate.backup.as_ref().filter(|_| gate.decision == Decision::Go) else {
            return Err(gone());
        };
        if backup.database != self.project.connection().database() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the pipeline backs up another database than the project's",
            )
            .with_context("backed_up", &backup.database)
            .with_context("project", self.project.connection().database())
            .with_suggestion("make the pipeline with PrismaDumper::new of the same project"));
        }
        // SQLite has no lock to hold, and a server may have lost ours.
        let after = History::read_by(reader, &self.project).await?.ok_or_else(gone)?;
        if after.rows != history.rows || after.table != history.table {
            return Err(changed("a deploy came between while the backup was made"));
        }
        Ok(self.report(Some(&history), gate))
    }

    /// Runs a deploy where the guard lets it through.
    ///
    /// # Errors
    ///
    /// [`GuardError::Gate`] where it does not, [`GuardError::Migration`] with the way back where the deploy fails.
    ///
    /// # Cancel safety
    ///
    /// As [`check`](Self::check) until the deploy starts, then as the deploy.
    pub async fn run<T, E, Work>(
        &self,
        deploy: impl FnOnce() -> Work,
    ) -> Result<PrismaGuarded<T>, GuardError<E>>
    where
        Work: Future<Output = Result<T, E>>,
    {
        let report = self.check().await.map_err(GuardError::Gate)?;
        if !report.gate.decision.lets_through() {
            return Ok(PrismaGuarded { report, value: None });
        }
        let done = behind(&self.pipeline, report.gate.clone(), deploy).await?;
        Ok(PrismaGuarded { report, value: Some(done.value) })
    }

    /// What a deploy would do; what stops it for good is an error.
    fn next(&self, history: &History) -> Result<Next> {
        if history.folder == MigrationsFolder::Missing && !history.rows.is_empty() {
            // "Nothing is pending" would be true of a folder that was looked for in the wrong place.
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the project's folder of migrations is not there",
            )
            .with_context("migrations", self.project.migrations().display())
            .with_suggestion("name the project's folder, its schema or its config file"));
        }
        match history.next_deploy() {
            NextDeploy::Nothing => Ok(Next::Nothing),
            NextDeploy::Applies { .. } => Ok(Next::Applies),
            NextDeploy::Stops(obstacle @ Obstacle::Failed { .. }) => Ok(Next::Unfinished(obstacle)),
            NextDeploy::Stops(obstacle) => Err(obstacle.to_error()),
        }
    }

    fn report(&self, history: Option<&History>, gate: GateReport) -> PrismaReport {
        let owned = |names: Option<Vec<&str>>| -> Vec<String> {
            names.unwrap_or_default().into_iter().map(str::to_owned).collect()
        };
        let mut report = PrismaReport {
            database: self.project.connection().database(),
            location: self.project.connection().location(),
            pending: owned(history.map(History::pending)),
            applied: owned(history.map(History::applied)),
            edited: owned(history.map(History::edited)),
            missing_locally: owned(history.map(History::missing_locally)),
            findings: self.project.findings().to_vec(),
            warnings: self.project.warnings().to_vec(),
            gate,
        };
        for (names, what) in [
            (&report.edited, "were applied with another script than the project has now"),
            (&report.missing_locally, "were applied and are not in the project"),
        ] {
            if !names.is_empty() {
                report.warnings.push(format!("{} {what}; no deploy stops for that", names.join(", ")));
            }
        }
        report
    }
}

/// What a deploy would do.
enum Next {
    Nothing,
    Applies,
    /// It would stop at a migration that failed, or is running.
    Unfinished(Obstacle),
}

fn changed(message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
        .with_suggestion("do not deploy now; run the guard again when nothing else changes the database")
}
