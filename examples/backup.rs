//! The script to copy: create, list, verify, restore and delete backups from the command line.
//!
//! ```sh
//! cargo backup create --database postgresql://me@localhost/shop --store ./backups --environment production
//! cargo backup list --store ./backups
//! ```
//!
//! Exit codes: 0 done, 1 done with warnings, 2 failed, 3 refused (nothing was done).

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]
// Each switch of a command line is a word of its own.
#![allow(clippy::struct_excessive_bools)]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use backup_core::{
    BackupRef, Entry, Error, ErrorKind, Filter, Kind, Level, Pipeline, Result, catalog, compress,
    pipeline::{BackupRequest, Confirmation, RestorePlan, RestoreRequest},
};
use clap::{Args, Parser, Subcommand, error::ErrorKind as UsageError};
use examples::{
    database,
    output::{self, Style, count},
    progress::Bar,
};
use serde_json::json;
use storage_local::LocalStore;

/// Back up a database, and prove it.
#[derive(Debug, Parser)]
#[command(name = "backup", version)]
struct Cli {
    /// Write one JSON document to standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a backup.
    Create(Create),
    /// List the backups, the newest first.
    List(Where),
    /// Check a backup.
    Verify {
        /// The backup: its id, or environment/database/id.
        id: String,
        #[command(flatten)]
        at: Where,
        /// How deep: present, digest or decoded.
        #[arg(long, default_value = "decoded")]
        level: Level,
    },
    /// Restore a backup into an empty or a new database.
    Restore(Restore),
    /// Delete a backup.
    Delete {
        /// The backup: its id, or environment/database/id.
        id: String,
        #[command(flatten)]
        at: Where,
        /// Really do it.
        #[arg(long)]
        confirm: bool,
    },
    /// Remove what killed backups left behind.
    Sweep {
        #[command(flatten)]
        at: Where,
        /// Only what was cut off at least so many hours ago; longer than the longest backup.
        #[arg(long, default_value_t = 24)]
        grace_hours: u64,
    },
}

#[derive(Debug, Args)]
struct Where {
    /// The folder that holds the backups.
    #[arg(long)]
    store: PathBuf,
}

#[derive(Debug, Args)]
struct Create {
    /// The database: postgresql://user@host/name, mysql://user@host/name or sqlite:path. A password belongs into
    /// the environment (BACKUP_DATABASE_URL) or into ~/.pgpass, not into a command line.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    database: String,
    /// Run the database's programs on this host (user@host), which sees the database at the address given.
    #[arg(long)]
    ssh: Option<String>,
    #[command(flatten)]
    at: Where,
    /// The series that retention works on.
    #[arg(long, default_value = "default")]
    environment: String,
    /// daily, weekly, monthly, manual, pre-migration, pre-rollback or pre-operation.
    #[arg(long, default_value = "manual")]
    kind: Kind,
    /// A word that becomes part of the id.
    #[arg(long)]
    label: Option<String>,
    /// A sentence for people.
    #[arg(long)]
    reason: Option<String>,
    /// A key=value pair; may be repeated.
    #[arg(long, value_parser = key_value)]
    tag: Vec<(String, String)>,
    /// Of PostgreSQL: plain, custom or directory.
    #[arg(long)]
    format: Option<String>,
    /// zstd, zstd:LEVEL, gzip, gzip:LEVEL or none.
    #[arg(long, default_value = "zstd")]
    compression: String,
}

#[derive(Debug, Args)]
struct Restore {
    /// The backup: its id, or environment/database/id.
    id: String,
    #[command(flatten)]
    at: Where,
    /// The database to restore into: postgresql://user@host/name, mysql://user@host/name or sqlite:path.
    #[arg(long, env = "BACKUP_TARGET_URL", hide_env_values = true)]
    target: String,
    /// Run the database's programs on this host (user@host), which sees the target at the address given.
    #[arg(long)]
    ssh: Option<String>,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Replace what the target holds, after a backup of it.
    #[arg(long)]
    replace: bool,
    /// The target may be the very database that the backup came from.
    #[arg(long)]
    over_source: bool,
    /// Take no backup of a target that is replaced.
    #[arg(long)]
    no_safety_backup: bool,
    /// Really do it.
    #[arg(long)]
    confirm: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _closed = usage.print();
            let help = matches!(usage.kind(), UsageError::DisplayHelp | UsageError::DisplayVersion);
            return ExitCode::from(if help { output::DONE } else { output::REFUSED });
        }
    };
    let style = if cli.json { Style::Json } else { Style::Text };
    let (operation, result) = match cli.command {
        Command::Create(args) => ("create-backup", create(args, style).await),
        Command::List(at) => ("list-backups", list(at, style).await),
        Command::Verify { id, at, level } => ("verify-backup", verify(&id, at, level, style).await),
        Command::Restore(args) => ("restore-backup", restore(args, style).await),
        Command::Delete { id, at, confirm } => ("delete-backup", delete(&id, at, confirm, style).await),
        Command::Sweep { at, grace_hours } => ("sweep", sweep(at, grace_hours, style).await),
    };
    result.map_or_else(|err| style.error(operation, &err), ExitCode::from)
}

async fn create(args: Create, style: Style) -> Result<u8> {
    let dumper =
        database::dumper(&args.database, args.format.as_deref(), database::host(args.ssh.as_deref())?)?;
    let pipeline = Pipeline::new(dumper, LocalStore::open(args.at.store).await?)
        .with_environment(&args.environment)
        .with_compressor(compress::parse(&args.compression)?)
        .with_observer(Bar::default());
    let mut request = BackupRequest::new().with_kind(args.kind);
    request.label = args.label;
    request.reason = args.reason;
    request.tags.extend(args.tag);

    let report = interruptible(&pipeline, pipeline.backup(request)).await?;
    let manifest = &report.manifest;
    let mut message = format!(
        "backed up {} into {}\n  object  {} ({} bytes, {} plain)\n  proven  {}",
        manifest.database,
        report.backup,
        manifest.artifact.key,
        manifest.artifact.size,
        manifest.plain.size,
        report.evidence.level,
    );
    if let Some(inventory) = &manifest.inventory {
        let tables = count(inventory.tables.len() as u64, "table");
        message.push_str(&format!("\n  holds   {tables}, {}", count(inventory.rows(), "row")));
    }
    style.result("create-backup", Some(&manifest.environment), &message, &report);
    Ok(code(&report.warnings))
}

async fn list(at: Where, style: Style) -> Result<u8> {
    let listing = open(at).await?.list(&Filter::all()).await?;
    let mut lines: Vec<String> = listing.entries.iter().map(line).collect();
    lines.extend(listing.damaged.iter().map(|err| format!("damaged: {err}")));
    if lines.is_empty() {
        lines.push("no backups".to_owned());
    }
    let damaged: Vec<String> = listing.damaged.iter().map(ToString::to_string).collect();
    let result = json!({ "backups": listing.entries, "damaged": damaged });
    style.result("list-backups", None, &lines.join("\n"), &result);
    Ok(code(&damaged))
}

/// One line of a listing.
fn line(entry: &Entry) -> String {
    let manifest = &entry.manifest;
    let rows = manifest.inventory.as_ref().map_or(String::new(), |inventory| count(inventory.rows(), "row"));
    let proven = entry.proven().map_or("unproven", |evidence| evidence.level.name());
    format!(
        "{}  {:<13}  {:>12} bytes  {proven:<8}  {rows}",
        manifest.backup_ref(),
        manifest.kind,
        manifest.artifact.size
    )
}

async fn verify(id: &str, at: Where, level: Level, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    let backup = find(&pipeline, id).await?;
    let report = interruptible(&pipeline, pipeline.verify(&backup, level)).await?.ensure_passed()?;
    let message =
        format!("{backup} is proven to the level {level} ({} bytes read)", report.evidence.bytes_read);
    style.result("verify-backup", Some(&backup.environment), &message, &report);
    Ok(code(&report.warnings))
}

async fn restore(args: Restore, style: Style) -> Result<u8> {
    let pipeline = open(args.at).await?;
    let backup = find(&pipeline, &args.id).await?;
    let restorer = database::restorer(&args.target, database::host(args.ssh.as_deref())?)?;
    let mut request = RestoreRequest::new();
    if args.replace {
        request = request.replacing();
    }
    if args.over_source {
        request = request.over_its_source();
    }
    if args.no_safety_backup {
        request = request.without_safety_backup();
    }
    if args.dry_run {
        let plan = pipeline.plan_restore(&backup, &*restorer, &request).await?;
        if !plan.blockers.is_empty() {
            return Ok(style.refusals("restore-backup", &plan.blockers));
        }
        let message = would_restore(&plan);
        let result = json!({
            "backup": plan.backup, "target": plan.target, "stored_bytes": plan.stored_bytes,
            "plain_bytes": plan.plain_bytes, "tables": plan.tables, "rows": plan.rows,
            "safety_backup": plan.safety_backup,
        });
        style.result("restore-backup", Some(&backup.environment), &message, &result);
        return Ok(output::DONE);
    }
    if args.confirm {
        request = request.confirmed();
    }
    let report = interruptible(&pipeline, pipeline.restore(&backup, &*restorer, request)).await?;
    let mut message = format!(
        "restored {backup} into {}: {}, {}, {}",
        report.target.database,
        count(report.tables, "table"),
        count(report.rows, "row"),
        database::compared(report.rows_compared),
    );
    if let Some(safety) = &report.safety_backup {
        message.push_str(&format!("\n  before   {safety} holds what was there"));
    }
    style.result("restore-backup", Some(&backup.environment), &message, &report);
    Ok(code(&report.warnings))
}

/// What a dry run says that nothing stops.
fn would_restore(plan: &RestorePlan) -> String {
    let holds = match (plan.tables, plan.rows) {
        (Some(tables), Some(rows)) => format!("{}, {}", count(tables, "table"), count(rows, "row")),
        _ => "tables and rows are not shown by the format".to_owned(),
    };
    let target = match (plan.target.exists, plan.target.is_empty(), plan.safety_backup) {
        (false, ..) => "a new database",
        (true, true, _) => "an empty database",
        (true, false, true) => "replaced, after a backup of it",
        (true, false, false) => "replaced, without a backup of it",
    };
    format!(
        "would restore {}: {holds}, {} plain bytes\n  into    {} at {}: {target}\n  nothing was changed",
        plan.backup, plan.plain_bytes, plan.target.database, plan.target.location,
    )
}

async fn delete(id: &str, at: Where, confirm: bool, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    let backup = find(&pipeline, id).await?;
    let confirmation = if confirm { Confirmation::Confirmed } else { Confirmation::Missing };
    pipeline.delete(&backup, confirmation).await?;
    style.result(
        "delete-backup",
        Some(&backup.environment),
        &format!("deleted {backup}"),
        &json!({ "backup": backup }),
    );
    Ok(output::DONE)
}

async fn sweep(at: Where, grace_hours: u64, style: Style) -> Result<u8> {
    let report = open(at).await?.sweep(Duration::from_secs(grace_hours * 3600)).await?;
    let message = format!("removed {} ({} bytes)", count(report.removed, "leftover"), report.freed_bytes);
    style.result("sweep", None, &message, &report);
    Ok(output::DONE)
}

async fn open(at: Where) -> Result<Pipeline> {
    Ok(Pipeline::for_store(LocalStore::open_existing(at.store).await?).with_observer(Bar::default()))
}

async fn find(pipeline: &Pipeline, id: &str) -> Result<BackupRef> {
    Ok(catalog::find(&**pipeline.catalog(), id).await?.manifest.backup_ref())
}

/// Runs an operation until it ends or Ctrl-C; an interrupted one is dropped, and what it stored is removed.
async fn interruptible<T>(pipeline: &Pipeline, work: impl Future<Output = Result<T>>) -> Result<T> {
    let interrupted = tokio::select! {
        result = work => return result,
        signal = terminated() => signal,
    };
    pipeline.settle().await;
    Err(interrupted)
}

/// Waits for Ctrl-C or SIGTERM.
async fn terminated() -> Error {
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate => {}
    }
    Error::new(ErrorKind::Cancelled, "interrupted; what was stored by then was removed")
}

fn code(warnings: &[String]) -> u8 {
    if warnings.is_empty() { output::DONE } else { output::WARNINGS }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is written key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}
