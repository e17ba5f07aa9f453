//! [`MysqlScratch`]: a throw-away server, or a throw-away database on the target's server.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    Contents, Dumper, Error, ErrorKind, Inventory, Restorer, Result, Scratch, ScratchLike, ScratchPlace,
    process::finish_in_drop,
};

use crate::{
    MysqlRestore,
    restorer::is_marked,
    server::{Server, quote_identifier},
};

mod needs;
mod private;

use private::PrivateRestore;

/// The longest that `drop` waits for the server.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// The longest that dropping a database may take.
const DROP_LIMIT: Duration = Duration::from_secs(300);

/// Where throw-away databases are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rehearse {
    /// On a [private server](Self::PrivateServer) where the program for one is installed here, else in a
    /// [database](Self::Database).
    #[default]
    Either,
    /// On a server of its own, on this machine, also where the client programs run on
    /// [another host](MysqlRestore::over): of the dump's flavour and version, or the next newer one that is installed.
    PrivateServer,
    /// In a database named `<name>_rehearsal_<random>` on the target's server, which others use too.
    Database,
}

/// A throw-away database, gone when it is closed or dropped.
///
/// # A private server
///
/// - It is made in a temporary folder of mode 0700 (see [`MysqlRestore::staging`]) and listens on a socket in it, with
///   a random password and no network. It syncs nothing, keeps no binary log, and runs no event.
/// - It is gone after `close`, a drop, a panic, a dropped future, and soon after this process is gone, also by
///   `kill -9`: a supervisor holds a pipe to us. Where we are root, both run as `nobody`.
/// - The dump is restored by a user that has every right in the dump's databases, and none that reaches a file, an
///   account, a setting of the server or its system tables; no plugin can be loaded. A dump that changes a setting of the
///   server, such as `GTID_PURGED`, is refused. Storage engines that are plugins are not there.
/// - Definers stay as the dump says: the accounts are made, without a login, when a statement names them.
///
/// # A database on the target's server
///
/// `close` says when dropping it failed. A drop, also by a panic, waits at most ten seconds for the server
/// and can only log a failure; a killed process leaves the database behind, with a name that says what it is and by which
/// a probe of the target tells of it ([`TargetInfo::left_behind`](backup_core::TargetInfo::left_behind)).
#[derive(Debug)]
pub struct MysqlScratch {
    made: Made,
    place: ScratchPlace,
}

#[derive(Debug)]
enum Made {
    Server(PrivateRestore),
    Database(MysqlRestore, TemporaryDatabase),
}

impl MysqlScratch {
    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.restore().config.database()
    }

    fn restore(&self) -> &MysqlRestore {
        match &self.made {
            Made::Server(private) => private.inner(),
            Made::Database(restore, _) => restore,
        }
    }
}

/// Makes a throw-away database where `restore` says.
pub(crate) async fn make(restore: &MysqlRestore, like: &ScratchLike) -> Result<MysqlScratch> {
    if restore.rehearse != Rehearse::Database {
        match private::start(restore, like).await {
            Ok((private, version)) => {
                return Ok(MysqlScratch {
                    made: Made::Server(private),
                    place: ScratchPlace::server(version),
                });
            }
            Err(err) if restore.rehearse == Rehearse::Either && may_go_elsewhere(&err) => {
                tracing::warn!(%err, "no private server; the rehearsal takes a database on the target's server");
            }
            Err(err) => return Err(err),
        }
    }
    let (database, version) = restore.temporary(like).await?;
    let place = ScratchPlace::database(version);
    Ok(MysqlScratch { made: Made::Database(restore.at(database.name()), database), place })
}

/// Whether it is private servers that this machine lacks.
fn may_go_elsewhere(err: &Error) -> bool {
    matches!(err.kind(), ErrorKind::ToolNotFound | ErrorKind::Unsupported)
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
        let removal = async move { remove(&server, &name, again.as_deref(), token.as_deref()).await };
        if let Err(err) = finish_in_drop("backup-my-drop", WAIT_LIMIT, removal) {
            tracing::warn!(database = self.name, %err, "a temporary database may be left behind");
        }
    }
}

#[async_trait]
impl Scratch for MysqlScratch {
    fn restorer(&self) -> &dyn Restorer {
        match &self.made {
            Made::Server(private) => private,
            Made::Database(restore, _) => restore,
        }
    }

    fn place(&self) -> ScratchPlace {
        self.place.clone()
    }

    fn dumper(&self, contents: Contents) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.restore().dump(contents)))
    }

    async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        self.restore().scalar(sql).await.map_err(|err| err.with_operation("assertion"))
    }

    async fn inventory(&self) -> Result<Inventory> {
        self.restore().count().await.map_err(|err| err.with_operation("count scratch"))
    }

    async fn source_checksums(&self) -> Result<Option<Inventory>> {
        Ok(None)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let closed = match self.made {
            Made::Server(private) => private.close().await,
            Made::Database(_, database) => database.close().await,
        };
        closed.map_err(|err| err.with_operation("close scratch"))
    }
}
