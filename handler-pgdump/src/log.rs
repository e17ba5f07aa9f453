//! [`PgBackupLog`]: a log of the backups in a table of PostgreSQL, written by `psql`.

use std::path::PathBuf;

use async_trait::async_trait;
use backup_core::{
    Result,
    catalog::log::{BackupLog, Dialect, LogDatabase, check_name},
    process::Host,
};

use crate::{
    PgConfig,
    server::{QUESTION_LIMIT, Server},
    version::Installed,
};

/// A log of the backups in a database of PostgreSQL: a [`Catalog`](backup_core::Catalog) to mirror into.
///
/// # Examples
///
/// ```
/// use backup_core::{MemoryStore, Pipeline};
/// use handler_pgdump::{PgBackupLog, PgDump, PgLogDatabase};
///
/// let database = PgLogDatabase::from_url("postgresql://logger@db.example/operations?sslmode=verify-full")?;
/// let log = PgBackupLog::new(database.with_schema("backups")?).with_store("s3://backups");
/// let dump = PgDump::from_url("postgresql://backup@db.example/shop?sslmode=verify-full")?;
/// let pipeline = Pipeline::new(dump, MemoryStore::new()).with_mirror(log);
/// # Ok::<(), backup_core::Error>(())
/// ```
pub type PgBackupLog = BackupLog<PgLogDatabase>;

/// The database of a [`PgBackupLog`].
///
/// The user needs to read, insert and update rows of the two tables, and to make tables in the schema as long as they
/// are missing. Where the database's encoding is not UTF-8, names with letters that it does not have are an error.
/// The password reaches `psql` as it does for a dump.
#[derive(Debug, Clone)]
pub struct PgLogDatabase {
    config: PgConfig,
    schema: String,
    installed: Installed,
    host: Host,
}

impl PgLogDatabase {
    /// Keeps the log in the database that the URL names; see [`PgConfig::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](backup_core::ErrorKind::InvalidInput); the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(PgConfig::from_url(url)?))
    }

    /// Keeps the log in the database that `config` names, in the schema `public`.
    #[must_use]
    pub fn new(config: PgConfig) -> Self {
        Self { config, schema: "public".to_owned(), installed: Installed::default(), host: Host::local() }
    }

    /// Keeps the tables in this schema, which exists.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](backup_core::ErrorKind::InvalidInput) for a name outside `[A-Za-z_][A-Za-z0-9_]*` or longer
    /// than 48.
    pub fn with_schema(mut self, schema: impl Into<String>) -> Result<Self> {
        self.schema = schema.into();
        check_name(&self.schema)?;
        Ok(self)
    }

    /// Uses the client programs in this folder and no others.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.installed = Installed::In(folder.into());
        self
    }

    /// Runs `psql` on `host`, where the connection then starts.
    #[must_use]
    pub fn over(mut self, host: Host) -> Self {
        self.host = host;
        self
    }
}

#[async_trait]
impl LogDatabase for PgLogDatabase {
    fn dialect(&self) -> Dialect {
        Dialect::PostgreSql
    }

    fn schema(&self) -> Option<&str> {
        Some(&self.schema)
    }

    async fn run(&self, script: &str) -> Result<Vec<Vec<String>>> {
        let server = Server::new(&self.config, &self.installed, &self.host).await?;
        let printed = server.ask(script, QUESTION_LIMIT).await?;
        Ok(printed.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect())
    }
}
