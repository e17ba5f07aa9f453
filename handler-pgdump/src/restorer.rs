//! [`PgRestore`]: restores dumps with `psql` and `pg_restore`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Contents, Dumper, Error, ErrorKind, Inventory, RestoreOptions, RestoreOutcome, Restorer,
    Result, Scratch, ScratchLike, Selected, Selection, TargetInfo, process::Host, restore::Beside,
};
use futures::future::{Either, select};

use crate::{
    PgConfig, PgDump, Version,
    format::{CUSTOM, Content, DIRECTORY, ENGINE, PLAIN},
    scratch::{self, Rehearse, TemporaryDatabase},
    server::{Facts, QUESTION_LIMIT, Server},
    source,
    version::{Client, ClientSafety, Installed, Program, RestoreNeeds, client_for_restore},
};

mod archive;
mod beside;
mod chosen;
mod count;
mod lexer;
mod run;
mod script;
mod select;
mod target;
mod unpack;

/// How long the tool may take nothing and say nothing, unless said otherwise: it may build a large index.
const IDLE_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// Restores dumps of PostgreSQL into one database.
///
/// # How a target stays whole
///
/// - A database that does not exist is made under another name, `<name>_restoring_<random>`, and gets its own
///   name once the restore is whole: a name never stands for half a restore.
/// - A database that exists and is empty is restored in one transaction: on a failure it is empty again.
/// - A database that is to be [replaced](backup_core::OnExisting::Replace) stays as it is while the restore is built beside
///   it; then the two change names in one transaction, and the old one is dropped. Owner, grants, settings,
///   comment and connection limit of the database are kept.
/// - With several [jobs](Self::jobs), which cannot share a transaction, the restore is always built beside.
/// - [Chosen tables](backup_core::Selection::Tables) come into a database that holds others in one transaction: those that
///   are replaced are dropped in it, without `CASCADE`, and foreign keys of other tables that refer to them are dropped
///   and made again. They are locked meanwhile; clients wait. What else depends on them, such as a view, stands in the
///   way and is named.
///
/// Chosen tables bring along what their definitions name: types, domains, functions and what those may call, sequences,
/// schemas, extensions, operators. What the target has of these stays as it is. From a custom or directory archive they
/// come by the script that `pg_restore` writes, by way of a temporary copy of the archive, with one job, and not over SSH.
///
/// A restore whose future is dropped removes what it had begun, in the background and as far as it can. What a killed
/// process leaves is named by the next `probe` ([`TargetInfo::left_behind`](backup_core::TargetInfo::left_behind)), and
/// so by the next restore, which leaves it alone.
///
/// # Examples
///
/// ```
/// use handler_pgdump::PgRestore;
///
/// let restore = PgRestore::from_url("postgresql://admin@db.example/shop_restored")?.jobs(4);
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PgRestore {
    pub(crate) config: PgConfig,
    jobs: u16,
    pub(crate) safety: ClientSafety,
    pub(crate) installed: Installed,
    pub(crate) host: Host,
    idle_timeout: Duration,
    total_timeout: Option<Duration>,
    pub(crate) staging: Option<PathBuf>,
    pub(crate) rehearse: Rehearse,
    pub(crate) servers: Installed,
}

impl PgRestore {
    /// Restores into the database that the URL names; see [`PgConfig::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput); the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(PgConfig::from_url(url)?))
    }

    /// Restores into the database that `config` names.
    #[must_use]
    pub fn new(config: PgConfig) -> Self {
        Self {
            config,
            jobs: 1,
            safety: ClientSafety::default(),
            installed: Installed::default(),
            host: Host::local(),
            idle_timeout: IDLE_LIMIT,
            total_timeout: None,
            staging: None,
            rehearse: Rehearse::default(),
            servers: Installed::default(),
        }
    }

    /// Rehearses on private servers alone, and needs no server that is there already; it restores into nothing else.
    #[must_use]
    pub fn rehearsals() -> Self {
        Self::new(PgConfig::new("rehearsal")).rehearse_in(Rehearse::PrivateServer)
    }

    /// Restores an archive with several connections at once; one unless said otherwise.
    ///
    /// `pg_restore` then needs a file in which it can seek, so that a custom archive is first copied into the
    /// [staging](Self::staging) folder; a directory always is. A plain dump cannot be restored so.
    #[must_use]
    pub fn jobs(mut self, jobs: u16) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Says whether client programs may be used that a hostile dump could make run code.
    #[must_use]
    pub fn client_safety(mut self, safety: ClientSafety) -> Self {
        self.safety = safety;
        self
    }

    /// Restores into another database of the same server, for example one named by
    /// [`clone_name`](backup_core::clone_name), beside the one that the backup came from.
    ///
    /// # Examples
    ///
    /// ```
    /// use backup_core::{Clock, SystemClock, clone_name};
    /// use handler_pgdump::PgRestore;
    ///
    /// let restore = PgRestore::from_url("postgresql://admin@db.example/shop")?;
    /// let beside = restore.into_database(clone_name("shop", SystemClock.now()));
    /// # Ok::<(), backup_core::Error>(())
    /// ```
    #[must_use]
    pub fn into_database(self, name: impl AsRef<str>) -> Self {
        self.at(name.as_ref())
    }

    /// Uses the client programs in this folder and no others.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.installed = Installed::In(folder.into());
        self
    }

    /// Runs the client programs on `host`, by the rules of [`PgDump::over`].
    ///
    /// A folder or a file on that host is never made: the directory format and several jobs are refused
    /// ([`Unsupported`](ErrorKind::Unsupported)).
    #[must_use]
    pub fn over(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// Ends the tool when it takes nothing for this long; six hours unless said otherwise.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Ends the tool after this long; never unless said otherwise.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Says where a temporary copy is made, by the rules of [`jobs`](Self::jobs) and for the directory format;
    /// the system's temporary folder unless said otherwise.
    #[must_use]
    pub fn staging(mut self, folder: impl Into<PathBuf>) -> Self {
        self.staging = Some(folder.into());
        self
    }

    /// Says where [`scratch`](Restorer::scratch) makes throw-away databases.
    #[must_use]
    pub fn rehearse_in(mut self, place: Rehearse) -> Self {
        self.rehearse = place;
        self
    }

    /// Starts private servers with the programs in this folder (`initdb`, `postgres`) and no others.
    #[must_use]
    pub fn server_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.servers = Installed::In(folder.into());
        self
    }

    pub(crate) fn at(&self, database: &str) -> Self {
        Self { config: self.config.with_database(database), ..self.clone() }
    }

    /// A throw-away database on the target's server, and the server's version.
    pub(crate) async fn temporary(&self, like: &ScratchLike) -> Result<(TemporaryDatabase, String)> {
        let server = Server::new(&self.config, &self.installed, &self.host).await?;
        let (maintenance, facts) = target::maintenance(&server).await?;
        let encoding = like.encoding.as_deref().map(target::in_encoding);
        let name = self.config.database();
        Ok((target::create(&maintenance, name, Beside::Rehearsal, None, encoding).await?, facts.version))
    }

    /// A dumper of the database.
    pub(crate) fn dump(&self, contents: Contents) -> PgDump {
        let dump = PgDump::new(self.config.clone()).installed(self.installed.clone()).over(self.host.clone());
        if contents == Contents::Definitions { dump.content(Content::SchemaOnly) } else { dump }
    }

    /// The one answer to a question, as text.
    pub(crate) async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        let server = Server::new(&self.config, &self.installed, &self.host).await?;
        server.scalar(sql, QUESTION_LIMIT).await
    }

    /// The rows of the database, counted by the server.
    pub(crate) async fn count(&self) -> Result<Inventory> {
        count::rows(&Server::new(&self.config, &self.installed, &self.host).await?).await
    }

    /// The rows of the database, counted and summed up by the server.
    pub(crate) async fn checksums(&self) -> Result<Option<Inventory>> {
        source::checksums(&Server::new(&self.config, &self.installed, &self.host).await?).await
    }

    /// The database, or `None` where it does not exist, and a session elsewhere on its server.
    async fn look(&self) -> Result<Look> {
        let server = Server::new(&self.config, &self.installed, &self.host).await?;
        let left_behind =
            |facts: &Facts| beside::left_behind(self.config.database(), &facts.databases_beside);
        match server.facts().await {
            Ok(facts) => Ok(Look {
                left_behind: left_behind(&facts),
                version: facts.server(),
                printed: facts.version.clone(),
                // A database that is replaced changes its name too, which only its owner may do.
                may_create: facts.may_create && facts.owns,
                facts: Some(facts),
                server,
            }),
            Err(err) if err.kind() == ErrorKind::DatabaseNotFound => {
                let (_, elsewhere) = target::maintenance(&server).await?;
                Ok(Look {
                    left_behind: left_behind(&elsewhere),
                    version: elsewhere.server(),
                    printed: elsewhere.version,
                    may_create: elsewhere.may_create,
                    facts: None,
                    server,
                })
            }
            Err(err) => Err(err),
        }
    }

    /// The client that restores, of those that `server` was asked with where that is `psql`.
    async fn client(&self, server: &Server, needs: &RestoreNeeds) -> Result<Client> {
        if needs.archive {
            return self.archive_client(needs).await;
        }
        client_for_restore(&server.found, needs).cloned()
    }

    async fn archive_client(&self, needs: &RestoreNeeds) -> Result<Client> {
        client_for_restore(&self.installed.find(Program::PgRestore, &self.host).await?, needs).cloned()
    }

    async fn restore_into_target(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        if !self.supports(ENGINE, &options.format) {
            return Err(Error::new(ErrorKind::Unsupported, "dumps of this format cannot be restored here")
                .with_context("format", &options.format));
        }
        // Chosen tables are restored from the script that an archive stands for.
        let chosen = matches!(options.selection, Selection::Tables(_));
        let archive = options.format != PLAIN && !chosen;
        if self.jobs > 1 && options.format == PLAIN {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a plain dump cannot be restored by several jobs",
            )
            .with_suggestion("use one job, or dump in the custom or directory format"));
        }
        if (self.jobs > 1 || options.format == DIRECTORY) && !self.host.is_local() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "pg_restore would need a copy of the archive on the other host",
            )
            .with_suggestion("over SSH use one job, and dump in the plain or custom format"));
        }
        let look = self.look().await?;
        let needs = RestoreNeeds {
            target: look.version,
            source: options.source_version.as_deref().and_then(Version::parse),
            archive,
            safety: self.safety,
        };
        let client = self.client(&look.server, &needs).await?;
        let plan = self.part(&look, &options).await?;
        let (counted, mut warnings) = (plan.counted, plan.warnings);
        let body = if chosen && options.format != PLAIN {
            self.script(body, &options.format, archive::Extent::Everything, &needs).await?
        } else {
            body
        };
        let run = run::Run {
            settings: self,
            client,
            format: if chosen { PLAIN.to_owned() } else { options.format },
            target: look.version,
            part: plan.part,
        };
        let empty = look.facts.as_ref().is_some_and(|facts| facts.objects == 0);
        let inventory = if plan.in_place || (empty && (self.jobs == 1 || chosen)) {
            let input = run.input(body).await.map_err(|err| run::named(&self.config, err))?;
            warnings.extend(run.restore(&self.config, run::Atomic::OneTransaction, input).await?);
            count::of(&look.server, counted.as_deref()).await?
        } else {
            Box::pin(self.restore_beside(&run, &look, body, counted.as_deref(), &mut warnings)).await?
        };
        let mut outcome = RestoreOutcome::new(inventory);
        outcome.warnings = warnings;
        Ok(outcome)
    }

    async fn restore_beside(
        &self,
        run: &run::Run<'_>,
        look: &Look,
        body: ByteStream,
        counted: Option<&[String]>,
        warnings: &mut Vec<String>,
    ) -> Result<Inventory> {
        let name = self.config.database();
        let (maintenance, _) = target::maintenance(&look.server).await?;
        let like = look.facts.as_ref().map(|_| name);
        // Where the tool needs a copy of the archive, it is made at the same time as the database.
        let created = Box::pin(target::create(&maintenance, name, Beside::Restoring, like, None));
        let (beside, input) = match select(created, Box::pin(run.input(body))).await {
            Either::Left((beside, input)) => (beside?, input.await),
            Either::Right((input, created)) => (created.await?, input),
        };
        let config = self.config.with_database(beside.name());
        let restored = async {
            let input = input.map_err(|err| run::named(&config, err))?;
            warnings.extend(run.restore(&config, run::Atomic::NotNeeded, input).await?);
            count::of(&look.server.at(beside.name()), counted).await
        };
        let inventory = match restored.await {
            Ok(done) => done,
            Err(err) => return Err(target::drop_after(beside, err).await),
        };
        let replaced = match target::take_place(&maintenance, name, beside.name(), like.is_some()).await {
            Ok(replaced) => replaced,
            Err(err) => return Err(target::drop_after(beside, err).await),
        };
        beside.keep();
        if let Some(old) = replaced
            && let Err(err) = old.close().await
        {
            warnings.push(format!("the replaced database was not dropped: {err}"));
        }
        Ok(inventory)
    }
}

/// What is found before a restore.
struct Look {
    server: Server,
    version: Version,
    printed: String,
    may_create: bool,
    /// Databases that a restore or a rehearsal made beside this one.
    left_behind: Vec<String>,
    facts: Option<Facts>,
}

#[async_trait]
impl Restorer for PgRestore {
    fn supports(&self, engine: &str, format: &str) -> bool {
        engine == ENGINE && matches!(format, PLAIN | CUSTOM | DIRECTORY)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        let probe = async {
            let look = self.look().await?;
            let needs =
                RestoreNeeds { target: look.version, source: None, archive: false, safety: self.safety };
            let client = self.client(&look.server, &needs).await?;
            let mut target = TargetInfo::new(self.config.database());
            target.location = crate::command::location(&self.config, &self.host);
            Program::Psql.name().clone_into(&mut target.tool);
            target.tool_version = client.printed;
            target.server_version = look.printed;
            target.exists = look.facts.is_some();
            target.may_create = Some(look.may_create);
            target.left_behind = look.left_behind;
            if let Some(facts) = look.facts {
                (target.tables, target.objects) = (facts.tables, facts.objects);
            }
            Ok(target)
        };
        probe.await.map_err(|err: Error| err.with_operation("probe"))
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        self.restore_into_target(body, options).await.map_err(|err| err.with_operation("restore"))
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.selected(definitions, options).await.map_err(|err| err.with_operation("select"))
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.dump(Contents::All)))
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        let scratch = scratch::make(self, like).await.map_err(|err| err.with_operation("scratch"))?;
        Ok(Box::new(scratch))
    }
}
