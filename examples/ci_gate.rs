//! Ask the gate before a migration: a job of CI runs this, and then the migration, or not.
//!
//! In a project of Prisma it finds the database and the migrations, and does nothing where none is pending. For any other
//! tool, `--any-tool` with `--database URL` backs up and verifies, whatever the tool is about to do.
//!
//! Exit codes: 0 go, 1 nothing to do, 2 failed, 3 refused. Whatever is not 0 must not migrate.

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::process::ExitCode;

use backup_core::{
    Error, ErrorKind, Pipeline, Rehearsal, Result,
    pipeline::{
        GateRequest,
        gate::{Decision, exit_code},
    },
    process::Host,
};
use clap::Parser;
use examples::{
    database,
    gate::{self, ProjectArgs},
    output::{self, Style, print},
};

/// Back up and verify before a migration, and say whether it may run.
#[derive(Debug, Parser)]
#[command(name = "ci_gate")]
struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    /// Guard the database for another tool than Prisma: sqlx, refinery, diesel, Flyway, a script.
    #[arg(long)]
    any_tool: bool,
    /// A sentence for people, kept with the backup; for other tools than Prisma.
    #[arg(long)]
    reason: Option<String>,
    /// Write one JSON document.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let answer = if cli.any_tool { any_tool(&cli).await } else { prisma(&cli).await };
    match &answer {
        Ok(_) => ExitCode::from(exit_code(&answer)),
        Err(err) => gate::complain(err, cli.json),
    }
}

async fn prisma(cli: &Cli) -> Result<Decision> {
    let report = cli.project.guard().await?.check().await?;
    gate::tell(&report, cli.json)?;
    Ok(report.gate.decision)
}

async fn any_tool(cli: &Cli) -> Result<Decision> {
    let url = cli.project.database.as_deref().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "no database is named")
            .with_suggestion("name it by BACKUP_DATABASE_URL, or by --database")
    })?;
    let dumper = database::dumper(url, None, Host::local())?;
    let rehearsal = Rehearsal::new(database::restorer(url, Host::local())?);
    let pipeline = cli.project.backups.pipeline(|store| Pipeline::new(dumper, store)).await?;
    let mut request = GateRequest::new().with_missing_database(cli.project.backups.missing());
    if let Some(reason) = &cli.reason {
        request = request.with_reason(reason);
    }
    if let Some(age) = cli.project.backups.max_age() {
        request = request.with_max_age(age);
    }
    let report = pipeline.with_rehearsal(rehearsal).gate(request).await?;
    let message = match &report.backup {
        Some(backup) => format!("go: behind {backup}"),
        None => "go: there is no database yet, and nothing to back up".to_owned(),
    };
    if cli.json {
        let style = Style::Json;
        style.result(output::DONE, "gate", Some(&cli.project.backups.environment), &message, &report)?;
    } else {
        for warning in &report.warnings {
            print(&format!("warning  {warning}"))?;
        }
        print(&message)?;
    }
    Ok(report.decision)
}
