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
    SystemClock,
    catalog::{self, Standing},
    compress,
    encrypt::Age,
    pipeline::{BackupRequest, Confirmation, SpaceCheck},
};
use clap::{Args, Parser, Subcommand};
use examples::{
    database,
    doctor::Examined,
    folder::folder,
    orphans::without_manifest,
    output::{self, Style, count},
    progress::Bar,
    signal::{interruptible, survive_file_size_limit},
};
use serde_json::json;
use storage_local::LocalStore;

use self::{keys::KeyFile, restore::Restore};

#[path = "backup/keys.rs"]
mod keys;
#[path = "backup/restore.rs"]
mod restore;
#[path = "backup/stores.rs"]
mod stores;

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
        #[command(flatten)]
        keys: KeyFile,
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
    /// Bring into another folder what it lacks of these backups, checked byte by byte; nothing there is overwritten.
    Copy {
        #[command(flatten)]
        at: Where,
        /// The folder that gets them.
        #[arg(long, value_parser = folder())]
        to: PathBuf,
    },
    /// Try whether an identity opens the newest backup of each database.
    Keys {
        #[command(flatten)]
        at: Where,
        #[command(flatten)]
        keys: KeyFile,
    },
    /// Make an identity in a new file, and say the public key that backups are encrypted for.
    NewKey {
        /// The file, which must not exist: keep it away from the hosts that back up.
        #[arg(long)]
        identity: PathBuf,
    },
    /// Write what is known of all backups into one new file.
    ExportCatalog {
        #[command(flatten)]
        at: Where,
        /// The file, `backups.json` by custom, which must not exist.
        #[arg(long)]
        to: PathBuf,
    },
    /// Bring manifests and notes that the store has lost back from such a file, for the backups whose artifacts are there.
    ImportCatalog {
        #[command(flatten)]
        at: Where,
        /// The file.
        #[arg(long)]
        from: PathBuf,
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
    #[arg(long, env = "BACKUP_STORE", value_parser = folder())]
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
    #[arg(long, env = "BACKUP_ENVIRONMENT", default_value = "default")]
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
    /// Encrypt for this public key of age; may be repeated: whoever has one of the identities can restore.
    #[arg(long = "recipient", value_name = "PUBLIC_KEY")]
    recipients: Vec<String>,
    /// Go on where the store has less space than the backup is estimated to take.
    #[arg(long)]
    ignore_space: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    // Else a file that meets `ulimit -f` ends the process without a word.
    survive_file_size_limit();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let style = if cli.json { Style::Json } else { Style::Text };
    let (operation, result) = match cli.command {
        Command::Create(args) => ("create-backup", create(args, style).await),
        Command::List(at) => ("list-backups", list(at, style).await),
        Command::Verify { id, at, keys, level, rehearse_at } => {
            ("verify-backup", verify(&id, at, keys, level, rehearse_at.as_deref(), style).await)
        }
        Command::Restore(args) => ("restore-backup", restore::restore(args, style).await),
        Command::Delete { id, at, confirm } => ("delete-backup", delete(&id, at, confirm, style).await),
        Command::Copy { at, to } => ("copy", stores::copy(at, to, style).await),
        Command::Keys { at, keys } => ("test-keys", keys::test(at, keys, style).await),
        Command::NewKey { identity } => ("new-key", keys::make(&identity, style).await),
        Command::ExportCatalog { at, to } => ("export-catalog", stores::export(at, to, style).await),
        Command::ImportCatalog { at, from } => ("import-catalog", stores::import(at, from, style).await),
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
    let mut pipeline = Pipeline::new(dumper, LocalStore::open(args.at.store).await?)
        .with_environment(&args.environment)
        .with_compressor(compress::parse(&args.compression)?)
        .with_observer(Bar::default());
    if !args.recipients.is_empty() {
        pipeline = pipeline.with_encryptor(Age::for_recipients(args.recipients)?);
    }
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

async fn verify(
    id: &str,
    at: Where,
    keys: KeyFile,
    level: Level,
    rehearse_at: Option<&str>,
    style: Style,
) -> Result<u8> {
    let mut pipeline = keys.open(open(at).await?).await?;
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
    Ok(Pipeline::for_store(store(at).await?).with_observer(Bar::default()))
}

/// A store that is there; one that cannot be written to will do to read from, as a disk that was attached read-only.
async fn store(at: Where) -> Result<LocalStore> {
    match LocalStore::open_existing(&at.store).await {
        Err(err) if err.kind() == ErrorKind::PermissionDenied => LocalStore::open_read_only(at.store).await,
        opened => opened,
    }
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
