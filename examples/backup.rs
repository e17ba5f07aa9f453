//! The script to copy: create, list, verify, restore and delete backups from the command line.
//!
//! ```sh
//! cargo backup create --database postgresql://me@localhost/shop --store ./backups --environment production
//! cargo backup list --store ./backups
//! ```
//!
//! Exit codes: 0 done, 1 done with warnings (`list`: a backup is damaged, or its last check failed), 2 failed (also:
//! not found), 3 refused (nothing was done; also: a wrong command line).

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]
// Each switch of a command line is a word of its own.
#![allow(clippy::struct_excessive_bools)]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use backup_core::{
    BackupRef, Clock, Entry, Error, ErrorKind, Filter, Kind, Level, Operation, Pipeline, Rehearsal, Result,
    Selection, SystemClock,
    catalog::{self, Standing},
    compress,
    pipeline::{BackupRequest, Confirmation, RestorePlan, RestoreRequest, SpaceCheck},
};
use clap::{Args, Parser, Subcommand};
use examples::{
    database,
    doctor::Examined,
    orphans::without_manifest,
    output::{self, Style, count},
    progress::Bar,
    signal::interruptible,
};
use serde_json::json;
use storage_local::LocalStore;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, and something needs a look (list: a damaged backup, or one whose \
                          last check failed); 2 failed, also: not found; 3 refused, nothing was done.";

/// Back up a database, and prove it.
#[derive(Debug, Parser)]
#[command(name = "backup", version, after_help = EXIT_CODES)]
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
        /// How deep: present, digest, decoded, restored or equal.
        #[arg(long, default_value = "decoded")]
        level: Level,
        /// For the levels restored and equal: a database of the backup's engine, whose server is used where the program
        /// of a private server is not installed. The database itself is not touched.
        #[arg(long, env = "BACKUP_REHEARSAL_URL", hide_env_values = true)]
        rehearse_at: Option<String>,
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
    /// Try whether the store keeps its promises, and whether the database can be backed up.
    Doctor {
        #[command(flatten)]
        at: Where,
        /// The database, as for create.
        #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
        database: Option<String>,
        /// How many small objects are listed; more than 1000 to see whether the store pages to its end.
        #[arg(long, default_value_t = 20)]
        objects: u32,
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
    /// Go on where the store has less space than the backup is estimated to take.
    #[arg(long)]
    ignore_space: bool,
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
    /// Restore this table alone, named as `list --json` names it, with what it needs; may be repeated.
    #[arg(long = "table", value_name = "TABLE", conflicts_with = "definitions_only")]
    tables: Vec<String>,
    /// Restore what defines everything, and no rows.
    #[arg(long)]
    definitions_only: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Replace what the target holds (of chosen tables those that it has), after a backup of it.
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
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let style = if cli.json { Style::Json } else { Style::Text };
    let (operation, result) = match cli.command {
        Command::Create(args) => ("create-backup", create(args, style).await),
        Command::List(at) => ("list-backups", list(at, style).await),
        Command::Verify { id, at, level, rehearse_at } => {
            ("verify-backup", verify(&id, at, level, rehearse_at.as_deref(), style).await)
        }
        Command::Restore(args) => ("restore-backup", restore(args, style).await),
        Command::Delete { id, at, confirm } => ("delete-backup", delete(&id, at, confirm, style).await),
        Command::Doctor { at, database, objects } => {
            ("doctor", doctor(at, database.as_deref(), objects, style).await)
        }
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
    for (key, value) in args.tag {
        if let Some(first) = request.tags.insert(key.clone(), value.clone()) {
            return Err(Error::new(ErrorKind::InvalidInput, "a tag is given twice")
                .with_context("tag", key.escape_debug())
                .with_context("values", format!("{first:?} and {value:?}"))
                .with_suggestion("give each --tag one value"));
        }
    }
    if args.ignore_space {
        request = request.with_space_check(SpaceCheck::Warn);
    }

    let report = interruptible(&pipeline, Operation::Backup, pipeline.backup(request)).await?;
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
    let environment = Some(manifest.environment.as_str());
    let told = style.result(code(&report.warnings), "create-backup", environment, &message, &report);
    Ok(output::done_all_the_same(told, &format!("the backup exists: {}", report.backup)))
}

async fn list(at: Where, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    let listing = pipeline.list(&Filter::all()).await?;
    let orphans = pipeline.orphans().await?;

    let mut rows = vec![["BACKUP", "KIND", "BYTES", "CHECKED", "HOLDS"].map(str::to_owned)];
    rows.extend(listing.entries.iter().map(row));
    let mut lines = vec![if rows.len() > 1 { output::table(&rows) } else { "no backups".to_owned() }];
    lines.extend(listing.damaged.iter().map(|err| format!("damaged: {err}")));
    lines.extend(without_manifest(&orphans));

    let failed = listing.entries.iter().any(|entry| matches!(entry.standing(), Standing::Failed { .. }));
    let needs_a_look = failed || !listing.damaged.is_empty() || orphans.objects > 0;
    let backups: Vec<_> = listing
        .entries
        .iter()
        .map(|entry| {
            json!({
                "manifest": entry.manifest, "annotations": entry.annotations, "standing": entry.standing(),
                "proven_at": entry.proven().map(|evidence| evidence.at),
            })
        })
        .collect();
    let damaged: Vec<_> = listing.damaged.iter().map(output::described).collect();
    let result = json!({ "backups": backups, "damaged": damaged, "orphans": orphans });
    let code = if needs_a_look { output::WARNINGS } else { output::DONE };
    style.result(code, "list-backups", None, &lines.join("\n"), &result)
}

/// One backup of a listing.
fn row(entry: &Entry) -> [String; 5] {
    let manifest = &entry.manifest;
    let checked = match entry.standing() {
        Standing::Failed { level } => format!("FAILED ({level})"),
        Standing::Proven { level } => match entry.proven() {
            Some(evidence) => format!("{level}, {}", output::ago(SystemClock.now() - evidence.at)),
            None => level.name().to_owned(),
        },
        _ => "unproven".to_owned(),
    };
    let holds = manifest.inventory.as_ref().map(|inventory| {
        format!("{}, {}", count(inventory.tables.len() as u64, "table"), count(inventory.rows(), "row"))
    });
    [
        manifest.backup_ref().to_string(),
        manifest.kind.to_string(),
        manifest.artifact.size.to_string(),
        checked,
        holds.unwrap_or_else(|| "not shown by the format".to_owned()),
    ]
}

async fn verify(id: &str, at: Where, level: Level, rehearse_at: Option<&str>, style: Style) -> Result<u8> {
    let mut pipeline = open(at).await?;
    let backup = find(&pipeline, id).await?;
    if level.is_rehearsed() {
        let engine = pipeline.entry(&backup).await?.manifest.engine;
        pipeline = pipeline.with_rehearsal(Rehearsal::new(database::rehearsing(&engine, rehearse_at)?));
    }
    let work = pipeline.verify(&backup, level);
    let report = interruptible(&pipeline, Operation::Verify, work).await?.ensure_passed()?;
    let mut message =
        format!("{backup} is proven to the level {level} ({} bytes read)", report.evidence.bytes_read);
    if let Some(rehearsed) = &report.evidence.rehearsed {
        let tables = count(rehearsed.tables, "table");
        let rows = count(rehearsed.rows, "row");
        message.push_str(&format!(
            "\n  restored {tables}, {rows} in {} ms, then thrown away",
            rehearsed.restore_ms
        ));
        for warning in &rehearsed.warnings {
            message.push_str(&format!("\n  warning: {warning}"));
        }
    }
    style.result(code(&report.warnings), "verify-backup", Some(&backup.environment), &message, &report)
}

async fn restore(args: Restore, style: Style) -> Result<u8> {
    let pipeline = open(args.at).await?;
    let backup = find(&pipeline, &args.id).await?;
    let restorer = database::restorer(&args.target, database::host(args.ssh.as_deref())?)?;
    let mut request = RestoreRequest::new();
    if !args.tables.is_empty() {
        request = request.tables(args.tables);
    }
    if args.definitions_only {
        request = request.definitions_only();
    }
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
            "safety_backup": plan.safety_backup, "selected": plan.selected,
            "expected_duration_ms": plan.expected_duration_ms,
        });
        let environment = Some(backup.environment.as_str());
        return style.result(output::DONE, "restore-backup", environment, &message, &result);
    }
    if args.confirm {
        request = request.confirmed();
    }
    let without_rows = request.selection == Selection::Definitions;
    let work = pipeline.restore(&backup, &*restorer, request);
    let report = interruptible(&pipeline, Operation::Restore, work).await?;
    let mut message = format!(
        "restored {backup} into {}: {}, {}, {}",
        report.target.database,
        count(report.tables, "table"),
        count(report.rows, "row"),
        if without_rows { "as asked for" } else { database::compared(report.rows_compared) },
    );
    if let Some(safety) = &report.safety_backup {
        message.push_str(&format!("\n  before   {safety} holds what was there"));
    }
    message.extend(report.notes.iter().map(|note| format!("\n  note     {note}")));
    let environment = Some(backup.environment.as_str());
    let told = style.result(code(&report.warnings), "restore-backup", environment, &message, &report);
    Ok(output::done_all_the_same(told, "the target is restored"))
}

/// What a dry run says that nothing stops.
fn would_restore(plan: &RestorePlan) -> String {
    let holds = match (plan.tables, plan.rows) {
        (Some(tables), Some(rows)) => format!("{}, {}", count(tables, "table"), count(rows, "row")),
        _ => "tables and rows are not shown by the format".to_owned(),
    };
    let chosen = plan.selected.as_ref().filter(|selected| !selected.tables.is_empty());
    let beside = chosen.is_some_and(|selected| selected.existing.is_empty());
    let target = match (plan.target.exists, plan.target.is_empty(), plan.safety_backup) {
        (false, ..) => "a new database",
        (true, true, _) => "an empty database",
        (true, false, _) if beside => "beside what it holds",
        (true, false, true) if chosen.is_some() => "the chosen tables are replaced, after a backup of it",
        (true, false, false) if chosen.is_some() => "the chosen tables are replaced, without a backup of it",
        (true, false, true) => "replaced, after a backup of it",
        (true, false, false) => "replaced, without a backup of it",
    };
    let mut message = format!(
        "would restore {}: {holds}, {} plain bytes\n  into    {} at {}: {target}",
        plan.backup, plan.plain_bytes, plan.target.database, plan.target.location,
    );
    if let Some(selected) = &plan.selected {
        message.extend(selected.tables.iter().map(|table| format!("\n  table   {table}")));
        message.extend(selected.notes.iter().map(|note| format!("\n  note    {note}")));
    }
    if let Some(expected) = plan.expected_duration_ms {
        message.push_str(&format!(
            "\n  expected to take {:.1} s, by the last rehearsal",
            Duration::from_millis(expected).as_secs_f64()
        ));
    }
    message.push_str("\n  nothing was changed");
    message
}

async fn delete(id: &str, at: Where, confirm: bool, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    let backup = find(&pipeline, id).await?;
    let confirmation = if confirm { Confirmation::Confirmed } else { Confirmation::Missing };
    pipeline.delete(&backup, confirmation).await?;
    let (environment, message) = (Some(backup.environment.as_str()), format!("deleted {backup}"));
    let told =
        style.result(output::DONE, "delete-backup", environment, &message, &json!({ "backup": backup }));
    Ok(output::done_all_the_same(told, "the backup is deleted"))
}

async fn doctor(at: Where, database: Option<&str>, objects: u32, style: Style) -> Result<u8> {
    let store = LocalStore::open_existing(at.store).await?;
    let examined = Examined::of(&store, database, objects).await?;
    let code = if examined.is_well() { output::DONE } else { output::WARNINGS };
    style.result(code, "doctor", None, &examined.to_string(), &examined.to_json())
}

async fn sweep(at: Where, grace_hours: u64, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    let report = pipeline.sweep(Duration::from_secs(grace_hours.saturating_mul(3600))).await?;
    let orphans = pipeline.orphans().await?;
    let mut lines =
        vec![format!("removed {} ({} bytes)", count(report.removed, "leftover"), report.freed_bytes)];
    if report.too_young > 0 {
        let next =
            report.next_at.map_or(String::new(), |at| format!(", the first at {}", at.format("%F %T UTC")));
        lines.push(format!(
            "kept    {} younger than {}, or of a backup under way; old enough later{next}",
            count(report.too_young, "leftover"),
            count(grace_hours, "hour"),
        ));
    }
    lines.extend(without_manifest(&orphans));
    let code = if orphans.objects > 0 { output::WARNINGS } else { output::DONE };
    let mut result = json!(report);
    if let Some(fields) = result.as_object_mut() {
        fields.insert("orphans".to_owned(), json!(orphans));
    }
    let told = style.result(code, "sweep", None, &lines.join("\n"), &result);
    Ok(output::done_all_the_same(told, "what could be removed is removed"))
}

async fn open(at: Where) -> Result<Pipeline> {
    Ok(Pipeline::for_store(LocalStore::open_existing(at.store).await?).with_observer(Bar::default()))
}

async fn find(pipeline: &Pipeline, id: &str) -> Result<BackupRef> {
    let found = if id.contains('/') {
        pipeline.entry(&id.parse()?).await
    } else {
        catalog::find(&**pipeline.catalog(), id).await
    };
    match found {
        Ok(entry) => Ok(entry.manifest.backup_ref()),
        Err(err) if err.kind() == ErrorKind::NotFound => {
            Err(err.with_context("store", pipeline.store().location()))
        }
        Err(err) => Err(err),
    }
}

fn code(warnings: &[String]) -> u8 {
    if warnings.is_empty() { output::DONE } else { output::WARNINGS }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is written key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}
