//! [`MysqlScratch`]: a throw-away database on the target's server.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{Contents, Dumper, Inventory, Restorer, Result, Scratch, ScratchPlace};

use crate::{
    MysqlRestore,
    restorer::is_marked,
    server::{Server, quote_identifier},
};

/// The longest that `drop` waits for the server.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// The longest that dropping a database may take.
const DROP_LIMIT: Duration = Duration::from_secs(300);

/// A database named `<name>_rehearsal_<random>`, gone when it is closed or dropped.
///
/// `close` says when dropping it failed. A drop, also by a panic, waits at most ten seconds for the server
/// and can only log a failure; a killed process leaves the database behind, with a name that says what it is.
#[derive(Debug)]
pub struct MysqlScratch {
    restore: MysqlRestore,
    database: TemporaryDatabase,
    place: ScratchPlace,
}

impl MysqlScratch {
    pub(crate) fn new(restore: MysqlRestore, database: TemporaryDatabase, place: ScratchPlace) -> Self {
        Self { restore, database, place }
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.database.name()
    }
}

/// A database that is dropped, or emptied, unless it is kept.
#[derive(Debug)]
pub(crate) struct TemporaryDatabase {
    server: Server,
    name: String,
    /// Makes it anew where it was there before, and empty.
    again: Option<String>,
    /// It is only touched where it has this restore's mark.
    token: Option<String>,
    armed: bool,
}

impl TemporaryDatabase {
    /// A database that was not there before.
    pub(crate) fn new(server: Server, name: String) -> Self {
        Self { server, name, again: None, token: None, armed: true }
    }

    /// A database that somebody else may have made: it is touched only where it has a mark with this token. One that
    /// was there and empty is made again with the clauses of its character set.
    pub(crate) fn marked(server: Server, name: String, token: String, again: Option<String>) -> Self {
        Self { server, name, again, token: Some(token), armed: true }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It is no longer temporary.
    pub(crate) fn keep(mut self) {
        self.armed = false;
    }

    /// Drops or empties it, and says when that failed.
    ///
    /// # Cancel safety
    ///
    /// A dropped call drops the database as a drop of `self` does.
    pub(crate) async fn close(mut self) -> Result<()> {
        remove(&self.server, &self.name, self.again.as_deref(), self.token.as_deref()).await?;
        self.armed = false;
        Ok(())
    }
}

async fn remove(server: &Server, name: &str, again: Option<&str>, token: Option<&str>) -> Result<()> {
    if let Some(token) = token
        && !is_marked(server, name, token).await?
    {
        return Ok(());
    }
    let name = quote_identifier(name);
    // Constraints of other databases would hold its tables back.
    let mut sql = format!("SET SESSION foreign_key_checks = 0;\nDROP DATABASE IF EXISTS {name};\n");
    if let Some(clauses) = again {
        sql.push_str(&format!("CREATE DATABASE {name}{clauses};\n"));
    }
    server.run(None, &sql, DROP_LIMIT).await.map(drop)
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        let (again, token) = (self.again.clone(), self.token.clone());
        let (done, finished) = mpsc::channel();
        // A runtime of its own: this one may be the current one, or shutting down.
        let thread = std::thread::Builder::new().name("backup-my-drop".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let dropped = match runtime {
                Ok(runtime) => runtime.block_on(remove(&server, &name, again.as_deref(), token.as_deref())),
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
impl Scratch for MysqlScratch {
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

    async fn source_checksums(&self) -> Result<Option<Inventory>> {
        Ok(None)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.database.close().await.map_err(|err| err.with_operation("close scratch"))
    }
}
