//! Run `npx prisma migrate deploy`, but only behind a verified backup.
//!
//! The deploy counts as done when the CLI says so in its own words, and no migration is pending afterwards: an exit code of
//! 0 alone is not enough. When it fails, the way back is named; `--roll-back-on-failure` takes it at once.
//!
//! Exit codes: 0 deployed, 1 nothing to do, 2 failed, 3 refused (nothing was deployed).

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use backup_core::{
    Error, ErrorKind, Result, Secret,
    pipeline::{Confirmation, gate::GuardError},
    process::Tool,
};
use clap::Parser;
use examples::{
    gate::{self, ProjectArgs},
    output::{self, Style, print},
};
use handler_prisma::{GivenUrl, History, NextDeploy, PrismaGuard, PrismaProject, PrismaRestorer};

/// What the CLI says of a deploy that is done.
const DONE: [&str; 3] = [
    "The following migration(s) have been applied:",
    "All migrations have been successfully applied.",
    "No pending migrations to apply.",
];

/// The most that the CLI may print, in bytes.
const PRINTED: usize = 16 * 1024 * 1024;

/// Deploy the pending migrations of a project behind a verified backup.
#[derive(Debug, Parser)]
#[command(name = "prisma_deploy")]
struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    /// The program that runs `prisma migrate deploy`.
    #[arg(long, default_value = "npx")]
    npx: PathBuf,
    /// When the deploy fails, replace the database by the backup at once.
    #[arg(long)]
    roll_back_on_failure: bool,
    /// Deploy nothing, and replace the database by this backup.
    #[arg(long, value_name = "BACKUP", conflicts_with = "roll_back_on_failure")]
    roll_back: Option<String>,
    /// Confirm --roll-back.
    #[arg(long, requires = "roll_back")]
    confirm: bool,
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
    // The CLI looks for everything in the folder in which it is run.
    cli.project.backups.store = std::path::absolute(&cli.project.backups.store)?;
    std::env::set_current_dir(&cli.project.project)?;
    cli.project.project = PathBuf::from(".");
    if let Some(backup) = &cli.roll_back {
        let confirmation = if cli.confirm { Confirmation::Confirmed } else { Confirmation::Missing };
        let report = cli.project.roll_back(backup, confirmation).await?;
        print(&format!("rolled back to {}: {}", report.backup, output::count(report.tables, "table")))?;
        return Ok(output::DONE);
    }
    ensure_no_other_project(&cli.arguments)?;
    let guard = cli.project.guard().await?;
    ensure_guarded_is_migrated(guard.project())?;
    match guard.run(|| deploy(&cli, &guard)).await {
        Ok(done) => {
            gate::tell(&done.report, false)?;
            let Some(said) = done.value else { return Ok(output::WARNINGS) };
            print(&said)?;
            Ok(output::DONE)
        }
        Err(GuardError::Gate(err)) => Err(err),
        Err(GuardError::Migration(failed)) => {
            let failed = *failed;
            let Some(rollback) = failed.rollback else { return Err(failed.error) };
            let backup = rollback.backup().clone();
            let err = if cli.roll_back_on_failure {
                let restorer = PrismaRestorer::new(guard.project())?;
                match rollback.carry_out(&restorer, Confirmation::Confirmed).await {
                    Ok(_) => failed.error.with_context("rolled_back_to", backup),
                    Err(second) => failed
                        .error
                        .with_context("backup", &backup)
                        .with_context("rollback_failed", second)
                        .with_suggestion(format!(
                            "mend that, then: prisma_deploy --roll-back {backup} --confirm"
                        )),
                }
            } else {
                failed.error.with_context("backup", &backup).with_suggestion(format!(
                    "to go back to before the deploy: prisma_deploy --roll-back {backup} --confirm"
                ))
            };
            Err(err)
        }
        Err(err) => Err(Error::new(ErrorKind::Unexpected, err.to_string())),
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

/// Runs the CLI; what it printed, where that says that the deploy is done.
async fn deploy(cli: &Cli, guard: &PrismaGuard) -> Result<String> {
    let mut tool = Tool::new("prisma", &cli.npx)
        .args(["prisma", "migrate", "deploy"])
        .total_timeout(Duration::from_secs(cli.limit.saturating_mul(60)));
    for (option, path) in [("--schema", &cli.project.schema), ("--config", &cli.project.config)] {
        if let Some(path) = path {
            tool = tool.arg(option).arg(path);
        }
    }
    tool = tool.args(&cli.arguments);
    if let Some(url) = &cli.project.database {
        let url = Secret::new(url.as_str());
        tool = match guard.project().given_url().variable() {
            // What is migrated is what is guarded, whatever the project's own files say.
            Some(variable) => tool.secret_env(variable, url),
            // What it prints is shown.
            None => tool.redact(url),
        };
    }
    let output = tool.output(PRINTED).await.map_err(|err| err.with_operation("deploy"))?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(url) = &cli.project.database {
        said = said.replace(url.as_str(), "***");
    }
    let failed = |message: &str| Error::new(ErrorKind::ToolFailed, message).with_operation("deploy");
    if !DONE.iter().any(|text| said.contains(text)) {
        return Err(failed("prisma migrate deploy ended without saying what it did")
            .with_context("stdout", said.trim())
            .with_context("stderr", output.stderr));
    }
    let next = History::read(guard.project()).await?.map(|history| history.next_deploy());
    if next != Some(NextDeploy::Nothing) {
        return Err(failed("prisma migrate deploy says that it is done, and migrations are still pending")
            .with_suggestion("look whether it was run on another database than the one that was backed up"));
    }
    Ok(said.trim().to_owned())
}
