//! [`MysqlBackupLog`]: a log of the backups in a table of MySQL or MariaDB, written by the server's SQL client.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use backup_core::{
    Result,
    catalog::log::{BackupLog, Dialect, LogDatabase},
    process::Host,
};
use tokio::sync::OnceCell;

use crate::{
    config::MysqlConfig,
    server::{QUESTION_LIMIT, Server},
    version::Installed,
};

/// A log of the backups in a database of MySQL or MariaDB: a [`Catalog`](backup_core::Catalog) to mirror into.
///
/// # Examples
///
/// ```
/// use backup_core::{MemoryStore, Pipeline};
/// use handler_mysqldump::{MysqlBackupLog, MysqlDump, MysqlLogDatabase};
///
/// let database = MysqlLogDatabase::from_url("mysql://logger@db.example/operations?ssl-mode=VERIFY_IDENTITY")?;
/// let log = MysqlBackupLog::new(database).with_store("s3://backups");
/// let dump = MysqlDump::from_url("mysql://backup@db.example/shop?ssl-mode=VERIFY_IDENTITY")?;
/// let pipeline = Pipeline::new(dump, MemoryStore::new()).with_mirror(log);
/// # Ok::<(), backup_core::Error>(())
/// ```
pub type MysqlBackupLog = BackupLog<MysqlLogDatabase>;

/// The database of a [`MysqlBackupLog`].
///
/// The user needs SELECT, INSERT and UPDATE on the two tables, and CREATE as long as they are missing. A manifest of
/// more than half of the server's `max_allowed_packet` does not fit into a statement and is an error. The password
/// reaches the client as it does for a dump.
#[derive(Debug, Clone)]
pub struct MysqlLogDatabase {
    config: MysqlConfig,
    installed: Installed,
    /// The server as it answered first, so that a question costs one start of the client and not two.
    server: Arc<OnceCell<Server>>,
}

impl MysqlLogDatabase {
    /// Keeps the log in the database that the URL names; see [`MysqlConfig::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](backup_core::ErrorKind::InvalidInput); the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(MysqlConfig::from_url(url)?))
    }

    /// Keeps the log in the database that `config` names.
    #[must_use]
    pub fn new(config: MysqlConfig) -> Self {
        Self { config, installed: Installed::default(), server: Arc::default() }
    }

    /// Uses the client programs in this folder and no others; called again, those in that folder too.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.server = Arc::default();
        self.installed.folders.push(folder.into());
        self
    }

    /// Runs the client program on this host; the address of the server is the one seen from there.
    #[must_use]
    pub fn over(mut self, host: Host) -> Self {
        self.server = Arc::default();
        self.installed.host = host;
        self
    }
}

#[async_trait]
impl LogDatabase for MysqlLogDatabase {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn schema(&self) -> Option<&str> {
        None
    }

    async fn run(&self, script: &str) -> Result<Vec<Vec<String>>> {
        let connect = || Server::connect(&self.config, &self.installed);
        let server = self.server.get_or_try_init(connect).await?;
        let rows = server.ask(script, QUESTION_LIMIT).await?;
        Ok(rows.iter().map(<[String]>::to_vec).collect())
    }
}
