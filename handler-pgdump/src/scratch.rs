//! [`PgScratch`]: a throw-away server, or a throw-away database on the target's server.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    Contents, Dumper, Error, ErrorKind, Inventory, Restorer, Result, Scratch, ScratchLike, ScratchPlace,
    process::finish_in_drop,
};

use crate::{
    PgRestore,
    server::{Server, quote_identifier, quote_literal},
};

mod private;

use private::PrivateRestore;

/// The longest that dropping a database may take.
const DROP_LIMIT: Duration = Duration::from_secs(60);

/// The longest that `drop` waits for it.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// Where throw-away databases are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rehearse {
    /// On a [private server](Self::PrivateServer) where the programs for one are installed here, else in a
    /// [database](Self::Database).
    #[default]
    Either,
    /// On a server of its own, on this machine, also where the client programs run on
    /// [another host](PgRestore::over): of the dump's major version, or the next newer one that is installed.
    PrivateServer,
    /// In a database named `<name>_rehearsal_<random>` on the target's server, which others use too.
    Database,
}

/// A throw-away database, gone when it is closed or dropped.
///
/// # A private server
///
/// - It is made by `initdb` in a temporary folder of mode 0700 (see [`PgRestore::staging`]) and listens on a socket
///   in it, with a random password and no network. It syncs nothing, runs no autovacuum, no subscription and no archiving.
/// - It is gone after `close`, a drop, a panic, a dropped future, and soon after this process is gone, also by
///   `kill -9`: a supervisor holds a pipe to us. Where we are root, both run as `nobody`.
/// - The dump is restored by a role that is no superuser, so that it can neither run programs nor read or write files:
///   `COPY … PROGRAM` and the like are refused. Owners and grants stay as the dump says: the roles that it names are
///   made, without a login, when a statement names them. Extensions that the server has are made for it. What else
///   needs a superuser is refused ([`PermissionDenied`](ErrorKind::PermissionDenied)): functions in C and untrusted
///   languages, event triggers, publications of all tables, base types, operator classes. A dump that has them is
///   rehearsed with [`ClientSafety::TrustDump`](crate::ClientSafety::TrustDump), which restores it as a superuser.
/// - Encoding as in the source; text is sorted by locale `C`, since a dump does not say the locale of its database.
///
/// # A database on the target's server
///
/// `close` says when dropping it failed. A drop, also by a panic, waits at most ten seconds for the server
/// and can only log a failure; a killed process leaves the database behind, with a name that says what it is and by which
/// a probe of the target tells of it ([`TargetInfo::left_behind`](backup_core::TargetInfo::left_behind)).
#[derive(Debug)]
pub struct PgScratch {
    made: Made,
    place: ScratchPlace,
}

#[derive(Debug)]
enum Made {
    Server(PrivateRestore),
    Database(PgRestore, TemporaryDatabase),
}

impl PgScratch {
    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.restore().config.database()
    }

    fn restore(&self) -> &PgRestore {
        match &self.made {
            Made::Server(private) => private.inner(),
            Made::Database(restore, _) => restore,
        }
    }
}

/// Makes a throw-away database where `restore` says.
pub(crate) async fn make(restore: &PgRestore, like: &ScratchLike) -> Result<PgScratch> {
    if restore.rehearse != Rehearse::Database {
        match private::start(restore, like).await {
            Ok((private, version)) => {
                return Ok(PgScratch { made: Made::Server(private), place: ScratchPlace::server(version) });
            }
            Err(err) if restore.rehearse == Rehearse::Either && may_go_elsewhere(&err) => {
                tracing::warn!(%err, "no private server; the rehearsal takes a database on the target's server");
            }
            Err(err) => return Err(err),
        }
    }
    let (database, version) = restore.temporary(like).await?;
    let place = ScratchPlace::database(version);
    Ok(PgScratch { made: Made::Database(restore.at(database.name()), database), place })
}

/// Whether it is private servers that this machine lacks.
fn may_go_elsewhere(err: &Error) -> bool {
    matches!(err.kind(), ErrorKind::ToolNotFound | ErrorKind::Unsupported)
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
        let removal = async move { drop_database(&maintenance, &name).await };
        if let Err(err) = finish_in_drop("backup-pg-drop", WAIT_LIMIT, removal) {
            tracing::warn!(database = self.name, %err, "a temporary database may be left behind");
        }
    }
}

#[async_trait]
impl Scratch for PgScratch {
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
        self.restore().checksums().await.map_err(|err| err.with_operation("checksums of scratch"))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let closed = match self.made {
            Made::Server(private) => private.close().await,
            Made::Database(_, database) => database.close().await,
        };
        closed.map_err(|err| err.with_operation("close scratch"))
    }
}
