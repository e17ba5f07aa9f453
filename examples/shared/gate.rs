//! The gate before a migration, on a command line.

use std::{path::PathBuf, sync::Arc, time::Duration};

use backup_core::{
    BackupRef, Error, Level, Pipeline, Rehearsal, Result, catalog,
    pipeline::{
        Confirmation, RestoreReport,
        gate::{Decision, Rollback},
    },
};
use clap::Args;
use handler_prisma::{
    ConfigCode, Discovery, PrismaDumper, PrismaGuard, PrismaProject, PrismaReport, PrismaRestorer,
};
use serde_json::{Value, json};
use storage_local::LocalStore;

use crate::{folder::folder, output};

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
    /// The database, in place of what the project says.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Where its backups go.
    #[command(flatten)]
    pub backups: BackupArgs,
}

/// Where backups go, and how deep they are verified.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The folder with the backups.
    #[arg(long, env = "BACKUP_STORE", value_parser = folder())]
    pub store: PathBuf,
    /// The series of backups.
    #[arg(long, env = "BACKUP_ENVIRONMENT", default_value = "production")]
    pub environment: String,
    /// How deep the backup is verified before the migration may run.
    #[arg(long, default_value = "decoded")]
    pub level: Level,
    /// Take a backup of the gate that is at most so old, of the same migrations, instead of a new one.
    #[arg(long, value_name = "MINUTES")]
    pub max_age: Option<u64>,
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

    /// The stated age.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)))
    }
}

impl ProjectArgs {
    /// Finds the project.
    ///
    /// # Errors
    ///
    /// As [`Discovery::run`].
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
        search.run().await
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
        let guard = PrismaGuard::new(project, pipeline);
        Ok(self.backups.max_age().into_iter().fold(guard, PrismaGuard::with_max_age))
    }

    /// Rolls the project's database back to the backup with this name.
    ///
    /// # Errors
    ///
    /// As [`Rollback::carry_out`].
    ///
    /// # Cancel safety
    ///
    /// As [`Rollback::carry_out`].
    pub async fn roll_back(&self, backup: &str, confirmation: Confirmation) -> Result<RestoreReport> {
        let project = self.discover().await?;
        let dumper = PrismaDumper::new(&project)?;
        let pipeline = self.backups.pipeline(|store| Pipeline::new(dumper, store)).await?;
        let catalog = Arc::clone(pipeline.catalog());
        let backup: BackupRef = catalog::find(&*catalog, backup).await?.manifest.backup_ref();
        Rollback::new(&pipeline, backup).carry_out(&PrismaRestorer::new(&project)?, confirmation).await
    }
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
            format!("go: {pending} pending ({}), behind {backup}", report.pending.join(", "))
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
