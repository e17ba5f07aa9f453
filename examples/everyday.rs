//! A day of backups as a service has them, on a real MariaDB or MySQL: due, made, verified, logged, rotated, and watched; then a night on which
//! the database is down.
//!
//! It starts a private server in a temporary folder, so that one has to be installed; `BACKUP_TEST_MYSQL_BIN` names the
//! folder of its programs where they are elsewhere.

use std::{process::ExitCode, time::Duration};

use async_trait::async_trait;
use backup_core::{
    Alert, AlertState, Clock, Error, ErrorKind, Event, Kind, Level, Notifier, Pipeline, Result, Retention,
    Scheduler, SystemClock,
    health::{ExpectedSeries, HealthPolicy},
    pipeline::BackupRequest,
    retention::Count,
    scheduler::{Backoff, Job, JobStatus, SchedulerOptions},
    testkit::{clock::ManualClock, mysql::PrivateMysql},
};
use chrono::TimeDelta;
use examples::output::{self, Style, print};
use handler_mysqldump::{MysqlBackupLog, MysqlDump, MysqlLogDatabase};
use storage_local::LocalStore;
use tokio::sync::{mpsc, watch};

/// How long each step of the day may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints alerts, and hands them on to the tour; a service would send them to where people see them.
#[derive(Debug)]
struct Printed(mpsc::Sender<Alert>);

#[async_trait]
impl Notifier for Printed {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        let Alert { state, severity, code, summary, .. } = alert;
        print(&format!("  alert: {state:?}, {severity:?}, {code}: {summary}"))?;
        alert.actions.iter().try_for_each(|action| print(&format!("    -> {action}")))?;
        self.0
            .send(alert.clone())
            .await
            .map_err(|err| Error::new(ErrorKind::Unexpected, "nobody listens").with_source(err))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    day().await.map_or_else(|err| Style::Text.error("everyday", &err), |()| ExitCode::SUCCESS)
}

async fn day() -> Result<()> {
    let server = PrivateMysql::start().await;
    server.create_database("operations").await;
    server.create_database("shop").await;
    let orders = "CREATE TABLE orders (id int PRIMARY KEY, item text); INSERT INTO orders VALUES (1, 'tea'), (2, 'cup');";
    server.sql("shop", orders).await;
    let programs = server.client().parent().unwrap_or(server.directory()).to_owned();

    let folder = tempfile::Builder::new().prefix("everyday-").tempdir()?;
    let store = LocalStore::open(folder.path().join("backups")).await?;
    let database = MysqlLogDatabase::from_url(&server.url("operations"))?.client_dir(&programs);
    let log = MysqlBackupLog::new(database);
    let pipeline = Pipeline::new(MysqlDump::from_url(&server.url("shop"))?.client_dir(&programs), store)
        .with_environment("production")
        .with_mirror(log.clone());

    history(&pipeline).await?;
    let policy = Retention::new().keep_kind(Kind::Daily, Count::Last(7));
    let pipeline = pipeline.with_retention(policy)?.with_observer(|event: &Event<'_>| {
        if let Event::Deleted { backup, bytes, .. } = event
            && let Err(err) = print(&format!("  rotated: {backup}, {bytes} bytes"))
        {
            tracing::warn!("{err}");
        }
    });

    print("A backup a day is due, and today's is missing:\n")?;
    let (alerts, mut told) = mpsc::channel(16);
    let options = SchedulerOptions::new()
        .with_notifier(Printed(alerts))
        .with_backoff(Backoff::new(Duration::from_millis(100), Duration::from_secs(1)));
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")?], &options)?;
    until(&scheduler, |job| job.runs.iter().any(|run| run.outcome.backup().is_some())).await?;
    for run in scheduler.shutdown(PATIENCE).await.into_iter().flat_map(|job| job.runs) {
        if let Some(err) = run.outcome.error() {
            return Err(Error::new(err.kind(), err.to_string()));
        }
    }
    let good = log.last_good("production", "shop").await?;
    let good = good.ok_or_else(|| Error::new(ErrorKind::NotFound, "the log knows of no good backup"))?;
    print(&format!("  made, verified and logged: {}, {:?}", good.manifest.backup_ref(), good.standing()))?;
    let rows = "SELECT status, COUNT(*) FROM backup_log GROUP BY status ORDER BY status;";
    print(&format!("  the log: {}", server.sql("operations", rows).await.replace(['\t', '\n'], " ")))?;

    let mut healthy = HealthPolicy::new().with_series(ExpectedSeries::new("production", "shop"));
    // Restores are rehearsed by another job; and the disk of whoever tries this may be a small one.
    healthy.proven_within_days.remove(&Level::Restored);
    healthy.min_free_bytes = 1;
    let report = pipeline.health(&healthy).await?;
    print(&format!("\n{report}"))?;
    if report.exit_code() != 0 {
        return Err(Error::new(ErrorKind::Unexpected, report.summary()));
    }

    print("The database is stopped:\n")?;
    server.kill_server();
    let scheduler = Scheduler::start([job(&pipeline, "every 1 second")?], &options)?;
    until(&scheduler, |job| job.failures_in_a_row >= 3).await?;
    scheduler.shutdown(PATIENCE).await;
    for state in [AlertState::Firing, AlertState::Escalated] {
        let alert = told
            .try_recv()
            .ok()
            .filter(|alert| alert.state == state && alert.code == "database_connection_failed");
        let alert =
            alert.ok_or_else(|| Error::new(ErrorKind::Unexpected, "no alert of the stopped database"))?;
        if alert.actions.is_empty() {
            return Err(Error::new(ErrorKind::Unexpected, "an alert without advice"));
        }
    }
    print("  tried three times, and escalated")
}

/// The backups of the nine days before.
async fn history(pipeline: &Pipeline) -> Result<()> {
    let clock = ManualClock::new(SystemClock.now() - TimeDelta::days(10));
    let pipeline = pipeline.clone().with_clock(clock.clone());
    for _ in 0..9 {
        clock.advance(TimeDelta::days(1));
        pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await?;
    }
    Ok(())
}

fn job(pipeline: &Pipeline, schedule: &str) -> Result<Job> {
    Ok(Job::new("shop", pipeline.clone(), schedule.parse()?)
        .with_request(BackupRequest::new().with_kind(Kind::Daily))
        .with_verify(Level::Decoded))
}

/// Waits until the only job stands as asked for.
async fn until(scheduler: &Scheduler, reached: impl Fn(&JobStatus) -> bool) -> Result<()> {
    let mut status: watch::Receiver<Vec<JobStatus>> = scheduler.watch();
    let waited = tokio::time::timeout(PATIENCE, status.wait_for(|jobs| jobs.iter().all(&reached))).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(err)) => Err(Error::new(ErrorKind::Unexpected, "the scheduler is gone").with_source(err)),
        Err(err) => Err(Error::new(ErrorKind::Timeout, "the job took too long").with_source(err)),
    }
}
