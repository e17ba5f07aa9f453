//! Watch over backups: a report for people and monitors, and an alert that arrives.
//!
//! It makes a small SQLite shop in a temporary folder, backs it up a few times, damages the newest backup, and lets the clock go
//! on. What people would get goes to a tiny HTTP server inside this program.

use std::{path::Path, process::ExitCode, time::Duration};

use backup_core::{
    Alert, AlertState, Error, ErrorKind, Kind, Level, Pipeline, Rehearsal, Result, Severity,
    health::{ExpectedSeries, HealthPolicy},
    notify::{AlertPolicy, Alerter, Webhook},
    pipeline::{BackupRequest, Confirmation},
    testkit::clock::ManualClock,
};
use chrono::TimeDelta;
use examples::{
    output::{self, Style, print},
    shop,
};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    match tokio::time::timeout(Duration::from_secs(60), tour()).await {
        Ok(result) => result.map_or_else(|err| Style::Text.error("health", &err), |()| ExitCode::SUCCESS),
        Err(_) => Style::Text.error("health", &Error::new(ErrorKind::Timeout, "the tour took too long")),
    }
}

async fn tour() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("health-").tempdir()?;
    let source = folder.path().join("shop.sqlite");
    shop::make(&source).await?;
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let place = folder.path().join("backups");
    let pipeline = Pipeline::new(SqliteDump::new(&source), LocalStore::open(&place).await?)
        .with_environment("production")
        .with_rehearsal(Rehearsal::new(SqliteRestore::new(&source)))
        .with_clock(clock.clone());

    for day in 0..4 {
        if day > 0 {
            clock.advance(TimeDelta::days(1));
        }
        pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await?;
    }
    let newest = pipeline.backup(BackupRequest::new().with_label("proven")).await?;
    pipeline.verify(&newest.backup, Level::Restored).await?.ensure_passed()?;

    let (url, mut alerts) = receiver().await?;
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(Webhook::new(url)?, Severity::Critical);
    let database = newest.backup.database.clone();
    let mut policy = HealthPolicy::new().with_series(ExpectedSeries::new("production", database));
    // The disk of whoever tries this may be a small one.
    policy.min_free_bytes = 1;

    let report = pipeline.health(&policy).await?;
    print(&format!("Everything as it should be:\n\n{report}"))?;
    alerter.report(&report).await?;

    damage(&place.join(newest.manifest.artifact.key.as_str())).await?;
    pipeline.verify(&newest.backup, Level::Digest).await?;
    let report = pipeline.health(&policy).await?;
    alerter.report(&report).await?;
    print(&format!("A damaged backup, as a monitor sees it, with exit code {}:\n", report.exit_code()))?;
    print(&report.summary())?;
    arrived(&mut alerts, AlertState::Firing).await?;

    pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await?;
    pipeline.delete(&newest.backup, Confirmation::Confirmed).await?;
    alerter.report(&pipeline.health(&policy).await?).await?;
    print("\nA new backup was made, and the damaged one deleted:\n")?;
    arrived(&mut alerts, AlertState::Resolved).await?;

    clock.advance(TimeDelta::days(3));
    alerter.report(&pipeline.health(&policy).await?).await?;
    print("\nThree days without a backup:\n")?;
    arrived(&mut alerts, AlertState::Firing).await
}

/// Flips a bit in the middle of an artifact.
async fn damage(artifact: &Path) -> Result<()> {
    let mut bytes = tokio::fs::read(artifact).await?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Ok(tokio::fs::write(artifact, bytes).await?)
}

/// What somebody's chat or pager would show.
async fn arrived(alerts: &mut mpsc::Receiver<Alert>, state: AlertState) -> Result<()> {
    let lost = || Error::new(ErrorKind::Unexpected, "no such alert arrived");
    // The service has answered by then, and may still be busy with what it got.
    let alert = alerts.recv().await.ok_or_else(lost)?;
    if alert.state != state {
        return Err(lost().with_context("alert", alert.key));
    }
    print(&format!("received: {:?} {:?}, {}: {}", alert.state, alert.severity, alert.key, alert.summary))?;
    alert.actions.iter().try_for_each(|action| print(&format!("  -> {action}")))
}

/// A server that takes alerts in, and its URL.
async fn receiver() -> Result<(String, mpsc::Receiver<Alert>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/alerts", listener.local_addr()?);
    let (sender, alerts) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            match take(connection).await {
                Ok(alert) => drop(sender.send(alert).await),
                Err(err) => tracing::warn!("what arrived is no alert: {err}"),
            }
        }
    });
    Ok((url, alerts))
}

/// One request, as far as this example sends any.
async fn take(connection: TcpStream) -> std::io::Result<Alert> {
    let mut connection = BufReader::new(connection).take(64 * 1024);
    let mut length = 0;
    loop {
        let mut header = String::new();
        if connection.read_line(&mut header).await? <= 2 {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = Vec::new();
    (&mut connection).take(length).read_to_end(&mut body).await?;
    let alert = serde_json::from_slice(&body)?;
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    connection.into_inner().write_all(answer).await?;
    Ok(alert)
}
