//! [`PrismaDumper`]: dumps the database of a project, whatever engine it has.

use std::sync::Arc;

use async_trait::async_trait;
use backup_core::{Dump, Dumper, DumperInfo, Result, SourceInfo};

use crate::{Connection, PrismaProject, migrations::History, missing};

/// Dumps the whole database of a project, and says which migrations it had come to.
///
/// PostgreSQL by [`PgDump`](https://docs.rs/handler-pgdump), MySQL and MariaDB by
/// [`MysqlDump`](https://docs.rs/handler-mysqldump), SQLite by [`SqliteDump`](crate::SqliteDump); all schemas, also where
/// the datasource names one.
///
/// The migrations are read just before the dump begins. That no deploy comes between is what
/// [`PrismaGuard`](crate::PrismaGuard) sees to. Where they cannot be read, the dump says so in a warning.
///
/// # Cancel safety
///
/// As the dumper of the engine.
///
/// # Examples
///
/// ```no_run
/// use backup_core::{MemoryStore, Pipeline, pipeline::BackupRequest};
/// use handler_prisma::{PrismaDumper, PrismaProject};
///
/// # async fn example() -> backup_core::Result<()> {
/// let project = PrismaProject::discover("/srv/shop").await?;
/// let pipeline = Pipeline::new(PrismaDumper::new(&project)?, MemoryStore::new()).with_environment("production");
/// let report = pipeline.backup(BackupRequest::new()).await?;
/// println!("{:?}", report.manifest.migrations);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PrismaDumper {
    inner: Arc<dyn Dumper>,
    project: Arc<PrismaProject>,
}

impl PrismaDumper {
    /// A dumper of the project's database.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](backup_core::ErrorKind::Unsupported) without the feature of its engine.
    pub fn new(project: &PrismaProject) -> Result<Self> {
        Ok(Self::by(project, inner(project)?))
    }

    /// Dumps by a dumper that was set up elsewhere: of the same database, in another format for example.
    pub fn by(project: &PrismaProject, dumper: impl Dumper) -> Self {
        Self { inner: Arc::new(dumper), project: Arc::new(project.clone()) }
    }
}

#[async_trait]
impl Dumper for PrismaDumper {
    fn info(&self) -> DumperInfo {
        self.inner.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.inner.probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        let history = History::read(&self.project).await;
        let mut dump = self.inner.dump().await?;
        dump.warnings.extend(self.project.warnings().iter().cloned());
        match history {
            Ok(history) => dump.migrations = history.map(|history| history.to_manifest(&self.project)),
            Err(err) => {
                dump.warnings
                    .push(format!("the migrations could not be read, and are not in the manifest: {err}"));
            }
        }
        Ok(dump)
    }
}

/// What the engine is dumped by.
fn inner(project: &PrismaProject) -> Result<Arc<dyn Dumper>> {
    match project.connection() {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(path) => Ok(Arc::new(crate::SqliteDump::new(path).with_checksums())),
        #[cfg(feature = "postgresql")]
        Connection::PostgreSql(url) => {
            let dump = handler_pgdump::PgDump::new(url.config()?);
            Ok(Arc::new(project.client_dir.iter().fold(dump, handler_pgdump::PgDump::client_dir)))
        }
        #[cfg(feature = "mysql")]
        Connection::MySql(url) => {
            let dump = handler_mysqldump::MysqlDump::new(url.config());
            Ok(Arc::new(project.client_dir.iter().fold(dump, handler_mysqldump::MysqlDump::client_dir)))
        }
        #[allow(unreachable_patterns)] // Where every feature is on.
        other => Err(missing(other)),
    }
}
