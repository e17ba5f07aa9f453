//! [`PrismaRestorer`]: restores into the database of a project.

use std::sync::Arc;

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dumper, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch, ScratchLike, Selected,
    TargetInfo,
};

use crate::{Connection, PrismaDumper, PrismaProject, missing};

/// Restores into the database of a project, by the restorer of its engine.
///
/// What is replaced is replaced whole: the dump is restored beside the database, which then takes its place, so that no
/// table of a later migration survives. The table of migrations comes back with the rest, so that `prisma migrate deploy`
/// applies again what came after the dump.
///
/// # Cancel safety
///
/// As the restorer of the engine.
#[derive(Debug, Clone)]
pub struct PrismaRestorer {
    inner: Arc<dyn Restorer>,
    project: Arc<PrismaProject>,
}

impl PrismaRestorer {
    /// A restorer into the project's database.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](backup_core::ErrorKind::Unsupported) without the feature of its engine.
    pub fn new(project: &PrismaProject) -> Result<Self> {
        Ok(Self::by(project, inner(project)?))
    }

    /// Restores by a restorer that was set up elsewhere, into the same database.
    pub fn by(project: &PrismaProject, restorer: impl Restorer) -> Self {
        Self { inner: Arc::new(restorer), project: Arc::new(project.clone()) }
    }
}

#[async_trait]
impl Restorer for PrismaRestorer {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.inner.supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.inner.probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        self.inner.restore(body, options).await
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.inner.select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(PrismaDumper::by(&self.project, self.inner.target_dumper()?)))
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        self.inner.scratch(like).await
    }
}

/// What the engine is restored by.
fn inner(project: &PrismaProject) -> Result<Arc<dyn Restorer>> {
    match project.connection() {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(path) => Ok(Arc::new(crate::SqliteRestore::new(path))),
        #[cfg(feature = "postgresql")]
        Connection::PostgreSql(url) => {
            let restore = handler_pgdump::PgRestore::new(url.config()?);
            Ok(Arc::new(project.client_dir.iter().fold(restore, handler_pgdump::PgRestore::client_dir)))
        }
        #[cfg(feature = "mysql")]
        Connection::MySql(url) => {
            let restore = handler_mysqldump::MysqlRestore::new(url.config());
            Ok(Arc::new(project.client_dir.iter().fold(restore, handler_mysqldump::MysqlRestore::client_dir)))
        }
        #[allow(unreachable_patterns)] // Where every feature is on.
        other => Err(missing(other)),
    }
}
