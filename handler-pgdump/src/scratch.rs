//! [`PgScratch`]: a throw-away database on the target's server.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{Contents, Dumper, Inventory, Restorer, Result, Scratch, ScratchPlace};

use crate::{
    PgRestore,
    server::{Server, quote_identifier, quote_literal},
};

/// The longest that dropping a database may take.
const DROP_LIMIT: Duration = Duration::from_secs(60);

/// The longest that `drop` waits for it.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// A database named `<name>_rehearsal_<random>`, gone when it is closed or dropped.
///
/// `close` says when dropping it failed. A drop, also by a panic, waits at most ten seconds for the server
/// and can only log a failure; a killed process leaves the database behind, with a name that says what it is.
#[derive(Debug)]
pub struct PgScratch {
    restore: PgRestore,
    database: TemporaryDatabase,
    place: ScratchPlace,
}

impl PgScratch {
    pub(crate) fn new(restore: PgRestore, database: TemporaryDatabase, place: ScratchPlace) -> Self {
        Self { restore, database, place }
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.database.name()
    }
}

/// A database that is dropped unless it is kept.
#[derive(Debug)]
pub(crate) struct TemporaryDatabase {
    maintenance: Server,
    name: String,
    armed: bool,
}

impl TemporaryDatabase {
    pub(crate) fn new(maintenance: Server, name: String) -> Self {
        Self { maintenance, name, armed: true }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It is no longer temporary.
    pub(crate) fn keep(mut self) {
        self.armed = false;
    }

    /// Drops it, and says when that failed.
    ///
    /// # Cancel safety
    ///
    /// A dropped call drops the database as a drop of `self` does.
    pub(crate) async fn close(mut self) -> Result<()> {
        drop_database(&self.maintenance, &self.name).await?;
        self.armed = false;
        Ok(())
    }
}

/// `WITH (FORCE)` is not known to servers before version 13.
async fn drop_database(maintenance: &Server, name: &str) -> Result<()> {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {};\nDROP DATABASE IF EXISTS {};",
        quote_literal(name),
        quote_identifier(name)
    );
    maintenance.ask(&sql, DROP_LIMIT).await.map(drop)
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (maintenance, name) = (self.maintenance.clone(), self.name.clone());
        let (done, finished) = mpsc::channel();
        // A runtime of its own: this one may be the current one, or shutting down.
        let thread = std::thread::Builder::new().name("backup-pg-drop".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let dropped = match runtime {
                Ok(runtime) => runtime.block_on(drop_database(&maintenance, &name)),
                Err(err) => Err(err.into()),
            };
            if let Err(err) = dropped {
                tracing::warn!(database = name, %err, "a temporary database was left behind");
            }
            let _waiter_may_be_gone = done.send(());
        });
        if thread.is_err() || finished.recv_timeout(WAIT_LIMIT).is_err() {
            tracing::warn!(database = self.name, "a temporary database may be left behind");
        }
    }
}

#[async_trait]
impl Scratch for PgScratch {
    fn restorer(&self) -> &dyn Restorer {
        &self.restore
    }

    fn place(&self) -> ScratchPlace {
        self.place.clone()
    }

    fn dumper(&self, contents: Contents) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.restore.dump(contents)))
    }

    async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        self.restore.scalar(sql).await.map_err(|err| err.with_operation("assertion"))
    }

    async fn inventory(&self) -> Result<Inventory> {
        self.restore.count().await.map_err(|err| err.with_operation("count scratch"))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.database.close().await.map_err(|err| err.with_operation("close scratch"))
    }
}
