//! Run `npx prisma migrate deploy`, but only behind a verified backup.
//!
//! The deploy counts as done when the CLI says so in its own words, and no migration is pending afterwards: an exit code of
//! 0 alone is not enough. When it fails, the way back is named; `--roll-back-on-failure` takes it at once where a part was
//! deployed, and never where nothing or everything was. A signal stops the CLI and names the way back, and takes none.
//!
//! Exit codes: 0 deployed, 1 nothing to do, 2 failed, 3 refused (nothing was deployed).

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{path::PathBuf, process::ExitCode};

use backup_core::{
    Error, ErrorKind, Result,
    pipeline::{
        Confirmation,
        gate::{FailedMigration, GuardError, behind},
    },
};
use clap::Parser;
use examples::{
    gate::{self, ProjectArgs},
    output::{self, Style, print},
    signal::Interrupted,
};
use handler_prisma::{GivenUrl, PrismaProject, PrismaRestorer};

use self::{
    deploy::{Deploy, Deployed, Failed},
    way_back::{RollBackInto, WayBack},
};

#[path = "prisma_deploy/deploy.rs"]
mod deploy;
#[path = "prisma_deploy/way_back.rs"]
mod way_back;

/// Deploy the pending migrations of a project behind a verified backup.
#[derive(Debug, Parser)]
#[command(name = "prisma_deploy")]
struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    /// The program that runs `prisma migrate deploy`.
    #[arg(long, default_value = "npx")]
    npx: PathBuf,
    /// When the deploy fails and has changed the history of migrations, replace the database by the backup at once.
    #[arg(long)]
    roll_back_on_failure: bool,
    /// Deploy nothing, and replace the database by this backup.
    #[arg(long, value_name = "BACKUP", conflicts_with = "roll_back_on_failure")]
    roll_back: Option<String>,
    /// Confirm --roll-back.
    #[arg(long, requires = "roll_back")]
    confirm: bool,
    /// With --roll-back: the database may be another than the one that was backed up, or not exist.
    #[arg(long, requires = "roll_back")]
    into_another_database: bool,
    /// Give the deploy up after so many minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    limit: u64,
    /// More arguments for `prisma migrate deploy`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    run(cli).await.map_or_else(|err| gate::complain(&err, false), ExitCode::from)
}

async fn run(mut cli: Cli) -> Result<u8> {
    ensure_no_other_project(&cli.arguments)?;
    let way_back = WayBack::new(&cli.project)?;
    // The CLI looks for everything in the folder in which it is run.
    cli.project.backups.store = std::path::absolute(&cli.project.backups.store)?;
    std::env::set_current_dir(&cli.project.project)?;
    cli.project.project = PathBuf::from(".");
    if let Some(backup) = &cli.roll_back {
        let confirmation = if cli.confirm { Confirmation::Confirmed } else { Confirmation::Missing };
        let into = if cli.into_another_database { RollBackInto::Any } else { RollBackInto::ItsOwn };
        let report = way_back::roll_back(&cli.project, backup, into, confirmation).await?;
        print(&format!("rolled back to {}: {}", report.backup, output::count(report.tables, "table")))?;
        if let Some(safety) = &report.safety_backup {
            print(&format!("what the database held is kept: {safety}; back to it: {}", way_back.to(safety)))?;
        }
        return Ok(output::DONE);
    }
    let guard = cli.project.guard().await?;
    ensure_guarded_is_migrated(guard.project())?;
    let interrupted = Interrupted::listen();
    let cancelled = || Error::new(ErrorKind::Cancelled, "interrupted; nothing was deployed");
    let checked = tokio::select! {
        biased;
        checked = guard.check() => checked?,
        () = interrupted.wait() => {
            guard.pipeline().settle().await;
            return Err(cancelled());
        }
    };
    gate::tell(&checked, false)?;
    if !checked.gate.decision.lets_through() {
        return Ok(output::WARNINGS);
    }
    if let Some(backup) = &checked.gate.backup {
        // Before the deploy: whatever becomes of this process, it can be read.
        print(&format!("to go back to it: {}", way_back.to(backup)))?;
    }
    if interrupted.has_come() {
        return Err(cancelled());
    }
    let deploy = Deploy { cli: &cli, guard: &guard, interrupted: &interrupted, way_back: &way_back };
    match behind(guard.pipeline(), checked.gate.clone(), || deploy.run(&checked.gate)).await {
        Ok(done) => {
            print(&done.value)?;
            Ok(output::DONE)
        }
        Err(GuardError::Gate(err)) => Err(err),
        Err(GuardError::Migration(failed)) => Err(after_failure(&deploy, *failed).await),
        Err(err) => Err(Error::new(ErrorKind::Unexpected, err.to_string())),
    }
}

/// Rolls back where that was asked for and undoes something, and says what was done and what can be.
async fn after_failure(deploy: &Deploy<'_>, failed: FailedMigration<Failed>) -> Error {
    let Failed { error, deployed } = failed.error;
    let mut error = error.with_context("deployed", &deployed);
    let Some(rollback) = failed.rollback else { return error };
    let (backup, way_back) = (rollback.backup().clone(), deploy.way_back.to(rollback.backup()));
    if let Some(age) = gate::age_of_reused(&failed.gate) {
        error = error.with_context("backup_made", age);
    }
    if !deploy.cli.roll_back_on_failure || deployed != Deployed::InPart {
        error = error.with_context("backup", &backup);
        if deploy.cli.roll_back_on_failure {
            error = error.with_context("rolled_back", "no");
        }
        return error.with_suggestion(format!("to go back to before the deploy: {way_back}"));
    }
    let carried_out = match PrismaRestorer::new(deploy.guard.project()) {
        Ok(restorer) => rollback.carry_out(&restorer, Confirmation::Confirmed).await,
        Err(err) => Err(err),
    };
    match carried_out {
        Ok(report) => {
            error = error.with_context("rolled_back_to", &backup);
            let Some(safety) = report.safety_backup else { return error };
            error.with_context("safety_backup", &safety).with_suggestion(format!(
                "what the failed deploy left, and what was written since the backup, is in {safety}; back to it: {}",
                deploy.way_back.to(&safety)
            ))
        }
        Err(second) => error
            .with_context("backup", &backup)
            .with_context("rollback_failed", second)
            .with_suggestion(format!("mend that, then: {way_back}")),
    }
}

/// Refuses arguments by which the CLI would find another project, and another database, than the guard.
fn ensure_no_other_project(arguments: &[String]) -> Result<()> {
    let leads_elsewhere = |argument: &&String| {
        ["--schema", "--config"].iter().any(|option| {
            argument.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    match arguments.iter().find(leads_elsewhere) {
        None => Ok(()),
        Some(argument) => {
            Err(Error::new(ErrorKind::InvalidInput, "this argument has to be known to the guard too")
                .with_context("argument", argument)
                .with_suggestion("write it before the --: it is handed on to the Prisma CLI"))
        }
    }
}

/// Refuses a database that the CLI cannot be led to, also where another one was asked for by word.
fn ensure_guarded_is_migrated(project: &PrismaProject) -> Result<()> {
    match project.given_url() {
        GivenUrl::Other { variable: None, .. } => {
            project.given_url().ensure_same(&gate::place(project)).map_err(|err| {
                err.with_suggestion(
                    "the Prisma CLI can be led elsewhere by a variable alone: write url = env(…)",
                )
            })
        }
        _ => Ok(()),
    }
}
