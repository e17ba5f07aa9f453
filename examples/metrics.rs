//! Let Prometheus see how the backups are doing, and write down who made them.
//!
//! It makes a small SQLite shop in a temporary folder, backs it up with metrics, an audit trail and a log in a table,
//! serves the metrics on a free port of this machine, fetches them once as Prometheus would, and ends.

use std::{path::Path, process::ExitCode};

use backup_core::{
    AuditTrail, Error, ErrorKind, Level, Pipeline, Result, metrics::MetricsObserver, pipeline::BackupRequest,
};
use examples::{
    output::{self, Style, print},
    shop,
};
use handler_prisma::{SqliteBackupLog, SqliteDump, SqliteLogDatabase};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use storage_local::LocalStore;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The most of a request that is read, and of an answer.
const MAX_BYTES: u64 = 1024 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    run().await.map_or_else(|err| Style::Text.error("metrics", &err), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<()> {
    // First the recorder, then what describes its metrics to it.
    // With buckets the durations of several hosts can be added up; without, they are quantiles of one.
    let buckets = [1.0, 10.0, 60.0, 600.0, 3600.0, 4.0 * 3600.0];
    let unusable =
        |err: BuildError| Error::new(ErrorKind::InvalidInput, "the buckets cannot be used").with_source(err);
    let recorder = PrometheusBuilder::new().set_buckets(&buckets).map_err(unusable)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "there is a recorder already").with_source(err))?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, handle));

    let folder = tempfile::tempdir()?;
    back_up(folder.path()).await?;

    print(&format!("\ncurl http://{address}/metrics\n"))?;
    let mut scraper = TcpStream::connect(address).await?;
    scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    scraper.take(MAX_BYTES).read_to_string(&mut answer).await?;
    server.abort();
    let Some((_, metrics)) =
        answer.split_once("\r\n\r\n").filter(|_| answer.contains("backup_operations_total{"))
    else {
        return Err(Error::new(ErrorKind::Incomplete, "the metrics were not served"));
    };
    print(metrics.trim_end())
}

/// Makes and verifies a backup, with all records of it.
async fn back_up(folder: &Path) -> Result<()> {
    let database = folder.join("shop.sqlite");
    shop::make(&database).await?;
    let store = LocalStore::open(folder.join("backups")).await?;
    let audit = AuditTrail::open(folder.join("audit.jsonl"), "metrics example").await?;
    let log = SqliteBackupLog::new(SqliteLogDatabase::new(folder.join("log.sqlite"))).with_store("backups");
    let failures = log.failures("production", "shop");
    let pipeline = Pipeline::new(SqliteDump::new(&database), store)
        .with_environment("production")
        .with_observer(MetricsObserver::new().with_names("production", "shop"))
        .with_observer(audit.clone())
        .with_observer(failures.clone())
        .with_mirror(log.clone());
    let report = pipeline.backup(BackupRequest::new()).await?;
    pipeline.verify(&report.backup, Level::Decoded).await?.ensure_passed()?;

    let backup = &report.backup;
    match log.last_good(&backup.environment, &backup.database).await? {
        Some(good) => print(&format!("last good backup: {}", good.manifest.backup_ref()))?,
        None => return Err(Error::new(ErrorKind::NotFound, "the log has no good backup")),
    }
    // Before a service ends, so that nothing of the records is missing.
    failures.settle().await;
    audit.close().await?;
    let lines = tokio::fs::read_to_string(folder.join("audit.jsonl")).await?;
    print(&format!("\naudit.jsonl\n{}", lines.trim_end()))
}

/// Answers every request with the metrics; a service would use the HTTP server that it has.
async fn serve(listener: TcpListener, handle: PrometheusHandle) -> Result<()> {
    loop {
        let (mut scraper, _) = listener.accept().await?;
        let mut request = [0; 4096];
        if scraper.read(&mut request).await? == 0 {
            continue;
        }
        let body = handle.render();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
        scraper
            .write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
            .await?;
        scraper.shutdown().await?;
    }
}
