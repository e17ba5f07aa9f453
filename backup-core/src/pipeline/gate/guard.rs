//! [`guard`]: a migration behind the gate.

use std::{fmt, future::Future, time::Duration};

use super::{Decision, GateReport, GateRequest, Rollback};
use crate::{Error, ErrorKind, Pipeline};

/// Runs a migration, but only after the [gate](Pipeline::gate) let it through.
///
/// Where the migration fails, the error holds the way back, as a [`Rollback`] that does nothing by itself.
///
/// # Errors
///
/// [`GuardError::Gate`] where there is no verified backup: the migration did not run. [`GuardError::Migration`] with its
/// own error where it did, and failed.
///
/// # Cancel safety
///
/// As [`Pipeline::backup`] until the migration starts, then as the migration.
///
/// # Examples
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use backup_core::{
///     MemoryStore, Pipeline,
///     pipeline::gate::{GateRequest, GuardError, guard},
///     testkit::fake::FakeDumper,
/// };
///
/// async fn migrate() -> Result<u32, String> {
///     Err("syntax error at or near TABEL".to_owned())
/// }
///
/// let pipeline = Pipeline::new(FakeDumper::new("all the rows"), MemoryStore::new());
/// match guard(&pipeline, GateRequest::new(), migrate).await {
///     Ok(done) => println!("{} migrations, behind {:?}", done.value, done.gate.backup),
///     Err(GuardError::Migration(failed)) => {
///         assert_eq!(failed.error, "syntax error at or near TABEL");
///         let rollback = failed.rollback.ok_or("there was no database before")?;
///         // `rollback.plan(&restorer)` says what it would do, `rollback.carry_out(&restorer, …)` does it.
///         println!("roll back to {}", rollback.backup());
///     }
///     Err(err) => return Err(err.into()),
/// }
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub async fn guard<T, E, Work>(
    pipeline: &Pipeline,
    request: GateRequest,
    migrate: impl FnOnce() -> Work,
) -> Result<Guarded<T>, GuardError<E>>
where
    Work: Future<Output = Result<T, E>>,
{
    let gate = pipeline.gate(request).await.map_err(GuardError::Gate)?;
    behind(pipeline, gate, migrate).await
}

/// Runs a migration that a gate let through: the second half of [`guard`], where something is looked at in between.
///
/// # Errors
///
/// As [`guard`]; [`GuardError::Gate`] for a report that lets nothing through.
///
/// # Cancel safety
///
/// As the migration.
pub async fn behind<T, E, Work>(
    pipeline: &Pipeline,
    gate: GateReport,
    migrate: impl FnOnce() -> Work,
) -> Result<Guarded<T>, GuardError<E>>
where
    Work: Future<Output = Result<T, E>>,
{
    if !gate.decision.lets_through() || (gate.decision == Decision::Go && gate.backup.is_none()) {
        return Err(GuardError::Gate(Error::new(ErrorKind::InvalidInput, "the gate let nothing through")));
    }
    let started = tokio::time::Instant::now();
    let result = migrate().await;
    let duration = started.elapsed();
    match result {
        Ok(value) => Ok(Guarded { gate, value, duration }),
        Err(error) => {
            tracing::error!(backup = ?gate.backup, "the migration failed");
            let rollback = gate.backup.clone().map(|backup| Rollback::new(pipeline, backup));
            Err(GuardError::Migration(Box::new(FailedMigration { error, gate, duration, rollback })))
        }
    }
}

/// A migration that ran to its end.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Guarded<T> {
    /// What the gate did before it.
    pub gate: GateReport,
    /// What the migration returned.
    pub value: T,
    /// How long the migration took.
    pub duration: Duration,
}

/// Why a guarded migration is not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum GuardError<E> {
    /// The gate did not let it through: it did not run.
    Gate(Error),
    /// It ran, and failed.
    Migration(Box<FailedMigration<E>>),
}

/// A migration that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedMigration<E> {
    /// Its own error.
    pub error: E,
    /// What the gate did before it.
    pub gate: GateReport,
    /// How long the migration took.
    pub duration: Duration,
    /// The way back; none where there was no database before.
    pub rollback: Option<Rollback>,
}

impl<E: fmt::Display> fmt::Display for GuardError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate(err) => write!(f, "the migration was not run: {err}"),
            Self::Migration(failed) => match &failed.rollback {
                Some(rollback) => {
                    write!(f, "the migration failed: {}; roll back to {}", failed.error, rollback.backup())
                }
                None => write!(f, "the migration failed: {}; there was no database before it", failed.error),
            },
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for GuardError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Gate(err) => Some(err),
            Self::Migration(_) => None,
        }
    }
}
