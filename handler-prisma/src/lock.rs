//! The lock that `prisma migrate deploy` takes, taken by us: no deploy runs meanwhile.

use std::time::Duration;

use backup_core::Result;

use crate::PrismaProject;

/// The number of the lock that Prisma takes in PostgreSQL.
#[cfg(feature = "postgresql")]
const POSTGRESQL_LOCK: i64 = 72_707_369;

/// The name of the lock that Prisma takes in MySQL and MariaDB.
#[cfg(feature = "mysql")]
const MYSQL_LOCK: &str = "prisma_migrate";

/// Prisma's lock, as far as the engine has one.
#[derive(Debug)]
pub(crate) enum DeployLock {
    /// Prisma takes none; a deploy locks the file itself.
    None,
    #[cfg(feature = "postgresql")]
    PostgreSql(handler_pgdump::PgLockHeld),
    #[cfg(feature = "mysql")]
    MySql(handler_mysqldump::MysqlLockHeld),
}

impl DeployLock {
    /// Takes the lock, and waits so long for whoever has it.
    #[cfg_attr(not(feature = "mysql"), allow(unused_variables, clippy::ptr_arg))]
    #[allow(clippy::unused_async)] // Without a feature there is none to wait for.
    pub(crate) async fn take(
        project: &PrismaProject,
        wait: Duration,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        match project.connection() {
            #[cfg(feature = "postgresql")]
            crate::Connection::PostgreSql(url) => {
                let lock = handler_pgdump::PgAdvisoryLock::new(POSTGRESQL_LOCK);
                let lock = project.client_dir.iter().fold(lock, handler_pgdump::PgAdvisoryLock::client_dir);
                Ok(Self::PostgreSql(lock.take(&url.config()?, wait).await?))
            }
            #[cfg(feature = "mysql")]
            crate::Connection::MySql(url) => {
                let lock = handler_mysqldump::MysqlNamedLock::new(MYSQL_LOCK);
                let lock =
                    project.client_dir.iter().fold(lock, handler_mysqldump::MysqlNamedLock::client_dir);
                match lock.take(&url.config(), wait).await {
                    Ok(held) => Ok(Self::MySql(held)),
                    // PlanetScale has none, and Prisma goes on without it there too.
                    Err(err) if err.kind() == backup_core::ErrorKind::Unsupported => {
                        warnings.push(format!("no deploy was kept out while the backup was made: {err}"));
                        Ok(Self::None)
                    }
                    Err(err) => Err(err),
                }
            }
            _ => Ok(Self::None),
        }
    }

    /// Gives the lock back; an error where it was lost meanwhile.
    #[allow(clippy::unused_async)] // As above.
    pub(crate) async fn release(self) -> Result<()> {
        match self {
            Self::None => Ok(()),
            #[cfg(feature = "postgresql")]
            Self::PostgreSql(held) => held.release().await,
            #[cfg(feature = "mysql")]
            Self::MySql(held) => held.release().await,
        }
    }
}
