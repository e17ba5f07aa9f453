//! [`MysqlNamedLock`]: keeps other programs out that take the same lock.

use std::{path::PathBuf, time::Duration};

use backup_core::{Error, ErrorKind, Result, process::HeldSession};

use crate::{
    MysqlConfig,
    command::{self, SQL_ARGS},
    error::classify,
    server::{Server, quote_literal},
    version::Installed,
};

/// A named lock of MySQL or MariaDB (`GET_LOCK`), held by an SQL client of its own until it is released or dropped.
///
/// Tools for migrations take such a lock while they run, `prisma migrate deploy` for example: who holds it during a dump
/// keeps their changes out of it. It is one for all databases of the server.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use handler_mysqldump::{MysqlConfig, MysqlNamedLock};
///
/// # async fn example() -> backup_core::Result<()> {
/// let config = MysqlConfig::from_url("mysql://deploy@db.example/shop")?;
/// let lock = MysqlNamedLock::new("prisma_migrate").take(&config, Duration::from_secs(10)).await?;
/// // Nobody else has it here.
/// lock.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MysqlNamedLock {
    name: String,
    installed: Installed,
}

/// A lock that is held.
#[derive(Debug)]
pub struct MysqlLockHeld {
    name: String,
    session: HeldSession,
}

impl MysqlNamedLock {
    /// The lock of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), installed: Installed::default() }
    }

    /// Uses the client programs in this folder and no others; called again, those in that folder too.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.installed.folders.push(folder.into());
        self
    }

    /// Takes the lock on the server of `config`, and waits so long for whoever has it, in whole seconds.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where somebody else keeps it, [`Unsupported`](ErrorKind::Unsupported) where
    /// the server has no such locks; those of the connection.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call takes nothing, or gives it back.
    pub async fn take(&self, config: &MysqlConfig, wait: Duration) -> Result<MysqlLockHeld> {
        let server = Server::connect(config, &self.installed).await?;
        // An answer has to be there when it is given, and not when the client ends.
        let args = SQL_ARGS.iter().copied().chain(["--unbuffered"]);
        let tool = command::client("mysql", &server.sql, &server.host, config, args).await?;
        let seconds = wait.as_millis().div_ceil(1000);
        let opening =
            format!("SELECT COALESCE(GET_LOCK({}, {seconds}), 'none');\n", quote_literal(&self.name));
        let opened = HeldSession::open(tool, opening, "SELECT 1;\n").await;
        let (session, answer) = opened.map_err(classify)?;
        match answer.as_str() {
            "1" => Ok(MysqlLockHeld { name: self.name.clone(), session }),
            "0" => Err(Error::new(ErrorKind::Unavailable, "another session holds the lock")
                .with_context("lock", &self.name)
                .with_context("server", config.location())
                .with_context("waited_ms", wait.as_millis())
                .with_suggestion("wait until the other migration or backup has ended, then try again")),
            _ => Err(Error::new(ErrorKind::Unsupported, "the server gives no locks by name")
                .with_context("server", config.location())),
        }
    }
}

impl MysqlLockHeld {
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
        let closing = format!("SELECT COALESCE(RELEASE_LOCK({}), 'none');\n", quote_literal(&self.name));
        let lost = || Error::new(ErrorKind::Unavailable, "the lock was lost while it was held");
        let printed = self.session.close(closing).await.map_err(|err| lost().with_source(err))?;
        if printed.lines().last().map(str::trim) == Some("1") { Ok(()) } else { Err(lost()) }
    }
}
