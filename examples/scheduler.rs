//! Back up a database again and again, as a service does, and hear of failures.
//!
//! It makes a small SQLite shop in a temporary folder, which a scheduler backs up every second. After two backups the database is
//! gone for a while: a notifier tells of the failure, and of its end. Then the scheduler is shut down. A service would say `daily
//! at 02:00 in Europe/Berlin`, and send alerts to where people see them.

use std::{process::ExitCode, time::Duration};

use async_trait::async_trait;
use backup_core::{
    Alert, Error, ErrorKind, Level, Notifier, Pipeline, Result, Scheduler,
    scheduler::{Job, JobStatus, Outcome, Run, SchedulerOptions},
};
use examples::{
    output::{self, Style, print},
    shop,
};
use handler_prisma::sqlite::SqliteDump;
use storage_local::LocalStore;
use tokio::sync::watch;

/// How long each step of the tour may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints alerts; a service would send them.
#[derive(Debug)]
struct Printed;

#[async_trait]
impl Notifier for Printed {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        let Alert { state, severity, key, summary, .. } = alert;
        print(&format!("alert   {state:?}, {severity:?}: {key}: {summary}"))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    tour().await.map_or_else(|err| Style::Text.error("scheduler", &err), |()| ExitCode::SUCCESS)
}

async fn tour() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("scheduler-").tempdir()?;
    let database = folder.path().join("shop.sqlite");
    shop::make(&database).await?;
    let store = LocalStore::open(folder.path().join("backups")).await?;
    let pipeline = Pipeline::new(SqliteDump::new(&database), store).with_environment("production");

    let job = Job::new("shop", pipeline, "every 1 second".parse()?).with_verify(Level::Decoded);
    let scheduler = Scheduler::start([job], &SchedulerOptions::new().with_notifier(Printed))?;
    let mut status = scheduler.watch();
    until(&mut status, |job| made(job) >= 2).await?;

    let elsewhere = folder.path().join("moved.sqlite");
    tokio::fs::rename(&database, &elsewhere).await?;
    until(&mut status, |job| job.failures_in_a_row > 0).await?;
    tokio::fs::rename(&elsewhere, &database).await?;
    until(&mut status, |job| job.failures_in_a_row == 0 && job.runs.back().is_some_and(is_made)).await?;

    for job in scheduler.shutdown(Duration::from_secs(10)).await {
        for run in job.runs {
            let came = match &run.outcome {
                Outcome::Made { backup } => format!("made {backup}"),
                Outcome::Unproven { backup, error } => format!("made {backup}, but not proven: {error}"),
                Outcome::Failed { error } => format!("failed: {}", error.message()),
                _ => "cancelled".to_owned(),
            };
            print(&format!("run     of {}: {came}", run.scheduled_for.format("%H:%M:%S")))?;
        }
    }
    Ok(())
}

/// Waits until the only job stands as asked for.
async fn until(
    status: &mut watch::Receiver<Vec<JobStatus>>,
    reached: impl Fn(&JobStatus) -> bool,
) -> Result<()> {
    let waited = tokio::time::timeout(PATIENCE, status.wait_for(|jobs| jobs.iter().all(&reached))).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(err)) => Err(Error::new(ErrorKind::Unexpected, "the scheduler is gone").with_source(err)),
        Err(err) => Err(Error::new(ErrorKind::Timeout, "the job took too long").with_source(err)),
    }
}

fn made(job: &JobStatus) -> usize {
    job.runs.iter().filter(|run| is_made(run)).count()
}

fn is_made(run: &Run) -> bool {
    matches!(run.outcome, Outcome::Made { .. })
}
