//! Backups by a configuration file: make one, say what retention would delete, and how all of them are.
//!
//! Without arguments it makes a small SQLite shop in a temporary folder, and a configuration for it, which it shows; with
//! `--config FILE` it reads your own, and makes a backup of the environment that `--environment` names.
//!
//! Exit codes: 0 done, 1 done and something needs a look, 2 failed, 3 refused (nothing was done; also: a wrong file).

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use backup_core::{
    Config, Error, ErrorKind, Filter, Result,
    config::Environment,
    health::{ExpectedSeries, Status},
    notify::Ping,
    pipeline::BackupRequest,
};
use clap::Parser;
use examples::{
    output::{self, Style, count, print},
    parts::Everything,
    shop,
};

/// Back up what a configuration file names.
#[derive(Debug, Parser)]
#[command(name = "configured")]
struct Cli {
    /// The file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The environment; may be left out where there is one only.
    #[arg(long, requires = "config")]
    environment: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let result = match cli.config {
        Some(file) => run(&file, cli.environment.as_deref()).await,
        None => tour().await,
    };
    result.map_or_else(|err| Style::Text.error("configured", &err), ExitCode::from)
}

async fn tour() -> Result<u8> {
    let folder = tempfile::Builder::new().prefix("configured-").tempdir()?;
    shop::make(&folder.path().join("shop.sqlite")).await?;
    let text = format!(
        "[environments.development]
compression = \"zstd:1\"
stores = [{{ kind = \"local\", path = '{folder}/backups' }}]
source = {{ engine = \"sqlite\", database = '{folder}/shop.sqlite' }}
retention = {{ keep_last = 2, keep_daily = 7, kinds = {{ pre-migration = \"forever\" }} }}
rehearsal = {{ assertions = [{{ name = \"orders\", sql = \"SELECT count(*) FROM orders\", between = [1, 1e6] }}] }}
level = \"restored\"
schedules = {{ nightly = {{ at = \"daily at 02:00\", time_zone = \"Europe/Berlin\" }} }}
health = {{ min_free_bytes = 1 }}
",
        folder = folder.path().display(),
    );
    let file = folder.path().join("backups.toml");
    tokio::fs::write(&file, &text).await?;
    print(&format!("{}:\n\n{text}", file.display()))?;
    let code = run(&file, None).await?;

    print("\nA key that is not known is an error, and so is a password in the file:\n")?;
    let wrong = text.replace("keep_daily", "keep_dayly");
    let url = "source = { url = \"mysql://shop:p%40ss@db/shop\" }";
    let with_password = text.lines().map(|line| if line.starts_with("source") { url } else { line });
    for text in [wrong, with_password.collect::<Vec<_>>().join("\n")] {
        match Config::from_toml(&text, "backups.toml") {
            Ok(_) => return Err(Error::new(ErrorKind::Unexpected, "a wrong file was taken")),
            Err(err) => print(&format!("{err}\n  -> {}", err.suggestions().join("; ")))?,
        }
    }
    Ok(code)
}

/// A backup of an environment, what retention would delete, and how the backups are.
async fn run(file: &Path, name: Option<&str>) -> Result<u8> {
    let config = Config::read(file).await?;
    let environment = chosen(&config, name)?;
    let pipeline = environment.pipeline(&Everything).await?;
    // What is wrong with these is said before anything is done.
    let (alerter, healthchecks) = (environment.alerter().await?, environment.healthchecks().await?);

    let made = pipeline.backup(BackupRequest::new()).await;
    let signal = if made.is_ok() { Ping::Success } else { Ping::Fail };
    for checks in healthchecks {
        // That nobody could be told is no reason to say that there is no backup.
        if let Err(err) = checks.ping(signal, &environment.name).await {
            print(&format!("warning    {err}"))?;
        }
    }
    let report = made?;
    print(&format!(
        "backed up  {} ({} bytes, proven: {})",
        report.backup, report.manifest.artifact.size, report.evidence.level
    ))?;
    report.warnings.iter().try_for_each(|warning| print(&format!("warning    {warning}")))?;

    if let Some(policy) = &environment.retention {
        let series =
            Filter::all().with_environment(&environment.name).with_database(&report.manifest.database);
        let plan = pipeline.plan_prune(policy, &series).await?;
        let (kept, deleted) = (plan.kept().count() as u64, plan.deletions().count() as u64);
        print(&format!(
            "retention  keeps {}, would delete {}",
            count(kept, "backup"),
            count(deleted, "backup")
        ))?;
    }
    for job in environment.jobs(&pipeline) {
        print(&format!("schedule   {}: {}", job.name, job.schedule))?;
    }
    let mut policy = environment.health.clone().unwrap_or_default();
    if policy.series.is_empty() {
        // Others may keep backups in the same store.
        policy.series.push(ExpectedSeries::new(&environment.name, &report.manifest.database));
    }
    let health = pipeline.health(&policy).await?;
    print(&format!("health     {}", health.summary()))?;
    let mut is_told = true;
    if let Some(alerter) = alerter
        && let Err(err) = alerter.report(&health).await
    {
        is_told = false;
        print(&format!("warning    not everybody was told: {err}"))?;
    }
    let is_well = report.warnings.is_empty() && health.status == Status::Ok && is_told;
    Ok(if is_well { output::DONE } else { output::WARNINGS })
}

fn chosen<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Environment> {
    let mut all = config.environments.values();
    match (name, all.next(), all.next()) {
        (Some(name), ..) => config.environment(name),
        (None, Some(only), None) => Ok(only),
        _ => {
            let names: Vec<&str> = config.environments.keys().map(String::as_str).collect();
            Err(Error::new(ErrorKind::InvalidInput, "the file has several environments")
                .with_suggestion(format!("give --environment one of {}", names.join(", "))))
        }
    }
}
