//! Look at yesterday beside today: restore a backup into a new database on the same server.
//!
//! Without arguments it makes a small SQLite shop in a temporary folder, backs it up, breaks it, and restores the backup beside it.
//! With `--database URL --store DIR` it restores your database's newest backup, or `--backup ID`, into
//! `<name>_backup_<date>_<time>` on its server; the database itself is not touched. Drop the clone when you have seen enough.
//!
//! Exit codes: 0 done, 2 failed, 3 refused.

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use backup_core::{
    BackupRef, Clock, Error, ErrorKind, Filter, Operation, Pipeline, Result, SystemClock, TargetInfo,
    catalog, clone_name,
    pipeline::{BackupRequest, DiffSide, RestoreRequest},
    process::Host,
};
use clap::Parser;
use examples::{
    database,
    folder::folder,
    output::{self, Style, count, print},
    shop,
    signal::interruptible,
};
use handler_prisma::sqlite::SqliteDump;
use storage_local::LocalStore;

/// Restore a backup into a new database beside the one that it came from.
#[derive(Debug, Parser)]
#[command(name = "clone")]
struct Cli {
    /// The database: postgresql://user@host/name, mysql://user@host/name or sqlite:path.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// The folder with the backups.
    #[arg(long, value_parser = folder())]
    store: Option<PathBuf>,
    /// The backup; the newest one of the database unless said.
    #[arg(long, requires = "database")]
    backup: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let result = match database::named(cli.database.as_deref(), cli.store.as_deref()) {
        Ok(Some((url, store))) => own_backup(url, store, cli.backup.as_deref()).await,
        Ok(None) => tour().await,
        Err(err) => Err(err),
    };
    result.map_or_else(|err| Style::Text.error("clone", &err), |()| ExitCode::SUCCESS)
}

/// The tour with a database made for it.
async fn tour() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("clone-").tempdir()?;
    let source = folder.path().join("shop.sqlite");
    shop::make(&source).await?;
    let pipeline = Pipeline::new(
        SqliteDump::new(&source).with_checksums(),
        LocalStore::open(folder.path().join("backups")).await?,
    );
    let backup = pipeline.backup(BackupRequest::new()).await?.backup;
    shop::change(&source, "delete from orders where id > 100; update products set price_cents = 0").await?;
    let clone = restored(&pipeline, &backup, &format!("sqlite:{}", source.display())).await?;
    let (before, after) =
        (SqliteDump::new(clone.location).with_checksums(), SqliteDump::new(&source).with_checksums());
    let difference = pipeline.diff(&DiffSide::database(before), &DiffSide::database(after)).await?;
    print(&format!("from the clone to what the database has become:\n{difference}"))
}

async fn own_backup(url: &str, store: &Path, id: Option<&str>) -> Result<()> {
    let pipeline = Pipeline::for_store(LocalStore::open_existing(store).await?);
    let backup = match id {
        Some(id) => catalog::find(&**pipeline.catalog(), id).await?.manifest.backup_ref(),
        None => newest(&pipeline, url).await?,
    };
    restored(&pipeline, &backup, url).await?;
    Ok(())
}

async fn newest(pipeline: &Pipeline, url: &str) -> Result<BackupRef> {
    let name = database::dumper(url, None, Host::local())?.probe().await?.database;
    let listing = pipeline.list(&Filter::all().with_database(name)).await?;
    let newest = listing.entries.first().map(|entry| entry.manifest.backup_ref());
    newest.ok_or_else(|| Error::new(ErrorKind::NotFound, "the store has no backup of this database"))
}

/// Restores into a new database beside the one at `url`.
async fn restored(pipeline: &Pipeline, backup: &BackupRef, url: &str) -> Result<TargetInfo> {
    let restorer = database::beside(url, &clone_name(&backup.database, SystemClock.now()))?;
    let work = pipeline.restore(backup, &*restorer, RestoreRequest::new().confirmed());
    let report = interruptible(pipeline, Operation::Restore, work).await?;
    print(&format!(
        "restored {backup} into {}: {}, {}, {}",
        report.target.database,
        count(report.tables, "table"),
        count(report.rows, "row"),
        database::compared(report.rows_compared),
    ))?;
    Ok(report.target)
}
