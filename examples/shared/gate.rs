//! The gate before a migration, on a command line.

use std::{path::PathBuf, time::Duration};

use backup_core::{
    Clock, Error, Level, Pipeline, Rehearsal, Result, SystemClock,
    pipeline::gate::{Decision, GateBackup, GateReport, MissingDatabase},
};
use clap::Args;
use handler_prisma::{
    ConfigCode, Connection, Discovery, PrismaDumper, PrismaGuard, PrismaProject, PrismaReport, PrismaRestorer,
};
use serde_json::{Value, json};
use storage_local::LocalStore;

use crate::output;

/// A project of Prisma, and where its backups go.
// The comments on the options are what `--help` prints.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Clone, Args)]
pub struct ProjectArgs {
    /// The folder in which the Prisma CLI is run.
    #[arg(long, default_value = ".")]
    pub project: PathBuf,
    /// The schema's file or folder, as for the Prisma CLI.
    #[arg(long)]
    pub schema: Option<PathBuf>,
    /// The config file, as for the Prisma CLI.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Run the project's config file, where it can not be read.
    #[arg(long)]
    pub run_config: bool,
    /// The database, where the project does not say it; refused where the project says another.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Guard the database of --database although the project's own URL leads elsewhere, or is not to be found: whatever
    /// migrates has to use it too. prisma_deploy gives it to the Prisma CLI.
    #[arg(long, requires = "database")]
    pub another_database: bool,
    /// Where its backups go.
    #[command(flatten)]
    pub backups: BackupArgs,
}

/// Where backups go, and how deep they are verified.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The folder with the backups.
    #[arg(long, env = "BACKUP_STORE")]
    pub store: PathBuf,
    /// The series of backups.
    #[arg(long, env = "BACKUP_ENVIRONMENT", default_value = "production")]
    pub environment: String,
    /// How deep the backup is verified before the migration may run.
    #[arg(long, default_value = "decoded")]
    pub level: Level,
    /// Take a backup of the gate that is at most so old, made for the same applied and pending scripts, instead of a new one: what was
    /// written to the database since is not in it.
    #[arg(long, value_name = "MINUTES")]
    pub max_age: Option<u64>,
    /// Refuse where the database does not exist: its name is mistaken. Without it a missing one is let through.
    #[arg(long)]
    pub must_exist: bool,
}

impl BackupArgs {
    /// A pipeline with the store and the level, made by `begin` of the store.
    ///
    /// # Errors
    ///
    /// Where the store cannot be opened.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn pipeline(&self, begin: impl FnOnce(LocalStore) -> Pipeline) -> Result<Pipeline> {
        let store = LocalStore::open(&self.store).await?;
        Ok(begin(store).with_environment(&self.environment).with_level(self.level))
    }

    /// What is to be said where the database does not exist.
    #[must_use]
    pub fn missing(&self) -> MissingDatabase {
        if self.must_exist { MissingDatabase::Refuse } else { MissingDatabase::LetThrough }
    }

    /// The stated age.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)))
    }
}

impl ProjectArgs {
    /// Finds the project, whose own URL leads to the database that is guarded.
    ///
    /// # Errors
    ///
    /// As [`Discovery::run`]; [`InvalidInput`](backup_core::ErrorKind::InvalidInput) where `--database` leads elsewhere
    /// than the project's own URL, unless that was said by word.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn discover(&self) -> Result<PrismaProject> {
        let mut search = Discovery::new(&self.project);
        if let Some(schema) = &self.schema {
            search = search.with_schema(schema);
        }
        if let Some(config) = &self.config {
            search = search.with_config(config);
        }
        if let Some(url) = &self.database {
            search = search.with_url(url.as_str());
        }
        if self.run_config {
            search = search.with_config_code(ConfigCode::Run);
        }
        let project = search.run().await?;
        if !self.another_database {
            project.given_url().ensure_same(&place(&project)).map_err(|err| {
                err.with_suggestion("that is: leave --database out, and unset BACKUP_DATABASE_URL")
                    .with_suggestion("or say --another-database, where it is this one that is migrated")
            })?;
        }
        Ok(project)
    }

    /// The guard of the project's database.
    ///
    /// # Errors
    ///
    /// Where the project cannot be found, or the store not be opened.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn guard(&self) -> Result<PrismaGuard> {
        let project = self.discover().await?;
        let dumper = PrismaDumper::new(&project)?;
        let pipeline = self.backups.pipeline(|store| Pipeline::new(dumper, store)).await?;
        let pipeline = pipeline.with_rehearsal(Rehearsal::new(PrismaRestorer::new(&project)?));
        let guard = PrismaGuard::new(project, pipeline).with_missing_database(self.backups.missing());
        Ok(self.backups.max_age().into_iter().fold(guard, PrismaGuard::with_max_age))
    }
}

/// The project's database with its place, without secrets.
#[must_use]
pub fn place(project: &PrismaProject) -> String {
    match project.connection() {
        Connection::Sqlite(path) => path.display().to_string(),
        server => format!("{}/{}", server.location(), server.database()),
    }
}

/// How old the backup is, where it was not made for this very migration.
#[must_use]
pub fn age_of_reused(gate: &GateReport) -> Option<String> {
    let made = gate.created_at.filter(|_| gate.source == GateBackup::Reused)?;
    Some(format!("{}: what was written since is not in it", output::ago(SystemClock.now() - made)))
}

/// What the gate says, in a sentence.
#[must_use]
pub fn sentence(report: &PrismaReport) -> String {
    let pending = output::count(report.pending.len() as u64, "migration");
    match (report.gate.decision, &report.gate.backup) {
        (Decision::NothingToDo, _) => {
            format!("nothing to do: no migration is pending in {}", report.database)
        }
        (Decision::NothingToBackUp, _) => {
            format!("go: there is no database {} yet, and nothing to back up", report.database)
        }
        (_, Some(backup)) => {
            let made = age_of_reused(&report.gate).map(|age| format!(", made {age}")).unwrap_or_default();
            format!("go: {pending} pending ({}), behind {backup}{made}", report.pending.join(", "))
        }
        (_, None) => format!("go: {pending} pending"),
    }
}

/// Writes what the gate found: one JSON document, or lines for people.
///
/// # Errors
///
/// Where standard output does not take it.
pub fn tell(report: &PrismaReport, json: bool) -> Result<()> {
    if json {
        let result = serde_json::to_value(report).unwrap_or(Value::Null);
        let document = json!({ "status": "success", "operation": "gate", "result": result, "message": sentence(report) });
        return output::print(&format!("{document:#}"));
    }
    for finding in &report.findings {
        output::print(&format!("found    {finding}"))?;
    }
    for warning in report.warnings.iter().chain(&report.gate.warnings) {
        output::print(&format!("warning  {warning}"))?;
    }
    output::print(&sentence(report))
}

/// Says on standard error what cannot be said by an error of the library.
#[must_use]
pub fn complain(err: &Error, json: bool) -> std::process::ExitCode {
    let style = if json { output::Style::Json } else { output::Style::Text };
    style.error("gate", err)
}
