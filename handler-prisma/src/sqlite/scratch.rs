//! [`SqliteScratch`]: a database that is thrown away.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use backup_core::{Contents, Dumper, Inventory, Restorer, Result, Scratch, ScratchPlace};

use super::{SqliteRestore, blocking, staging::Staging};

/// A throw-away database in a private folder.
///
/// It is gone after [`close`](Scratch::close) and after a drop; what a killed process leaves, the next dump,
/// restore or scratch in the same folder removes. Before something was restored it holds no tables.
#[derive(Debug)]
pub struct SqliteScratch {
    restorer: SqliteRestore,
    // Removed in place when dropped, not on the blocking pool: a runtime that shuts down would not do it.
    staging: Staging,
}

impl SqliteScratch {
    /// Makes one in `folder`, with the settings of `like`.
    pub(super) fn create(folder: &Path, like: &SqliteRestore) -> Result<Self> {
        let staging = Staging::create(folder)?;
        let restorer = like.with_path(staging.path("scratch.sqlite"));
        Ok(Self { restorer, staging })
    }
}

#[async_trait]
impl Scratch for SqliteScratch {
    fn restorer(&self) -> &dyn Restorer {
        &self.restorer
    }

    fn place(&self) -> ScratchPlace {
        ScratchPlace::server(rusqlite::version())
    }

    fn dumper(&self, _: Contents) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.restorer.dump().with_checksums()))
    }

    async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        let (restorer, sql) = (self.restorer.clone(), sql.to_owned());
        blocking::run(move |cancel| restorer.scalar(&sql, cancel))
            .await
            .map_err(|err| err.with_operation("assertion"))
    }

    async fn inventory(&self) -> Result<Inventory> {
        let restorer = self.restorer.clone();
        blocking::run(move |cancel| restorer.count(cancel)).await.map_err(|err| err.with_operation("scratch"))
    }

    async fn source_checksums(&self) -> Result<Option<Inventory>> {
        Ok(None)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        blocking::run(move |_| self.staging.remove()).await.map_err(|err| err.with_operation("scratch"))
    }
}
