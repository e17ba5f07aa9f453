//! Prove backups by restoring them: what a nightly job would do.
//!
//! Without arguments it makes a small SQLite shop in a temporary folder, backs it up twice, and proves both backups in turn. With
//! `--database URL --store DIR` it drills the backups of your own database: each is restored into a throw-away database
//! and compared, row by row; the database itself is not touched. Run it every night, with `--count` backups a night.
//!
//! Exit codes: 0 all proven, 2 a backup failed or could not be checked, 3 refused.

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use backup_core::{
    Assertion, Clock, Filter, Level, Pipeline, Rehearsal, Result, SystemClock,
    catalog::Recovery,
    pipeline::{BackupRequest, DrillReport, DrillRequest},
    process::Host,
};
use clap::Parser;
use examples::{
    database,
    folder::folder,
    output::{self, Style, print},
    shop,
};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;

/// Restore backups into throw-away databases, and compare.
#[derive(Debug, Parser)]
#[command(name = "restore_drill")]
struct Cli {
    /// The database whose backups are proven: postgresql://user@host/name, mysql://user@host/name or sqlite:path.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// The folder with the backups.
    #[arg(long, value_parser = folder())]
    store: Option<PathBuf>,
    /// How deep: restored (counts) or equal (every row).
    #[arg(long, default_value = "equal")]
    level: Level,
    /// How many backups are proven, the newest first, then those whose proof is oldest.
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// A query that must answer true in the restored database; may be given again.
    #[arg(long)]
    assert: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let result = match database::named(cli.database.as_deref(), cli.store.as_deref()) {
        Ok(Some((url, store))) => own_backups(url, store, &cli).await,
        Ok(None) => tour(&cli).await,
        Err(err) => Err(err),
    };
    result.map_or_else(|err| Style::Text.error("drill", &err), |()| ExitCode::SUCCESS)
}

/// The tour with a database made for it.
async fn tour(cli: &Cli) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("restore-drill-").tempdir()?;
    let source = folder.path().join("shop.sqlite");
    shop::make(&source).await?;
    let rehearsal = Rehearsal::new(SqliteRestore::new(&source))
        .with_assertion(Assertion::holds(
            "every order has a customer",
            "select count(*) = 0 from orders where customer_id not in (select id from customers)",
        ))
        .with_assertion(Assertion::between("orders", "select count(*) from orders", 1.0, 1_000_000.0));
    let pipeline = Pipeline::new(
        SqliteDump::new(&source).with_checksums(),
        LocalStore::open(folder.path().join("backups")).await?,
    )
    .with_environment("drill")
    .with_rehearsal(rehearsal);
    for label in ["first", "second"] {
        let report = pipeline.backup(BackupRequest::new().with_label(label)).await?;
        print(&format!("made    {}", report.backup))?;
    }
    for _ in 0..2 {
        told(pipeline.drill(&DrillRequest::new(cli.level)).await?)?;
    }
    figures(&pipeline, &Filter::all(), cli.level).await
}

/// The backups of one's own database.
async fn own_backups(url: &str, store: &Path, cli: &Cli) -> Result<()> {
    let database = database::dumper(url, None, Host::local())?.probe().await?.database;
    let mut rehearsal = Rehearsal::new(database::restorer(url, Host::local())?);
    for sql in &cli.assert {
        rehearsal = rehearsal.with_assertion(Assertion::holds(sql, sql));
    }
    let pipeline = Pipeline::for_store(LocalStore::open_existing(store).await?).with_rehearsal(rehearsal);
    let filter = Filter::all().with_database(database);
    let report = pipeline.drill(&DrillRequest::new(cli.level).of(filter.clone()).at_most(cli.count)).await?;
    told(report)?;
    figures(&pipeline, &filter, cli.level).await
}

/// Says what was proven, and fails where something was not.
fn told(report: DrillReport) -> Result<()> {
    for drilled in &report.drilled {
        let Some(found) = &drilled.report else {
            let why = drilled.unproven.as_ref().map(ToString::to_string).unwrap_or_default();
            print(&format!("not looked at: {}: {why}", drilled.backup))?;
            continue;
        };
        if let (true, Some(rehearsed)) = (found.evidence.passed(), &found.evidence.rehearsed) {
            print(&format!(
                "proven  {} at level {}: {} tables, {} rows, restored in {} ms{}",
                drilled.backup,
                found.evidence.level,
                rehearsed.tables,
                rehearsed.rows,
                rehearsed.restore_ms,
                if rehearsed.own_server { ", on a server of its own" } else { "" },
            ))?;
        }
    }
    report.ensure_passed()
}

/// What the proofs are worth today.
async fn figures(pipeline: &Pipeline, filter: &Filter, level: Level) -> Result<()> {
    let listing = pipeline.list(filter).await?;
    let recovery = Recovery::of(&listing.entries, level, SystemClock.now());
    if let (Some(backup), Some(rpo), Some(rto)) = (&recovery.backup, recovery.rpo_seconds, recovery.rto_ms) {
        print(&format!(
            "newest proven: {backup}; at most {rpo} s of work would be lost (RPO), restoring takes {rto} ms (RTO)"
        ))?;
    }
    Ok(())
}
