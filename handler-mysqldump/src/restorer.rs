//! [`MysqlRestore`]: restores dumps with `mariadb` or `mysql`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Contents, Dumper, Error, ErrorKind, Inventory, OnExisting, RestoreOptions, RestoreOutcome,
    Restorer, Result, Scratch, ScratchLike, Selected, Selection, TargetInfo, process::Host, restore::Beside,
};

use crate::{
    command,
    config::MysqlConfig,
    dumper::MysqlDump,
    format::{Content, DATABASES, Definers, ENGINE, MARIADB, PLAIN},
    scratch::{self, Rehearse, TemporaryDatabase},
    server::{Facts, QUESTION_LIMIT, Server},
    version::{Installed, Version},
};

mod beside;
mod count;
mod definers;
mod events;
mod filter;
mod keys;
mod run;
mod select;
mod several;
mod swap;
mod target;

use filter::Wanted;

pub(crate) use target::{create, is_marked};

/// How long the client may take nothing and say nothing, unless said otherwise: it may build a large index.
const IDLE_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// Restores dumps of MySQL and MariaDB into one database.
///
/// # How a target stays whole
///
/// These servers cannot take back what defines a table, so that a restore is no transaction. Instead:
///
/// - A database that does not exist is made, and one that is empty is filled; when that fails, it is gone or
///   empty again. While it is filled it holds a table named `_backup_restore_unfinished`, so that what is left by a
///   killed process cannot be taken for a whole database.
/// - A database that is to be [replaced](OnExisting::Replace) stays as it is while the restore is built beside it,
///   as `<name>_restoring_<random>`. Then all tables change places in one statement, and views, triggers,
///   routines and events are made anew from the restored ones. When that fails, the old ones are put back.
///
/// - [Chosen tables](backup_core::Selection::Tables) of a database that holds others are built beside it too, and change
///   places with those that are replaced in one statement; triggers, and foreign keys between them and the other tables,
///   are made anew, and foreign keys are checked. When that fails, the old ones are put back.
/// - While tables change places the target holds the table `_backup_restore_unfinished` too, so that what a killed process
///   leaves is known; then `<name>_replaced_<random>` has the old tables.
///
/// Chosen tables come with their rows, indexes, foreign keys among each other, and triggers; views, routines and events do
/// not come along.
///
/// A backup of [several databases](crate::MysqlDump::also) is restored under their own names, none of which may be there;
/// the one that the configuration names plays no part.
///
/// A restore whose future is dropped removes what it had begun, in the background and as far as it can. What a killed
/// process leaves beside the target is named by the next `probe`
/// ([`TargetInfo::left_behind`](backup_core::TargetInfo::left_behind)), and so by the next restore, which leaves it alone;
/// only databases that the user may see are.
///
/// # Examples
///
/// ```
/// use handler_mysqldump::{Definers, MysqlRestore};
///
/// let restore = MysqlRestore::from_url("mysql://admin@db.example/shop_restored")?.definers(Definers::Strip);
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MysqlRestore {
    pub(crate) config: MysqlConfig,
    definers: Definers,
    pub(crate) installed: Installed,
    idle_timeout: Duration,
    total_timeout: Option<Duration>,
    pub(crate) rehearse: Rehearse,
    /// Folders of server programs.
    pub(crate) servers: Vec<PathBuf>,
    pub(crate) staging: Option<PathBuf>,
}

impl MysqlRestore {
    /// Restores into the database that the URL names; see [`MysqlConfig::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput); the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(MysqlConfig::from_url(url)?))
    }

    /// Restores into the database that `config` names.
    #[must_use]
    pub fn new(config: MysqlConfig) -> Self {
        Self {
            config,
            definers: Definers::default(),
            installed: Installed::default(),
            idle_timeout: IDLE_LIMIT,
            total_timeout: None,
            rehearse: Rehearse::default(),
            servers: Vec::new(),
            staging: None,
        }
    }

    /// Rehearses on private servers alone, and needs no server that is there already; it restores into nothing else.
    #[must_use]
    pub fn rehearsals() -> Self {
        Self::new(MysqlConfig::new("rehearsal")).rehearse_in(Rehearse::PrivateServer)
    }

    /// Says what becomes of the definers of views, triggers, routines and events.
    #[must_use]
    pub fn definers(mut self, definers: Definers) -> Self {
        self.definers = definers;
        self
    }

    /// Restores into another database of the same server, for example one named by
    /// [`clone_name`](backup_core::clone_name), beside the one that the backup came from.
    ///
    /// # Examples
    ///
    /// ```
    /// use backup_core::{Clock, SystemClock, clone_name};
    /// use handler_mysqldump::MysqlRestore;
    ///
    /// let restore = MysqlRestore::from_url("mysql://admin@db.example/shop")?;
    /// let beside = restore.into_database(clone_name("shop", SystemClock.now()));
    /// # Ok::<(), backup_core::Error>(())
    /// ```
    #[must_use]
    pub fn into_database(self, name: impl AsRef<str>) -> Self {
        self.at(name.as_ref())
    }

    /// Uses the client programs in this folder and no others; called again, those in that folder too.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.installed.folders.push(folder.into());
        self
    }

    /// Runs the client programs on this host; the address of the server is the one seen from there.
    #[must_use]
    pub fn over(mut self, host: Host) -> Self {
        self.installed.host = host;
        self
    }

    /// Ends the client when it takes nothing for this long; six hours unless said otherwise.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Ends the client after this long; never unless said otherwise.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Says where [`scratch`](Restorer::scratch) makes throw-away databases.
    #[must_use]
    pub fn rehearse_in(mut self, place: Rehearse) -> Self {
        self.rehearse = place;
        self
    }

    /// Starts private servers with the programs in this folder (`mariadbd`, `mysqld`) and no others; called again, those in
    /// that folder too.
    #[must_use]
    pub fn server_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.servers.push(folder.into());
        self
    }

    /// Says in which folder private servers have their data; the system's temporary folder unless said otherwise.
    #[must_use]
    pub fn staging(mut self, folder: impl Into<PathBuf>) -> Self {
        self.staging = Some(folder.into());
        self
    }

    /// A throw-away database on the target's server, and the server's version.
    pub(crate) async fn temporary(&self, like: &ScratchLike) -> Result<(TemporaryDatabase, String)> {
        let (server, facts) = self.look().await?;
        let encoding = like.encoding.clone().or(facts.as_ref().map(Facts::encoding));
        let database = target::create_beside(&server, Beside::Rehearsal, encoding.as_deref()).await?;
        Ok((database, server.printed))
    }

    pub(crate) fn at(&self, database: &str) -> Self {
        Self { config: self.config.with_database(database), ..self.clone() }
    }

    /// A dumper of the database.
    pub(crate) fn dump(&self, contents: Contents) -> MysqlDump {
        let dump = MysqlDump::new(self.config.clone()).installed(self.installed.clone());
        if contents == Contents::Definitions { dump.content(Content::SchemaOnly) } else { dump }
    }

    /// The one answer to a question, as text; the server's `NULL` is none.
    pub(crate) async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        let server = Server::connect(&self.config, &self.installed).await?;
        let query = sql.trim().trim_end_matches(';');
        let rows = server.ask(&format!("{query}\n;"), QUESTION_LIMIT).await?;
        let first = rows.iter().next().and_then(<[String]>::first);
        Ok(first.filter(|answer| *answer != "NULL").cloned())
    }

    /// The rows of the database, counted by the server.
    pub(crate) async fn count(&self) -> Result<Inventory> {
        count::rows(&Server::connect(&self.config, &self.installed).await?).await
    }

    async fn look(&self) -> Result<(Server, Option<Facts>)> {
        let server = Server::connect(&self.config, &self.installed).await?;
        let facts = facts(&server).await?;
        Ok((server, facts))
    }

    fn check_chosen(&self, options: &RestoreOptions) -> Result<()> {
        if options.format == PLAIN {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "tables cannot be chosen from a dump of several databases")
            .with_context("database", self.config.database())
            .with_context("format", &options.format))
    }

    /// What was selected of the dump.
    fn chosen<'a>(&self, options: &'a RestoreOptions) -> Result<&'a Selected> {
        self.check_chosen(options)?;
        options.selected.as_ref().filter(|selected| !selected.tables.is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "what the chosen tables need was not selected")
                .with_suggestion("hand on what Restorer::select says of the dump")
        })
    }

    async fn restore_into_target(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        if !self.supports(ENGINE, &options.format) {
            return Err(Error::new(ErrorKind::Unsupported, "dumps of this format cannot be restored here")
                .with_context("format", &options.format));
        }
        let wanted = match &options.selection {
            Selection::Tables(_) => Wanted::Tables(select::bare(&self.chosen(&options)?.tables)),
            Selection::Definitions => Wanted::Definitions,
            _ => Wanted::All,
        };
        let (server, facts) = self.look().await?;
        let mut warnings = Vec::new();
        if options.format == DATABASES {
            if options.on_existing != OnExisting::Refuse {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "several databases cannot be replaced at once",
                )
                .with_suggestion("restore them into a server that has none of them"));
            }
            let run = run::Run { settings: self, server: &server };
            let mut outcome =
                RestoreOutcome::new(several::restore(&run, &wanted, body, &mut warnings).await?);
            outcome.warnings = warnings;
            return Ok(outcome);
        }
        if let Some(source) = options.source_version.as_deref().and_then(Version::of_server)
            && source.flavour != server.version.flavour
        {
            warnings.push(format!(
                "the dump is of {source} and the target is {}: what only one of them knows fails or is left out",
                server.version
            ));
        }
        let full = facts.as_ref().filter(|facts| facts.objects > 0);
        let run = run::Run { settings: self, server: &server };
        if let (Some(facts), Wanted::Tables(tables)) = (full, &wanted) {
            let inventory =
                swap::chosen::restore(&run, facts, tables, options.on_existing, body, &mut warnings).await?;
            let mut outcome = RestoreOutcome::new(inventory);
            outcome.warnings = warnings;
            return Ok(outcome);
        }
        if let (Some(facts), OnExisting::Refuse) = (full, options.on_existing) {
            return Err(target::not_empty(&server, facts).await);
        }
        let inventory = if full.is_some() {
            swap::replace(&run, facts.as_ref(), &wanted, body, &mut warnings).await?
        } else {
            let like = facts.as_ref().map(Facts::encoding).or(options.source_encoding);
            target::fill(&run, facts.is_some(), like.as_deref(), &wanted, body, &mut warnings).await?
        };
        let mut outcome = RestoreOutcome::new(inventory);
        outcome.warnings = warnings;
        Ok(outcome)
    }
}

/// What is known of the database; nothing where it does not exist.
async fn facts(server: &Server) -> Result<Option<Facts>> {
    match server.facts().await {
        Ok(facts) => Ok(Some(facts)),
        Err(err) if err.kind() == ErrorKind::DatabaseNotFound => Ok(None),
        Err(err) => Err(err),
    }
}

#[async_trait]
impl Restorer for MysqlRestore {
    fn supports(&self, engine: &str, format: &str) -> bool {
        matches!(engine, ENGINE | MARIADB) && matches!(format, PLAIN | DATABASES)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        let probe = async {
            let (server, databases) = Server::connect_for_names(&self.config, &self.installed).await?;
            let facts = facts(&server).await?;
            let mut target = TargetInfo::new(self.config.database());
            target.location = command::location(&self.config, &self.installed.host);
            let name = server.sql.path.file_stem().map(|name| name.to_string_lossy().into_owned());
            target.tool = name.unwrap_or_default();
            target.tool_version = server.sql.printed;
            target.server_version = server.printed;
            target.exists = facts.is_some();
            target.tables = facts.as_ref().map_or(0, |facts| facts.tables);
            target.objects = facts.as_ref().map_or(0, |facts| facts.objects);
            target.left_behind = beside::left_behind(self.config.database(), databases);
            if facts.is_some_and(|facts| facts.unfinished) {
                target.left_behind.push(self.config.database().to_owned());
            }
            Ok(target)
        };
        probe.await.map_err(|err: Error| err.with_operation("probe"))
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        self.restore_into_target(body, options).await.map_err(|err| err.with_operation("restore"))
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        let Selection::Tables(tables) = &options.selection else { return Ok(Selected::default()) };
        let select = async {
            self.check_chosen(options)?;
            let (server, facts) = self.look().await?;
            select::select(definitions, tables, facts.map(|_| &server)).await
        };
        select.await.map_err(|err: Error| err.with_operation("select"))
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.dump(Contents::All)))
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        let scratch = scratch::make(self, like).await.map_err(|err| err.with_operation("scratch"))?;
        Ok(Box::new(scratch))
    }
}
