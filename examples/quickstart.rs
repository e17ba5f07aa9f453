//! Watch a database being backed up, proven and restored.
//!
//! Without arguments, whatever the environment says, it makes a small SQLite shop database in a temporary folder and
//! backs it up to `./backups`; with `--database URL --store DIR` it does the same with your own PostgreSQL or SQLite database,
//! which it only reads: the restore goes into a throw-away database.

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use backup_core::{
    Dumper, Error, ErrorKind, Level, Pipeline, Restorer, Result, ScratchLike,
    pipeline::{BackupReport, BackupRequest, RestoreRequest},
    process::Host,
};
use clap::Parser;
use examples::{
    database,
    folder::folder,
    output::{self, Style, count, print},
    progress::Bar,
    shop,
};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;

/// Back up a database, prove the backup, restore it, compare the rows.
#[derive(Debug, Parser)]
#[command(name = "quickstart")]
struct Cli {
    /// Your own database: postgresql://user@host/name, mysql://user@host/name or sqlite:path; without a value, that
    /// of BACKUP_DATABASE_URL.
    #[arg(long, num_args = 0..=1, default_missing_value = "", requires = "store")]
    database: Option<String>,
    /// The folder for the backups.
    #[arg(long, value_parser = folder())]
    store: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let store = cli.store.unwrap_or_else(|| PathBuf::from("backups"));
    let result = match cli.database {
        Some(url) if url.is_empty() => match std::env::var("BACKUP_DATABASE_URL") {
            Ok(url) => own_database(&url, store).await,
            Err(_) => Err(Error::new(ErrorKind::InvalidInput, "no database is named")
                .with_suggestion("give --database a URL, or set BACKUP_DATABASE_URL")),
        },
        Some(url) => own_database(&url, store).await,
        None => tour(store).await,
    };
    result.map_or_else(|err| Style::Text.error("quickstart", &err), |()| ExitCode::SUCCESS)
}

/// The tour with a database made for it.
async fn tour(store: PathBuf) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("quickstart-").tempdir()?.keep();
    let source = folder.join("shop.sqlite");
    shop::make(&source).await?;
    print(&format!("1. made     {}", source.display()))?;

    let (pipeline, report) = back_up(Arc::new(SqliteDump::new(&source)), store.clone()).await?;
    let target = folder.join("restored.sqlite");
    let request = RestoreRequest::new().confirmed();
    let restored = pipeline.restore(&report.backup, &SqliteRestore::new(&target), request).await?;
    print(&format!(
        "4. restored {} with {} and {}, {}",
        target.display(),
        count(restored.tables, "table"),
        count(restored.rows, "row"),
        database::compared(restored.rows_compared),
    ))?;
    let artifact = store.join(report.manifest.artifact.key.as_str());
    print(&format!(
        "\nLook at it with stock tools:\n  zstd -t {artifact}\n  cat {manifest}\n  sqlite3 {target} 'select * from orders limit 3'\nRemove what this made, and nothing else:\n  rm -r {folder}\n  cargo backup delete {backup} --store {store} --confirm",
        artifact = artifact.display(),
        manifest = store.join(format!("{}.manifest.json", report.backup)).display(),
        target = target.display(),
        folder = folder.display(),
        backup = report.backup,
        store = store.display(),
    ))?;
    Ok(())
}

/// The tour with a database of one's own: the restore goes into a throw-away one.
async fn own_database(url: &str, store: PathBuf) -> Result<()> {
    let restorer: Arc<dyn Restorer> = database::restorer(url, Host::local())?;
    print("1. reading  your database; nothing in it is changed")?;
    let (pipeline, report) = back_up(database::dumper(url, None, Host::local())?, store).await?;
    let scratch = restorer.scratch(&ScratchLike::source(&report.manifest.source)).await?;
    let restored =
        pipeline.restore(&report.backup, scratch.restorer(), RestoreRequest::new().confirmed()).await;
    scratch.close().await?;
    let restored = restored?;
    print(&format!(
        "4. restored into a throw-away database with {} and {}, {}",
        count(restored.tables, "table"),
        count(restored.rows, "row"),
        database::compared(restored.rows_compared),
    ))?;
    Ok(())
}

/// Backs up and verifies.
async fn back_up(dumper: Arc<dyn Dumper>, store: PathBuf) -> Result<(Pipeline, BackupReport)> {
    let pipeline = Pipeline::new(dumper, LocalStore::open(store).await?)
        .with_environment("quickstart")
        .with_observer(Bar::default());
    let report = pipeline.backup(BackupRequest::new().with_reason("trying it out")).await?;
    let manifest = &report.manifest;
    print(&format!(
        "2. backed up into {} ({} bytes, {} plain)",
        report.backup, manifest.artifact.size, manifest.plain.size
    ))?;
    let proof = pipeline.verify(&report.backup, Level::Decoded).await?.ensure_passed()?;
    print(&format!("3. verified {} bytes: present, digest, decoded", proof.evidence.bytes_read))?;
    Ok((pipeline, report))
}
