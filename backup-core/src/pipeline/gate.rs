//! The gate before a migration: "go" only for a backup that exists and was verified, and a way back.
//!
//! It serves any tool that changes a database: sqlx, refinery, diesel, Flyway, Prisma, a script. A program calls
//! [`guard`] with what it is about to do; a job of CI calls [`Pipeline::gate`] and goes by the
//! [exit code](exit_code).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{BackupRequest, Pipeline, fresh::newest_good};
use crate::{BackupRef, Entry, Error, ErrorKind, Kind, Level, Operation, Result};

mod guard;
mod rollback;

pub use guard::{FailedMigration, GuardError, Guarded, behind, guard};
pub use rollback::Rollback;

/// The tag that keeps the [state](GateRequest::with_state) for which a backup was made.
const STATE: &str = "gate-state";

/// What is to be done before a migration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GateRequest {
    /// What the backup is made as.
    pub backup: BackupRequest,
    /// How old a backup of the gate may be to be taken instead of a new one.
    pub max_age: Option<Duration>,
    /// In which state the database is.
    pub state: Option<String>,
    /// What it says where there is no database.
    pub missing: MissingDatabase,
}

/// What the gate says where there is no database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingDatabase {
    /// Go: there is nothing to lose, and the migration makes the database.
    #[default]
    LetThrough,
    /// No: the database has been there for long, so that its name or its server is mistaken.
    Refuse,
}

impl MissingDatabase {
    /// Lets a database that is not there through, or refuses it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for [`Refuse`](Self::Refuse).
    pub fn check(self) -> Result<()> {
        if self == Self::LetThrough {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "there is no such database, and it was said that it exists")
            .with_suggestion("look at the name of the database, and at the server in the URL")
            .with_suggestion("or let a missing database through, where the migration is to make it"))
    }
}

impl Default for GateRequest {
    fn default() -> Self {
        let backup = BackupRequest::new().with_kind(Kind::PreMigration);
        Self { backup, max_age: None, state: None, missing: MissingDatabase::LetThrough }
    }
}

impl GateRequest {
    /// A new backup of kind `pre-migration`, whatever backups there are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a backup that the gate made within this time, instead of a new one: a job that is run again does not
    /// back up again. What was written to the database since is not in it.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Says in which state the database is, by a word or a digest: the list of applied migrations, for example. Only
    /// a backup of the same state is taken instead of a new one.
    #[must_use]
    pub fn with_state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Says what is to be said where there is no database.
    #[must_use]
    pub fn with_missing_database(mut self, missing: MissingDatabase) -> Self {
        self.missing = missing;
        self
    }

    /// Adds a word to the backup's id, such as the name of the migration.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.backup = self.backup.with_label(label);
        self
    }

    /// Adds a sentence for people.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.backup = self.backup.with_reason(reason);
        self
    }
}

/// What the gate says; it says no by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// The migration may run: the backup exists and was verified.
    Go,
    /// The migration may run: there is no database, and so nothing to lose.
    NothingToBackUp,
    /// There is no migration to run, and nothing was backed up.
    NothingToDo,
}

impl Decision {
    /// Whether the migration may run.
    #[must_use]
    pub fn lets_through(self) -> bool {
        matches!(self, Self::Go | Self::NothingToBackUp)
    }
}

/// The exit code of a program that asks the gate: 0 the migration may run, 1 there is none to run, 2 failed, 3 refused.
#[must_use]
pub fn exit_code(answer: &Result<Decision>) -> u8 {
    match answer {
        Ok(decision) if decision.lets_through() => 0,
        Ok(_) => 1,
        Err(err) if err.kind().is_refusal() => 3,
        Err(_) => 2,
    }
}

/// What came of the gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GateReport {
    /// What it says.
    pub decision: Decision,
    /// The backup to go back to; none where there is no database.
    pub backup: Option<BackupRef>,
    /// When its dump was started, UTC.
    pub created_at: Option<DateTime<Utc>>,
    /// How deep it was verified, by this call.
    pub level: Option<Level>,
    /// Whether it was there, or was made.
    pub source: GateBackup,
    /// What needs a look.
    pub warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Where the backup of the gate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GateBackup {
    /// There is none.
    None,
    /// It was made.
    Made,
    /// An earlier call made it, within the stated age.
    Reused,
}

impl GateReport {
    /// A report without a backup.
    #[must_use]
    pub fn without_backup(decision: Decision) -> Self {
        Self {
            decision,
            backup: None,
            created_at: None,
            level: None,
            source: GateBackup::None,
            warnings: Vec::new(),
            duration_ms: 0,
        }
    }
}

impl Pipeline {
    /// Backs the database up before a migration, verifies the backup as deep as the pipeline demands
    /// ([`with_level`](Self::with_level)), and says whether the migration may run.
    ///
    /// The answer is [`Decision::Go`] only for a backup that the catalog has, that no check found failed, and that was
    /// verified by this very call. A backup of an earlier call is taken only within the [stated age](GateRequest::with_max_age);
    /// one that is dated after now is never taken.
    ///
    /// # Errors
    ///
    /// As [`backup`](Self::backup) and [`verify`](Self::verify): whatever fails, the migration must not run.
    ///
    /// # Cancel safety
    ///
    /// As [`backup`](Self::backup).
    pub async fn gate(&self, request: GateRequest) -> Result<GateReport> {
        let started = tokio::time::Instant::now();
        let mut report = Box::pin(self.run_gate(request)).await?;
        report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    async fn run_gate(&self, mut request: GateRequest) -> Result<GateReport> {
        let database = match self.database().await {
            Ok(database) => database,
            Err(err) if err.kind() == ErrorKind::DatabaseNotFound => {
                if let Err(refused) = request.missing.check() {
                    return self.ended(Operation::Backup, None, Err(refused.with_source(err)));
                }
                tracing::info!("there is no database yet, and nothing to back up: {err}");
                return Ok(GateReport::without_backup(Decision::NothingToBackUp));
            }
            Err(err) => return self.ended(Operation::Backup, None, Err(err)),
        };
        let mut warnings = Vec::new();
        if let Some(age) = request.max_age
            && let Some(entry) = self.reusable(&database, age, &request, &mut warnings).await?
        {
            let backup = entry.manifest.backup_ref();
            let created_at = entry.manifest.created_at;
            return self.passed(backup, created_at, GateBackup::Reused, warnings).await;
        }
        if let Some(state) = &request.state {
            request.backup = request.backup.with_tag(STATE, state);
        }
        let report = self.backup(request.backup).await?;
        warnings.extend(report.warnings);
        if !report.evidence.passed() || report.evidence.level < self.level {
            // The pipeline commits nothing that it did not verify; this is what the gate stands for.
            return Err(unproven(&report.backup));
        }
        self.passed(report.backup, report.manifest.created_at, GateBackup::Made, warnings).await
    }

    /// The newest backup that a gate made for the same state within the stated age, verified again.
    async fn reusable(
        &self,
        database: &str,
        age: Duration,
        request: &GateRequest,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Entry>> {
        let listed = self.series(database).await;
        let listing = match listed {
            Ok(listing) => listing,
            Err(err) => return self.ended(Operation::Backup, None, Err(err)),
        };
        let now = self.clock.now();
        let since = now.checked_sub_signed(TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX));
        let since = since.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let is_ours = |entry: &&Entry| {
            let manifest = &entry.manifest;
            manifest.kind == request.backup.kind
                && manifest.created_at >= since
                && manifest.tags.get(STATE) == request.state.as_ref()
        };
        let Some(entry) = newest_good(listing.entries.iter().filter(is_ours), now) else { return Ok(None) };
        let backup = entry.manifest.backup_ref();
        // What was good then may be gone or damaged now.
        let checked = self.verify(&backup, self.level).await;
        match checked.and_then(super::VerifyReport::ensure_passed) {
            Ok(checked) => {
                warnings.extend(checked.warnings);
                Ok(Some(entry.clone()))
            }
            Err(err) => {
                let message = format!("{backup} was not taken instead of a new backup: {err}");
                self.warn(Operation::Backup, warnings, message);
                Ok(None)
            }
        }
    }

    /// The report of a backup that the catalog has.
    async fn passed(
        &self,
        backup: BackupRef,
        created_at: DateTime<Utc>,
        source: GateBackup,
        warnings: Vec<String>,
    ) -> Result<GateReport> {
        let entry = match self.within("gate", self.entry(&backup)).await {
            Ok(entry) => entry,
            Err(err) => return self.ended(Operation::Backup, Some(&backup), Err(err)),
        };
        if !entry.is_good() {
            return Err(unproven(&backup));
        }
        let (backup, level) = (Some(backup), Some(self.level));
        let created_at = Some(created_at);
        Ok(GateReport { decision: Decision::Go, backup, created_at, level, source, warnings, duration_ms: 0 })
    }
}

fn unproven(backup: &BackupRef) -> Error {
    Error::new(ErrorKind::Corrupt, "the backup before the migration is not proven")
        .with_operation(Operation::Backup.name())
        .with_context("backup", backup)
        .with_suggestion("do not migrate; verify the backup, or make another")
}
