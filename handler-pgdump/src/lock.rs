//! [`PgAdvisoryLock`]: keeps other programs out that take the same lock.

use std::{path::PathBuf, time::Duration};

use backup_core::{
    Error, ErrorKind, Result,
    process::{HeldSession, Host},
};

use crate::{
    PgConfig,
    command::{self, QUERY_ARGS},
    error::classify,
    server::Server,
    version::{Installed, Program},
};

/// An advisory lock of PostgreSQL, held by a `psql` of its own until it is released or dropped.
///
/// Tools for migrations take such a lock while they run, `prisma migrate deploy` for example: who holds it during a dump
/// keeps their changes out of it. Readers and other writers are not kept out.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use handler_pgdump::{PgAdvisoryLock, PgConfig};
///
/// # async fn example() -> backup_core::Result<()> {
/// let config = PgConfig::from_url("postgresql://deploy@db.example/shop")?;
/// let lock = PgAdvisoryLock::new(72_707_369).take(&config, Duration::from_secs(10)).await?;
/// // Nobody else has it here.
/// lock.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PgAdvisoryLock {
    key: i64,
    installed: Installed,
}

/// A lock that is held.
#[derive(Debug)]
pub struct PgLockHeld {
    key: i64,
    session: HeldSession,
}

impl PgAdvisoryLock {
    /// The lock with this number.
    #[must_use]
    pub fn new(key: i64) -> Self {
        Self { key, installed: Installed::default() }
    }

    /// Uses the client programs in this folder and no others.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.installed = Installed::In(folder.into());
        self
    }

    /// Takes the lock in the database of `config`, and waits so long for whoever has it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where somebody else keeps it; those of the connection.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call takes nothing, or gives it back.
    pub async fn take(&self, config: &PgConfig, wait: Duration) -> Result<PgLockHeld> {
        let host = Host::local();
        let server = Server::new(config, &self.installed, &host).await?;
        let psql = server.psql.path(Program::Psql);
        let tool = command::client("psql", psql, config, &host, QUERY_ARGS.iter().copied()).await?;
        let opening = format!(
            "SET statement_timeout = 0;\nSET lock_timeout = '{}ms';\nSELECT pg_catalog.pg_advisory_lock({});\nSELECT 'held';\n",
            // Zero would be no limit.
            wait.as_millis().clamp(1, i32::MAX.unsigned_abs().into()),
            self.key
        );
        match HeldSession::open(tool, opening, "SELECT 1;\n").await {
            Ok((session, _)) => Ok(PgLockHeld { key: self.key, session }),
            Err(err) => {
                Err(if is_held_elsewhere(&err) { held_elsewhere(config, wait, err) } else { classify(err) })
            }
        }
    }
}

impl PgLockHeld {
    /// Gives the lock back.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where it was lost meanwhile, with the connection for example: others
    /// may have had it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call gives it back too.
    pub async fn release(self) -> Result<()> {
        let closing = format!("SELECT pg_catalog.pg_advisory_unlock({});\n", self.key);
        let lost = || Error::new(ErrorKind::Unavailable, "the advisory lock was lost while it was held");
        let printed = self.session.close(closing).await.map_err(|err| lost().with_source(err))?;
        if printed.trim_end().ends_with('t') { Ok(()) } else { Err(lost()) }
    }
}

/// By the server's code for a lock that did not come in time.
fn is_held_elsewhere(err: &Error) -> bool {
    err.context().any(|(key, value)| key == "stderr" && value.contains("55P03"))
}

fn held_elsewhere(config: &PgConfig, wait: Duration, err: Error) -> Error {
    Error::new(ErrorKind::Unavailable, "another session holds the advisory lock")
        .with_context("server", config.location())
        .with_context("database", config.database())
        .with_context("waited_ms", wait.as_millis())
        .with_suggestion("wait until the other migration or backup has ended, then try again")
        .with_source(err)
}
