//! The way back to a backup: as a command line, and taken.

use std::{ffi::OsStr, path::Path};

use backup_core::{
    Clock, Error, ErrorKind, Manifest, Operation, Pipeline, Restorer, Result, SystemClock, TargetInfo,
    catalog,
    pipeline::{Confirmation, RestoreReport, gate::Rollback},
};
use examples::{
    gate::{ProjectArgs, place},
    output::ago,
    signal::interruptible,
};
use handler_prisma::{PrismaDumper, PrismaRestorer};

/// The command line that leads back to a backup, from any folder.
#[derive(Debug, Clone)]
pub(crate) struct WayBack(String);

impl WayBack {
    /// The way back with these arguments, whose paths are relative to the folder in which this is called.
    pub(crate) fn new(project: &ProjectArgs) -> Result<Self> {
        let program = std::env::args_os().next().unwrap_or_else(|| "prisma_deploy".into());
        let mut words = vec![if Path::new(&program).components().count() > 1 {
            quoted(std::path::absolute(&program)?.as_os_str())
        } else {
            quoted(&program)
        }];
        let mut option = |name: &str, value: &OsStr| words.extend([name.to_owned(), quoted(value)]);
        option("--project", std::path::absolute(&project.project)?.as_os_str());
        option("--store", std::path::absolute(&project.backups.store)?.as_os_str());
        option("--environment", OsStr::new(&project.backups.environment));
        for (name, path) in [("--schema", &project.schema), ("--config", &project.config)] {
            if let Some(path) = path {
                option(name, path.as_os_str());
            }
        }
        if project.run_config {
            words.push("--run-config".to_owned());
        }
        if project.another_database {
            // The URL itself may hold a password.
            words.insert(
                0,
                "BACKUP_DATABASE_URL=\"${BACKUP_DATABASE_URL:?has to be the same URL}\"".to_owned(),
            );
            words.push("--another-database".to_owned());
        }
        Ok(Self(words.join(" ")))
    }

    /// The command for one backup.
    pub(crate) fn to(&self, backup: &impl std::fmt::Display) -> String {
        format!("{} --roll-back {backup} --confirm", self.0)
    }
}

/// A word as a shell reads it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '/' | '.' | '_' | '-' | ':' | '@');
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a rollback may go into a database that is not the backup's own, or does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RollBackInto {
    /// It may not.
    ItsOwn,
    /// It may.
    Any,
}

/// Replaces the project's database by the backup with this name.
pub(crate) async fn roll_back(
    project: &ProjectArgs,
    backup: &str,
    into: RollBackInto,
    confirmation: Confirmation,
) -> Result<RestoreReport> {
    let found = project.discover().await?;
    let dumper = PrismaDumper::new(&found)?;
    let pipeline = project.backups.pipeline(|store| Pipeline::new(dumper, store)).await?;
    let manifest = catalog::find(&**pipeline.catalog(), backup).await?.manifest;
    let restorer = PrismaRestorer::new(&found)?;
    let target = restorer.probe().await?;
    if into == RollBackInto::ItsOwn {
        ensure_own(&manifest, &target, &project.backups.environment, &found.connection().database())?;
    }
    if confirmation == Confirmation::Missing {
        return Err(Error::new(ErrorKind::NotConfirmed, "a rollback replaces the whole database")
            .with_context("database", place(&found))
            .with_context("backup", manifest.backup_ref())
            .with_context("made", ago(SystemClock.now() - manifest.created_at))
            .with_suggestion("if that is what you want, add --confirm"));
    }
    let rollback = Rollback::new(&pipeline, manifest.backup_ref());
    interruptible(&pipeline, Operation::Restore, rollback.carry_out(&restorer, confirmation)).await
}

/// Refuses a target that the backup was not made of.
fn ensure_own(manifest: &Manifest, target: &TargetInfo, environment: &str, database: &str) -> Result<()> {
    let by_word = "or say --into-another-database, where that is what you want";
    for (what, of_backup, of_target) in [
        ("environment", manifest.environment.as_str(), environment),
        ("database", &manifest.database, database),
        ("location", &manifest.source.location, &target.location),
    ] {
        if of_backup != of_target {
            return Err(Error::new(ErrorKind::InvalidInput, "the backup is not one of this database")
                .with_context("differs_in", what)
                .with_context("backup", of_backup)
                .with_context("target", of_target)
                .with_suggestion("look at --project, --environment and the URL of the database")
                .with_suggestion(by_word));
        }
    }
    if !target.exists {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "there is no database to roll back: it does not exist",
        )
        .with_context("database", &target.database)
        .with_context("location", &target.location)
        .with_suggestion("look at the name of the database, and at the server in the URL")
        .with_suggestion(by_word));
    }
    Ok(())
}
